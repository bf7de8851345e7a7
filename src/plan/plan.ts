// The Plan: the frozen value with all defaults that every other folder reads. Groups are expanded into edges, names into ids,
// commands into argument vectors, environments merged. It never changes; a reload makes a new one. Run-time state is in
// core.
import type { ProcessSpec } from './process.ts';

/** Milliseconds. Durations and monotonic instants alike; 0 and above. */
export type Millis = number;

/** A signal's name with its prefix: `SIGTERM`, `SIGRTMIN+3`. */
export type SignalName = string;

/** spawned; ready; ended with success; ended with any exit code and not restarted. */
export type Condition = 'started' | 'ready' | 'completed' | 'exited';

/** `declared` comes from `depends_on`; `stage` comes from the order of groups. */
export interface Edge {
  readonly on: string;
  readonly condition: Condition;
  readonly origin: 'declared' | 'stage';
  /** When `on` restarts, the service is stopped before and started after it; absent: it continues to run. */
  readonly restarts?: true;
  /** One of several edges to the replicas of `of`, of which `least` must hold; absent: this edge must hold. */
  readonly choice?: Choice;
}

/** 1 <= `least` < number of replicas. */
export interface Choice {
  readonly of: string;
  readonly least: number;
}

/** Options common to all probes. `interval` counts only after ready; `failures` only for `live`. */
export interface ProbeCommon {
  readonly timeout: Millis;
  readonly interval: Millis;
  /** The pause after an attempt during the start; null: it grows with the time since the start. */
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
  /** Absolute path of a unix socket to connect to instead of host and port. */
  readonly socket: string | null;
  /** Path with query, beginning with `/`. */
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Inclusive ranges; `[[200, 399]]` by default. */
  readonly status: readonly (readonly [number, number])[];
  readonly contains: string | null;
  /** An RE2 pattern that the response must match; checked at load. */
  readonly matches: string | null;
  /** An RE2 pattern that the response must not match. */
  readonly notMatches: string | null;
  /** Dotted path (`data.0.id`) and the JSON value that it must equal; without `equals` it must exist. */
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
interface ExecProbe extends ProbeCommon {
  readonly kind: 'exec';
  readonly argv: readonly string[];
}
export interface LogProbe extends ProbeCommon {
  readonly kind: 'log';
  /** An RE2 pattern, checked at load. */
  readonly pattern: string;
}
interface FileProbe extends ProbeCommon {
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
  /** Limit of restarts (within `within`, or in a row since the last 60 s of readiness); null: no limit. */
  readonly max: number | null;
  readonly within: Millis | null;
  readonly backoff: { readonly initial: Millis; readonly max: Millis; readonly factor: number };
}

export interface StopPlan {
  readonly signal: SignalName;
  /** null: the whole of the plan's `stopTimeout`. */
  readonly timeout: Millis | null;
  readonly to: 'main' | 'group';
  /** Time from SIGTERM to SIGKILL for the leftover processes of a run that exited; null: 2 s, or a shorter `timeout`. */
  readonly leftoverTimeout: Millis | null;
  /** Run instead of sending the signal. */
  readonly argv: readonly string[] | null;
}

/** A command at a point of a service's life cycle. */
export interface Hook {
  readonly argv: readonly string[];
  /** After this, the command and its process set are killed. */
  readonly timeout: Millis;
}

/** A `before_stop` that waits until a probe holds instead of running a command. */
export interface Drain {
  readonly waitFor: Probe;
  /** null: the time that the stop sequence allows. */
  readonly timeout: Millis | null;
}

export interface Hooks {
  readonly beforeStart: Hook | null;
  readonly afterReady: Hook | null;
  readonly beforeStop: (Omit<Hook, 'timeout'> & { readonly timeout: Millis | null }) | Drain | null;
  readonly afterExit: Hook | null;
}

/** A GPU in the container. */
export interface GpuDevice {
  /** The name that the program receives: an index, a UUID, the name of a MIG slice. */
  readonly id: string;
  /** Its index among the container's devices in the driver's own tools; null: unknown. */
  readonly index: number | null;
  /** `NVIDIA H200`, `gfx942`; for display. */
  readonly name: string;
}

export interface GpuPlan {
  readonly vendor: 'nvidia' | 'amd';
  /** In the order that the program sees. Empty: it runs without a GPU (`optional`, or a count of 0), or not at all (`missing`). */
  readonly devices: readonly GpuDevice[];
  /** Why a service that is started by hand does not get the devices that it requests, so that no start succeeds; absent: it gets them. */
  readonly missing?: string;
  /** Other services may use the same devices. */
  readonly shared: boolean;
  /** Bytes that must be free on each device before a run; null: no minimum. */
  readonly minFree: number | null;
  /** How long a run waits until the memory of the previous run is free. */
  readonly freeTimeout: Millis;
  /** What happens when the driver stops responding. */
  readonly onLost: 'exit' | 'restart';
}

interface LogFile {
  /** Absolute. */
  readonly path: string;
  /** Size in bytes at which the file is rotated. */
  readonly maxSize: number;
  /** Number of rotated files that are kept. */
  readonly keep: number;
  readonly compress: boolean;
}

/** A line of a lower level is not printed. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface OwnLogPlan {
  readonly level: LogLevel;
  readonly format: 'text' | 'json';
  readonly time: boolean;
}

export interface LogPlan {
  readonly prefix: boolean;
  readonly format: 'text' | 'json';
  /** With `text`: the time is before each line. */
  readonly time: boolean;
  readonly whenFull: 'block' | 'drop';
  readonly ansi: 'keep' | 'strip';
  /** With `json`: a line that is a JSON object becomes the log entry itself, instead of becoming the text of an entry. */
  readonly merge: boolean;
  /** RE2 patterns; lines that match one are dropped. */
  readonly drop: readonly string[];
  readonly file: LogFile | null;
  /** The file for standard error; null: its lines go to `file`. */
  readonly stderrFile: LogFile | null;
}

/**
 * `auto`: it starts with the supervisor. `manual`: it starts when the operator or a dependent needs it. `profile-off`: the same,
 * because none of its profiles is on.
 */
export type StartMode = 'auto' | 'manual' | 'profile-off';

/** The memory of a process set, as the supervisor watches it. */
export interface MemoryWatchPlan {
  /** The field that says so; `memory_limit` where the kernel cannot enforce it. */
  readonly field: 'max_memory' | 'memory_limit';
  /** Bytes of private memory. */
  readonly max: number;
  readonly onExceed: 'restart' | 'fail' | 'warn';
}

/** When a task runs again and again. */
export interface SchedulePlan {
  /** By an expression of cron and the wall clock, or at an interval from start to start. `timeZone` null: the machine's. */
  readonly when:
    | { readonly kind: 'cron'; readonly expression: string; readonly timeZone: string | null }
    | { readonly kind: 'every'; readonly interval: Millis };
  /** When its time comes while a run is not over: nothing, one more run after it, or another run in its place. */
  readonly overlap: 'skip' | 'queue' | 'kill';
  /** Whether times that were missed are made up for by one run. */
  readonly catchUp: boolean;
  /** The longest random delay of each time. */
  readonly jitter: Millis;
}

/** A source of variables: an env file, or an `env` with its texts and the paths of the files of its secrets. */
export type EnvSource =
  | { readonly file: string; readonly required: boolean }
  | { readonly values: Readonly<Record<string, string>>; readonly secrets: Readonly<Record<string, string>> };

/** How to make the environment of a service when its files may have other contents. */
export interface EnvRecipe {
  /** Later ones win. */
  readonly sources: readonly EnvSource[];
  /** For each variable that a source had set: its value without the sources; null: none. */
  readonly under: Readonly<Record<string, string | null>>;
  /** The virtual environment whose programs come first in PATH; null: none. */
  readonly venv: string | null;
  /**
   * Variables that win over all sources: those that select GPUs. RESERVED ones (env-files.ts) are not named, because sources cannot
   * set them.
   */
  readonly above: readonly string[];
}

/** As a `ProcessSpec` it is the main process. Its `env` lacks SVC_RUN and NOTIFY_SOCKET, which differ from run to run. */
export interface ServicePlan extends ProcessSpec {
  readonly name: string;
  readonly type: 'service' | 'task';
  /** null: it does not run by itself again. Only a task has one. */
  readonly schedule: SchedulePlan | null;
  readonly enabled: boolean;
  readonly start: StartMode;
  readonly group: string | null;
  /** From `depends_on`. The replicas of a service share one list. */
  readonly edges: readonly Edge[];
  /** To all members of the previous stage. The members of a stage share one list. */
  readonly stageEdges: readonly Edge[];
  readonly ready: readonly Probe[];
  readonly live: readonly Probe[];
  readonly startTimeout: Millis;
  readonly startStall: Millis | null;
  readonly restart: RestartPolicy;
  readonly successCodes: readonly number[];
  readonly essential: boolean;
  readonly stop: StopPlan;
  /** Signal that the supervisor receives -> signal that is sent to the main process. */
  readonly forward: Readonly<Record<SignalName, SignalName>>;
  /** Names of variables with values from files, which are never shown. */
  readonly secrets: readonly string[];
  /** null: it is not watched. */
  readonly memoryWatch: MemoryWatchPlan | null;
  /** How `env` is made again at each start; absent: it involves no file. */
  readonly envRecipe?: EnvRecipe;
  readonly ports: readonly number[];
  readonly log: LogPlan;
  readonly hooks: Hooks;
  /** null: the service has no `gpus` field. The variables that select the devices are in `env`. */
  readonly gpus: GpuPlan | null;
  /** The service that this is a replica of, and its number from 0; null: the service has no replicas. */
  readonly replica: { readonly of: string; readonly index: number } | null;
}

/** The TCP listener of the control API. */
export interface ControlPlan {
  /** A literal address. */
  readonly host: string;
  readonly port: number;
  /** Never shown. null: read-only access for everyone who can reach it; on the loopback only. */
  readonly token: string | null;
  /** Endpoints that need no token. */
  readonly open: readonly ('healthz' | 'readyz' | 'metrics')[];
  /** Allowed values of `Host` besides its address and the loopback names, in lower case. */
  readonly hosts: readonly string[];
}

/** How PID 1 treats a supervisor that dies or does not respond. */
export interface Succession {
  /** A supervisor that does not respond for this long is replaced; 0: never. */
  readonly hungAfter: Millis;
  /** If there is no supervisor for this long after a stop request, PID 1 stops all services itself. */
  readonly stopWait: Millis;
  /** The longest pause before the next supervisor is started. */
  readonly longestPause: Millis;
  /** Everything is stopped after this many deaths in a row before a supervisor has taken over. */
  readonly deathsBefore: number;
  /** The same for deaths within a second after it has taken over. */
  readonly deathsYoung: number;
}

export interface Plan {
  readonly name: string;
  /** The absolute path of services.yaml. */
  readonly file: string;
  /** The files that were named after it on the command line; absent: there are none. Reload reads them too. */
  readonly more?: readonly string[];
  /** Profiles that the command line has turned on; absent: none. */
  readonly profiles?: readonly string[];
  /** Env files and secrets that did not exist when the plan was made and that something can make before they are needed. */
  readonly lateFiles?: readonly string[];
  readonly exit: 'first' | 'failure' | 'all';
  readonly stopTimeout: Millis;
  /** Signals that stop everything. */
  readonly stopSignals: readonly SignalName[];
  /** How the supervisor's own lines are printed. */
  readonly log: OwnLogPlan;
  readonly control: ControlPlan | null;
  readonly succession: Succession;
  /** Stages in their order; absent: there are none. `stageEdges` are computed from it. */
  readonly groups?: readonly string[];
  /** Whether the services' names resolve to 127.0.0.1. */
  readonly hosts: boolean;
  /** Numbers of replicas that differ from the file (`file`), by its key of the service; absent: there are none. */
  readonly scale?: Readonly<Record<string, { readonly replicas: number; readonly file: number }>>;
  /** In the order of the file, including disabled services. */
  readonly services: readonly ServicePlan[];
}

/** A service by its key in the file, and its new number of replicas. */
export interface ScaledService {
  readonly service: string;
  readonly replicas: number;
}
