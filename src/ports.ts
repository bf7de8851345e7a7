// Interfaces for time, randomness and reading files; and their implementations, except that of files (linux/files.ts). Other
// code gets them as arguments, so that tests can control the clock. Decides nothing.

export interface Clock {
  /** Monotonic milliseconds; for deadlines and durations. */
  now(): number;
  /** Wall time, milliseconds since 1970; for printing only. */
  wall(): number;
  /** Calls `fn` once after `ms` milliseconds; returns a function that cancels the call. */
  after(ms: number, fn: () => void): () => void;
  /** Calls `fn` in the next turn of the event loop, after the events that have occurred until then. */
  soon(fn: () => void): void;
}

export interface Files {
  /** The whole file as bytes. Throws an Error with `code` (ENOENT, EACCES, EISDIR). */
  read(path: string): Uint8Array;
  /** Size in bytes and kind; null if the path does not exist. */
  stat(path: string): { readonly size: number; readonly isDirectory: boolean; readonly isFile: boolean } | null;
  /** The names in a folder, in any order; null if it does not exist or cannot be read. */
  list(folder: string): readonly string[] | null;
}

export interface Random {
  /** A new 32-bit seed. */
  seed(): number;
  /** A name that cannot be guessed: 24 hexadecimal digits. */
  name(): string;
}

export interface RealClock extends Clock {
  /** The number of armed timers. If it grows, timers leak, and wake an idle process. */
  readonly armed: number;
}

/** `base`: CLOCK_MONOTONIC when this process started, milliseconds; `now()` adds the time since then. */
export function makeClock(base = 0): RealClock {
  /** Timers that have neither fired nor been cancelled. */
  const armed = new Set<NodeJS.Timeout>();
  return {
    now: () => base + performance.now(),
    wall: () => Date.now(),
    after(ms, fn) {
      const timer = setTimeout(() => {
        armed.delete(timer);
        fn();
      }, ms);
      armed.add(timer);
      return () => {
        armed.delete(timer);
        clearTimeout(timer);
      };
    },
    get armed() {
      return armed.size;
    },
    soon: (fn) => void setImmediate(fn),
  };
}

export const realRandom: Random = {
  seed: () => crypto.getRandomValues(new Uint32Array(1))[0] ?? 1,
  name: () => Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString('hex'),
};
