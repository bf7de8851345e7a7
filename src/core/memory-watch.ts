// Decides whether the processes of a run use too much memory: a function of samples, which arrive as events. Pure; stops nothing
// (memory-stop.ts does).
//
// One sample above the limit may be a spike, so two in a row are needed. A warning is repeated only after the memory was below nine
// tenths of the limit: a value that varies around the limit warns once.
import type { MemoryWatchPlan } from '../plan/plan.ts';

/** A run that is, or was lately, above its limit. */
export interface MemoryExcess {
  /** Samples above the limit in a row; 0 once it has been reported. */
  readonly samples: number;
  /** Whether it has been reported, and the memory was not below CLEARED since. */
  readonly isReported: boolean;
}

/** Samples above the limit in a row until `on_exceed` applies. */
const SAMPLES = 2;
/** The share of the limit below which the run is no longer above it. */
const CLEARED = 0.9;

const REPORTED: MemoryExcess = { samples: 0, isReported: true };

interface MemoryDecision {
  /** null: the run is not above its limit. */
  readonly excess: MemoryExcess | null;
  readonly isExceeded: boolean;
}

/** Evaluates one sample, in bytes. */
export function evaluateSample(plan: MemoryWatchPlan, excess: MemoryExcess | null, bytes: number): MemoryDecision {
  if (excess?.isReported === true && bytes >= plan.max * CLEARED) return { excess, isExceeded: false };
  if (bytes <= plan.max) return { excess: null, isExceeded: false };
  const samples = (excess?.samples ?? 0) + 1;
  if (samples >= SAMPLES) return { excess: REPORTED, isExceeded: true };
  return { excess: { samples, isReported: false }, isExceeded: false };
}
