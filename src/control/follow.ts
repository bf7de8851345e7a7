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
  readonly channels: Channel[];
  /** How much may be put into the queue until the next beat. */
  room: number;
  queue: Uint8Array[];
  queued: number;
  skipped: number;
}

/** One service's output and its readers. Those that are behind cost nothing until the next beat. */
interface Channel {
  readonly service: string;
  readonly keepingUp: Set<Reader>;
  /** Reader -> how many lines had been counted when it fell behind. */
  readonly behind: Map<Reader, number>;
  /** Lines, counted while anybody is behind. */
  count: number;
  end(): void;
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
  readonly #channels = new Map<string, Channel>();
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
      const reader: Reader = { outlet, channels: [], room: 0, queue: [], queued: 0, skipped: 0 };
      this.#all.add(reader);
      reader.room = this.#share - outlet.queued;
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
    const found = this.#channels.get(service);
    const channel: Channel = found ?? {
      service,
      keepingUp: new Set(),
      behind: new Map(),
      count: 0,
      end: () => undefined,
    };
    channel.keepingUp.add(reader);
    reader.channels.push(channel);
    if (found !== undefined) return;
    this.#channels.set(service, channel);
    channel.end = this.#source.logs.follow(service, (block) => this.#take(channel, block));
  }

  #leave(reader: Reader): void {
    this.#all.delete(reader);
    for (const channel of reader.channels) {
      channel.keepingUp.delete(reader);
      channel.behind.delete(reader);
      if (channel.keepingUp.size + channel.behind.size > 0) continue;
      this.#channels.delete(channel.service);
      channel.end();
    }
  }

  /** How much a reader may have waiting now. */
  get #share(): number {
    return Math.max(LEAST_EACH, Math.min(MOST_EACH, MOST_TOGETHER / Math.max(1, this.#all.size)));
  }

  #take(channel: Channel, block: LogBlock): void {
    const { keepingUp, behind } = channel;
    if (keepingUp.size === 0) channel.count += countLines(block.bytes);
    else for (const piece of piecesOf(block)) this.#takePiece(channel, keepingUp, behind, piece);
    if (this.#beating) return;
    this.#beating = true;
    this.#arm();
  }

  #takePiece(channel: Channel, keepingUp: Channel['keepingUp'], behind: Channel['behind'], piece: LogBlock): void {
    let encoded: Uint8Array | null = null;
    for (const reader of keepingUp) {
      if (reader.queued >= reader.room) {
        keepingUp.delete(reader);
        behind.set(reader, channel.count);
        continue;
      }
      encoded ??= encodePiece(channel.service, piece);
      reader.queue.push(encoded);
      reader.queued += encoded.length;
    }
    if (behind.size > 0) channel.count += countLines(piece.bytes);
  }

  #arm(): void {
    this.#source.after(this.#all.size > MANY ? SLOW_BEAT : BEAT, () => this.#beat());
  }

  #beat(): void {
    const share = this.#share;
    let waits = false;
    for (const reader of this.#all) {
      const { outlet } = reader;
      const full = outlet.queued >= share;
      if (!full) flush(reader);
      reader.room = full ? 0 : share - outlet.queued;
      if (reader.room > 0) catchUp(reader);
      waits ||= reader.queue.length > 0 || reader.channels.some(({ behind }) => behind.has(reader));
    }
    this.#beating = waits;
    if (waits) this.#arm();
  }
}

function flush(reader: Reader): void {
  if (reader.queue.length === 0) return;
  const bytes = reader.queue.length === 1 ? reader.queue[0] : Buffer.concat(reader.queue);
  reader.queue = [];
  reader.queued = 0;
  if (bytes !== undefined) reader.outlet.write(bytes);
}

/** It may have lines again, after a word on those that it has missed. */
function catchUp(reader: Reader): void {
  for (const channel of reader.channels) {
    const mark = channel.behind.get(reader);
    if (mark === undefined) continue;
    channel.behind.delete(reader);
    channel.keepingUp.add(reader);
    reader.skipped += channel.count - mark;
  }
  tellGap(reader);
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
