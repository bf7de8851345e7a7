// Keeps one descriptor in reserve, so that /proc can be read, and the processes of a run found, when services have used
// up all others. Also detects that few descriptors are left. Never closes a descriptor of its callers.
import { closeSync, constants, openSync } from 'node:fs';

/** With fewer free descriptors than this, control connections are evicted. */
const FEW = 24;

export class ReservedDescriptor {
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

/** Whether fewer than FEW of `limit` descriptors are left. The kernel assigns the lowest free number. */
export function isShortOfDescriptors(limit: number): boolean {
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
