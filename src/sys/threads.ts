// The runtime's pool of threads, made while there is room for it. On it descriptors are closed and terminals are written to;
// a service that uses up the process limit before its first thread is there leaves it dead for ever (descriptors leak).
import { closeSync, read, writeSync } from 'node:fs';
import type { Clock } from '../ports.ts';
import { openPipe } from './libc.ts';

/** As many as UV_THREADPOOL_SIZE in boot.ts asks for. */
const SIZE = 4;
/** By then all are there, milliseconds. */
const SOON = 20;

/**
 * Has all threads made now; idle ones stay, and sleep. Each is held in a read of an empty pipe, so that the next one has
 * to be made.
 */
export function fillPool(clock: Clock): void {
  const pipe = openPipe();
  let held = SIZE;
  const release = () => {
    held -= 1;
    if (held === 0) closeSync(pipe.read);
  };
  for (let thread = 0; thread < SIZE; thread += 1) read(pipe.read, new Uint8Array(1), 0, 1, null, release);
  clock.after(SOON, () => {
    writeSync(pipe.write, new Uint8Array(SIZE));
    closeSync(pipe.write);
  });
}
