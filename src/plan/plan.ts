// The Plan: the frozen, fully defaulted value that every other room reads. Groups are expanded into edges, names into
// ids, commands into argument vectors, environments merged. Nothing in it changes while the program runs; a reload
// makes a new one. It never holds what happens at run time (that is core's).

/** Milliseconds. Durations and monotonic instants alike; 0 and above. */
export type Millis = number;

/** A signal's name as kill(1) prints it with its prefix: `SIGTERM`, `SIGRTMIN+3`. */
export type SignalName = string;

/** What an edge waits for: spawned; ready; ended with success; ended for good, whatever the code. */
export type Condition = 'started' | 'ready' | 'completed' | 'exited';

/** `declared` is the user's `depends_on`; `stage` comes from the order of groups. */
export interface Edge {
  readonly on: string;
  readonly condition: Condition;
  readonly origin: 'declared' | 'stage';
  /** When `on` starts again, the service is stopped before and started after it; absent: it is left alone. */
  readonly restarts?: true;
  /** It is one of several edges, to the copies of `of`, of which `least` must hold; absent: it must hold itself. */
  readonly choice?: Choice;
}

/** 1 <= `least` < number of copies. */
export interface Choice {
  readonly of: string;
  readonly least: number;
}

/** Options common to all probes. `interval` counts only after ready; `failures` only for `live`. */
export interface ProbeCommon {
  readonly timeout: Millis;
  readonly interval: Millis;
  /** The pause after an attempt while starting; null: it grows with the time since the start. */
  readonly startInterval: Millis | null;
  readonly successes: number;
  readonly failures: number;
  readonly continuous: boolean;
}

export interface HttpProbe extends ProbeCommon {
  readonly kind: 'http';
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** Absolute path of a unix socket to speak through instead of host and port. */
  readonly socket: string | null;
  /** Path with query, beginning with `/`. */
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Inclusive ranges; `[[200, 399]]` by default. */
  readonly status: readonly (readonly [number, number])[];
  readonly contains: string | null;
  /** A pattern by RE2's rules, checked at load. */
  readonly matches: string | null;
  /** The same, and the answer must not match it. */
  readonly notMatches: string | null;
  /** Dotted path (`data.0.id`) and the JSON value it must equal; `equals` absent means: it must be there. */
  readonly json: { readonly path: string; readonly equals?: unknown } | null;
  readonly verifyTls: boolean;
}
export interface TcpProbe extends ProbeCommon {
  readonly kind: 'tcp';
  readonly host: string;
  readonly port: number;
  /** Absolute path of a unix socket to connect to instead of host and port. */
  readonly socket: string | null;
}
export interface ExecProbe extends ProbeCommon {
  readonly kind: 'exec';
  readonly argv: readonly string[];
}
export interface LogProbe extends ProbeCommon {
  readonly kind: 'log';
  /** A pattern by RE2's rules, checked at load. */
  readonly pattern: string;
}
export interface FileProbe extends ProbeCommon {
  readonly kind: 'file';
  /** Relative paths are relative to the service's `cwd`. */
  readonly path: string;
}
export interface NotifyProbe extends ProbeCommon {
  readonly kind: 'notify';
  /** null: `READY=1` on `NOTIFY_SOCKET`; a number from 3 to 255: a newline on that descriptor. */
  readonly fd: number | null;
}
export type Probe = HttpProbe | TcpProbe | ExecProbe | LogProbe | FileProbe | NotifyProbe;

export interface RestartPolicy {
  readonly policy: 'never' | 'on-failure' | 'always';
  /** Most restarts (within `within`, or in a row since the last 60 s of readiness); null: no limit. */
  readonly max: number | null;
  readonly within: Millis | null;
  readonly backoff: { readonly initial: Millis; readonly max: Millis; readonly factor: number };
}

export interface StopPlan {
  readonly signal: SignalName;
  /** null: the whole of the plan's `stopTimeout`. */
  readonly timeout: Millis | null;
  readonly to: 'main' | 'group';
  /** From SIGTERM to SIGKILL for the leftover processes of a run that ended by itself; null: 2 s, or a shorter `timeout`. */
  readonly leftoverTimeout: Millis | null;
  /** Run instead of sending the signal. */
  readonly argv: readonly string[] | null;
}

/** A command around a service's life. */
export interface Hook {
  readonly argv: readonly string[];
  /** Past it the command and all it started are killed. */
  readonly timeout: Millis;
}

/** `before_stop` may wait until a probe holds instead of running a command. */
export interface Drain {
  readonly waitFor: Probe;
  /** null: as long as the stop leaves time for it. */
  readonly timeout: Millis | null;
}

export interface Hooks {
  readonly beforeStart: Hook | null;
  readonly afterReady: Hook | null;
  readonly beforeStop: (Omit<Hook, 'timeout'> & { readonly timeout: Millis | null }) | Drain | null;
  readonly afterExit: Hook | null;
}

/** A GPU as the container sees it. */
export interface GpuDevice {
  /** What the program is told: an index, a UUID, the name of a MIG slice. */
  readonly id: string;
  /** Where the driver's own tools find it: its index among all that the container has; null: they cannot tell. */
  readonly index: number | null;
  /** `NVIDIA H200`, `gfx942`; for people. */
  readonly name: string;
}

export interface GpuPlan {
  readonly vendor: 'nvidia' | 'amd';
  /** In the order in which the program sees them. Empty: it does without (`optional`, or a count of 0). */
  readonly devices: readonly GpuDevice[];
  /** Others may be given the same devices. */
  readonly shared: boolean;
  /** Bytes that must be free on each device before a run; null: whatever. */
  readonly minFree: number | null;
  /** How long a run waits for the memory of the one before it. */
  readonly freeTimeout: Millis;
  /** What follows when the driver does not answer any more. */
  readonly onLost: 'exit' | 'restart';
}

export interface User {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, the primary one included. */
  readonly groups: readonly number[];
  /** Login name and home where the password file has them. */
  readonly name: string | null;
  readonly home: string | null;
}

/** Soft and hard value of one limit; null means unlimited. */
export interface Limit {
  readonly soft: number | null;
  readonly hard: number | null;
}

export const LIMIT_NAMES = [
  'as',
  'core',
  'cpu',
  'data',
  'fsize',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
] as const;
export type LimitName = (typeof LIMIT_NAMES)[number];

export interface LogFile {
  /** Absolute. */
  readonly path: string;
  /** Bytes at which it is rotated. */
  readonly maxSize: number;
  /** How many rotated files are kept beside it. */
  readonly keep: number;
  readonly compress: boolean;
}

export interface LogPlan {
  readonly prefix: boolean;
  readonly format: 'text' | 'json';
  readonly whenFull: 'block' | 'drop';
  readonly ansi: 'keep' | 'strip';
  /** With `json`: a line that is an object of the program's own becomes the entry, instead of text in one. */
  readonly merge: boolean;
  /** Patterns by RE2's rules; a line that one matches goes nowhere. */
  readonly drop: readonly string[];
  readonly file: LogFile | null;
}

export interface ServicePlan {
  readonly name: string;
  readonly type: 'service' | 'task';
  readonly enabled: boolean;
  readonly group: string | null;
  /** What is executed: a string command is already `['/bin/sh', '-c', text]`. Never empty. */
  readonly argv: readonly string[];
  /** From `depends_on`. Copies of one service share one list. */
  readonly edges: readonly Edge[];
  /** To all members of the stage before its own. Members of one stage share one list. */
  readonly stageEdges: readonly Edge[];
  readonly ready: readonly Probe[];
  readonly live: readonly Probe[];
  readonly startTimeout: Millis;
  readonly startStall: Millis | null;
  readonly restart: RestartPolicy;
  readonly successCodes: readonly number[];
  readonly essential: boolean;
  readonly stop: StopPlan;
  /** Signal that reaches the supervisor -> signal sent to the main process. */
  readonly forward: Readonly<Record<SignalName, SignalName>>;
  /** The whole environment but for SVC_RUN and NOTIFY_SOCKET, which differ from run to run. */
  readonly env: Readonly<Record<string, string>>;
  /** Names of variables whose values came from files: never shown. */
  readonly secrets: readonly string[];
  readonly cwd: string | null;
  readonly user: User | null;
  readonly umask: number | null;
  readonly nice: number | null;
  readonly oomScoreAdj: number | null;
  /** Processor numbers, ascending; null: as inherited. */
  readonly cpus: readonly number[] | null;
  readonly limits: Readonly<Partial<Record<LimitName, Limit>>>;
  readonly ports: readonly number[];
  readonly log: LogPlan;
  readonly hooks: Hooks;
  /** null: nothing was said of GPUs. What the program is told of them is in `env` already. */
  readonly gpus: GpuPlan | null;
  /** Which copy of which service it is, from 0; null: there is but one. */
  readonly replica: { readonly of: string; readonly index: number } | null;
}

/** The listener besides the unix socket. */
export interface ControlPlan {
  /** A literal address. */
  readonly host: string;
  readonly port: number;
  /** Never shown. null: everybody who reaches it may do everything; on the loopback only. */
  readonly token: string | null;
  /** What is answered without the token. */
  readonly open: readonly ('healthz' | 'readyz' | 'metrics')[];
  /** Names in `Host` besides its address and those of the loopback, in small letters. */
  readonly hosts: readonly string[];
}

/** How PID 1 treats a supervisor that dies or does not answer. */
export interface Succession {
  /** A supervisor that answers no frame for this long is replaced; 0: never. */
  readonly hungAfter: Millis;
  /** A stop request that finds no supervisor for this long is carried out by PID 1 alone. */
  readonly stopWait: Millis;
  /** The longest pause before the next supervisor is started. */
  readonly longestPause: Millis;
  /** Everything is stopped after so many deaths in a row before a supervisor had taken over. */
  readonly deathsBefore: number;
  /** The same for deaths less than a second after it had taken over. */
  readonly deathsYoung: number;
}

export interface Plan {
  readonly name: string;
  /** The file it was read from, absolute. */
  readonly file: string;
  readonly exit: 'first' | 'failure' | 'all';
  readonly stopTimeout: Millis;
  /** Signals that ask to stop everything. */
  readonly stopSignals: readonly SignalName[];
  /** Format of the supervisor's own lines: that of `defaults.log.format`. */
  readonly format: 'text' | 'json';
  readonly control: ControlPlan | null;
  readonly succession: Succession;
  /** Stages in their order; absent: there are none. `stageEdges` hold what follows from it. */
  readonly groups?: readonly string[];
  /** Whether the services' names resolve to 127.0.0.1. */
  readonly hosts: boolean;
  /** In the file's order; disabled ones are there too. */
  readonly services: readonly ServicePlan[];
}
