// Bytes to whole lines. A splitter holds the unfinished line of one stream and hands every finished one on, where it lies:
// no copy, no string, no object per line, since this is the path of every byte that a service prints. Pure.
import { sequenceLength } from '../bytes.ts';

/** A longer line is handed on in pieces of this size, bytes; a character of UTF-8 is not cut, but begins the next piece. */
export const LONGEST_LINE = 64 * 1024;
/** So much of a line is held that the character in which a piece would end is seen to its end. */
const MOST_HELD = LONGEST_LINE + 3;

/** Takes a line: the bytes of `source` from `from` up to, not including, `to`. `cut`: it goes on in the next piece. */
export type TakeLine = (source: Uint8Array, from: number, to: number, cut: boolean) => void;

const NEWLINE = 10;
const RETURN = 13;
const NOTHING = new Uint8Array(0);

/** Splits one stream into lines. A lone carriage return ends a line too, so that progress bars are seen as they move. */
export class LineSplitter {
  readonly #take: TakeLine;
  #held: Uint8Array = NOTHING;
  #size = 0;
  /** The last byte was a carriage return, behind a line or behind nothing: a newline that follows belongs to it. */
  #afterReturn: 'line' | 'nothing' | null = null;
  /** Whether a part of the unfinished line was passed on. */
  #isCut = false;
  /** Lines handed on; one in pieces counts once. Whoever reads it may set it back. */
  lines = 0;

  constructor(take: TakeLine) {
    this.#take = take;
  }

  /** The unfinished line; empty if there is none, or if it is so long that a part of it was passed on. */
  get unfinished(): Uint8Array {
    return this.#isCut ? NOTHING : this.#held.subarray(0, this.#size);
  }

  /** Hands on what `chunk` completes. Its memory is not kept. */
  push(chunk: Uint8Array): void {
    let from = 0;
    if (this.#afterReturn !== null && chunk.length > 0) {
      if (chunk[0] === NEWLINE) {
        from = 1;
        if (this.#afterReturn === 'nothing') this.#complete(chunk, 0, 0);
      }
      this.#afterReturn = null;
    }
    let nextReturn = chunk.indexOf(RETURN, from);
    for (;;) {
      const newline = chunk.indexOf(NEWLINE, from);
      const atReturn = nextReturn >= 0 && (newline < 0 || nextReturn < newline);
      const end = atReturn ? nextReturn : newline;
      if (end < 0) break;
      // A bar that begins with its carriage return would make an empty line each time; `\r\n` alone is an empty line.
      const isBar = atReturn && end === from && this.#size === 0 && chunk[end + 1] !== NEWLINE;
      if (!isBar) this.#complete(chunk, from, end);
      from = end + 1;
      if (!atReturn) continue;
      if (from === chunk.length) this.#afterReturn = isBar ? 'nothing' : 'line';
      else if (chunk[from] === NEWLINE) from += 1;
      nextReturn = chunk.indexOf(RETURN, from);
    }
    if (from < chunk.length) this.#hold(chunk, from);
  }

  /** Hands on the last line, if the stream ended without an end of line. */
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

  /** Adds as much as fits to the held line; returns where it stopped. */
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
   * Hands on a piece of the held line, into which a chunk's bytes from `before` to `from` have just come. Returns where in
   * the chunk the next piece goes on; what is not in the chunk stays held.
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
    // A stream that once had a long line is not to hold its memory for ever.
    if (this.#held.length > 4_096) this.#held = NOTHING;
  }
}

/** Where to cut bytes that end at `end`, at `at` or before the character that `at` lies in; what is no UTF-8 is cut there. */
function cutBefore(bytes: Uint8Array, at: number, end: number): number {
  if (((bytes[at] ?? 0) & 0xc0) !== 0x80) return at;
  const line = bytes.subarray(0, end);
  for (let back = 1; back <= 3; back += 1) if (sequenceLength(line, at - back) > back) return at - back;
  return at;
}
