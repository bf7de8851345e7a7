// Giving memory back to the machine.

/** Once the start is over, what it alone has needed. Node has no such call, and gives back by itself. */
export function giveBackMemory(): void {
  if (typeof Bun !== 'undefined') Bun.shrink();
}
