// Fills the runtime's thread pool at the start. The pool closes descriptors and writes to terminals. If a service used
// up the process limit before the pool has its threads, the pool could do neither, and descriptors would leak.
import { closeSync, constants, openSync, read, writeSync } from 'node:fs';
import type { Clock } from '../ports.ts';
import { FD } from './handover.ts';

/** The same as UV_THREADPOOL_SIZE in native/handover.c. */
const SIZE = 3;
/** All threads exist after this time, milliseconds. */
const SOON = 20;

/**
 * Creates all threads of the pool; idle ones stay. Each is blocked in a read of a pipe that PID 1 created and that has
 * no other writer, so that the next read needs a new thread.
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
