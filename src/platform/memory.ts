// Returns freed memory to the operating system. Keeps no state.

/**
 * Call it after the start, to release memory that only the start needed. Does nothing on Node, which releases memory by
 * itself.
 */
export function releaseMemory(): void {
  if (typeof Bun !== 'undefined') Bun.shrink();
}
