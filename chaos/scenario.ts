// The data of a round: the services, what their programs do, the limits around them, and the faults with their times. Plain
// data, so that a round can be printed, shrunk and repeated. Runs nothing.

export interface Scenario {
  readonly seed: number;
  readonly exit: 'first' | 'failure' | 'all';
  /** The stages in their order; empty: none. */
  readonly groups: readonly string[];
  readonly services: readonly ServiceSpec[];
  readonly surroundings: PlanContext;
  readonly faults: readonly Fault[];
  /** After this time everything is healed and the supervisor is asked to stop, milliseconds. */
  readonly length: number;
}

/** Kernel limits of the whole round. */
export interface PlanContext {
  /** Whether the supervisor is PID 1, or the child of an init that sees the processes that it leaves. */
  readonly pid1: boolean;
  /** RLIMIT_NOFILE, soft and hard. */
  readonly files: number | null;
  /** Size of the file system with the log files, KiB. */
  readonly disk: number;
  /** Seconds that are added to the machine's uptime (a time namespace). */
  readonly uptime: number | null;
}

export type Condition = 'started' | 'ready' | 'completed' | 'exited';

export interface ServiceSpec {
  readonly name: string;
  readonly type: 'service' | 'task';
  /** Its stage, one of the scenario's; null: none. */
  readonly group: string | null;
  /** Runs as a user other than root, who owns the folder of its log file. */
  readonly user: boolean;
  readonly essential: boolean;
  /** Number of replicas, `name.0` and so on; 1: the service itself. */
  readonly replicas: number;
  readonly restart: 'never' | 'on-failure' | 'always';
  /** Pause before a restart, milliseconds. */
  readonly pause: number;
  readonly successCodes: readonly number[];
  readonly dependsOn: readonly { readonly on: string; readonly condition: Condition; readonly restart?: true }[];
  readonly ready: Readiness | null;
  readonly live: boolean;
  readonly stop: StopSpec;
  readonly hooks: readonly HookSpec[];
  readonly log: { readonly format: 'text' | 'json'; readonly whenFull: 'block' | 'drop'; readonly file: boolean };
  /** Its own limits, so that it is started through a helper process. */
  readonly prepared: boolean;
  readonly program: ProgramSpec;
}

export interface Readiness {
  readonly probe: 'tcp' | 'http' | 'exec' | 'log' | 'file' | 'notify';
  /** From its start, milliseconds. */
  readonly after: number;
  readonly continuous: boolean;
  readonly timeout: number;
}

export interface StopSpec {
  readonly signal: 'TERM' | 'INT';
  readonly timeout: number | null;
  readonly to: 'main' | 'group';
  /** A `stop.command` that sends the signal itself; `false` fails. */
  readonly command: 'none' | 'works' | 'fails';
  /** A `before_stop` that waits for a condition that holds at once, or never. */
  readonly drain: 'none' | 'at-once' | 'never';
}

/** At most one hook for each point of the life cycle. */
export interface HookSpec {
  readonly when: 'before_start' | 'after_ready' | 'before_stop' | 'after_exit';
  /** Its duration and its exit code. */
  readonly lives: number;
  readonly code: number;
  readonly timeout: number | null;
  /** It leaves a process running. */
  readonly escapes: boolean;
}

/** How a main process exits. */
export type Ending = { readonly code: number } | { readonly signal: number };

export interface ProgramSpec {
  /** For each run in turn, repeated from the first: when it exits without a stop (null: never) and how. */
  readonly ends: readonly { readonly after: number | null; readonly how: Ending }[];
  /** Its reaction to the stop signal. */
  readonly onStop:
    | { readonly kind: 'default' | 'ignore' }
    | { readonly kind: 'exit'; readonly after: number; readonly code: number };
  readonly forks: readonly ForkSpec[];
  readonly output: OutputSpec | null;
  /** Orphans that exit at once: how many and how often. */
  readonly storm: { readonly count: number; readonly every: number } | null;
  /** When, and for how long, it fails its probes. */
  readonly sick: { readonly from: number; readonly for: number } | null;
}

export interface ForkSpec {
  /** `wiped` also executes with an empty environment. */
  readonly how: 'child' | 'session' | 'daemon' | 'wiped';
  readonly ignoresTerm: boolean;
  /** Null: it runs until it is killed. */
  readonly lives: number | null;
}

export interface OutputSpec {
  readonly every: number;
  readonly lines: number;
  readonly width: number;
  readonly stream: 1 | 2;
  readonly kind: 'lines' | 'bytes' | 'endless';
}

/** One fault. `pick` chooses among the targets that exist at that time. */
export type Fault = { readonly at: number } & (
  | { readonly kind: 'kill'; readonly pick: number; readonly whom: 'main' | 'any'; readonly signal: number }
  | { readonly kind: 'freeze'; readonly pick: number; readonly whom: 'main' | 'any'; readonly for: number }
  /** `alone`: the program of PID 1 still runs. */
  | { readonly kind: 'freeze-supervisor'; readonly alone: boolean; readonly for: number }
  /** Every process of the container. */
  | { readonly kind: 'freeze-all'; readonly for: number }
  /**
   * The supervisor ends: by a signal; by its next allocation, because its address space is limited (`starve`); or it is stopped
   * and never continued, and PID 1 replaces it because it does not respond (`hang`).
   */
  | { readonly kind: 'end-supervisor'; readonly how: 'kill' | 'crash' | 'starve' | 'hang'; readonly again: number }
  /** SIGTERM to every process, leaves first; PID 1 gets it `gap` milliseconds after the last of the others. Ends the round. */
  | { readonly kind: 'term-tree'; readonly gap: number }
  /** A service of another user replaces its log file or its folder this many times in the duration. */
  | {
      readonly kind: 'swap-log';
      readonly pick: number;
      readonly what: Swap;
      readonly turns: number;
      readonly for: number;
    }
  | { readonly kind: 'stall-reader'; readonly stream: 'stdout' | 'stderr'; readonly for: number }
  | { readonly kind: 'fill-disk'; readonly for: number }
  | { readonly kind: 'squeeze-processes'; readonly room: number; readonly for: number }
  | { readonly kind: 'hold-connections'; readonly count: number; readonly for: number }
  | { readonly kind: 'reload'; readonly by: 'signal' | 'api'; readonly file: ReloadFile }
  | { readonly kind: 'operate'; readonly operation: 'start' | 'stop' | 'restart'; readonly pick: number }
  | { readonly kind: 'exec'; readonly pick: number; readonly for: number }
  | { readonly kind: 'noise'; readonly seed: number; readonly count: number }
  | { readonly kind: 'slow-client'; readonly for: number }
  | { readonly kind: 'followers'; readonly count: number; readonly reads: boolean; readonly for: number }
);

/** What is replaced by what: see swap.pl. */
export type Swap = 'file-link' | 'new-link' | 'rotated-link' | 'folder-link' | 'fifo' | 'fifo-read';

export type ReloadFile =
  | { readonly text: 'same' | 'wrong' | 'rubbish' | 'missing' }
  /** Changes the environment of the picked services. */
  | { readonly text: 'changed'; readonly picks: readonly number[] }
  /** Changes the number of replicas of the picked services. */
  | { readonly text: 'scaled'; readonly picks: readonly number[]; readonly replicas: number }
  /** Removes the picked services. */
  | { readonly text: 'fewer'; readonly picks: readonly number[] };

/** The service that a name belongs to; the name may be that of a replica. */
export function specOf({ services }: Scenario, name: string): ServiceSpec | undefined {
  const common = name.replace(/\.\d+$/, '');
  return services.find((spec) => spec.name === common);
}
