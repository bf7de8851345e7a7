// Decides whether the processes of a run use too much memory, from samples that arrive as events. Stops nothing: memory-stop.ts
// does. Pure.
//
// One sample above the limit may be a spike, so two in a row are needed. The next report needs a sample below 90 % of the limit
// first, so that memory that varies around the limit is reported once.
import type { MemoryWatchPlan } from '../plan/plan.ts';

/** The state of a run that is above its limit, or has not been below CLEARED since. */
export interface MemoryExcess {
  /** Samples above the limit in a row; 0 after the report. */
  readonly samples: number;
  /** Whether the excess has been reported. */
  readonly isReported: boolean;
}

/** Samples above the limit in a row until `on_exceed` applies. */
const SAMPLES = 2;
/** The share of the limit below which a reported excess is over. */
const CLEARED = 0.9;

const REPORTED: MemoryExcess = { samples: 0, isReported: true };

interface MemoryDecision {
  /** The new state; null: there is no excess. */
  readonly excess: MemoryExcess | null;
  /** Whether `on_exceed` applies now. */
  readonly isExceeded: boolean;
}

/** Evaluates one sample. `excess`: the state before; `bytes`: the memory in use. */
export function evaluateSample(plan: MemoryWatchPlan, excess: MemoryExcess | null, bytes: number): MemoryDecision {
  if (excess?.isReported === true && bytes >= plan.max * CLEARED) return { excess, isExceeded: false };
  if (bytes <= plan.max) return { excess: null, isExceeded: false };
  const samples = (excess?.samples ?? 0) + 1;
  if (samples >= SAMPLES) return { excess: REPORTED, isExceeded: true };
  return { excess: { samples, isReported: false }, isExceeded: false };
}
