// The sinks of output: standard output and standard error, each with a bounded queue in front of an Output. Never blocks the
// event loop. Has no access to services or descriptors.
import type { Output } from '../platform/output.ts';

/** A sink is full when it holds this much, bytes. */
const FULL = 64 * 1024;
/** The supervisor's own lines are accepted beyond FULL up to this much, then dropped, bytes. */
const OVERFULL = 1024 * 1024;
/** Short pieces are written together, up to this much, bytes: a write of each would cost a system call. */
const JOINED = 64 * 1024;

/**
 * The sinks of the two streams. If both lead to one place (`2>&1`, docker run -t), they share one queue: with two, each would
 * write its lines into the middle of the other's whenever the reader is slow.
 */
export function makeSinks(open: (fd: 1 | 2) => Output): { readonly stdout: Sink; readonly stderr: Sink } {
  const [out, err] = [open(1), open(2)];
  const stdout = new Sink(out);
  return { stdout, stderr: out.identity === err.identity ? stdout : new Sink(err) };
}

interface Piece {
  readonly bytes: Uint8Array;
  readonly done: (() => void) | undefined;
}

export class Sink {
  readonly #output: Output;
  #pieces: Piece[] = [];
  #queued = 0;
  #isWriting = false;
  /** Whether a write has failed: the reader has gone. */
  #isClosed = false;
  #waiting: (() => void)[] = [];
  /** Whether a write waits: the output may have accepted a part of a piece only. */
  isTorn = false;
  /** Called when isTorn has changed. */
  onTorn: () => void = () => undefined;
  /** Bytes written since the start: while it grows, there is a reader. */
  written = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  get isTerminal(): boolean {
    return this.#output.isTerminal;
  }

  get isFull(): boolean {
    return this.#queued >= FULL;
  }

  /**
   * Accepts bytes and keeps them until they are written; after the reader has gone, drops them. A caller that respects isFull
   * and room() keeps the queue bounded. `done` is called when the memory may be used again; never for bytes that wait when an
   * error comes.
   */
  write(bytes: Uint8Array, done?: () => void): void {
    if (this.#isClosed || bytes.length === 0) {
      done?.();
      return;
    }
    this.#queued += bytes.length;
    this.#pieces.push({ bytes, done });
    if (!this.#isWriting) void this.#writeAll();
  }

  /** As write(), for the supervisor's own lines, which do not wait for room. Returns false if OVERFULL is reached, and drops them. */
  offer(bytes: Uint8Array): boolean {
    if (this.#queued >= OVERFULL) return false;
    this.write(bytes);
    return true;
  }

  /** Resolves when the sink is not full or the reader has gone. */
  room(): Promise<void> {
    return this.isFull && !this.#isClosed ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  /** Resolves when all is written or the reader has gone. */
  async drained(): Promise<void> {
    while (this.#queued > 0 && !this.#isClosed) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Runs until the queue is empty; does not yield to the event loop while the output has room. */
  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#pieces.length > 0) {
        const pieces = this.#pieces;
        this.#pieces = [];
        for (const { bytes, done } of joined(pieces)) {
          for (let rest = bytes; rest.length > 0; ) {
            const writing = this.#output.write(rest);
            if (typeof writing !== 'number') this.#tear(true);
            const count = typeof writing === 'number' ? writing : await writing;
            rest = rest.subarray(count);
            this.#count(count);
          }
          done?.();
        }
      }
    } catch {
      // The reader (EPIPE) or the terminal (EIO) has gone. Only this output ends.
      this.#isClosed = true;
      this.#pieces = [];
      this.#queued = 0;
      this.#wake();
    }
    this.#isWriting = false;
    this.#tear(false);
  }

  #tear(isTorn: boolean): void {
    if (this.isTorn === isTorn) return;
    this.isTorn = isTorn;
    this.onTorn();
  }

  #count(size: number): void {
    this.#queued -= size;
    this.written += size;
    if (!this.isFull) this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

/** The same bytes in the same order; neighbours that together are shorter than JOINED as one piece. */
function* joined(pieces: readonly Piece[]): Generator<Piece> {
  for (let first = 0, end = 0; first < pieces.length; first = end) {
    let size = 0;
    for (end = first; end < pieces.length; end += 1) {
      const { length } = (pieces[end] as Piece).bytes;
      if (end > first && size + length > JOINED) break;
      size += length;
    }
    const group = pieces.slice(first, end);
    if (group.length === 1) yield group[0] as Piece;
    else {
      const bytes = Buffer.concat(group.map((piece) => piece.bytes));
      for (const { done } of group) done?.();
      yield { bytes, done: undefined };
    }
  }
}
