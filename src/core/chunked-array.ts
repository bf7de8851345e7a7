// An immutable array in chunks: two worlds that differ in a few values share all other chunks, so a step copies only the
// chunks that it changes. ChunkedArrayDraft collects the changes of a step; Deadlines adds the earliest instant. Does not
// depend on services.

const CHUNK = 64;

export class ChunkedArray<T> {
  readonly chunks: readonly (readonly T[])[];
  readonly size: number;

  constructor(chunks: readonly (readonly T[])[], size: number) {
    this.chunks = chunks;
    this.size = size;
  }

  static of<T>(values: readonly T[]): ChunkedArray<T> {
    const count = Math.ceil(values.length / CHUNK);
    const chunks = Array.from({ length: count }, (_, at) => values.slice(at * CHUNK, (at + 1) * CHUNK));
    return new ChunkedArray(chunks, values.length);
  }

  /** The value of that number, from 0 up to, not including, `size`. */
  at(number: number): T {
    return this.chunks[Math.floor(number / CHUNK)]?.[number % CHUNK] as T;
  }

  with(changes: ReadonlyMap<number, T>): ChunkedArray<T> {
    if (changes.size === 0) return this;
    const chunks = this.chunks.slice();
    const copied = new Map<number, T[]>();
    for (const [number, value] of changes) {
      const at = Math.floor(number / CHUNK);
      const chunk = copied.get(at) ?? this.chunks[at]?.slice() ?? [];
      chunk[number % CHUNK] = value;
      copied.set(at, chunk);
      chunks[at] = chunk;
    }
    return new ChunkedArray(chunks, this.size);
  }

  *[Symbol.iterator](): Generator<T, undefined> {
    for (const chunk of this.chunks) yield* chunk;
  }
}

/** The changes of a step, on top of the array before it. */
export class ChunkedArrayDraft<T> {
  readonly #base: ChunkedArray<T>;
  readonly #changes = new Map<number, T>();

  constructor(base: ChunkedArray<T>) {
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

  finish(): ChunkedArray<T> {
    return this.#base.with(this.#changes);
  }
}

/** Instants by number, with the earliest of each chunk; Infinity: no deadline. */
export class Deadlines {
  readonly instants: ChunkedArray<number>;
  readonly earliest: readonly number[];

  constructor(instants: ChunkedArray<number>, earliest: readonly number[]) {
    this.instants = instants;
    this.earliest = earliest;
  }

  static of(values: readonly number[]): Deadlines {
    const instants = ChunkedArray.of(values);
    return new Deadlines(
      instants,
      instants.chunks.map((chunk) => Math.min(...chunk)),
    );
  }

  with(changes: ReadonlyMap<number, number>): Deadlines {
    if (changes.size === 0) return this;
    const instants = this.instants.with(changes);
    const earliest = this.earliest.map((known, at) => {
      const chunk = instants.chunks[at] ?? [];
      return chunk === this.instants.chunks[at] ? known : Math.min(...chunk);
    });
    return new Deadlines(instants, earliest);
  }

  /** The earliest instant of all; Infinity: there is none. */
  get next(): number {
    return Math.min(Infinity, ...this.earliest);
  }

  /** The numbers whose instants are not after `now`, ascending. */
  due(now: number): readonly number[] {
    return this.instants.chunks.flatMap((chunk, at) =>
      (this.earliest[at] ?? Infinity) > now
        ? []
        : chunk.flatMap((instant, position) => (instant <= now ? [at * CHUNK + position] : [])),
    );
  }
}
