// The runtime's pool of threads, made while there is room for it. On it descriptors are closed and terminals are written to:
// a service that uses up the process limit before the first thread is there would leave it dead, and descriptors would leak.
import { closeSync, constants, openSync, read, writeSync } from 'node:fs';
import type { Clock } from '../ports.ts';
import { FD } from './handover.ts';

/** As many as UV_THREADPOOL_SIZE in native/handover.c asks for. */
const SIZE = 3;
/** By then all are there, milliseconds. */
const SOON = 20;

/**
 * Has all threads made now; idle ones stay, and sleep. Each is held in a read of a pipe that PID 1 has made and nothing writes
 * to, so that the next one has to be made.
 */
export function fillPool(clock: Clock): void {
  let writing: number;
  try {
    writing = openSync(`/proc/self/fd/${FD.idle}`, constants.O_WRONLY);
  } catch {
    return;
  }
  let held = SIZE;
  const release = () => {
    held -= 1;
    if (held === 0) closeSync(FD.idle);
  };
  for (let thread = 0; thread < SIZE; thread += 1) read(FD.idle, new Uint8Array(1), 0, 1, null, release);
  clock.after(SOON, () => {
    writeSync(writing, new Uint8Array(SIZE));
    closeSync(writing);
  });
}
