// What a child is to inherit and the supervisor is not to keep: its own mark, and the soft limit on open files as the
// container had it. Put on around the spawn, which happens in one turn of the event loop, and taken off again.
import { getLimit, type RawLimit, RESOURCE, setLimit } from './libc.ts';

/** Marks are this supervisor's random number and the run's, far from any limit that a person would set. */
const SHIFT = 20n;
const FLOOR = 0x1_0000_0000n;
/** A spawn needs some descriptors for itself. */
const SPARE = 16;

export class Marking {
  readonly #softFiles: bigint;
  readonly #files: RawLimit;
  readonly #locks: RawLimit;
  readonly #base: bigint;
  #count = 0n;
  #works = true;

  /** Raises our own limit on open files; the build keeps the runtime from doing so before we could see what it was. */
  constructor(seed: number) {
    const { soft, hard } = getLimit(RESOURCE.nofile);
    this.#softFiles = soft;
    this.#files = { soft: hard, hard };
    setLimit(RESOURCE.nofile, this.#files);
    this.#locks = getLimit(RESOURCE.locks);
    this.#base = (BigInt(seed >>> 0) + FLOOR) << SHIFT;
  }

  /** False where the kernel lets no such limit be set (gVisor): then the environment's names have to do. */
  get works(): boolean {
    return this.#works;
  }

  /** The limit on open files as the container had it. */
  get files(): { readonly soft: number; readonly hard: number } {
    return { soft: Number(this.#softFiles), hard: Number(this.#files.hard) };
  }

  /**
   * Whether a child can inherit that limit, which is ours too while it is spawned: not when we have so many files open
   * that there would be none for the spawn. `newest` is a descriptor just opened; the kernel gives out the lowest number.
   */
  fits(newest: number): boolean {
    return BigInt(newest + SPARE) < this.#softFiles;
  }

  /** Calls `spawn`, whose child carries a mark of its own and, with `files`, the limit; returns what it returns. */
  around<T>(files: boolean, spawn: (mark: string) => T): T {
    this.#count += 1n;
    const mark = this.#base + this.#count;
    if (files) setLimit(RESOURCE.nofile, { soft: this.#softFiles, hard: this.#files.hard });
    try {
      this.#putOn(mark);
      return spawn(String(mark));
    } finally {
      setLimit(RESOURCE.nofile, this.#files);
      if (this.#works) setLimit(RESOURCE.locks, this.#locks);
    }
  }

  #putOn(mark: bigint): void {
    if (!this.#works) return;
    try {
      setLimit(RESOURCE.locks, { soft: mark, hard: this.#locks.hard });
    } catch {
      this.#works = false;
    }
  }
}
