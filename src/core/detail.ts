// What is known of a run that is not ready, and why a start has failed, as data: messages/details.ts makes the sentences. Types
// only.
import type { Holder } from '../plan/gpu-reading.ts';
import type { Millis } from '../plan/plan.ts';

/** What a run waits for, or the latest result of its probes. */
export type ProbeDetail =
  /** `before_start` is under way. */
  | { readonly kind: 'hook' }
  | { readonly kind: 'memory'; readonly shortage: Shortage }
  /** A line of output that matches. */
  | { readonly kind: 'line'; readonly pattern: string }
  /** A newline on that descriptor. */
  | { readonly kind: 'newline'; readonly fd: number }
  /** `READY=1`. */
  | { readonly kind: 'notification' }
  /** An attempt has ended. `text`: what the probe has found, in its words. */
  | { readonly kind: 'result'; readonly text: string }
  /** An attempt had no result within its timeout. */
  | { readonly kind: 'no-answer'; readonly within: Millis };

/** How many services are ready, run without a readiness probe, have completed, and wait for their time. */
export interface Readiness {
  readonly ready: number;
  readonly unprobed: number;
  readonly completed: number;
  readonly scheduled: number;
}

/** A liveness probe that fails: how often in a row, and how often is too often. */
export interface Lapse {
  readonly failures: number;
  readonly of: number;
  readonly detail: ProbeDetail;
}

/** Memory that a run waits for, in bytes, by device. `wanted`: at least so much must be free. `usual`: in use before its last run. */
export type Shortage = readonly (
  | { readonly kind: 'free'; readonly device: string; readonly free: number; readonly wanted: number }
  | { readonly kind: 'used'; readonly device: string; readonly used: number; readonly usual: number }
)[];

/** Why the program of a run was not started. */
export type StartFailure =
  /** `message`: what was tried and why it failed, in the words of the executor. */
  | { readonly kind: 'spawn'; readonly message: string }
  /** `before_start` has failed. */
  | { readonly kind: 'hook-failed'; readonly detail: string }
  /** `before_start` was killed at its deadline. */
  | { readonly kind: 'hook-late'; readonly after: Millis }
  /** Memory of its GPUs did not become free. */
  | {
      readonly kind: 'memory';
      readonly within: Millis;
      readonly waited: Millis;
      readonly shortage: Shortage;
      readonly holders: readonly Holder[];
    };
