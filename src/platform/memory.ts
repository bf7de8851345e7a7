// Returns freed memory to the operating system. Keeps no state.

/**
 * Call it after the start, to return the memory that only the start needed. Node has no such function, and returns
 * memory by itself.
 */
export function giveBackMemory(): void {
  if (typeof Bun !== 'undefined') Bun.shrink();
}
