// What a round of chaos is made of: the services, what their programs do, the limits around them, and the faults with
// their instants. Plain data, so that a round can be printed, shrunk and run again. Nothing here runs.

export interface Scenario {
  readonly seed: number;
  readonly exit: 'first' | 'failure' | 'all';
  /** The stages in their order; empty: none. */
  readonly groups: readonly string[];
  readonly services: readonly ServiceSpec[];
  readonly surroundings: PlanContext;
  readonly faults: readonly Fault[];
  /** After so long everything is healed and the supervisor is asked to stop, milliseconds. */
  readonly length: number;
}

/** What the kernel allows the whole round. */
export interface PlanContext {
  /** Whether the supervisor is PID 1, or below an init that sees what it leaves behind. */
  readonly pid1: boolean;
  /** RLIMIT_NOFILE, soft and hard. */
  readonly files: number | null;
  /** Room on the file system that `log.file` is on, KiB. */
  readonly disk: number;
  /** Seconds that the machine seems to have been up longer than it has (a time namespace). */
  readonly uptime: number | null;
}

export type Condition = 'started' | 'ready' | 'completed' | 'exited';

export interface ServiceSpec {
  readonly name: string;
  readonly type: 'service' | 'task';
  /** Its stage, one of the scenario's; null: it is in no stage. */
  readonly group: string | null;
  /** Runs as another user than root, who owns the folder of its log file. */
  readonly user: boolean;
  readonly essential: boolean;
  /** So many copies, `name.0` and so on; 1: the service itself. */
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
  /** Limits of its own, so that it is started by way of a helper process. */
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
  /** A `before_stop` that waits for what holds at once, or never does. */
  readonly drain: 'none' | 'at-once' | 'never';
}

/** At most one for each occasion. */
export interface HookSpec {
  readonly when: 'before_start' | 'after_ready' | 'before_stop' | 'after_exit';
  /** How long it takes, and the code that it ends with. */
  readonly lives: number;
  readonly code: number;
  readonly timeout: number | null;
  /** It leaves a process behind. */
  readonly escapes: boolean;
}

/** How a main process ends by itself. */
export type Ending = { readonly code: number } | { readonly signal: number };

export interface ProgramSpec {
  /** Run after run, and from the first again: when it ends by itself (null: never) and how. */
  readonly ends: readonly { readonly after: number | null; readonly how: Ending }[];
  /** What its stop signal does to it. */
  readonly onStop:
    | { readonly kind: 'default' | 'ignore' }
    | { readonly kind: 'exit'; readonly after: number; readonly code: number };
  readonly forks: readonly ForkSpec[];
  readonly output: OutputSpec | null;
  /** Orphans that end at once: so many, so often. */
  readonly storm: { readonly count: number; readonly every: number } | null;
  /** From when on, and for how long, it answers its probes badly. */
  readonly sick: { readonly from: number; readonly for: number } | null;
}

export interface ForkSpec {
  /** `wiped` also executes with an empty environment. */
  readonly how: 'child' | 'session' | 'daemon' | 'wiped';
  readonly ignoresTerm: boolean;
  /** Null: until it is killed. */
  readonly lives: number | null;
}

export interface OutputSpec {
  readonly every: number;
  readonly lines: number;
  readonly width: number;
  readonly stream: 1 | 2;
  readonly kind: 'lines' | 'bytes' | 'endless';
}

/** One disturbance. `pick` chooses among what is there at that instant. */
export type Fault = { readonly at: number } & (
  | { readonly kind: 'kill'; readonly pick: number; readonly whom: 'main' | 'any'; readonly signal: number }
  | { readonly kind: 'freeze'; readonly pick: number; readonly whom: 'main' | 'any'; readonly for: number }
  /** `alone`: PID 1's program still runs. */
  | { readonly kind: 'freeze-supervisor'; readonly alone: boolean; readonly for: number }
  /** Every process of the container. */
  | { readonly kind: 'freeze-all'; readonly for: number }
  /**
   * The supervisor ends: by a signal; by its next allocation, since it may have no more address space (`starve`); or it is
   * stopped for ever, and PID 1 replaces it when it does not answer (`hang`).
   */
  | { readonly kind: 'end-supervisor'; readonly how: 'kill' | 'crash' | 'starve' | 'hang'; readonly again: number }
  /** SIGTERM to every process, leaves first; PID 1 gets it `gap` milliseconds after the last of the others. Ends the round. */
  | { readonly kind: 'term-tree'; readonly gap: number }
  /** A service that runs as another user replaces its log file or the folder of it, so often in that time. */
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

/** What replaces what: see swap.pl. */
export type Swap = 'file-link' | 'new-link' | 'rotated-link' | 'folder-link' | 'fifo' | 'fifo-read';

export type ReloadFile =
  | { readonly text: 'same' | 'wrong' | 'rubbish' | 'missing' }
  /** Another environment for the services picked. */
  | { readonly text: 'changed'; readonly picks: readonly number[] }
  /** Another number of copies of the services picked. */
  | { readonly text: 'scaled'; readonly picks: readonly number[]; readonly replicas: number }
  /** Without the services picked. */
  | { readonly text: 'fewer'; readonly picks: readonly number[] };

/** The service that a name is of, its copies' names too. */
export function specOf({ services }: Scenario, name: string): ServiceSpec | undefined {
  const common = name.replace(/\.\d+$/, '');
  return services.find((spec) => spec.name === common);
}
