// Returns freed memory to the operating system. Keeps no state.
import type { Clock } from '../ports.ts';

/** By then most services have been started, milliseconds. */
const RELEASE_AFTER = 5_000;

/**
 * Releases what the start has used and needs no more. What is loaded next then takes that space, where it would otherwise take new
 * space beside it. Does nothing on Node, which releases memory by itself.
 */
export async function releaseMemory(clock: Clock): Promise<void> {
  if (typeof Bun === 'undefined') return;
  Bun.shrink();
  // The runtime releases it in the next turn of the event loop.
  await new Promise<void>((resolve) => clock.after(0, resolve));
}

/** Call it after the start: releases later the memory that only the start needed, as releaseMemory() does. */
export function releaseMemoryLater(clock: Clock): void {
  clock.after(RELEASE_AFTER, () => void releaseMemory(clock));
}
