// The interface of the supervisor for the control API: src/up implements it, tests use a fake.
import type { Operation } from '../core/event.ts';
import type { LogBlock, LogLine } from '../logs/ring.ts';
import type { Input } from '../pid1/streams.ts';
import type { FieldChange } from '../plan/field-changes.ts';
import type { GpuUses } from '../plan/gpu-reading.ts';
import type { Millis, Plan } from '../plan/plan.ts';
import type { JournalEntry } from './journal.ts';
import type { PastRun } from './run-log.ts';
import type { WireSnapshot, WireTimeline } from './wire.ts';

/** Resources that a service's processes use. */
export interface Usage {
  readonly cpu_seconds: number;
  readonly memory_bytes: number;
  readonly processes: number;
}

/** The last attempt of a probe by this supervisor. `index`: the position of the probe in the list `kind` of its service. */
export interface LastAttempt {
  readonly kind: 'ready' | 'live' | 'drain';
  readonly index: number;
  /** Wall time of its end, milliseconds. */
  readonly at: number;
  readonly result: 'ok' | 'failed' | 'timeout';
  readonly detail: string;
  readonly took: Millis;
}

/** How often a supervisor replaced another one. */
export interface History {
  readonly restarts: number;
  /** By the reason why the previous one ended. */
  readonly reasons: Readonly<Record<string, number>>;
  /** The last restart: wall time in milliseconds, and reason. */
  readonly last: { readonly at: number; readonly reason: string } | null;
}

interface LogSource {
  /** The last stored lines, oldest first. */
  tail(service: string, count: number): readonly LogLine[];
  /** Calls back with each block when it is written; the listener must not block. Returns a function that unsubscribes. */
  follow(service: string, listener: (block: LogBlock) => void): () => void;
}

export type Change = {
  readonly name: string;
  readonly fields: readonly string[];
  /** The old and the new values; those of secrets are hidden. */
  readonly changes: readonly FieldChange[];
  /** What applying it does to the service. */
  readonly action: ReloadAction;
  /** Whether the action is `restarts`. */
  readonly restarts: boolean;
};

/** `in-place`: it takes effect without another run. `next-start`: the service does not run, and is not started. */
export type ReloadAction = 'starts' | 'restarts' | 'stops' | 'in-place' | 'next-start';

/** What becomes of a number of replicas that was set at run time (`scale`) when the configuration is read again. */
export interface ScaleOutcome {
  readonly name: string;
  readonly replicas: number;
  /** The number in the file; null: the file has no such service. */
  readonly file: number | null;
  /** False: the file's number has changed since, and counts. */
  readonly kept: boolean;
}

/**
 * The difference that a reload applies, or would apply; or the errors of an invalid file. `isOther`: the file has other changes,
 * which a new number of replicas must not apply.
 */
export type Reloaded =
  | {
      readonly ok: true;
      /** Replica counts that `scale` had set before. */
      readonly scale: readonly ScaleOutcome[];
      readonly added: readonly string[];
      /** The services in `added` that do not start by themselves. */
      readonly idle: readonly string[];
      readonly removed: readonly string[];
      readonly changed: readonly Change[];
      readonly unchanged: readonly string[];
    }
  | { readonly ok: false; readonly diagnostics: readonly unknown[]; readonly text: string; readonly isOther?: true };

export interface ExecRequest {
  readonly argv: readonly string[];
  /** null: empty input. */
  readonly input: Input | null;
  /** Added to the service's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Called with each piece of output; the next piece follows when the promise resolves. */
  take(stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void>;
  readonly abort: AbortSignal;
}

export interface ApiSource {
  /** Target of the link /proc/self/ns/pid. A client in another namespace has other numbers for processes. */
  readonly pidNamespace: string;
  snapshot(): WireSnapshot;
  /** By service. A service without processes, or whose processes /proc does not show, has no entry. */
  usage(): ReadonlyMap<string, Usage>;
  /** The GPUs of the container, read at most every two seconds. `why`: why they cannot be read; null: no reason is known. */
  gpus(): Promise<GpuUses>;
  /**
   * The environment of a service's latest run, which has what its files contained then; before its first run, that of the plan. null:
   * there is no such service.
   */
  environmentOf(service: string): Readonly<Record<string, string>> | null;
  /** The last attempts of the probes of a service. */
  attempts(service: string): readonly LastAttempt[];
  /** The latest runs of a service, oldest first. */
  runs(service: string): readonly PastRun[];
  readonly version: string;
  readonly pid: number;
  plan(): Plan;
  timeline(): WireTimeline;
  /** The supervisors before this one. */
  readonly history: History;
  /** Whether an operation with that key has been carried out, by this supervisor or one before it. */
  isDone(key: string): boolean;
  /** `key` identifies the request; null: a repetition cannot be detected. */
  operate(operation: Operation, services: readonly string[], key: string | null): void;
  signal(signal: string, services: readonly string[], key: string | null): void;
  /** The canonical name of a signal that is given as kill(1) accepts it; or why there is no such signal. */
  parseSignal(
    text: string,
  ):
    | { readonly ok: true; readonly name: string }
    | { readonly ok: false; readonly why: string; readonly suggestion?: string };
  /** Resolves when the log files have been reopened too. */
  reload(how: 'apply' | 'dry-run'): Promise<Reloaded>;
  /** Reads the configuration again with another number of replicas of a service, and applies only what follows from that. */
  scale(service: string, replicas: number, how: 'apply' | 'dry-run'): Promise<Reloaded>;
  readonly logs: LogSource;
  readonly events: {
    latest(count: number): readonly JournalEntry[];
    follow(follower: (entry: JournalEntry) => void): () => void;
  };
  /** Runs a command with a service's environment, user and folder. */
  exec(service: string, command: ExecRequest): Promise<{ readonly code: number; readonly failure: string | null }>;
  /** Calls back when something may have changed; returns a function that unsubscribes. */
  watch(watcher: () => void): () => void;
  /** Wall time, milliseconds. */
  wall(): number;
  /** Calls `fn` once after `ms` milliseconds; returns a function that cancels the call. */
  after(ms: number, fn: () => void): () => void;
}
