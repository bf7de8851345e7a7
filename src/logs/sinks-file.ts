// A service's own log file: appended to, rotated by size, opened again when somebody asks for it or has moved or removed
// it. Written one piece at a time and never waited for: a disk that hangs or is full costs lines of the file, with one
// notice, and nothing else. Nobody but this writes the file.
import { close, closeSync, constants, fstatSync, ftruncateSync, lstatSync, type Stats, statSync, write } from 'node:fs';
import { codeOf } from '../linux/errno.ts';
import { type Folder, openFolderOf, openGuarded } from '../linux/guarded-path.ts';
import type { Clock } from '../ports.ts';
import { type Compressor, compressNewest } from './sinks-compress.ts';
import { rotate, tidy } from './sinks-rotation.ts';

export interface FileStyle {
  readonly path: string;
  /** Bytes. */
  readonly maxSize: number;
  readonly keep: number;
  readonly compress: boolean;
}

/** What waits to be written is bounded, bytes: beyond it a disk is too slow, and pieces are left out. */
const MOST = 4 * 1024 * 1024;
/** After a failure it is tried again this much later; whether the path still names our file is asked as often. */
const LATER = 1_000;
const APPENDING = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;

/** If it is missing, no regular file is created in its place: every program that discards its output would fill it. */
const NULL_DEVICE = '/dev/null';

export class FileSink {
  #style: FileStyle;
  readonly #clock: Clock;
  readonly #say: (text: string) => void;
  /** Streams that write here. */
  #holders = 0;
  #fd: number | null = null;
  /** The open file, by device and inode. */
  #file = { dev: 0, ino: 0 };
  #size = 0;
  /** A device, /dev/null for one, is neither rotated nor cut. */
  #isRegular = true;
  #tidied = false;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #writing = false;
  /** Pieces left out since a failure began; null while all is well. */
  #failing: { lost: number } | null = null;
  #tryAt = 0;
  #checkAt = 0;
  #rotateAt = 0;
  /** It cannot be rotated, which has been said. */
  #grows = false;
  #compressing = false;
  /** It cannot be compressed, which has been said. */
  #staysPlain = false;
  readonly #compressor: Compressor;
  #waiting: (() => void)[] = [];
  /** Who waits for the file to be opened again, which waits for the piece that is being written. */
  #reopening: (() => void)[] = [];

  /** `say` is told once when writing fails, and once when it works again. */
  constructor(style: FileStyle, clock: Clock, compressor: Compressor, say: (text: string) => void) {
    this.#style = style;
    this.#clock = clock;
    this.#compressor = compressor;
    this.#say = say;
  }

  /** A stream begins to write here, in the style of its run. */
  hold(style: FileStyle): void {
    this.#style = style;
    this.#holders += 1;
  }

  /** It has ended: nobody's file is not kept open. */
  release(): void {
    this.#holders -= 1;
    this.#closeWhenDone();
  }

  /** Takes whole lines; never blocks and never throws. */
  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#queued + bytes.length > MOST) {
      this.#fail(`${this.#style.path} is written too slowly`);
      if (this.#failing !== null) this.#failing.lost += bytes.length;
      return;
    }
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    this.#pump();
  }

  /** Resolves when all that was taken is written or given up. */
  async drained(): Promise<void> {
    while (this.#queued > 0 && this.#failing === null) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /**
   * Opens the path anew, whatever it names by now. Resolves when nothing is written any more to the file that it named
   * before: that may then be compressed, or removed.
   */
  reopen(): Promise<void> {
    // A failure is forgotten: somebody may have made room.
    this.#tryAt = 0;
    if (this.#fd === null) return Promise.resolve();
    const done = new Promise<void>((resolve) => this.#reopening.push(resolve));
    if (!this.#writing) this.#openAnew();
    return done;
  }

  #openAnew(): void {
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
    if (this.#writing || this.#queue.length === 0) return;
    if (this.#failing !== null && this.#clock.now() < this.#tryAt) {
      this.#giveUp();
      return;
    }
    try {
      this.#prepare(firstLine(this.#queue));
    } catch (error) {
      this.#fail(this.#whyNot(error));
      this.#giveUp();
      return;
    }
    if (this.#fd === null) return;
    this.#writing = true;
    this.#writeAll(this.#fd, takeLines(this.#queue, this.#room()), 0);
  }

  /** How many bytes the file may still take. A file that cannot be rotated takes everything. */
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
      this.#writing = false;
      this.#queued -= bytes.length;
      if (error === null) {
        this.#recover();
      } else {
        this.#fail(this.#whyNot(error));
        const kept = this.#cutBack(fd, bytes.subarray(0, from));
        if (this.#failing !== null) this.#failing.lost += bytes.length - kept;
      }
      if (this.#reopening.length > 0) this.#openAnew();
      this.#pump();
      this.#closeWhenDone();
      if (this.#queued === 0 || this.#failing !== null) this.#wake();
    });
  }

  /** The next line would be glued to one that is written in part: it goes again. How much of what was written stays. */
  #cutBack(fd: number, written: Uint8Array): number {
    const whole = written.lastIndexOf(10) + 1;
    const torn = written.length - whole;
    if (torn === 0 || !this.#isRegular) return written.length;
    try {
      ftruncateSync(fd, Math.max(0, fstatSync(fd).size - torn));
    } catch {
      return written.length;
    }
    this.#size -= torn;
    return whole;
  }

  /** Opens the file where it is not open, or not ours any more; rotates it where `more` bytes would be too many. */
  #prepare(more: number): void {
    const now = this.#clock.now();
    if (this.#fd !== null && now >= this.#checkAt) this.#look();
    if (this.#fd === null) this.#open();
    if (!this.#isRegular || this.#size === 0 || this.#size + more <= this.#style.maxSize || now < this.#rotateAt)
      return;
    this.#rotate();
    if (this.#fd === null) this.#open();
  }

  /** Whether the path still names our file. */
  #look(): void {
    this.#checkAt = this.#clock.now() + LATER;
    const found = statSync(this.#style.path, { throwIfNoEntry: false });
    // Truncated in place, it is ours still, and shorter than what was written.
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
    this.#checkAt = this.#clock.now() + LATER;
    if (this.#tidied || !this.#isRegular) return;
    this.#tidied = true;
    try {
      this.#inFolder((folder, name) => tidy(folder, name, this.#style.keep));
    } catch {
      // Tried again, and told, when it is to be rotated.
    }
    if (compress) this.#compress();
  }

  #closeWhenDone(): void {
    if (this.#holders === 0 && !this.#writing) this.#close();
  }

  /** Closes a file that somebody has moved, which is theirs to know, or removed, which loses lines without a trace. */
  #leave(): void {
    if (this.#fd !== null && fstatSync(this.#fd).nlink === 0) {
      this.#say(`${this.#style.path} was removed, with all that was written to it; it is made anew`);
    }
    this.#close();
  }

  #close(): void {
    if (this.#fd !== null) close(this.#fd, () => undefined);
    this.#fd = null;
  }

  /** Where it cannot be rotated it grows: better than lines that are lost. */
  #rotate(): void {
    // Somebody may just have put another file here, or a device.
    this.#look();
    if (this.#fd === null) return;
    const { path, keep, compress } = this.#style;
    try {
      this.#inFolder((folder, name) => rotate(folder, name, keep));
      this.#close();
      this.#rotateAt = 0;
      this.#grows = false;
      if (compress) this.#compress();
    } catch (error) {
      this.#rotateAt = this.#clock.now() + LATER;
      const isGone = codeOf(error) === 'ENOENT';
      if (!isGone && !this.#grows) {
        this.#grows = true;
        this.#say(`cannot rotate ${path}: ${wordsOf(error)}; it grows beyond its \`max_size\``);
      }
      this.#look();
    }
  }

  /** Calls `act` with the folder and the name of the open file. Throws if the path leads to another file. */
  #inFolder(act: (folder: Folder, name: string) => void): void {
    const { path } = this.#style;
    // Only the link would be renamed: /dev/stdout, for all processes.
    if (lstatSync(path).isSymbolicLink()) throw new Error('it is a symbolic link');
    const { folder, name } = openFolderOf(path, 'find');
    try {
      if (!this.#isOurs(lstatSync(folder.at(name))))
        throw Object.assign(new Error('it is another file'), { code: 'ENOENT' });
      act(folder, name);
    } finally {
      folder.close();
    }
  }

  /** All that is still plain, that of an earlier life and that which is rotated meanwhile, too. */
  #compress(): void {
    if (this.#compressing) return;
    this.#compressing = true;
    this.#compressor.add(this.#compressAll());
  }

  *#compressAll(): Generator<void> {
    const { path } = this.#style;
    try {
      while (yield* compressNewest(path, () => this.#style.keep)) this.#staysPlain = false;
    } catch (error) {
      // Tried again with the next file that is rotated.
      if (!this.#staysPlain) this.#say(wordsOf(error));
      this.#staysPlain = true;
    } finally {
      this.#compressing = false;
    }
  }

  #whyNot(error: unknown): string {
    return `cannot write ${this.#style.path}: ${wordsOf(error)}`;
  }

  #fail(text: string): void {
    this.#tryAt = this.#clock.now() + LATER;
    if (this.#failing !== null) return;
    this.#failing = { lost: 0 };
    this.#say(`${text}; its lines still go to the standard output`);
  }

  #giveUp(): void {
    if (this.#failing !== null) this.#failing.lost += this.#queued;
    this.#queue = [];
    this.#queued = 0;
    this.#wake();
  }

  #recover(): void {
    if (this.#failing === null) return;
    this.#say(`${this.#style.path} is written again; it lacks ${this.#failing.lost} bytes`);
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

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Creates missing folders. Checks before opening, because closing a FIFO would be its end for the reader. */
function refuseWhatIsThere(path: string): void {
  const { folder, name, isFollowed } = openFolderOf(path, 'make');
  try {
    const there = (isFollowed ? statSync : lstatSync)(folder.at(name), { throwIfNoEntry: false });
    if (there !== undefined) refuse(there);
  } finally {
    folder.close();
  }
}

/** What a FIFO takes is up to its reader, and a block device is a disk with something on it. */
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
