// Splits bytes into lines. A splitter keeps the unfinished line of one stream, and passes each finished line on as a range
// of the chunk: without a copy, a string or an object per line, because every byte that a service prints passes here. Pure.
import { sequenceLength } from '../bytes.ts';

/** A longer line is passed on in pieces of at most this size, bytes. No piece ends within a UTF-8 character. */
export const LONGEST_LINE = 64 * 1024;
/** The most of an unfinished line that is kept, bytes: one piece, and the rest of a character that begins at its end. */
const MOST_HELD = LONGEST_LINE + 3;

/** Takes a line: the bytes of `source` from `from` up to, not including, `to`. `cut`: the line continues in the next call. */
export type TakeLine = (source: Uint8Array, from: number, to: number, cut: boolean) => void;

const NEWLINE = 10;
const RETURN = 13;
const NOTHING = new Uint8Array(0);

/** Splits one stream into lines. A lone carriage return ends a line too, so that each state of a progress bar is shown. */
export class LineSplitter {
  readonly #take: TakeLine;
  #held: Uint8Array = NOTHING;
  #size = 0;
  /**
   * Not null if the last byte was a carriage return: a newline that follows belongs to it. `line`: the carriage return ended
   * a line; `nothing`: it stood at the begin of a line.
   */
  #afterReturn: 'line' | 'nothing' | null = null;
  /** Whether a part of the unfinished line was passed on. */
  #isCut = false;
  /** The number of lines passed on; a line in pieces counts once. The caller may reset it. */
  lines = 0;

  constructor(take: TakeLine) {
    this.#take = take;
  }

  /** The unfinished line; empty if there is none, or if a part of it was passed on because it is long. */
  get unfinished(): Uint8Array {
    return this.#isCut ? NOTHING : this.#held.subarray(0, this.#size);
  }

  /** Passes on the lines that `chunk` completes. Keeps no reference to the chunk. */
  push(chunk: Uint8Array): void {
    let from = 0;
    if (this.#afterReturn !== null && chunk.length > 0) {
      if (chunk[0] === NEWLINE) {
        from = 1;
        if (this.#afterReturn === 'nothing') this.#complete(chunk, 0, 0);
      }
      this.#afterReturn = null;
    }
    // Each is searched again only when it has been passed: a chunk may be full of the one and without the other.
    let nextReturn = chunk.indexOf(RETURN, from);
    let newline = chunk.indexOf(NEWLINE, from);
    for (;;) {
      const atReturn = nextReturn >= 0 && (newline < 0 || nextReturn < newline);
      const end = atReturn ? nextReturn : newline;
      if (end < 0) break;
      // A progress bar that begins with a carriage return must not produce empty lines. `\r\n` alone is an empty line.
      const isBar = atReturn && end === from && this.#size === 0 && chunk[end + 1] !== NEWLINE;
      if (!isBar) this.#complete(chunk, from, end);
      from = end + 1;
      if (atReturn) {
        if (from === chunk.length) this.#afterReturn = isBar ? 'nothing' : 'line';
        else if (chunk[from] === NEWLINE) from += 1;
        nextReturn = chunk.indexOf(RETURN, from);
      }
      if (newline >= 0 && newline < from) newline = chunk.indexOf(NEWLINE, from);
    }
    if (from < chunk.length) this.#hold(chunk, from);
  }

  /** Passes on the last line, if the stream ended without an end of line. */
  end(): void {
    if (this.#size > 0) this.#complete(NOTHING, 0, 0);
  }

  #complete(chunk: Uint8Array, start: number, end: number): void {
    this.lines += 1;
    this.#isCut = false;
    let from = start;
    while (this.#size > 0) {
      const before = from;
      from = this.#fill(chunk, from, end);
      if (this.#size <= LONGEST_LINE) {
        this.#flush();
        return;
      }
      from = this.#cut(before, from);
    }
    while (end - from > LONGEST_LINE) {
      const cut = cutBefore(chunk, from + LONGEST_LINE, end);
      this.#take(chunk, from, cut, true);
      from = cut;
    }
    this.#take(chunk, from, end, false);
  }

  #hold(chunk: Uint8Array, start: number): void {
    for (let from = start; from < chunk.length; ) {
      const before = from;
      from = this.#fill(chunk, from, chunk.length);
      if (this.#size < MOST_HELD) continue;
      from = this.#cut(before, from);
      this.#isCut = true;
    }
  }

  /** Adds bytes to the held line until it has MOST_HELD; returns the position of the first byte that was not added. */
  #fill(chunk: Uint8Array, from: number, end: number): number {
    const count = Math.min(end - from, MOST_HELD - this.#size);
    const size = this.#size + count;
    if (size > this.#held.length) {
      const grown = new Uint8Array(Math.min(MOST_HELD, Math.max(256, size * 2)));
      grown.set(this.#held.subarray(0, this.#size));
      this.#held = grown;
    }
    this.#held.set(chunk.subarray(from, from + count), this.#size);
    this.#size = size;
    return from + count;
  }

  /**
   * Passes on a piece of the held line, to which the chunk's bytes from `before` to `from` were just added. Returns the
   * position in the chunk at which the next piece begins, or `from` if that piece begins with bytes that stay held.
   */
  #cut(before: number, from: number): number {
    const cut = cutBefore(this.#held, LONGEST_LINE, this.#size);
    const rest = this.#size - cut;
    this.#take(this.#held, 0, cut, true);
    if (from - before >= rest) {
      this.#empty();
      return from - rest;
    }
    this.#held.copyWithin(0, cut, this.#size);
    this.#size = rest;
    return from;
  }

  #flush(): void {
    this.#take(this.#held, 0, this.#size, false);
    this.#empty();
  }

  #empty(): void {
    this.#size = 0;
    // Frees the memory of a long line.
    if (this.#held.length > 4_096) this.#held = NOTHING;
  }
}

/**
 * The position at which to cut bytes that end at `end`: `at`, or the begin of the UTF-8 character that contains `at`. Bytes
 * that are not UTF-8 are cut at `at`.
 */
function cutBefore(bytes: Uint8Array, at: number, end: number): number {
  if (((bytes[at] ?? 0) & 0xc0) !== 0x80) return at;
  const line = bytes.subarray(0, end);
  for (let back = 1; back <= 3; back += 1) if (sequenceLength(line, at - back) > back) return at - back;
  return at;
}
