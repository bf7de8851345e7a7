// The log file of a service: appends to it, rotates it by size, and opens it again on request or after it was moved or
// removed. Writes one piece at a time, without waiting: if the disk is slow or full, only lines of this file are lost, and one
// notice reports that. Opening, checking and rotating are synchronous, so a file system that does not respond blocks the supervisor
// there. Is the only writer of the file.
import { close, closeSync, constants, fstatSync, ftruncateSync, lstatSync, type Stats, statSync, write } from 'node:fs';
import { encodeBytes } from '../bytes.ts';
import { codeOf } from '../linux/errno.ts';
import { type Folder, openFolderOf, openGuarded } from '../linux/guarded-path.ts';
import type { Clock } from '../ports.ts';
import { type Compressor, compressNewest } from './sinks-compress.ts';
import { finishRotation, rotate } from './sinks-rotation.ts';

export interface FileStyle {
  readonly path: string;
  /** Bytes. */
  readonly maxSize: number;
  readonly keep: number;
  readonly compress: boolean;
}

/** The most bytes that wait to be written. If the disk is slower, further lines are not written to the file. */
const MOST = 4 * 1024 * 1024;
/** Time until the next attempt after a failure, and between two checks that the path still names our file, milliseconds. */
const RETRY = 1_000;
const APPENDING = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;

/** If it is missing, no regular file is created in its place: every program that discards its output would fill it. */
const NULL_DEVICE = '/dev/null';

export class FileSink {
  #style: FileStyle;
  readonly #clock: Clock;
  readonly #report: (text: string) => void;
  /** The number of streams that write to this file. */
  #holders = 0;
  #fd: number | null = null;
  /** The open file, by device and inode. */
  #file = { dev: 0, ino: 0 };
  #size = 0;
  /** False for a device such as /dev/null: it is neither rotated nor truncated. */
  #isRegular = true;
  #isRotationFinished = false;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #isWriting = false;
  /** The number of bytes that were not written since a failure began; null if writing works. */
  #failing: { lost: number } | null = null;
  #tryAt = 0;
  #checkAt = 0;
  #rotateAt = 0;
  /** Whether it was reported that the file cannot be rotated. */
  #isRotationFailing = false;
  #isCompressing = false;
  /** Whether it was reported that a rotated file cannot be compressed. */
  #isCompressionFailing = false;
  readonly #compressor: Compressor;
  #waiting: (() => void)[] = [];
  /** Callers of reopen() that wait until the piece that is being written is complete. */
  #reopening: (() => void)[] = [];

  /** `report` is called when writing, rotation or compression begins to fail, when writing works again, and if the file was removed. */
  constructor(style: FileStyle, clock: Clock, compressor: Compressor, report: (text: string) => void) {
    this.#style = style;
    this.#clock = clock;
    this.#compressor = compressor;
    this.#report = report;
  }

  /** Adds a stream that writes to the file, with the style of its run. */
  hold(style: FileStyle): void {
    this.#style = style;
    this.#holders += 1;
  }

  /** Removes a stream that has ended. Without streams the file is closed. */
  release(): void {
    this.#holders -= 1;
    this.#closeWhenDone();
  }

  /** Accepts whole lines, and does not wait until they are written. Never throws. */
  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#queued + bytes.length > MOST) {
      this.#fail(`cannot write ${this.#style.path}: the disk is too slow`);
      if (this.#failing !== null) this.#failing.lost += bytes.length;
      return;
    }
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    this.#pump();
  }

  /** Resolves when all accepted lines are written or discarded. */
  async drained(): Promise<void> {
    while (this.#queued > 0) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /**
   * Opens the file at the path again. Resolves when no more bytes are written to the file that the path named before, which
   * may then be compressed or removed.
   */
  reopen(): Promise<void> {
    // Tries again at once after a failure: the user may have freed space.
    this.#tryAt = 0;
    if (this.#fd === null) return Promise.resolve();
    const done = new Promise<void>((resolve) => this.#reopening.push(resolve));
    if (!this.#isWriting) this.#openAgain();
    return done;
  }

  #openAgain(): void {
    const waiting = this.#reopening;
    this.#reopening = [];
    this.#leave();
    try {
      if (this.#holders > 0) this.#open();
    } catch (error) {
      this.#fail(this.#whyNot(error));
    }
    for (const wake of waiting) wake();
  }

  #pump(): void {
    if (this.#isWriting || this.#queue.length === 0) return;
    if (this.#failing !== null && this.#clock.now() < this.#tryAt) {
      this.#discardQueue();
      return;
    }
    try {
      this.#prepare(firstLine(this.#queue));
    } catch (error) {
      this.#fail(this.#whyNot(error));
      this.#discardQueue();
      return;
    }
    if (this.#fd === null) return;
    this.#isWriting = true;
    this.#writeAll(this.#fd, takeLines(this.#queue, this.#room()), 0);
  }

  /** How many bytes fit until the file must be rotated; Infinity if it cannot be rotated. */
  #room(): number {
    const isCut = this.#isRegular && this.#clock.now() >= this.#rotateAt;
    return isCut ? this.#style.maxSize - this.#size : Number.POSITIVE_INFINITY;
  }

  #writeAll(fd: number, bytes: Uint8Array, from: number): void {
    write(fd, bytes, from, bytes.length - from, null, (error, count) => {
      if (error === null) {
        this.#size += count;
        if (from + count < bytes.length) return this.#writeAll(fd, bytes, from + count);
      }
      this.#isWriting = false;
      this.#queued -= bytes.length;
      if (error === null) {
        this.#recover();
      } else {
        this.#fail(this.#whyNot(error));
        const kept = this.#removePartialLine(fd, bytes.subarray(0, from));
        if (this.#failing !== null) this.#failing.lost += bytes.length - kept;
      }
      if (this.#reopening.length > 0) this.#openAgain();
      this.#pump();
      this.#closeWhenDone();
      if (this.#queued === 0) this.#wake();
    });
  }

  /**
   * Removes a line at the end of the file that was written only in part, because the next line would be appended to it.
   * Returns how many of the written bytes stay.
   */
  #removePartialLine(fd: number, written: Uint8Array): number {
    const whole = written.lastIndexOf(10) + 1;
    const partial = written.length - whole;
    if (partial === 0 || !this.#isRegular) return written.length;
    try {
      ftruncateSync(fd, Math.max(0, fstatSync(fd).size - partial));
    } catch {
      return written.length;
    }
    this.#size -= partial;
    return whole;
  }

  /** Opens the file if it is not open or was replaced; rotates it if `more` bytes would exceed `max_size`. */
  #prepare(more: number): void {
    const now = this.#clock.now();
    if (this.#fd !== null && now >= this.#checkAt) this.#checkPath();
    if (this.#fd === null) this.#open();
    if (!this.#isRegular || this.#size === 0 || this.#size + more <= this.#style.maxSize || now < this.#rotateAt)
      return;
    this.#rotate();
    if (this.#fd === null) this.#open();
  }

  /** Closes the file if the path no longer names it. */
  #checkPath(): void {
    this.#checkAt = this.#clock.now() + RETRY;
    const found = statSync(encodeBytes(this.#style.path), { throwIfNoEntry: false });
    // The size may be smaller than what was written, if another program has truncated the file.
    if (found !== undefined && this.#isOurs(found)) this.#size = found.size;
    else this.#leave();
  }

  #isOurs({ dev, ino }: Stats): boolean {
    return dev === this.#file.dev && ino === this.#file.ino;
  }

  #open(): void {
    const { path, compress } = this.#style;
    refuseWhatIsThere(path);
    const fd = openGuarded(path, path === NULL_DEVICE ? APPENDING & ~constants.O_CREAT : APPENDING, 'write', 0o640);
    const found = fstatSync(fd);
    try {
      refuse(found);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#fd = fd;
    this.#file = { dev: found.dev, ino: found.ino };
    this.#size = found.size;
    this.#isRegular = found.isFile();
    this.#checkAt = this.#clock.now() + RETRY;
    if (this.#isRotationFinished || !this.#isRegular) return;
    this.#isRotationFinished = true;
    try {
      this.#inFolder((folder, name) => finishRotation(folder, name, this.#style.keep));
    } catch {
      // The next rotation tries again, and reports the error.
    }
    if (compress) this.#compress();
  }

  #closeWhenDone(): void {
    if (this.#holders === 0 && !this.#isWriting) this.#close();
  }

  /** Closes a file that was moved or removed. Reports a removal, because the lines in the file are lost. */
  #leave(): void {
    if (this.#fd !== null && fstatSync(this.#fd).nlink === 0) {
      this.#report(`${this.#style.path} was removed, and its lines are lost; a new file is created`);
    }
    this.#close();
  }

  #close(): void {
    if (this.#fd !== null) close(this.#fd, () => undefined);
    this.#fd = null;
  }

  /** Rotates the file. If that is impossible the file grows beyond `max_size`, so that no line is lost. */
  #rotate(): void {
    // Another file or a device may have taken the path since the last check.
    this.#checkPath();
    if (this.#fd === null) return;
    const { path, keep, compress } = this.#style;
    try {
      this.#inFolder((folder, name) => rotate(folder, name, keep));
      this.#close();
      this.#rotateAt = 0;
      this.#isRotationFailing = false;
      if (compress) this.#compress();
    } catch (error) {
      this.#rotateAt = this.#clock.now() + RETRY;
      const isGone = codeOf(error) === 'ENOENT';
      if (!isGone && !this.#isRotationFailing) {
        this.#isRotationFailing = true;
        this.#report(`cannot rotate ${path}: ${messageOf(error)}; it grows beyond its \`max_size\``);
      }
      this.#checkPath();
    }
  }

  /** Calls `act` with the folder and the name of the open file. Throws if the path leads to another file. */
  #inFolder(act: (folder: Folder, name: string) => void): void {
    const { path } = this.#style;
    // A rename would affect the link only: for /dev/stdout, the link that all processes use.
    if (lstatSync(encodeBytes(path)).isSymbolicLink()) throw new Error('it is a symbolic link');
    const { folder, name } = openFolderOf(path, 'find');
    try {
      if (!this.#isOurs(lstatSync(folder.at(name))))
        throw Object.assign(new Error('it is another file'), { code: 'ENOENT' });
      act(folder, name);
    } finally {
      folder.close();
    }
  }

  /** Compresses all rotated files that are not compressed, those of earlier supervisors and later rotations included. */
  #compress(): void {
    if (this.#isCompressing) return;
    this.#isCompressing = true;
    this.#compressor.add(this.#compressAll());
  }

  *#compressAll(): Generator<void> {
    const { path } = this.#style;
    try {
      while (yield* compressNewest(path, () => this.#style.keep)) this.#isCompressionFailing = false;
    } catch (error) {
      // The next rotation tries again.
      if (!this.#isCompressionFailing) this.#report(messageOf(error));
      this.#isCompressionFailing = true;
    } finally {
      this.#isCompressing = false;
    }
  }

  #whyNot(error: unknown): string {
    return `cannot write ${this.#style.path}: ${messageOf(error)}`;
  }

  #fail(text: string): void {
    this.#tryAt = this.#clock.now() + RETRY;
    if (this.#failing !== null) return;
    this.#failing = { lost: 0 };
    this.#report(`${text}. Its lines are still written to standard output`);
  }

  #discardQueue(): void {
    if (this.#failing !== null) this.#failing.lost += this.#queued;
    this.#queue = [];
    this.#queued = 0;
    this.#wake();
  }

  #recover(): void {
    if (this.#failing === null) return;
    this.#report(`${this.#style.path} is written again; ${this.#failing.lost} bytes are missing`);
    this.#failing = null;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

const NEWLINE = 10;

/** The size of the first queued line, bytes. */
function firstLine([head]: readonly Uint8Array[]): number {
  const length = head?.length ?? 0;
  const end = head?.indexOf(NEWLINE) ?? -1;
  return end < 0 ? length : end + 1;
}

/** Removes from the queue as many whole lines as `room` bytes hold, at least one, and returns them. */
function takeLines(queue: Uint8Array[], room: number): Uint8Array {
  const taken: Uint8Array[] = [];
  for (let left = room; queue[0] !== undefined; ) {
    const [head] = queue;
    if (head.length <= left) {
      taken.push(head);
      queue.shift();
      left -= head.length;
      continue;
    }
    const fitting = left > 0 ? head.subarray(0, left).lastIndexOf(NEWLINE) + 1 : 0;
    const size = fitting > 0 || taken.length > 0 ? fitting : firstLine(queue);
    if (size > 0) taken.push(head.subarray(0, size));
    if (size === head.length) queue.shift();
    else if (size > 0) queue[0] = head.subarray(size);
    break;
  }
  return taken.length === 1 ? (taken[0] ?? new Uint8Array(0)) : Buffer.concat(taken);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Creates missing folders. Checks before opening, because the reader of a FIFO would read its end when we close it. */
function refuseWhatIsThere(path: string): void {
  const { folder, name, isFollowed } = openFolderOf(path, 'make');
  try {
    const there = (isFollowed ? statSync : lstatSync)(folder.at(name), { throwIfNoEntry: false });
    if (there !== undefined) refuse(there);
  } finally {
    folder.close();
  }
}

/** Throws unless it is a regular file or a character device. Writing to a block device would destroy its content. */
function refuse(found: Stats): void {
  if (found.isFile() || found.isCharacterDevice()) return;
  const kind = found.isDirectory()
    ? 'a folder'
    : found.isFIFO()
      ? 'a FIFO'
      : found.isSocket()
        ? 'a socket'
        : 'a block device';
  throw new Error(`it is ${kind}, and a log file is a regular file or a character device`);
}
