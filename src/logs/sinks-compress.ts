// Rotated log files become compressed ones, in turns of the event loop and in as little memory as a piece takes. Without
// threads: where the process limit is used up, there are none to be had. The plain file goes when the compressed one is whole.
import { closeSync, constants, fstatSync, openSync, readSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { type Folder, openFolderOf } from '../linux/guarded-path.ts';
import type { Clock } from '../ports.ts';
import { findPlain, partOf, remove } from './sinks-rotation.ts';

/** Compressed piece by piece, since the event loop waits for each: some 5 ms. A gzip file may hold several members. */
const PIECE = 256 * 1024;
/** A service may put a FIFO or a link there: opening does not block, and follows no link. */
const READING = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
const MAKING = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Work that comes in pieces, one for each turn of the event loop, however many have work. */
export class Compressor {
  readonly #clock: Clock;
  #waiting: Generator<void>[] = [];
  #stopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(work: Generator<void>): void {
    if (this.#stopped) return;
    this.#waiting.push(work);
    if (this.#waiting.length === 1) this.#clock.soon(() => this.#step());
  }

  /** The end has come: what is half done is taken back, and nothing is begun any more. */
  stop(): void {
    this.#stopped = true;
    const left = this.#waiting;
    this.#waiting = [];
    for (const work of left) work.return(undefined);
  }

  #step(): void {
    const [work] = this.#waiting;
    if (work === undefined) return;
    let over = true;
    try {
      over = work.next().done === true;
    } finally {
      this.#waiting.shift();
      if (!over) this.#waiting.push(work);
      if (this.#waiting.length > 0) this.#clock.soon(() => this.#step());
    }
  }
}

/**
 * Compresses the newest rotated file of `path` that is plain. It is known by its inode: by the time that this is done it has
 * other numbers, or has gone. False: there was none.
 */
export function* compressNewest(path: string, keep: () => number): Generator<void, boolean> {
  const { folder, name } = openFolderOf(path, 'find');
  try {
    const rotated = findPlain(folder, name, keep());
    if (rotated === null) return false;
    yield* compress(folder, name, rotated, keep);
    return true;
  } finally {
    folder.close();
  }
}

function* compress(folder: Folder, log: string, name: string, keep: () => number): Generator<void> {
  // Loaded here: few compress, and every start would pay for it.
  const { gzipSync } = process.getBuiltinModule('node:zlib');
  const part = partOf(name);
  const open = new Set<number>();
  const opened = (fd: number): number => {
    open.add(fd);
    return fd;
  };
  try {
    const from = opened(openSync(folder.at(name), READING));
    const found = fstatSync(from);
    // A link may lead to another user's file, which readers of the logs must not get.
    if (!found.isFile() || found.nlink > 1) throw new Error('it is a link');
    remove(folder, part);
    const to = opened(openSync(folder.at(part), MAKING, 0o640));
    const piece = Buffer.allocUnsafe(PIECE);
    for (let count = PIECE; count === PIECE; ) {
      count = readSync(from, piece, 0, PIECE, null);
      writeWhole(to, gzipSync(piece.subarray(0, count), { level: 6 }));
      yield;
    }
    const now = findPlain(folder, log, keep(), found.ino);
    if (now === null) return;
    // Some file systems say only here that there was no room.
    open.delete(to);
    closeSync(to);
    renameSync(folder.at(part), folder.at(`${now}.gz`));
    unlinkSync(folder.at(now));
  } catch (error) {
    throw new Error(
      `cannot compress ${folder.path}/${name}: ${error instanceof Error ? error.message : String(error)}`,
    );
  } finally {
    for (const fd of open) closeSync(fd);
    remove(folder, part);
  }
}

function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let rest = bytes; rest.length > 0; ) rest = rest.subarray(writeSync(fd, rest));
}
