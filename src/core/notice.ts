// What the core reports to people, as data: messages/notices.ts makes the level and the sentence. `event` is the stable name
// that `events` and the JSON log show. Types only.
import type { Difference } from '../plan/difference.ts';
import type { MemoryWatchPlan, Millis, ScaledService, SignalName } from '../plan/plan.ts';
import type { Exit } from '../plan/process.ts';
import type { Lapse, ProbeDetail, Readiness, Shortage } from './detail.ts';
import type { Blockage } from './reason.ts';
import type { Ended, HookName, LeftoverProcess } from './run.ts';

/** Why the operation of a notice `start-asked`, `stop-asked` or `restart-asked` was asked for. */
export type Requester =
  | { readonly kind: 'operator' }
  /** Another service that is to start needs it. */
  | { readonly kind: 'dependent' }
  /** `name` restarts, and an edge says that its dependents restart too. */
  | { readonly kind: 'dependency'; readonly name: string }
  /** The time of a scheduled task has come while it runs. */
  | { readonly kind: 'schedule' };

/** A notice about one service. */
export type ServiceNotice =
  /** Not enabled. */
  | { readonly event: 'skipped' }
  /** A reload has removed it. */
  | { readonly event: 'removed' }
  | { readonly event: 'start-asked' | 'stop-asked' | 'restart-asked'; readonly by: Requester }
  /** The time of a scheduled task has come, and starts no run. `found`: the run that is there or comes before. */
  | { readonly event: 'time-skipped'; readonly found: 'run' | 'start' | 'restart' | 'queued' }
  /** The time of a scheduled task has passed, and is noticed too late. */
  | { readonly event: 'time-missed' }
  | { readonly event: 'signal-asked'; readonly signal: SignalName }
  /** It can never start. */
  | { readonly event: 'blocked'; readonly blockage: Blockage | null }
  | { readonly event: 'started'; readonly pid: number }
  /** `after`: how long the start took; null: it was ready before in this run. */
  | { readonly event: 'ready'; readonly after: Millis | null }
  | { readonly event: 'unready'; readonly detail: ProbeDetail | null }
  | ({ readonly event: 'liveness-failed' } & Lapse)
  | { readonly event: 'liveness-recovered' }
  | { readonly event: 'still-starting'; readonly elapsed: Millis; readonly detail: ProbeDetail | null }
  | { readonly event: 'gpu-memory'; readonly about: MemoryNotice }
  /** Its processes use more memory than `watch` allows. */
  | { readonly event: 'memory-exceeded'; readonly bytes: number; readonly watch: MemoryWatchPlan }
  /** It is started though the driver of its GPU does not respond (`on_lost: restart`). With `exit` that is a cause of its end (policy.ts). */
  | { readonly event: 'gpu-lost'; readonly why: string }
  | { readonly event: 'hook-failed'; readonly failure: HookFailure }
  /** The grace period is over. `waited`: since the stop began; null: only leftover processes are there. */
  | { readonly event: 'killed'; readonly waited: Millis | null }
  /**
   * Processes cannot be ended. `refused`: those that the supervisor may not send SIGKILL to; null: SIGKILL was sent, and they do not
   * end. `waited`: since the stop began, repeated while they are there; null: SIGKILL was just refused.
   */
  | {
      readonly event: 'unkillable';
      readonly refused: readonly LeftoverProcess[] | null;
      readonly waited: Millis | null;
    }
  | { readonly event: 'stop-command-failed'; readonly detail: string; readonly signal: SignalName }
  /**
   * Leftover processes were ended that the main process had left by itself, or that needed SIGKILL. `name`: the service, with which
   * the text begins. `isBackground`: the program may have gone into the background.
   */
  | {
      readonly event: 'cleaned-up';
      readonly name: string;
      readonly leftovers: readonly LeftoverProcess[];
      readonly isBackground: boolean;
    }
  | { readonly event: 'stopped'; readonly exit: Exit | null }
  /** `restarts`: how many there were, if their limit is the reason why there is no other; null: it is not. */
  | { readonly event: 'completed' | 'failed'; readonly ended: Ended; readonly restarts: number | null }
  | { readonly event: 'restarting'; readonly ended: Ended; readonly delay: Millis };

/** A notice about all services. */
export type GlobalNotice =
  | { readonly event: 'reloaded'; readonly difference: Difference; readonly scaled: ScaledService | null }
  | { readonly event: 'stopping'; readonly why: StopReason }
  /** A second request to stop. */
  | { readonly event: 'killing'; readonly signal: SignalName }
  /** The supervisor ends though these services have processes. */
  | { readonly event: 'unfinished'; readonly services: readonly string[] }
  /** `blocked`: how many services can never start. */
  | { readonly event: 'all-ended'; readonly blocked: number; readonly code: number }
  /** Said once. The counts say of what it is true: only a probe finds that a service is ready. */
  | ({ readonly event: 'all-ready'; readonly after: Millis } & Readiness);

export type Notice = ServiceNotice | GlobalNotice;

export type StopReason =
  | { readonly kind: 'signal'; readonly signal: SignalName; readonly within: Millis }
  /** A signal while everything is being stopped already. */
  | { readonly kind: 'again'; readonly signal: SignalName }
  | { readonly kind: 'ended'; readonly ended: Ended }
  /** An essential service can never start. */
  | { readonly kind: 'never-starts'; readonly service: string };

export type HookFailure =
  | { readonly kind: 'failed'; readonly hook: HookName; readonly detail: string }
  /** It was killed at its own deadline. */
  | { readonly kind: 'late'; readonly hook: HookName; readonly after: Millis }
  /** `before_stop` was given up so that the stop can go on. */
  | { readonly kind: 'given-up'; readonly waited: Millis }
  /** `after_exit` was killed at the deadline of the stop. */
  | { readonly kind: 'cut' }
  /** `after_exit` was not run: the deadline of the stop was over. */
  | { readonly kind: 'not-run' };

/** Memory of the GPUs of a run that begins. */
export type MemoryNotice =
  /** The driver reports a fault of a device. */
  | { readonly kind: 'complaint'; readonly warning: string }
  | { readonly kind: 'waits'; readonly shortage: Shortage }
  | { readonly kind: 'unread'; readonly why: string; readonly isMinFreeIgnored: boolean }
  /** Started though memory is in use: it has not changed for a while. */
  | { readonly kind: 'unchanging'; readonly shortage: Shortage }
  /** Started though memory is in use, after that time: the device is shared. */
  | { readonly kind: 'shared'; readonly shortage: Shortage; readonly after: Millis };
