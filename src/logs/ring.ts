// The latest output of one service, bounded in bytes: for the post-mortem and `logs`. Kept as it was written, in blocks of
// whole lines, so that it costs one copy a block and no string. Pure; the oldest make room for the newest.

export interface Block {
  /** Wall time at which it was read, milliseconds. */
  readonly time: number;
  readonly stream: 'stdout' | 'stderr';
  /** Lines, each with its newline and, in front, a prefix of `prefix` bytes. */
  readonly bytes: Uint8Array;
  readonly prefix: number;
}

interface Kept extends Block {
  readonly run: number;
}

export interface RingLine {
  readonly time: number;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

/** Blocks of one moment are joined up to this size, bytes: a service that prints line by line costs no object a line. */
const JOINED = 4_096;
const MOMENT = 50;

export class Ring {
  readonly #most: number;
  readonly #joined: number;
  #blocks: Kept[] = [];
  #bytes = 0;
  #run = 0;

  /** Keeps at most `most` bytes. */
  constructor(most: number) {
    this.#most = most;
    this.#joined = Math.min(JOINED, most / 4);
  }

  /** What comes from here on belongs to a new run of the service. */
  beginRun(): void {
    this.#run += 1;
  }

  /** Keeps a copy of a block; of one that is larger than the ring, the last lines. */
  push({ bytes, time, stream, prefix }: Block): void {
    if (bytes.length === 0) return;
    const kept = bytes.length > this.#most ? lastLines(bytes, this.#most) : bytes;
    this.#bytes += kept.length;
    const last = this.#blocks.at(-1);
    if (
      last !== undefined &&
      last.stream === stream &&
      last.prefix === prefix &&
      last.run === this.#run &&
      time - last.time < MOMENT &&
      last.bytes.length + kept.length <= this.#joined
    ) {
      this.#blocks[this.#blocks.length - 1] = { ...last, bytes: Buffer.concat([last.bytes, kept]) };
    } else {
      this.#blocks.push({ time, stream, prefix, run: this.#run, bytes: Buffer.copyBytesFrom(kept) });
    }
    let gone = 0;
    while (this.#bytes > this.#most && gone < this.#blocks.length - 1) {
      this.#bytes -= this.#blocks[gone]?.bytes.length ?? 0;
      gone += 1;
    }
    if (gone > 0) this.#blocks.splice(0, gone);
  }

  /** The last `count` lines, oldest first; of the latest run alone where asked. */
  tail(count: number, of: 'latest run' | 'all runs'): RingLine[] {
    const lines: RingLine[] = [];
    for (let at = this.#blocks.length - 1; at >= 0 && lines.length < count; at -= 1) {
      const block = this.#blocks[at];
      if (block === undefined || (of === 'latest run' && block.run !== this.#run)) break;
      lines.unshift(...linesOf(block));
    }
    return lines.slice(Math.max(0, lines.length - count));
  }
}

/** A block's lines as text, without their prefix. */
export function linesOf({ bytes, time, stream, prefix }: Block): RingLine[] {
  const texts = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8').split('\n');
  texts.pop();
  return texts.map((text) => ({ time, stream, text: text.slice(prefix) }));
}

/** The whole lines among the last `most` bytes; the end of one line where it alone is longer. */
function lastLines(bytes: Uint8Array, most: number): Uint8Array {
  const from = bytes.length - most;
  const newline = bytes.indexOf(10, from - 1);
  return bytes.subarray(newline < 0 || newline + 1 >= bytes.length ? from : newline + 1);
}
