// An immutable array of values by number, in blocks: two worlds that differ in a few rows share all other blocks, so
// that a step copies only the blocks that it changes. RowsDraft collects the changes of a step; Deadlines adds the
// earliest instant. Does not depend on services.

const BLOCK = 64;

export class Rows<T> {
  readonly blocks: readonly (readonly T[])[];
  readonly size: number;

  constructor(blocks: readonly (readonly T[])[], size: number) {
    this.blocks = blocks;
    this.size = size;
  }

  static of<T>(values: readonly T[]): Rows<T> {
    const count = Math.ceil(values.length / BLOCK);
    const blocks = Array.from({ length: count }, (_, at) => values.slice(at * BLOCK, (at + 1) * BLOCK));
    return new Rows(blocks, values.length);
  }

  /** The value of that number, from 0 up to, not including, `size`. */
  at(number: number): T {
    return this.blocks[Math.floor(number / BLOCK)]?.[number % BLOCK] as T;
  }

  with(changes: ReadonlyMap<number, T>): Rows<T> {
    if (changes.size === 0) return this;
    const blocks = this.blocks.slice();
    const copied = new Map<number, T[]>();
    for (const [number, value] of changes) {
      const at = Math.floor(number / BLOCK);
      const block = copied.get(at) ?? this.blocks[at]?.slice() ?? [];
      block[number % BLOCK] = value;
      copied.set(at, block);
      blocks[at] = block;
    }
    return new Rows(blocks, this.size);
  }

  *[Symbol.iterator](): Generator<T, undefined> {
    for (const block of this.blocks) yield* block;
  }
}

/** The changes of a step, on top of the rows before it. */
export class RowsDraft<T> {
  readonly #base: Rows<T>;
  readonly #changes = new Map<number, T>();

  constructor(base: Rows<T>) {
    this.#base = base;
  }

  at(number: number): T {
    return this.#changes.has(number) ? (this.#changes.get(number) as T) : this.#base.at(number);
  }

  set(number: number, value: T): void {
    this.#changes.set(number, value);
  }

  /** The numbers that were set. */
  changed(): IterableIterator<number> {
    return this.#changes.keys();
  }

  finish(): Rows<T> {
    return this.#base.with(this.#changes);
  }
}

/** Instants by number, with the earliest of each block; Infinity: no deadline. */
export class Deadlines {
  readonly rows: Rows<number>;
  readonly earliest: readonly number[];

  constructor(rows: Rows<number>, earliest: readonly number[]) {
    this.rows = rows;
    this.earliest = earliest;
  }

  static of(instants: readonly number[]): Deadlines {
    const rows = Rows.of(instants);
    return new Deadlines(
      rows,
      rows.blocks.map((block) => Math.min(...block)),
    );
  }

  with(changes: ReadonlyMap<number, number>): Deadlines {
    if (changes.size === 0) return this;
    const rows = this.rows.with(changes);
    const earliest = this.earliest.map((known, at) => {
      const block = rows.blocks[at] ?? [];
      return block === this.rows.blocks[at] ? known : Math.min(...block);
    });
    return new Deadlines(rows, earliest);
  }

  /** The earliest instant of all; Infinity: there is none. */
  get next(): number {
    return Math.min(Infinity, ...this.earliest);
  }

  /** The numbers whose instants are not after `now`, ascending. */
  due(now: number): readonly number[] {
    return this.rows.blocks.flatMap((block, at) =>
      (this.earliest[at] ?? Infinity) > now
        ? []
        : block.flatMap((instant, position) => (instant <= now ? [at * BLOCK + position] : [])),
    );
  }
}
