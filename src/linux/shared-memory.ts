// The size of /dev/shm, through which programs of several processes exchange data (shm_open(3), shm_overview(7)).
import { statfsSync } from 'node:fs';

export interface SharedMemory {
  /** Bytes. */
  readonly total: number;
  readonly free: number;
}

/** null where there is no /dev/shm. */
export function readSharedMemory(): SharedMemory | null {
  try {
    const { blocks, bavail, bsize } = statfsSync('/dev/shm');
    return { total: blocks * bsize, free: bavail * bsize };
  } catch {
    return null;
  }
}
