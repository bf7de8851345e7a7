// Writes to descriptors that other processes share: standard output and standard error. Never changes the flags of a
// shared open file description, because O_NONBLOCK there makes the writes of other processes fail with EAGAIN. Never
// blocks the event loop, except while a regular file is written. Keeps no queue: the caller does (logs/sinks.ts).
import { constants, openSync, write, writeSync } from 'node:fs';
import type { Clock } from '../ports.ts';
import { type DescriptorKind, inspectDescriptor } from './descriptors.ts';

/** A destination of bytes. An error of a method is final: nothing is written after it. */
export interface Output {
  readonly isTerminal: boolean;
  /** Equal for two outputs that lead to the same file. */
  readonly identity: string;
  /**
   * Writes at least one byte. Returns the number of bytes written: at once if there was room, otherwise as a promise.
   * Until that resolves, the bytes must not change and write() must not be called again. Throws or rejects if the
   * reader has closed.
   */
  write(bytes: Uint8Array): number | Promise<number>;
}

type Write = Output['write'];

/**
 * The most that is passed to the runtime at once, bytes: it copies what it cannot write immediately, and progress is
 * known only after each piece.
 */
const PIECE = 64 * 1024;
/** The pause before a retry if another process has made the open file description non-blocking, milliseconds. */
const RETRY = 20;

/** An output for an inherited descriptor. `isTerminal` is as for inspectDescriptor() of descriptors.ts. */
export function openOutput(fd: number, clock: Clock, isTerminal?: (fd: number) => boolean): Output {
  let kind: DescriptorKind = 'other';
  let identity = `closed ${fd}`;
  try {
    ({ kind, identity } = inspectDescriptor(fd, isTerminal));
  } catch {
    // A closed descriptor: its writes fail and are ignored, as on a full disk.
  }
  switch (kind) {
    case 'pipe':
      return new PipeOutput(fd, identity, clock);
    case 'socket':
      // A socket cannot be opened by its path (ENXIO).
      return new PoolOutput(fd, false, identity, clock);
    case 'terminal':
      return new PoolOutput(reopen(fd, constants.O_WRONLY) ?? fd, true, identity, clock);
    case 'other':
      return new FileOutput(fd, identity);
    default:
      return kind satisfies never;
  }
}

/**
 * Opens the same file again: a new open file description, whose flags no other process shares. Null if that is
 * impossible: a pipe of another user (EACCES), a pipe without a reader (ENXIO), no /proc, no descriptor left.
 */
function reopen(fd: number, flags: number): number | null {
  try {
    return openSync(`/proc/self/fd/${fd}`, flags | constants.O_NOCTTY);
  } catch {
    return null;
  }
}

/** Regular files and devices: a write does not wait for a reader. */
class FileOutput implements Output {
  readonly isTerminal = false;
  readonly identity: string;
  readonly #fd: number;

  constructor(fd: number, identity: string) {
    this.#fd = fd;
    this.identity = identity;
  }

  write(bytes: Uint8Array): number {
    try {
      for (let rest = bytes; rest.length > 0; ) rest = rest.subarray(writeSync(this.#fd, rest));
    } catch {
      // A full disk: what cannot be written is lost, and a message about it would go to the same place.
    }
    return bytes.length;
  }
}

/**
 * Asynchronous writes on a thread of the runtime's pool, where they may block: for terminals, which can be stopped (XOFF), and
 * for sockets and pipes that cannot be opened again.
 */
class PoolOutput implements Output {
  readonly isTerminal: boolean;
  readonly identity: string;
  readonly #fd: number;
  readonly #clock: Clock;

  constructor(fd: number, isTerminal: boolean, identity: string, clock: Clock) {
    this.#fd = fd;
    this.isTerminal = isTerminal;
    this.identity = identity;
    this.#clock = clock;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const piece = bytes.subarray(0, PIECE);
    for (;;) {
      const count = await writeOnPool(this.#fd, piece);
      if (count > 0) return count;
      await new Promise<void>((resolve) => this.#clock.after(RETRY, resolve));
    }
  }
}

/** Resolves to the number of bytes written; 0 if the descriptor is non-blocking and has no room. */
function writeOnPool(fd: number, bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, 0, bytes.length, null, (error, count) => {
      if (error === null) resolve(count);
      else if (error.code === 'EAGAIN') resolve(0);
      else reject(error);
    });
  });
}

/** Pipes: written directly while there is room; otherwise the runtime polls our own open file description. */
class PipeOutput implements Output {
  readonly isTerminal = false;
  readonly identity: string;
  readonly #shared: number;
  readonly #clock: Clock;
  /** Our own open file description, non-blocking; null if it could not be opened. */
  readonly #own: number | null;
  /** The last direct write was partial: another one would only fail (EAGAIN). */
  #isFull = false;
  #writeWhenRoom: Write | null = null;

  constructor(fd: number, identity: string, clock: Clock) {
    this.identity = identity;
    this.#shared = fd;
    this.#clock = clock;
    this.#own = reopen(fd, constants.O_WRONLY | constants.O_NONBLOCK);
  }

  write(bytes: Uint8Array): number | Promise<number> {
    const count = this.#own === null || this.#isFull ? 0 : writeDirectly(this.#own, bytes);
    this.#isFull = count > 0 && count < bytes.length;
    if (count > 0) return count;
    this.#writeWhenRoom ??= this.#openWriter();
    return this.#writeWhenRoom(bytes.subarray(0, PIECE));
  }

  #openWriter(): Write {
    if (this.#own !== null) {
      try {
        return typeof Bun === 'undefined' ? openNodeWriter(this.#own) : openBunWriter(this.#own);
      } catch {
        // No descriptor is left for the copy that the runtime makes. A thread of the pool needs none.
      }
    }
    const pool = new PoolOutput(this.#shared, false, this.identity, this.#clock);
    return (bytes) => pool.write(bytes);
  }
}

/** Returns the number of bytes written; 0 if there is no room. */
function writeDirectly(fd: number, bytes: Uint8Array): number {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    return 0;
  }
}

/** Uses a copy of the descriptor, and a copy of the bytes that it cannot write at once; polls by epoll(7). */
function openBunWriter(fd: number): Write {
  const writer = Bun.file(fd).writer({ highWaterMark: PIECE });
  return async (bytes) => {
    // After an error the writer accepts everything and writes nothing: the caller must not continue.
    await Promise.all([writer.write(bytes), writer.flush()]);
    return bytes.length;
  };
}

function openNodeWriter(fd: number): Write {
  const { Socket } = process.getBuiltinModule('node:net');
  const socket = new Socket({ fd, readable: false, writable: true });
  // Each write reports its own error; without a listener the event would end the process.
  socket.on('error', () => undefined);
  return (bytes) =>
    new Promise((resolve, reject) => {
      socket.write(bytes, (error) => (error ? reject(error) : resolve(bytes.length)));
    });
}
