// Descriptors that are kept back. One is held so that /proc can be read when all others are taken: without it nobody could
// tell which processes a run still has. And the question whether there are hardly any left.
import { closeFile, getLimit, openFile, RESOURCE } from './libc.ts';

/** More than services leave (pipes.ts): connections have to give way before they do. */
const FEW = 24;

export class Spare {
  #fd: number | null = null;

  constructor() {
    this.#take();
  }

  /** Calls `read`, which may have one file open at a time and must not wait for anything; returns what it returns. */
  during<T>(read: () => T): T {
    if (this.#fd !== null) closeFile(this.#fd);
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

/** Whether there are hardly any descriptors left. The kernel gives out the lowest number that is free. */
export function isShortOfFiles(): boolean {
  const fd = openNothing();
  if (fd === null) return true;
  closeFile(fd);
  return BigInt(fd + FEW) >= getLimit(RESOURCE.nofile).soft;
}

function openNothing(): number | null {
  try {
    return openFile('/dev/null');
  } catch {
    return null;
  }
}
