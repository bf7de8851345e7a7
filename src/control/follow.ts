// Logs to those who follow them: each reader has a bounded queue, and what does not fit is counted and told in the stream
// itself. A service is never slowed by a reader, and two hundred readers cost its output one encoding. Readers are served
// on a beat, so that a flood of small blocks is no flood of small writes.
import type { ApiSource, LogBlock } from './source.ts';
import type { Lines, Outlet } from './streams.ts';

/** Bytes of raw output that are taken or skipped as a whole. */
const PIECE = 8 * 1024;
/** Readers are served this often, milliseconds; less often when they are many, so that they leave time for others. */
const BEAT = 20;
const SLOW_BEAT = 60;
const MANY = 20;
/** As much as one reader may have waiting, and all of them together, bytes. */
const MOST_EACH = 256 * 1024;
const LEAST_EACH = 16 * 1024;
const MOST_TOGETHER = 2 * 1024 * 1024;

interface Reader {
  readonly outlet: Outlet;
  readonly services: readonly string[];
  queue: Uint8Array[];
  queued: number;
  skipped: number;
}

export interface LogLineJson {
  readonly time: string;
  readonly service: string;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

/** The line that stands where lines are missing. */
export interface GapJson {
  readonly skipped: number;
  readonly text: string;
}

type Source = Pick<ApiSource, 'logs' | 'after'>;

export class LogFeed {
  readonly #source: Source;
  readonly #readers = new Map<string, Set<Reader>>();
  readonly #ends = new Map<string, () => void>();
  readonly #all = new Set<Reader>();
  #beating = false;

  constructor(source: Source) {
    this.#source = source;
  }

  /** What is remembered, at most `count` lines in all and none from before `from`, then, if asked, what comes. */
  open(services: readonly string[], count: number, from: number, follow: boolean): Lines {
    return (outlet) => {
      const past = this.#past(services, count, from);
      if (past !== '') outlet.write(past);
      if (!follow) {
        outlet.end();
        return () => undefined;
      }
      const reader: Reader = { outlet, services, queue: [], queued: 0, skipped: 0 };
      this.#all.add(reader);
      for (const service of services) this.#join(service, reader);
      return () => this.#leave(reader);
    };
  }

  #past(services: readonly string[], count: number, from: number): string {
    const lines = services
      .flatMap((service) => this.#source.logs.tail(service, count).map((line) => ({ service, ...line })))
      .filter(({ time }) => time >= from)
      .sort((a, b) => a.time - b.time);
    return lines
      .slice(Math.max(0, lines.length - count))
      .map(({ service, time, stream, text }) => encodeLine(service, time, stream, text))
      .join('');
  }

  #join(service: string, reader: Reader): void {
    const readers = this.#readers.get(service) ?? new Set();
    this.#readers.set(service, readers);
    readers.add(reader);
    if (readers.size > 1) return;
    this.#ends.set(
      service,
      this.#source.logs.follow(service, (block) => this.#take(service, block)),
    );
  }

  #leave(reader: Reader): void {
    this.#all.delete(reader);
    for (const service of reader.services) {
      const readers = this.#readers.get(service);
      readers?.delete(reader);
      if (readers === undefined || readers.size > 0) continue;
      this.#readers.delete(service);
      this.#ends.get(service)?.();
      this.#ends.delete(service);
    }
  }

  /** How much a reader may have waiting now. */
  get #share(): number {
    return Math.max(LEAST_EACH, Math.min(MOST_EACH, MOST_TOGETHER / Math.max(1, this.#all.size)));
  }

  #take(service: string, block: LogBlock): void {
    const readers = this.#readers.get(service);
    if (readers === undefined || readers.size === 0) return;
    const share = this.#share;
    for (const piece of piecesOf(block)) {
      let encoded: Uint8Array | null = null;
      let lines: number | null = null;
      for (const reader of readers) {
        if (reader.queued + reader.outlet.queued >= share) {
          lines ??= countLines(piece.bytes);
          reader.skipped += lines;
          continue;
        }
        encoded ??= encodePiece(service, piece);
        tellGap(reader);
        reader.queue.push(encoded);
        reader.queued += encoded.length;
      }
    }
    if (this.#beating) return;
    this.#beating = true;
    this.#arm();
  }

  #arm(): void {
    this.#source.after(this.#all.size > MANY ? SLOW_BEAT : BEAT, () => this.#beat());
  }

  #beat(): void {
    const share = this.#share;
    let waits = false;
    for (const reader of this.#all) {
      const { outlet } = reader;
      if (outlet.queued >= share) {
        waits = true;
        continue;
      }
      tellGap(reader);
      if (reader.queue.length === 0) continue;
      const bytes = reader.queue.length === 1 ? reader.queue[0] : Buffer.concat(reader.queue);
      reader.queue = [];
      reader.queued = 0;
      if (bytes !== undefined) outlet.write(bytes);
    }
    this.#beating = waits;
    if (waits) this.#arm();
  }
}

function tellGap(reader: Reader): void {
  if (reader.skipped === 0) return;
  const { skipped } = reader;
  const text = `[${skipped} ${skipped === 1 ? 'line' : 'lines'} skipped: reader too slow]`;
  const gap: GapJson = { skipped, text };
  const bytes = Buffer.from(`${JSON.stringify(gap)}\n`);
  reader.skipped = 0;
  reader.queue.push(bytes);
  reader.queued += bytes.length;
}

/** Whole lines in pieces of a bounded size; a line that is longer is a piece of its own. */
function* piecesOf(block: LogBlock): Generator<LogBlock> {
  const { bytes } = block;
  if (bytes.length <= PIECE) {
    yield block;
    return;
  }
  for (let from = 0; from < bytes.length; ) {
    const limit = from + PIECE;
    let to = limit >= bytes.length ? bytes.length : bytes.lastIndexOf(10, limit - 1) + 1;
    if (to <= from) to = bytes.indexOf(10, limit) + 1 || bytes.length;
    yield { ...block, bytes: bytes.subarray(from, to) };
    from = to;
  }
}

function encodePiece(service: string, { bytes, time, stream, prefix }: LogBlock): Uint8Array {
  const texts = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8').split('\n');
  texts.pop();
  const head = `{"time":${JSON.stringify(new Date(time).toISOString())},"service":${JSON.stringify(service)},"stream":"${stream}","text":`;
  return Buffer.from(texts.map((text) => `${head}${JSON.stringify(text.slice(prefix))}}\n`).join(''));
}

function encodeLine(service: string, time: number, stream: 'stdout' | 'stderr', text: string): string {
  const line: LogLineJson = { time: new Date(time).toISOString(), service, stream, text };
  return `${JSON.stringify(line)}\n`;
}

function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count += 1;
  return count;
}
