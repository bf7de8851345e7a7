// Keeps the latest output of one service in a ring buffer, for the post-mortem and `logs`. The bytes are kept as they were
// written to standard output, so that a line needs no object and a block no allocation. Pure.

/** Whole lines as a service wrote them. */
export interface LogBlock {
  /** Wall time at which the block was read from the pipe, milliseconds. */
  readonly time: number;
  readonly stream: 'stdout' | 'stderr';
  /** Lines, each with a prefix of `prefix` bytes, all ASCII, and a newline. */
  readonly bytes: Uint8Array;
  readonly prefix: number;
}

export interface LogLine {
  readonly time: number;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
  /** Set if no newline has ended it so far: a later call may have it longer, and with a later time. */
  readonly unfinished?: true;
}

/** One or more blocks in the ring. `at` is the offset in all bytes that were ever added. */
interface Entry {
  readonly time: number;
  readonly stream: 'stdout' | 'stderr';
  readonly prefix: number;
  readonly run: number;
  readonly at: number;
  size: number;
  /** For each block with another time, two numbers: its offset in the entry, and its milliseconds after `time`. */
  marks: number[] | null;
}

/** Blocks within this time share one entry, so that a service that prints line by line needs few objects. Milliseconds. */
const SHARED_WITHIN = 50;
const FIRST_SIZE = 1_024;

export class Ring {
  readonly #most: number;
  /** Grows with its content, because most services print little. */
  #memory = new Uint8Array(0);
  #entries: Entry[] = [];
  /** How many entries, from the first, are overwritten. They are removed many at a time. */
  #overwritten = 0;
  #end = 0;
  #run = 0;

  /** Keeps at most `most` bytes. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Blocks from now on belong to a new run of the service. */
  beginRun(): void {
    this.#run += 1;
  }

  /** Keeps a copy of a block; only its last lines, if it is larger than the ring. */
  push({ bytes, time, stream, prefix }: LogBlock): void {
    if (bytes.length === 0) return;
    const kept = bytes.length > this.#most ? lastLines(bytes, this.#most, prefix) : bytes;
    this.#makeRoom(kept.length);
    const from = this.#end % this.#memory.length;
    const first = Math.min(kept.length, this.#memory.length - from);
    this.#memory.set(first === kept.length ? kept : kept.subarray(0, first), from);
    if (first < kept.length) this.#memory.set(kept.subarray(first), 0);
    const last = this.#entries.at(-1);
    const joins =
      last !== undefined &&
      last.stream === stream &&
      last.prefix === prefix &&
      last.run === this.#run &&
      time - last.time < SHARED_WITHIN &&
      last.size + kept.length <= this.#most / 4;
    if (joins) extend(last, time, kept.length);
    else this.#entries.push({ time, stream, prefix, run: this.#run, at: this.#end, size: kept.length, marks: null });
    this.#end += kept.length;
  }

  /** Grows the memory, or discards the oldest entries. */
  #makeRoom(size: number): void {
    const start = this.#entries[this.#overwritten]?.at ?? this.#end;
    const needed = this.#end - start + size;
    if (needed > this.#memory.length && this.#memory.length < this.#most) {
      const held = this.#read(start, this.#end - start);
      this.#memory = new Uint8Array(Math.min(this.#most, Math.max(FIRST_SIZE, 2 ** Math.ceil(Math.log2(needed)))));
      for (let at = 0; at < held.length; at += 1) this.#memory[(start + at) % this.#memory.length] = held[at] as number;
    }
    const floor = this.#end + size - this.#memory.length;
    while ((this.#entries[this.#overwritten]?.at ?? floor) < floor) this.#overwritten += 1;
    if (this.#overwritten > 64 && this.#overwritten > this.#entries.length / 2) {
      this.#entries = this.#entries.slice(this.#overwritten);
      this.#overwritten = 0;
    }
  }

  #read(at: number, size: number): Uint8Array {
    const { length } = this.#memory;
    if (size === 0) return new Uint8Array(0);
    const from = at % length;
    const first = this.#memory.subarray(from, Math.min(length, from + size));
    return first.length === size ? first : Buffer.concat([first, this.#memory.subarray(0, size - first.length)]);
  }

  /** The last `count` lines, oldest first, of the latest run or of all runs. */
  tail(count: number, of: 'latest run' | 'all runs'): LogLine[] {
    /** Latest first. One list is not spread into another: a block can have more lines than a call takes arguments. */
    const blocks: LogLine[][] = [];
    let found = 0;
    for (let number = this.#entries.length - 1; number >= this.#overwritten && found < count; number -= 1) {
      const entry = this.#entries[number];
      if (entry === undefined || (of === 'latest run' && entry.run !== this.#run)) break;
      const block = linesOf(entry, this.#read(entry.at, entry.size));
      blocks.push(block);
      found += block.length;
    }
    const lines = blocks.toReversed().flat();
    return lines.slice(Math.max(0, lines.length - count));
  }
}

/** Adds a block to an entry. */
function extend(entry: Entry, time: number, size: number): void {
  const after = time - entry.time;
  if (after !== (entry.marks?.at(-1) ?? 0)) {
    entry.marks ??= [];
    entry.marks.push(entry.size, after);
  }
  entry.size += size;
}

/** The lines of an entry, each with the time of its block. */
function linesOf({ time, stream, prefix, size, marks }: Entry, bytes: Uint8Array): LogLine[] {
  const lines: LogLine[] = [];
  let from = 0;
  let after = 0;
  for (let at = 0; at <= (marks?.length ?? 0); at += 2) {
    const to = marks?.[at] ?? size;
    const block = ringLinesOf({ time: time + after, stream, prefix, bytes: bytes.subarray(from, to) });
    for (const line of block) lines.push(line);
    from = to;
    after = marks?.[at + 1] ?? 0;
  }
  return lines;
}

/** A block's lines as text, without their prefix. */
export function ringLinesOf({ bytes, time, stream, prefix }: LogBlock): LogLine[] {
  const texts = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8').split('\n');
  texts.pop();
  return texts.map((text) => ({ time, stream, text: text.slice(prefix) }));
}

/** The whole lines among the last `most` bytes; if a single line is longer, its prefix and the last bytes of its text. */
function lastLines(bytes: Uint8Array, most: number, prefix: number): Uint8Array {
  const newline = bytes.indexOf(10, bytes.length - most - 1);
  if (newline >= 0 && newline + 1 < bytes.length) return bytes.subarray(newline + 1);
  const line = bytes.lastIndexOf(10, bytes.length - 2) + 1;
  let from = Math.min(bytes.length, bytes.length - most + prefix);
  // The continuation bytes of a character whose first byte is cut off.
  while (((bytes[from] ?? 0) & 0xc0) === 0x80) from += 1;
  return Buffer.concat([bytes.subarray(line, line + prefix), bytes.subarray(from)]);
}
