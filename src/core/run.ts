// What is known of a run beside its exit: its hooks, the stages of its stop, its leftover processes and how it ended. Types
// only.

import type { Exit } from '../plan/process.ts';
import type { Cause, Verdict } from './policy.ts';

export type HookName = 'before_start' | 'after_ready' | 'before_stop' | 'after_exit';

/**
 * The stages of a stop. `draining`: `before_stop` runs, and no signal has been sent. `asked`: the stop signal was sent.
 * `leftovers`: the main process has exited, and leftover processes were sent SIGTERM. `held`: no process is left, and the run
 * waits for a request to stop that explains its end. `killed`: SIGKILL was sent. `hooks`: no process is left, and
 * `after_exit` runs. `hooks-killed`: `after_exit` or `before_start` was sent SIGKILL.
 */
export type StopStage = 'draining' | 'asked' | 'leftovers' | 'held' | 'killed' | 'hooks' | 'hooks-killed';

/** A process that outlives the main process of its run. */
export interface LeftoverProcess {
  readonly pid: number;
  readonly name: string;
  /** Whether it was sent SIGKILL. */
  readonly wasKilled?: boolean;
}

/** How the last run of a service ended. */
export interface Ended {
  readonly service: string;
  readonly run: number;
  readonly cause: Cause;
  readonly exit: Exit | null;
  readonly verdict: Verdict;
  /** From spawn to the end of the main process, milliseconds. */
  readonly lasted: number;
}
