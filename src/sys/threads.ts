// The runtime's pool of threads, made while there is room for it. On it descriptors are closed and terminals are written to;
// a service that uses up the process limit before its first thread is there leaves it dead for ever (descriptors leak). So
// the first is there before the first service, and the others soon after: node:fs, which holds them, takes 1.5 ms to load.
import type { Clock } from '../ports.ts';
import { closeFile, openPipe, writeFrom } from './libc.ts';

/** As many as UV_THREADPOOL_SIZE in boot.ts asks for. */
const SIZE = 3;
/** By then all are there, milliseconds. */
const SOON = 20;

/** Has the first thread made now: whoever gives the pool something to do makes one that can do it. */
export function openPool(): void {
  Bun.file('/dev/null')
    .arrayBuffer()
    .catch(() => undefined);
}

/**
 * Has all threads made now; idle ones stay, and sleep. Each is held in a read of an empty pipe, so that the next one has
 * to be made. Where no pipe is to be had, they are made when they are needed, if there is room then.
 */
export function fillPool(clock: Clock): void {
  const { read } = process.getBuiltinModule('node:fs');
  let pipe: ReturnType<typeof openPipe>;
  try {
    pipe = openPipe();
  } catch {
    return;
  }
  let held = SIZE;
  const release = () => {
    held -= 1;
    if (held === 0) closeFile(pipe.read);
  };
  for (let thread = 0; thread < SIZE; thread += 1) read(pipe.read, new Uint8Array(1), 0, 1, null, release);
  clock.after(SOON, () => {
    writeFrom(pipe.write, new Uint8Array(SIZE));
    closeFile(pipe.write);
  });
}
