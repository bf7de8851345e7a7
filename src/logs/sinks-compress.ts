// Compresses rotated log files, one piece in each turn of the event loop, so that memory stays small. Uses no threads, because
// none can be created when the process limit is used up. Removes the plain file only when the compressed file is complete.
import { closeSync, constants, fstatSync, openSync, readSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { type Folder, openFolderOf } from '../linux/guarded-path.ts';
import type { Clock } from '../ports.ts';
import { findUncompressed, partOf, remove } from './sinks-rotation.ts';

/** Bytes that are compressed at once; the event loop waits about 5 ms. Each piece is one member of the gzip file. */
const PIECE = 256 * 1024;
/** Opening neither blocks nor follows a link, because a service may have put a FIFO or a link there. */
const READING = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
const MAKING = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Runs work that is split into pieces: one piece in each turn of the event loop, in rotation over all work. */
export class Compressor {
  readonly #clock: Clock;
  #waiting: Generator<void>[] = [];
  #isStopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `work` catches its own errors: one that it throws ends this process. */
  add(work: Generator<void>): void {
    if (this.#isStopped) return;
    this.#waiting.push(work);
    if (this.#waiting.length === 1) this.#clock.soon(() => this.#step());
  }

  /** Aborts all work, which removes its partial files. Later work is ignored. Never called by a piece of work. */
  stop(): void {
    this.#isStopped = true;
    const left = this.#waiting;
    this.#waiting = [];
    for (const work of left) work.return(undefined);
  }

  #step(): void {
    const [work] = this.#waiting;
    if (work === undefined) return;
    let isDone = true;
    try {
      isDone = work.next().done === true;
    } finally {
      this.#waiting.shift();
      if (!isDone) this.#waiting.push(work);
      if (this.#waiting.length > 0) this.#clock.soon(() => this.#step());
    }
  }
}

/**
 * Compresses the newest rotated file of `path` that is not compressed; false: there is none. Identifies the file by its inode,
 * because a rotation in the meantime changes its number or removes it.
 */
export function* compressNewest(path: string, keep: () => number): Generator<void, boolean> {
  const { folder, name } = openFolderOf(path, 'find');
  try {
    const rotated = findUncompressed(folder, name, keep());
    if (rotated === null) return false;
    yield* compress(folder, name, rotated, keep);
    return true;
  } finally {
    folder.close();
  }
}

function* compress(folder: Folder, log: string, name: string, keep: () => number): Generator<void> {
  // Loaded here, because few services compress their logs and loading would delay every start.
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
    // A link may lead to a file of another user, which readers of the logs must not be able to read.
    if (!found.isFile() || found.nlink > 1) throw new Error('it is a link');
    remove(folder, part);
    const to = opened(openSync(folder.at(part), MAKING, 0o640));
    const piece = Buffer.allocUnsafe(PIECE);
    for (let count = PIECE; count === PIECE; ) {
      count = readSync(from, piece, 0, PIECE, null);
      writeWhole(to, gzipSync(piece.subarray(0, count), { level: 6 }));
      yield;
    }
    const now = findUncompressed(folder, log, keep(), found.ino);
    if (now === null) return;
    // Closes the file first: some file systems report only here that the disk is full.
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
