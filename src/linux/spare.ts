// A descriptor held in reserve: where services have used up all others, /proc can still be read, and so it is known which
// processes a run still has. And whether there are hardly any left.
import { closeSync, constants, openSync } from 'node:fs';

/** Below this number of free descriptors, connections have to give way. */
const FEW = 24;

export class Spare {
  #fd: number | null = null;

  constructor() {
    this.#take();
  }

  /** Calls `read`, which may have one file open at a time and must not wait for anything; returns what it returns. */
  during<T>(read: () => T): T {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
    try {
      return read();
    } finally {
      this.#take();
    }
  }

  #take(): void {
    this.#fd = openNothing();
  }
}

/** Whether hardly any of `limit` descriptors are left. The kernel gives out the lowest number that is free. */
export function isShortOfFiles(limit: number): boolean {
  const fd = openNothing();
  if (fd === null) return true;
  closeSync(fd);
  return fd + FEW >= limit;
}

function openNothing(): number | null {
  try {
    return openSync('/dev/null', constants.O_RDONLY);
  } catch {
    return null;
  }
}
