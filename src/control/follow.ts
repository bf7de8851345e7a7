// Streams of log lines: each reader has a bounded queue, and the lines that do not fit are counted and reported in the
// stream. A reader never slows a service down. All readers without a pattern share one encoding of the output. Queues are flushed
// at an interval, so that a flood of small blocks does not become a flood of small writes.
import type { LogBlock, LogLine } from '../logs/ring.ts';
import type { ApiSource } from './source.ts';
import type { Lines, Outlet } from './streams.ts';

/** Bytes of raw output that are queued or skipped as a unit. */
const PIECE = 8 * 1024;
/** Flush intervals, milliseconds; the slow one is used above MANY_READERS readers, so that other work gets time. */
const FLUSH_INTERVAL = 20;
const SLOW_FLUSH_INTERVAL = 60;
const MANY_READERS = 20;
/**
 * Limits of queued bytes: for one reader, and for all readers together as long as each still has MIN_QUEUE, so for up to 128
 * readers.
 */
const MAX_QUEUE = 256 * 1024;
const MIN_QUEUE = 16 * 1024;
const MAX_TOTAL_QUEUE = 2 * 1024 * 1024;
/** Bytes that all readers with a pattern together may search between two flushes: some 5 ms, with the slowest patterns 300 ms. */
const MAX_SEARCHED = 64 * 1024;
/** Characters of stored lines that are searched before other work gets time. */
const SEARCHED_AT_ONCE = 16 * 1024;

interface Reader {
  readonly outlet: Outlet;
  /** Only lines that it matches are sent; null: all. */
  readonly pattern: LinePattern | null;
  /** Bytes searched since the last flush. */
  searched: number;
  readonly channels: Channel[];
  /** New lines wait in the queue, because the stored ones are still being searched. */
  isHeld: boolean;
  /** Bytes that may be added to the queue until the next flush. */
  budget: number;
  queue: Uint8Array[];
  queued: number;
  skipped: number;
}

/** One service's output and its readers. A reader that is behind costs nothing until the next flush. */
interface Channel {
  readonly service: string;
  readonly current: Set<Reader>;
  /** Reader -> value of `count` when it fell behind. */
  readonly behind: Map<Reader, number>;
  /** Lines of output, counted while any reader is behind. */
  count: number;
  end(): void;
}

export interface LogLineJson {
  readonly time: string;
  readonly service: string;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
  /** Set on a stored line that no newline has ended so far. */
  readonly unfinished?: true;
}

/** The line in place of skipped lines. */
export interface GapJson {
  readonly skipped: number;
  readonly text: string;
}

type Source = Pick<ApiSource, 'logs' | 'after'>;

interface StoredLine extends LogLine {
  readonly service: string;
}

interface LinePattern {
  test(text: string): boolean;
}

/** Which lines of the services a reader gets. */
export interface LogSelection {
  readonly services: readonly string[];
  /** Limit of stored lines, in all. */
  readonly count: number;
  /** Only stored lines from this time to that one, milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
  /** Only lines that match. */
  readonly pattern: LinePattern | null;
}

export class LogFeed {
  readonly #source: Source;
  readonly #channels = new Map<string, Channel>();
  readonly #all = new Set<Reader>();
  /** How many readers have a pattern. */
  #searching = 0;
  #isFlushing = false;

  constructor(source: Source) {
    this.#source = source;
  }

  /** The stored lines, by time, then new lines if `follow` is set. */
  open(selection: LogSelection, follow: boolean): Lines {
    return (outlet) => {
      const stored = this.#stored(selection);
      const reader = follow ? this.#add(selection, outlet) : null;
      const cancel = this.#search(stored, selection, (found) => {
        const past = found.map(encodeLine).join('');
        if (past !== '') outlet.write(past);
        if (reader === null) {
          outlet.end();
          return;
        }
        reader.isHeld = false;
        reader.budget = this.#share - outlet.queued;
      });
      return () => {
        cancel();
        if (reader !== null) this.#leave(reader);
      };
    };
  }

  #add({ services, pattern }: LogSelection, outlet: Outlet): Reader {
    const reader: Reader = {
      ...{ outlet, pattern, searched: 0, channels: [], isHeld: true, budget: 0 },
      ...{ queue: [], queued: 0, skipped: 0 },
    };
    this.#all.add(reader);
    if (pattern !== null) this.#searching += 1;
    reader.budget = this.#share;
    for (const service of services) this.#join(service, reader);
    return reader;
  }

  /** The stored lines of a time, in its order. */
  #stored({ services, count, from, until, pattern }: LogSelection): readonly StoredLine[] {
    // A limit counts the lines that are sent, so all are needed if some are left out.
    const most = pattern === null && until === Infinity ? count : Infinity;
    return services
      .flatMap((service) => this.#source.logs.tail(service, most).map((line) => ({ service, ...line })))
      .filter(({ time }) => time >= from && time <= until)
      .sort((a, b) => a.time - b.time);
  }

  /** Passes the last lines that match to `done`, at once if the search is short. Returns a function that ends the search. */
  #search(
    lines: readonly StoredLine[],
    { pattern, count }: LogSelection,
    done: (found: readonly StoredLine[]) => void,
  ): () => void {
    let cancel = (): void => undefined;
    let at = lines.length;
    const found: StoredLine[] = [];
    const search = (): void => {
      for (let searched = 0; searched < SEARCHED_AT_ONCE; ) {
        const line = lines[at - 1];
        if (line === undefined || found.length >= count) {
          done(found.reverse());
          return;
        }
        at -= 1;
        if (pattern !== null) searched += line.text.length + 1;
        if (pattern?.test(line.text) !== false) found.push(line);
      }
      cancel = this.#source.after(0, search);
    };
    search();
    return () => cancel();
  }

  #join(service: string, reader: Reader): void {
    const found = this.#channels.get(service);
    const channel: Channel = found ?? {
      service,
      current: new Set(),
      behind: new Map(),
      count: 0,
      end: () => undefined,
    };
    channel.current.add(reader);
    reader.channels.push(channel);
    if (found !== undefined) return;
    this.#channels.set(service, channel);
    channel.end = this.#source.logs.follow(service, (block) => this.#take(channel, block));
  }

  #leave(reader: Reader): void {
    if (this.#all.delete(reader) && reader.pattern !== null) this.#searching -= 1;
    for (const channel of reader.channels) {
      channel.current.delete(reader);
      channel.behind.delete(reader);
      if (channel.current.size + channel.behind.size > 0) continue;
      this.#channels.delete(channel.service);
      channel.end();
    }
  }

  /** Bytes that a reader may have queued now. */
  get #share(): number {
    return Math.max(MIN_QUEUE, Math.min(MAX_QUEUE, MAX_TOTAL_QUEUE / Math.max(1, this.#all.size)));
  }

  #take(channel: Channel, block: LogBlock): void {
    const { current, behind } = channel;
    // No flush has renewed the budgets since then, and the outlets may have room again.
    if (!this.#isFlushing) for (const reader of this.#all) reader.budget = this.#share - reader.outlet.queued;
    if (current.size === 0) channel.count += countLines(block.bytes);
    else for (const piece of piecesOf(block)) this.#takePiece(channel, current, behind, piece);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    this.#arm();
  }

  #takePiece(channel: Channel, current: Channel['current'], behind: Channel['behind'], piece: LogBlock): void {
    let encoded: Uint8Array | null = null;
    for (const reader of current) {
      if (reader.queued >= reader.budget || reader.searched > MAX_SEARCHED / Math.max(1, this.#searching)) {
        current.delete(reader);
        behind.set(reader, channel.count);
        continue;
      }
      if (reader.pattern === null) encoded ??= encodePiece(channel.service, piece, null);
      else reader.searched += piece.bytes.length;
      const bytes = reader.pattern === null ? encoded : encodePiece(channel.service, piece, reader.pattern);
      if (bytes === null || bytes.length === 0) continue;
      reader.queue.push(bytes);
      reader.queued += bytes.length;
    }
    if (behind.size > 0) channel.count += countLines(piece.bytes);
  }

  #arm(): void {
    this.#source.after(this.#all.size > MANY_READERS ? SLOW_FLUSH_INTERVAL : FLUSH_INTERVAL, () => this.#flushAll());
  }

  #flushAll(): void {
    const share = this.#share;
    let isBehind = false;
    for (const reader of this.#all) {
      const { outlet, isHeld } = reader;
      isBehind ||= isHeld;
      reader.searched = 0;
      if (isHeld) continue;
      const isFull = outlet.queued >= share;
      if (!isFull) flush(reader);
      reader.budget = isFull ? 0 : share - outlet.queued;
      if (reader.budget > 0) catchUp(reader);
      isBehind ||= reader.queue.length > 0 || reader.channels.some(({ behind }) => behind.has(reader));
    }
    this.#isFlushing = isBehind;
    if (isBehind) this.#arm();
  }
}

function flush(reader: Reader): void {
  if (reader.queue.length === 0) return;
  const bytes = reader.queue.length === 1 ? reader.queue[0] : Buffer.concat(reader.queue);
  reader.queue = [];
  reader.queued = 0;
  if (bytes !== undefined) reader.outlet.write(bytes);
}

/** Lets a reader receive lines again, after a report of the lines that it missed. */
function catchUp(reader: Reader): void {
  for (const channel of reader.channels) {
    const mark = channel.behind.get(reader);
    if (mark === undefined) continue;
    channel.behind.delete(reader);
    channel.current.add(reader);
    reader.skipped += channel.count - mark;
  }
  queueGap(reader);
}

function queueGap(reader: Reader): void {
  if (reader.skipped === 0) return;
  const { skipped } = reader;
  // A pattern may also have taken too long to search.
  const slow = reader.pattern === null ? 'reader' : 'reader or search';
  const text = `[${skipped} ${skipped === 1 ? 'line' : 'lines'} skipped: ${slow} too slow]`;
  const gap: GapJson = { skipped, text };
  const bytes = Buffer.from(`${JSON.stringify(gap)}\n`);
  reader.skipped = 0;
  reader.queue.push(bytes);
  reader.queued += bytes.length;
}

/** Whole lines in pieces of limited size; a longer line is one piece. */
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

/** The lines of a piece that match, encoded. */
function encodePiece(
  service: string,
  { bytes, time, stream, prefix }: LogBlock,
  pattern: LinePattern | null,
): Uint8Array {
  const texts = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .toString('utf8')
    .split('\n')
    .map((text) => text.slice(prefix));
  texts.pop();
  const head = `{"time":${JSON.stringify(new Date(time).toISOString())},"service":${JSON.stringify(service)},"stream":"${stream}","text":`;
  const found = pattern === null ? texts : texts.filter((text) => pattern.test(text));
  return Buffer.from(found.map((text) => `${head}${JSON.stringify(text)}}\n`).join(''));
}

function encodeLine({ time, ...line }: StoredLine): string {
  return `${JSON.stringify({ time: new Date(time).toISOString(), ...line } satisfies LogLineJson)}\n`;
}

function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count += 1;
  return count;
}
