// The outside world as small interfaces: time, randomness, reading files; and the real ones, except files (linux/files.ts).
// Everything above takes these as arguments, so that tests can turn the clock by hand. Decides nothing.

export interface Clock {
  /** Monotonic milliseconds; for deadlines and durations. */
  now(): number;
  /** Wall time, milliseconds since 1970; for printing only. */
  wall(): number;
  /** Calls `fn` once after `ms` milliseconds; returns what cancels it. */
  after(ms: number, fn: () => void): () => void;
  /** Calls `fn` on the next turn of the event loop, after what has happened meanwhile. */
  soon(fn: () => void): void;
}

export interface Files {
  /** The whole file as bytes. Throws an Error with `code` (ENOENT, EACCES, EISDIR). */
  read(path: string): Uint8Array;
  /** Size in bytes and kind; null where there is nothing. */
  stat(path: string): { readonly size: number; readonly isDirectory: boolean; readonly isFile: boolean } | null;
}

export interface Random {
  /** A fresh 32-bit seed. */
  seed(): number;
  /** A name that nobody can guess: 24 hexadecimal digits. */
  name(): string;
}

export interface RealClock extends Clock {
  /** The number of armed timers. A number that grows is a leak, which would wake an idle process. */
  readonly armed: number;
}

/** `base`: CLOCK_MONOTONIC in milliseconds when this process started; `now()` counts from there. */
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
