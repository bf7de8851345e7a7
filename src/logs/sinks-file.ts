// A service's own log file: appended to, rotated by size, opened again when somebody asks for it or has moved or removed
// it. Written one piece at a time and never waited for: a disk that hangs or is full costs lines of the file, with one
// notice, and nothing else. Nobody but this writes the file.
import {
  close,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  write,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../ports.ts';

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
/** Compressed piece by piece, since the event loop waits for each: some 5 ms. A gzip file may hold several members. */
const PIECE = 256 * 1024;

export class FileSink {
  #style: FileStyle;
  readonly #clock: Clock;
  readonly #say: (text: string) => void;
  /** Streams that write here. */
  #holders = 0;
  #fd: number | null = null;
  #inode = 0;
  #size = 0;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #writing = false;
  /** Pieces left out since a failure began; null while all is well. */
  #failing: { lost: number; readonly since: number } | null = null;
  #tryAt = 0;
  #checkAt = 0;
  #waiting: (() => void)[] = [];
  /** Who waits for the file to be opened again, which waits for the piece that is being written. */
  #reopening: (() => void)[] = [];

  /** `say` is told once when writing fails, and once when it works again. */
  constructor(style: FileStyle, clock: Clock, say: (text: string) => void) {
    this.#style = style;
    this.#clock = clock;
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
    const bytes = this.#queue.length === 1 ? (this.#queue[0] ?? new Uint8Array(0)) : Buffer.concat(this.#queue);
    try {
      this.#prepare(bytes.length);
    } catch (error) {
      this.#fail(this.#whyNot(error));
      this.#giveUp();
      return;
    }
    if (this.#fd === null) return;
    this.#queue = [];
    this.#writing = true;
    this.#writeAll(this.#fd, bytes, bytes.length);
  }

  #writeAll(fd: number, bytes: Uint8Array, whole: number): void {
    write(fd, bytes, (error, count) => {
      if (error === null && count < bytes.length) {
        this.#size += count;
        this.#writeAll(fd, bytes.subarray(count), whole);
        return;
      }
      this.#writing = false;
      this.#queued -= whole;
      if (error === null) {
        this.#size += count;
        this.#recover();
      } else {
        this.#fail(this.#whyNot(error));
        if (this.#failing !== null) this.#failing.lost += bytes.length;
      }
      if (this.#reopening.length > 0) this.#openAnew();
      this.#pump();
      this.#closeWhenDone();
      if (this.#queued === 0 || this.#failing !== null) this.#wake();
    });
  }

  /** Opens the file where it is not open, or not ours any more; rotates it where `more` bytes would be too many. */
  #prepare(more: number): void {
    const now = this.#clock.now();
    if (this.#fd !== null && now >= this.#checkAt) {
      this.#checkAt = now + LATER;
      const found = statSync(this.#style.path, { throwIfNoEntry: false });
      // Truncated in place, it is ours still, and shorter than what was written.
      if (found?.ino === this.#inode) this.#size = found.size;
      else this.#leave();
    }
    if (this.#fd === null) this.#open();
    if (this.#size === 0 || this.#size + more <= this.#style.maxSize) return;
    this.#close();
    this.#rotate();
    this.#open();
  }

  #open(): void {
    const { path } = this.#style;
    mkdirSync(dirname(path), { recursive: true });
    const fd = openSync(path, 'a', 0o640);
    const { ino, size } = fstatSync(fd);
    this.#fd = fd;
    this.#inode = ino;
    this.#size = size;
    this.#checkAt = this.#clock.now() + LATER;
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

  /** path.1 is the newest. Each step is one rename: whoever looks finds every file whole. */
  #rotate(): void {
    const { path, keep, compress } = this.#style;
    if (keep === 0) {
      rmSync(path, { force: true });
      return;
    }
    for (const end of ['', '.gz']) rmSync(`${path}.${keep}${end}`, { force: true });
    for (let number = keep - 1; number >= 1; number -= 1) {
      for (const end of ['', '.gz']) {
        if (statSync(`${path}.${number}${end}`, { throwIfNoEntry: false }) === undefined) continue;
        renameSync(`${path}.${number}${end}`, `${path}.${number + 1}${end}`);
      }
    }
    renameSync(path, `${path}.1`);
    if (compress) this.#compress(`${path}.1`);
  }

  /** In turns of the event loop; the plain file goes when the compressed one is whole. */
  #compress(path: string): void {
    // Loaded here: few compress, and every start would pay for it.
    const { gzipSync } = process.getBuiltinModule('node:zlib');
    const step = (bytes: Uint8Array, from: number, done: readonly Uint8Array[]): void => {
      if (from < bytes.length) {
        const next = [...done, gzipSync(bytes.subarray(from, from + PIECE), { level: 6 })];
        this.#clock.soon(() => step(bytes, from + PIECE, next));
        return;
      }
      writeFileSync(`${path}.gz.part`, Buffer.concat(done), { mode: 0o640 });
      // Rotated on meanwhile: then this name is another file's.
      if (statSync(path, { throwIfNoEntry: false })?.size !== bytes.length) {
        rmSync(`${path}.gz.part`, { force: true });
        return;
      }
      renameSync(`${path}.gz.part`, `${path}.gz`);
      rmSync(path);
    };
    const guarded = () => {
      try {
        step(readFileSync(path), 0, []);
      } catch (error) {
        this.#say(`cannot compress ${path}: ${error instanceof Error ? error.message : String(error)}`);
      }
    };
    this.#clock.soon(guarded);
  }

  #whyNot(error: unknown): string {
    return `cannot write ${this.#style.path}: ${error instanceof Error ? error.message : String(error)}`;
  }

  #fail(text: string): void {
    this.#tryAt = this.#clock.now() + LATER;
    if (this.#failing !== null) return;
    this.#failing = { lost: 0, since: this.#clock.now() };
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
