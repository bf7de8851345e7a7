// The latest output of one service, bounded in bytes: for the post-mortem and for those who ask. Pure; the oldest lines
// make room for the newest.

interface Entry {
  readonly text: string;
  readonly size: number;
}

export class Ring {
  readonly #most: number;
  #entries: Entry[] = [];
  #first = 0;
  #bytes = 0;

  /** Keeps at most `most` bytes of text. */
  constructor(most: number) {
    this.#most = most;
  }

  push(line: Uint8Array): void {
    const kept = line.length > this.#most ? line.subarray(0, this.#most) : line;
    this.#entries.push({ text: Buffer.from(kept).toString('utf8'), size: kept.length + 1 });
    this.#bytes += kept.length + 1;
    while (this.#bytes > this.#most && this.#first < this.#entries.length - 1) {
      this.#bytes -= this.#entries[this.#first]?.size ?? 0;
      this.#first += 1;
    }
    if (this.#first > 1_024 && this.#first > this.#entries.length / 2) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
  }

  /** The last `count` lines, oldest first. */
  tail(count: number): string[] {
    return this.#entries.slice(Math.max(this.#first, this.#entries.length - count)).map(({ text }) => text);
  }
}
