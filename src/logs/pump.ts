// One stream of a service, from its chunks to the frames, the file and the sink. If the sink is full, the lines wait or are
// counted and dropped, depending on `whenFull`. Reads the stream only in drain(). Never affects another stream.
import type { Frame } from './frame.ts';
import type { LineSplitter } from './lines.ts';
import type { LinePattern } from './passing.ts';
import type { Sink } from './sinks.ts';
import type { FileSink, FileStyle } from './sinks-file.ts';
import type { Unfinished } from './unfinished.ts';

/** The most that drain() reads, bytes: the largest capacity that a pipe may have (pipe(7)). */
const MOST_DRAINED = 1024 * 1024;

/** Where the bytes of a stream come from. */
export interface ByteSource {
  /** The next bytes; null at the end. */
  read(): Promise<Uint8Array | null>;
  /** The bytes that are available now; null if there are none. */
  readNow(): Uint8Array | null;
  close(): Promise<void>;
}

export interface LogStyle {
  readonly prefix: boolean;
  readonly format: 'text' | 'json';
  /** With `text`: the time is before each line. */
  readonly time: boolean;
  readonly whenFull: 'block' | 'drop';
  readonly ansi: 'keep' | 'strip';
  readonly merge: boolean;
  /** Lines that one of these patterns matches are dropped. */
  readonly drop: readonly LinePattern[];
  readonly file: FileStyle | null;
  /** The file for standard error; null: its lines go to `file`. */
  readonly stderrFile: FileStyle | null;
}

/** What a service has printed on one stream since the start. */
export interface StreamCounts {
  lines: number;
  bytes: number;
  dropped: number;
  /** How many times output may be missing because a supervisor has died. */
  cuts: number;
}

interface PumpParts {
  readonly sink: Sink;
  readonly whenFull: LogStyle['whenFull'];
  /** Passes its lines to `frame` and `fileFrame`. */
  readonly splitter: LineSplitter;
  readonly unfinished: Unfinished;
  readonly frame: Frame;
  readonly file: FileSink | null;
  /** The frame of the file; null if the file gets the same bytes as the sink. */
  readonly fileFrame: Frame | null;
  readonly counts: StreamCounts;
  /** Whether a supervisor that has died read this stream before: bytes that it had read and not written are lost. */
  readonly isTakenOver: boolean;
  /** Bytes have arrived. */
  arrived(size: number): void;
  /** Passes whole lines to the ring and the followers; returns whether a follower may keep their memory. */
  show(bytes: Uint8Array): boolean;
}

export class Pump {
  readonly #parts: PumpParts;
  /** Lines that were dropped since the last notice. */
  #dropped = 0;
  /** Whether lines wait for room in the sink. */
  #isWaiting = false;
  /** Whether a cut is still to be marked: before the first bytes, so that a silent stream shows none. */
  #isCut: boolean;

  constructor(parts: PumpParts) {
    this.#parts = parts;
    this.#isCut = parts.isTakenOver;
  }

  /** Splits a chunk into lines. Its memory is not kept. */
  take(chunk: Uint8Array): void {
    const { splitter, unfinished, counts, arrived } = this.#parts;
    arrived(chunk.length);
    if (this.#isCut) this.#markMissedOutput();
    splitter.push(chunk);
    unfinished.changed();
    counts.bytes += chunk.length;
    this.#countLines();
  }

  /** Delivers the lines that are complete. Resolves when the sink has accepted them. */
  async pass(): Promise<void> {
    const held = this.#deliver();
    if (held === null) return;
    this.#isWaiting = true;
    await whenRoom(this.#parts.sink, () => this.#put(held));
    this.#isWaiting = false;
  }

  /** Takes and delivers what the source has now, while there is room; then shows an unfinished line. */
  drain(source: ByteSource): void {
    const { sink, whenFull, unfinished } = this.#parts;
    for (let taken = 0; taken < MOST_DRAINED && !this.#isWaiting && (!sink.isFull || whenFull === 'drop'); ) {
      const chunk = source.readNow();
      if (chunk === null) {
        unfinished.showNow();
        return;
      }
      taken += chunk.length;
      this.take(chunk);
      const held = this.#deliver();
      if (held !== null) this.#put(held);
    }
  }

  /** Delivers the last line and releases the file. Resolves when the sink has accepted everything. */
  async end(): Promise<void> {
    const { splitter, unfinished, sink, file, frame } = this.#parts;
    splitter.end();
    unfinished.end();
    this.#countLines();
    await this.pass();
    file?.release();
    if (this.#dropped > 0) await whenRoom(sink, () => sink.write(noticeOf(frame, this.#dropped)));
  }

  #markMissedOutput(): void {
    const { frame, fileFrame, counts } = this.#parts;
    this.#isCut = false;
    counts.cuts += 1;
    for (const one of [frame, fileFrame]) one?.take(CUT, 0, CUT.length, false);
  }

  #countLines(): void {
    const { counts, splitter } = this.#parts;
    counts.lines += splitter.lines;
    splitter.lines = 0;
  }

  /** Delivers the lines that are complete; returns those that must wait for room, null if there are none. */
  #deliver(): Uint8Array | null {
    const { frame, file, fileFrame, sink, whenFull, counts, show } = this.#parts;
    const bytes = frame.flush();
    if (bytes.length === 0) return null;
    file?.write(fileFrame?.flush() ?? bytes);
    const isFollowed = show(bytes);
    if (sink.isFull && whenFull === 'drop') {
      const lost = countLines(bytes);
      this.#dropped += lost;
      counts.dropped += lost;
      return null;
    }
    // Memory that the file or a follower holds is not reused.
    const isKept = (file !== null && fileFrame === null) || isFollowed;
    const recycle = isKept ? undefined : () => frame.recycle(bytes);
    if (!sink.isFull) {
      this.#put(bytes, recycle);
      return null;
    }
    // Hundreds of streams may wait here: each holds a copy that is no larger than its lines.
    const held = new Uint8Array(bytes);
    recycle?.();
    return held;
  }

  #put(bytes: Uint8Array, done?: () => void): void {
    const { sink, frame } = this.#parts;
    if (this.#dropped > 0) sink.write(noticeOf(frame, this.#dropped));
    this.#dropped = 0;
    sink.write(bytes, done);
  }
}

/** The notice in the stream itself, at the place where a supervisor has died. */
const CUT = Buffer.from('[svc-super was restarted here: what it had read last may be missing]');

/** All waiting streams are woken when there is room, and the first may fill it: each checks and writes without a pause. */
async function whenRoom(sink: Sink, write: () => void): Promise<void> {
  while (sink.isFull) await sink.room();
  write();
}

/** The notice in the stream itself that lines are missing. */
function noticeOf(frame: Frame, count: number): Uint8Array {
  const lines = count === 1 ? 'line' : 'lines';
  const notice = Buffer.from(`[svc-super dropped ${count} ${lines}: the reader was too slow]`);
  frame.take(notice, 0, notice.length, false);
  return frame.flush();
}

function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count += 1;
  return count;
}
