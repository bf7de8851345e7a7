// From a service's pipes to the sinks: reads, splits into lines, looks for what `log` probes want, remembers the latest,
// writes. When a sink is full the stream is not read (`block`: its pipe fills and slows the service) or its lines are
// counted and dropped (`drop`). One slow reader never holds up anything but the services that write to it.
import type { Clock } from '../ports.ts';
import { type Frame, JsonFrame, renderPrefix, TextFrame } from './frame.ts';
import { LineSplitter, type TakeLine } from './lines.ts';
import { type Block, Ring, type RingLine } from './ring.ts';
import type { Sink } from './sinks.ts';

/** What a stream's bytes come from. */
export interface ByteSource {
  /** The next bytes; null at the end. */
  read(): Promise<Uint8Array | null>;
  close(): Promise<void>;
}

export interface LogStyle {
  readonly prefix: boolean;
  readonly format: 'text' | 'json';
  readonly whenFull: 'block' | 'drop';
}

/** Told about a run's output. */
export interface Watcher {
  /** Patterns still looked for, by the probe's index; each is taken out at its first match. */
  readonly patterns: Map<number, RegExp>;
  matched(index: number): void;
  /** There was output; null when nobody wants to know. */
  readonly progressed: (() => void) | null;
}

const RING_BYTES = 64 * 1024;
/** A stream that is silent this long after its run's last process has gone is held open by a stranger, milliseconds. */
const SILENCE = 500;

interface Attached {
  readonly sources: readonly ByteSource[];
  finished: Promise<unknown>;
  lastRead: number;
  /** How many streams wait for room in a sink. */
  blocked: number;
}

/** What a service has printed on one stream since the start. */
export interface StreamCounts {
  lines: number;
  bytes: number;
  dropped: number;
}

export class Pipeline {
  readonly #clock: Clock;
  readonly #sinks: { readonly stdout: Sink; readonly stderr: Sink };
  #names: readonly string[];
  #width: number;
  readonly #followers = new Map<string, Set<(block: Block) => void>>();
  readonly #rings = new Map<string, Ring>();
  readonly #attached = new Set<Attached>();
  /** By service and stream. */
  readonly counts = new Map<string, Readonly<Record<'stdout' | 'stderr', StreamCounts>>>();

  constructor(clock: Clock, sinks: { readonly stdout: Sink; readonly stderr: Sink }, names: readonly string[]) {
    this.#clock = clock;
    this.#sinks = sinks;
    this.#names = ['svc-super', ...names];
    this.#width = widthOf(this.#names);
  }

  /** A reload has brought these; earlier ones keep their colours. */
  introduce(names: readonly string[]): void {
    this.#names = [...this.#names, ...names.filter((name) => !this.#names.includes(name))];
    this.#width = widthOf(this.#names);
  }

  /** What stands before a name's lines on that stream. */
  prefix(name: string, stream: 'stdout' | 'stderr'): string {
    return renderPrefix(name, this.#width, this.#sinks[stream].isTerminal ? this.#names.indexOf(name) : null);
  }

  /** Reads a run's two streams to their ends. Returns what ends that early when a stranger holds them open. */
  attach(service: string, style: LogStyle, stdout: ByteSource, stderr: ByteSource, watcher: Watcher): () => void {
    const attached: Attached = {
      sources: [stdout, stderr],
      finished: Promise.resolve(),
      lastRead: this.#clock.now(),
      blocked: 0,
    };
    this.#attached.add(attached);
    this.#ring(service).beginRun();
    attached.finished = Promise.all([
      this.#pump(service, 'stdout', style, stdout, watcher, attached),
      this.#pump(service, 'stderr', style, stderr, watcher, attached),
    ]).finally(() => this.#attached.delete(attached));
    return () => this.#closeWhenSilent(attached);
  }

  /** The last lines of a service's latest run. */
  lastWords(service: string, count: number): string[] {
    return (this.#rings.get(service)?.tail(count, 'latest run') ?? []).map(({ text }) => text);
  }

  /** The last lines of a service that are still there, whichever run wrote them. */
  tail(service: string, count: number): readonly RingLine[] {
    return this.#rings.get(service)?.tail(count, 'all runs') ?? [];
  }

  /**
   * Hands on whatever a service prints from here on, as it is written: a block's memory is to be read at once or kept as it
   * is, and the listener must not wait. Returns what ends that.
   */
  follow(service: string, listener: (block: Block) => void): () => void {
    const followers = this.#followers.get(service) ?? new Set();
    this.#followers.set(service, followers);
    followers.add(listener);
    return () => followers.delete(listener);
  }

  /** Resolves when every stream has been read to its end. */
  async ended(): Promise<void> {
    await Promise.all([...this.#attached].map(({ finished }) => finished));
  }

  /** Resolves when every stream has ended and everything is written. */
  async drained(): Promise<void> {
    await this.ended();
    await Promise.all([this.#sinks.stdout.drained(), this.#sinks.stderr.drained()]);
  }

  #closeWhenSilent(attached: Attached): void {
    if (!this.#attached.has(attached)) return;
    if (attached.blocked === 0 && this.#clock.now() - attached.lastRead >= SILENCE) {
      for (const source of attached.sources) void source.close();
      return;
    }
    this.#clock.after(SILENCE, () => this.#closeWhenSilent(attached));
  }

  #ring(service: string): Ring {
    const found = this.#rings.get(service) ?? new Ring(RING_BYTES);
    this.#rings.set(service, found);
    return found;
  }

  #count(service: string, stream: 'stdout' | 'stderr'): StreamCounts {
    const none = () => ({ lines: 0, bytes: 0, dropped: 0 });
    const found = this.counts.get(service) ?? { stdout: none(), stderr: none() };
    this.counts.set(service, found);
    return found[stream];
  }

  async #pump(
    service: string,
    stream: 'stdout' | 'stderr',
    style: LogStyle,
    source: ByteSource,
    watcher: Watcher,
    attached: Attached,
  ): Promise<void> {
    const sink = this.#sinks[stream];
    const ring = this.#ring(service);
    const prefix = style.prefix && style.format === 'text' ? this.prefix(service, stream) : '';
    const frame: Frame =
      style.format === 'json' ? new JsonFrame(service, stream, () => this.#clock.wall()) : new TextFrame(prefix);
    const splitter = new LineSplitter(watched(frame.take, watcher));
    const counts = this.#count(service, stream);
    let dropped = 0;
    const pass = async (): Promise<void> => {
      const bytes = frame.flush();
      if (bytes.length === 0) return;
      const block: Block = { bytes, time: this.#clock.wall(), stream, prefix: Buffer.byteLength(prefix) };
      ring.push(block);
      for (const listener of this.#followers.get(service) ?? []) listener(block);
      if (sink.isFull && style.whenFull === 'drop') {
        const lost = countLines(bytes);
        dropped += lost;
        counts.dropped += lost;
        return;
      }
      await this.#room(sink, attached);
      if (dropped > 0) {
        sink.write(noticeOf(frame, dropped));
        dropped = 0;
      }
      sink.write(bytes);
    };
    for (let chunk = await source.read(); chunk !== null; chunk = await source.read()) {
      attached.lastRead = this.#clock.now();
      watcher.progressed?.();
      splitter.push(chunk);
      counts.bytes += chunk.length;
      counts.lines += splitter.lines;
      splitter.lines = 0;
      await pass();
    }
    splitter.end();
    counts.lines += splitter.lines;
    await pass();
    if (dropped === 0) return;
    await this.#room(sink, attached);
    sink.write(noticeOf(frame, dropped));
  }

  async #room(sink: Sink, attached: Attached): Promise<void> {
    if (!sink.isFull) return;
    attached.blocked += 1;
    await sink.room();
    attached.blocked -= 1;
  }
}

function widthOf(names: readonly string[]): number {
  return Math.min(24, Math.max(...names.map((name) => name.length)));
}

/** Lines pass through to `take`; while there are patterns, each is looked at on the way. */
function watched(take: TakeLine, watcher: Watcher): TakeLine {
  if (watcher.patterns.size === 0) return take;
  return (source, from, to, cut) => {
    take(source, from, to, cut);
    if (watcher.patterns.size === 0) return;
    const text = Buffer.from(source.buffer, source.byteOffset + from, to - from).toString('utf8');
    for (const [index, pattern] of watcher.patterns) {
      if (!pattern.test(text)) continue;
      watcher.patterns.delete(index);
      watcher.matched(index);
    }
  };
}

/** Tells in the stream itself that lines are missing. */
function noticeOf(frame: Frame, count: number): Uint8Array {
  const notice = Buffer.from(`[svc-super dropped ${count} ${count === 1 ? 'line' : 'lines'}: nobody was reading]`);
  frame.take(notice, 0, notice.length, false);
  return frame.flush();
}

function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count += 1;
  return count;
}
