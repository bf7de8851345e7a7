// Reads the size of /dev/shm, through which processes share memory (shm_open(3), shm_overview(7)). Changes nothing.
import { statfsSync } from 'node:fs';

export interface SharedMemory {
  /** Bytes. */
  readonly total: number;
  readonly free: number;
}

/** Null if there is no /dev/shm. */
export function readSharedMemory(): SharedMemory | null {
  try {
    const { blocks, bavail, bsize } = statfsSync('/dev/shm');
    return { total: blocks * bsize, free: bavail * bsize };
  } catch {
    return null;
  }
}
