// The data behind two kinds of sentences: why a run is not ready, and why a start has failed. messages/details.ts makes the
// sentences. Types only.
import type { Holder } from '../plan/gpu-reading.ts';
import type { Millis } from '../plan/plan.ts';

/** What a run waits for, or the latest result of its probes. */
export type ProbeDetail =
  /** `before_start` has not ended. */
  | { readonly kind: 'hook' }
  /** GPUs have too little free memory. */
  | { readonly kind: 'memory'; readonly shortage: Shortage }
  /** No line of output has matched yet. */
  | { readonly kind: 'line'; readonly pattern: string }
  /** No newline has arrived on descriptor `fd` yet. */
  | { readonly kind: 'newline'; readonly fd: number }
  /** `READY=1` has not arrived yet (sd_notify(3)). */
  | { readonly kind: 'notification' }
  /** An attempt has ended. `text`: its result, as a part of a sentence. */
  | { readonly kind: 'result'; readonly text: string }
  /** An attempt had no result within its timeout. */
  | { readonly kind: 'no-answer'; readonly within: Millis };

/** Numbers of services when all that should start have started. */
export interface Readiness {
  readonly ready: number;
  /** Running, without a readiness probe. */
  readonly unprobed: number;
  readonly completed: number;
  /** Tasks that wait for the next time of their schedule. */
  readonly scheduled: number;
}

/** A liveness probe that fails: `failures` in a row, of the `of` at which the run is stopped and counts as failed. */
export interface Lapse {
  readonly failures: number;
  readonly of: number;
  readonly detail: ProbeDetail;
}

/**
 * The GPUs whose memory a run waits for, in bytes. `wanted`: what must be free; `usual`: what was in use before the previous run.
 */
export type Shortage = readonly (
  | { readonly kind: 'free'; readonly device: string; readonly free: number; readonly wanted: number }
  | { readonly kind: 'used'; readonly device: string; readonly used: number; readonly usual: number }
)[];

/** Why the program of a run was not started. */
export type StartFailure =
  /** `message`: what the executor tried and why it failed, as a part of a sentence. */
  | { readonly kind: 'spawn'; readonly message: string }
  /** The GPUs that it requests are not there. `why`: a sentence. */
  | { readonly kind: 'no-gpu'; readonly why: string }
  /** A GPU has less memory in all than `min_free`, bytes. */
  | { readonly kind: 'small-gpu'; readonly device: string; readonly total: number; readonly minFree: number }
  /** `before_start` has failed. */
  | { readonly kind: 'hook-failed'; readonly detail: string }
  /** `before_start` was killed at the end of its timeout. */
  | { readonly kind: 'hook-late'; readonly after: Millis }
  /** GPU memory did not become free. `within`: the time limit; `waited`: the time until the start was given up. */
  | {
      readonly kind: 'memory';
      readonly within: Millis;
      readonly waited: Millis;
      readonly shortage: Shortage;
      readonly holders: readonly Holder[];
    };
