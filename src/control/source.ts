// What the control API asks of the supervisor, as one interface: the composition root offers it, tests fake it.
import type { Operation } from '../core/event.ts';
import type { Plan } from '../plan/plan.ts';
import type { JournalEntry } from './journal.ts';
import type { WireSnapshot, WireTimeline } from './wire.ts';

/** What a service's processes use; null where /proc does not tell. */
export interface Usage {
  readonly cpu_seconds: number;
  readonly memory_bytes: number;
  readonly processes: number;
}

/** How often a supervisor was started in the place of another one. */
export interface History {
  readonly restarts: number;
  /** By the reason for which the one before had ended. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Wall time of the last, milliseconds, and its reason. */
  readonly last: { readonly at: number; readonly reason: string } | null;
}

/** Whole lines as a service has written them, each with its newline, behind a prefix of `prefix` bytes. */
export interface LogBlock {
  /** Wall time, milliseconds. */
  readonly time: number;
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Uint8Array;
  readonly prefix: number;
}

export interface LogLine {
  readonly time: number;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

export interface LogSource {
  /** The last lines that are remembered, oldest first. */
  tail(service: string, count: number): readonly LogLine[];
  /** Each block as it is written; the listener must not wait. Returns what ends that. */
  follow(service: string, listener: (block: LogBlock) => void): () => void;
}

export type Change = { readonly name: string; readonly fields: readonly string[]; readonly restarts: boolean };

/** What a reload did, or would do; or why the file is refused. */
export type Reloaded =
  | {
      readonly ok: true;
      readonly added: readonly string[];
      readonly removed: readonly string[];
      readonly changed: readonly Change[];
      readonly unchanged: readonly string[];
    }
  | { readonly ok: false; readonly diagnostics: readonly unknown[]; readonly text: string };

/** What a command reads: a file, or a terminal that its output goes to as well. */
export interface ExecInput {
  readonly kind: 'file' | 'terminal';
  readonly path: string;
}

export interface ExecRequest {
  readonly argv: readonly string[];
  /** null: nothing. */
  readonly input: ExecInput | null;
  /** Added to the service's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Called with each piece of output; the next one comes when the promise resolves. */
  take(stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void>;
  readonly abort: AbortSignal;
}

export interface ApiSource {
  /** Target of the link /proc/self/ns/pid. A client in another namespace has other numbers for processes. */
  readonly pidNamespace: string;
  snapshot(): WireSnapshot;
  usage(): ReadonlyMap<string, Usage>;
  readonly version: string;
  readonly pid: number;
  plan(): Plan;
  timeline(): WireTimeline;
  /** Of the supervisors before this one. */
  readonly history: History;
  /** Whether an operation with that key has been carried out, by this supervisor or one before it. */
  isDone(key: string): boolean;
  /** `key` identifies the request; null: a repetition cannot be recognized. */
  operate(operation: Operation, services: readonly string[], key: string | null): void;
  signal(signal: string, services: readonly string[], key: string | null): void;
  /** The name of a signal, as kill(1) takes it, in its one form; or why there is none. */
  parseSignal(
    text: string,
  ): { readonly ok: true; readonly name: string } | { readonly ok: false; readonly why: string };
  /** Resolves when the log files are open anew, too. */
  reload(how: 'apply' | 'dry-run'): Promise<Reloaded>;
  readonly logs: LogSource;
  readonly events: {
    latest(count: number): readonly JournalEntry[];
    follow(follower: (entry: JournalEntry) => void): () => void;
  };
  /** Runs a command with a service's environment, user and folder. */
  exec(service: string, command: ExecRequest): Promise<{ readonly code: number; readonly failure: string | null }>;
  /** Calls back whenever something may have changed; returns what ends that. */
  watch(watcher: () => void): () => void;
  /** Wall time, milliseconds. */
  wall(): number;
  /** Calls `fn` once after `ms` milliseconds; returns what cancels it. */
  after(ms: number, fn: () => void): () => void;
}
