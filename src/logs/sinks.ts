// Where output goes: standard output and standard error, each written in the one way that cannot stop the event loop.
// A pipe or socket gets a bounded queue, a terminal one write at a time, a file plain writes. Knows nothing of services.
import type { Clock } from '../ports.ts';

/** A sink holds at most this much before it says that it is full, bytes. */
const FULL = 256 * 1024;
/** The supervisor's own lines are taken beyond FULL up to here, then dropped: nobody reads. */
const OVERFULL = 1024 * 1024;

/** A terminal that somebody has made non-blocking tells nobody when it takes more: it is asked this often, milliseconds. */
const RETRY = 20;

type Kind = 'queue' | 'terminal' | 'file';

/**
 * Where the two streams go. Both to one place (`2>&1`, docker run -t) is one queue: of two, each would write its lines in
 * the middle of the other's whenever a reader is slow.
 */
export function makeSinks(clock: Clock, descriptors: Descriptors): { readonly stdout: Sink; readonly stderr: Sink } {
  const stdout = new Sink(1, clock, descriptors);
  return { stdout, stderr: isOnePlace(descriptors) ? stdout : new Sink(2, clock, descriptors) };
}

/** Descriptors of the operating system, as far as a sink needs them. Each call may throw an Error with `code`. */
export interface Descriptors {
  /** What one leads to; `identity` is the same for the same thing. */
  look(fd: number): { readonly kind: 'pipe' | 'terminal' | 'other'; readonly identity: string };
  /** A terminal opened anew for writing: its descriptor. */
  reopen(fd: number): number;
  /** Writes as much as goes at once: how many bytes. */
  write(fd: number, bytes: Uint8Array): number;
}

function isOnePlace({ look }: Descriptors): boolean {
  try {
    return look(1).identity === look(2).identity;
  } catch {
    return false;
  }
}

function kindOf(fd: number, { look }: Descriptors): Kind {
  try {
    const { kind } = look(fd);
    return kind === 'pipe' ? 'queue' : kind === 'terminal' ? 'terminal' : 'file';
  } catch {
    return 'file';
  }
}

/**
 * The terminal opened anew: whether writes block is then ours alone, and those who share the descriptor with us (a shell, a
 * runtime) can make it non-blocking as they like. The one we have where another may not be had.
 */
function reopen(fd: number, descriptors: Descriptors): number {
  try {
    return descriptors.reopen(fd);
  } catch {
    return fd;
  }
}

export class Sink {
  readonly isTerminal: boolean;
  readonly #fd: number;
  readonly #clock: Clock;
  readonly #descriptors: Descriptors;
  readonly #kind: Kind;
  #made: NodeJS.WriteStream | null = null;
  #queued = 0;
  /** Bytes written since the start: whether a reader is slow or gone is seen by it. */
  written = 0;
  #dead = false;
  #terminalQueue: Uint8Array[] = [];
  #writing = false;
  #waiting: (() => void)[] = [];

  constructor(fd: 1 | 2, clock: Clock, descriptors: Descriptors) {
    this.#clock = clock;
    this.#descriptors = descriptors;
    this.#kind = kindOf(fd, descriptors);
    this.#fd = this.#kind === 'terminal' ? reopen(fd, descriptors) : fd;
    this.isTerminal = this.#kind === 'terminal';
  }

  /** Made when there is something to write: the first service need not wait for it. */
  #stream(): NodeJS.WriteStream {
    if (this.#made !== null) return this.#made;
    this.#made = this.#fd === 1 ? process.stdout : process.stderr;
    // An unhandled EPIPE would end PID 1: a reader that has gone takes the output with it, nothing else.
    this.#made.on('error', () => this.#die());
    return this.#made;
  }

  get isFull(): boolean {
    return this.#queued >= FULL;
  }

  /**
   * Takes bytes; they are kept until written. Whoever respects isFull and room() keeps the queue bounded. `done` is called
   * when their memory may be used again; not at all where that is not known.
   */
  write(bytes: Uint8Array, done?: () => void): void {
    if (this.#dead || bytes.length === 0) return;
    switch (this.#kind) {
      case 'queue':
        this.#queued += bytes.length;
        this.#stream().write(bytes, (error) => {
          this.#written(bytes.length);
          if (error === null || error === undefined) done?.();
        });
        return;
      case 'terminal':
        this.#queued += bytes.length;
        this.#terminalQueue.push(bytes);
        this.#writeTerminal();
        return;
      case 'file':
        this.#writeFile(bytes);
        done?.();
        return;
      default:
        this.#kind satisfies never;
    }
  }

  /** As write(), for the supervisor's own lines, which come unasked: false when there was no room at all. */
  offer(bytes: Uint8Array): boolean {
    if (this.#queued >= OVERFULL) return false;
    this.write(bytes);
    return true;
  }

  /** Resolves when the sink is not full (any more). */
  room(): Promise<void> {
    return this.isFull && !this.#dead ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  /** Resolves when all is written or the reader has gone. */
  async drained(): Promise<void> {
    while (this.#queued > 0 && !this.#dead) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #written(size: number): void {
    this.#queued -= size;
    this.written += size;
    if (this.#queued >= FULL && !this.#dead) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  #die(): void {
    this.#dead = true;
    this.#terminalQueue = [];
    this.#written(this.#queued);
  }

  /** One asynchronous write at a time: a terminal that is held (XOFF) blocks one pool thread and not the loop. */
  #writeTerminal(): void {
    if (this.#writing) return;
    const bytes = this.#terminalQueue.shift();
    if (bytes === undefined) return;
    this.#writing = true;
    process.getBuiltinModule('node:fs').write(this.#fd, bytes, (error, count) => {
      const full = error?.code === 'EAGAIN';
      if (error !== null && !full) return this.#die();
      const done = full ? 0 : count;
      if (done < bytes.length) this.#terminalQueue.unshift(bytes.subarray(done));
      const next = () => {
        this.#writing = false;
        this.#writeTerminal();
      };
      this.#written(done);
      if (full) this.#clock.after(RETRY, next);
      else next();
    });
  }

  #writeFile(bytes: Uint8Array): void {
    try {
      for (let rest = bytes; rest.length > 0; ) rest = rest.subarray(this.#descriptors.write(this.#fd, rest));
    } catch {
      // A full disk: what cannot be written is lost, and saying so would go to the same place.
    }
  }
}
