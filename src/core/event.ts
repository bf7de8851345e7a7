// Input and output of the core: Events say what happened (past tense), Effects what to do (imperative). Every event about a
// process has the number of the run that the process belongs to. Types only.
import type { GpuReading } from '../plan/gpu-reading.ts';
import type { Millis, Plan, ScaledService, SignalName } from '../plan/plan.ts';
import type { Exit } from '../plan/process.ts';
import type { Notice } from './notice.ts';
import type { Ended, HookName, LeftoverProcess } from './run.ts';
import type { Wall } from './schedule.ts';

/** What an operator asks of services. */
export type Operation = 'start' | 'stop' | 'restart';

/** `drain`: what `before_stop` waits for. */
export type ProbeKind = 'ready' | 'live' | 'drain';

/** An event of a service's run. An event of an earlier run is dropped. */
export type ServiceEvent =
  /** The program is executing: execve(2) succeeded. */
  | { readonly type: 'spawned'; readonly pid: number }
  /** It could not be started. `step`: port, cwd, user, limits, exec ...; `code` as a shell would give (126, 127, 1). */
  | { readonly type: 'spawn-failed'; readonly step: string; readonly message: string; readonly code: number }
  /** The main process ended. */
  | { readonly type: 'exited'; readonly exit: Exit }
  /** No process of the run is left. `leftovers` names those that outlived the main process, if only for a moment. */
  | { readonly type: 'emptied'; readonly leftovers: readonly LeftoverProcess[] }
  /** The supervisor may not send SIGKILL to these processes of the run: they have another user, and CAP_KILL is missing. */
  | { readonly type: 'kill-refused'; readonly left: readonly LeftoverProcess[] }
  /** The result of the probe attempt of that number. */
  | { readonly type: 'probe-ended'; readonly attempt: number; readonly ok: boolean; readonly detail: string }
  /** A `log` or `notify` probe has seen what it waits for; it holds for the rest of the run. */
  | { readonly type: 'latched'; readonly index: number }
  /** `stop.command` did not exit 0. */
  | { readonly type: 'stop-command-failed'; readonly detail: string }
  /** A hook is over, and no process of it is left. `code` as a shell would give. */
  | {
      readonly type: 'hook-ended';
      readonly hook: HookName;
      readonly ok: boolean;
      readonly code: number;
      readonly detail: string;
    }
  /** The memory of its GPUs was read. */
  | { readonly type: 'gpus-read'; readonly reading: GpuReading }
  /** There was output (thinned by the sender; only sent when `start_stall` is set). */
  | { readonly type: 'progressed' };

/** Private memory of the processes of a run, together. */
export interface MemorySample {
  readonly service: string;
  readonly run: number;
  readonly bytes: number;
}

export type Event =
  | { readonly type: 'began' }
  | { readonly type: 'deadline-passed' }
  /** The supervisor did not run for `by` milliseconds (absence.ts). */
  | { readonly type: 'was-absent'; readonly by: Millis }
  /** This supervisor takes over from one that has died; for `by` milliseconds there was none (takeover.ts). */
  | { readonly type: 'taken-over'; readonly by: Millis }
  /** A signal that asks the supervisor to stop. */
  | { readonly type: 'stop-asked'; readonly signal: SignalName }
  /** Any other signal that reached the supervisor. */
  | { readonly type: 'signalled'; readonly signal: SignalName }
  | { readonly type: 'service'; readonly service: string; readonly run: number; readonly event: ServiceEvent }
  /** The operator starts, stops or restarts these services. Unknown names are ignored. */
  | { readonly type: 'operated'; readonly operation: Operation; readonly services: readonly string[] }
  /** The operator sends a signal to the main processes of these services. */
  | { readonly type: 'signal-asked'; readonly signal: SignalName; readonly services: readonly string[] }
  /** The private memory of the processes of watched runs was read. */
  | { readonly type: 'memory-read'; readonly samples: readonly MemorySample[] }
  /** The wall clock was read for the schedule of a task. `next`: its first time after `wall`; null: there is none. */
  | {
      readonly type: 'clock-read';
      readonly service: string;
      readonly reading: number;
      readonly wall: Wall;
      readonly next: Wall | null;
    }
  /** The configuration was read again, and is valid. `scaled`: only this number of replicas was to change. */
  | { readonly type: 'plan-changed'; readonly plan: Plan; readonly scaled?: ScaledService };

/** An effect on one service. */
export type ServiceEffect =
  | { readonly type: 'spawn' }
  /** Read the memory of its GPUs, and which processes have them open. */
  | { readonly type: 'read-gpus' }
  /** `exit`: how its main process ended, for `after_exit`. */
  | { readonly type: 'run-hook'; readonly hook: HookName; readonly exit: Exit | null }
  /** Kill the hook under way, if there is one, with all that it started. */
  | { readonly type: 'kill-hook' }
  /** `continues`: SIGCONT follows, so that a stopped process (SIGSTOP) receives it. */
  | {
      readonly type: 'signal';
      readonly signal: SignalName;
      readonly to: 'main' | 'group';
      readonly continues: boolean;
    }
  /** Run `stop.command` for it. */
  | { readonly type: 'run-stop-command' }
  /** The main process has exited: SIGTERM to leftover processes, and `emptied` when none is left. */
  | { readonly type: 'clean-up' }
  /** SIGKILL to every process of the run, also to new ones, until none is left. */
  | { readonly type: 'kill' }
  | { readonly type: 'probe'; readonly kind: ProbeKind; readonly index: number; readonly attempt: number }
  /** Abandon the attempt under way, if there is one. */
  | { readonly type: 'abandon-probe' };

export type Level = 'info' | 'warn' | 'error';

export type Effect =
  | { readonly type: 'service'; readonly service: string; readonly run: number; readonly effect: ServiceEffect }
  /** Report to people: in the log and in `events`. */
  | { readonly type: 'announce'; readonly service: string | null; readonly notice: Notice }
  /** Read the wall clock, and find the next time of the schedule of this task. `reading`: the number of the reading. */
  | { readonly type: 'read-clock'; readonly service: string; readonly reading: number }
  /** Read the configuration again; `plan-changed` follows if it is valid. */
  | { readonly type: 'reload' }
  /** End with this code. `culprit`: the service whose failure was the first cause. */
  | { readonly type: 'end'; readonly code: number; readonly culprit: Ended | null };
