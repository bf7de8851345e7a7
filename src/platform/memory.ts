// Returns freed memory to the operating system. Keeps no state.
import type { Clock } from '../ports.ts';

/** By then most services have been started, milliseconds. */
const RELEASE_AFTER = 5_000;

/**
 * Call it after the start: releases later the memory that only the start needed. Does nothing on Node, which releases memory by
 * itself.
 */
export function releaseMemoryLater(clock: Clock): void {
  if (typeof Bun !== 'undefined') clock.after(RELEASE_AFTER, () => Bun.shrink());
}
