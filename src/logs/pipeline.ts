// From a service's pipes to the sinks: reads, splits into lines, remembers the latest, looks for what `log` probes want,
// writes. When a sink is full the stream is not read (`block`: its pipe fills and slows the service) or its lines are
// counted and dropped (`drop`). One slow reader never holds up anything but the services that write to it.
import type { Clock } from '../ports.ts';
import { type Frame, type Line, LineSplitter, renderLines, renderPrefix } from './lines.ts';
import { Ring } from './ring.ts';
import type { Sink } from './sinks.ts';

/** What a stream's bytes come from. */
export interface ByteSource {
  read(): Promise<Uint8Array | null>;
  close(): Promise<void>;
}

export interface LogStyle {
  readonly prefix: boolean;
  readonly format: 'text' | 'json';
  readonly whenFull: 'block' | 'drop';
}

/** Told about a run's output; `pattern` watches end with their first match. */
export interface Watcher {
  /** Patterns still looked for, by the probe's index. */
  readonly patterns: Map<number, RegExp>;
  matched(index: number): void;
  /** There was output. */
  progressed: (() => void) | null;
}

const RING_BYTES = 64 * 1024;
/** A stream that is silent this long after its run's last process has gone is held open by a stranger, milliseconds. */
const SILENCE = 500;

interface Attached {
  readonly sources: readonly ByteSource[];
  readonly finished: Promise<unknown>;
  lastRead: number;
  /** How many streams wait for room in a sink. */
  blocked: number;
}

export class Pipeline {
  readonly #clock: Clock;
  readonly #sinks: { readonly stdout: Sink; readonly stderr: Sink };
  readonly #names: readonly string[];
  readonly #width: number;
  readonly #rings = new Map<string, Ring>();
  readonly #attached = new Set<Attached>();

  constructor(clock: Clock, sinks: { readonly stdout: Sink; readonly stderr: Sink }, names: readonly string[]) {
    this.#clock = clock;
    this.#sinks = sinks;
    this.#names = ['svc-super', ...names];
    this.#width = Math.min(24, Math.max(...this.#names.map((name) => name.length)));
  }

  /** What stands before a name's lines on that stream. */
  prefix(name: string, stream: 'stdout' | 'stderr'): string {
    return renderPrefix(name, this.#width, this.#sinks[stream].isTerminal ? this.#names.indexOf(name) : null);
  }

  /** Reads a run's two streams to their ends. Returns what ends that early when a stranger holds them open. */
  attach(service: string, style: LogStyle, stdout: ByteSource, stderr: ByteSource, watcher: Watcher): () => void {
    const attached: Attached = {
      sources: [stdout, stderr],
      finished: Promise.all([
        this.#pump(service, 'stdout', style, stdout, watcher, () => attached),
        this.#pump(service, 'stderr', style, stderr, watcher, () => attached),
      ]).finally(() => this.#attached.delete(attached)),
      lastRead: this.#clock.now(),
      blocked: 0,
    };
    this.#attached.add(attached);
    return () => this.#closeWhenSilent(attached);
  }

  /** The last lines of a service, whatever the run. */
  tail(service: string, count: number): string[] {
    return this.#rings.get(service)?.tail(count) ?? [];
  }

  /** Resolves when every stream has ended and everything is written. */
  async drained(): Promise<void> {
    await Promise.all([...this.#attached].map(({ finished }) => finished));
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

  async #pump(
    service: string,
    stream: 'stdout' | 'stderr',
    style: LogStyle,
    source: ByteSource,
    watcher: Watcher,
    attachedOf: () => Attached,
  ): Promise<void> {
    const sink = this.#sinks[stream];
    const frame: Frame = {
      service,
      stream,
      format: style.format,
      prefix: style.prefix ? this.prefix(service, stream) : '',
    };
    const splitter = new LineSplitter();
    const ring = this.#rings.get(service) ?? new Ring(RING_BYTES);
    this.#rings.set(service, ring);
    let dropped = 0;
    const take = async (lines: readonly Line[]): Promise<void> => {
      if (lines.length === 0) return;
      for (const { bytes } of lines) ring.push(bytes);
      if (watcher.patterns.size > 0) match(lines, watcher);
      if (style.whenFull === 'drop' && sink.isFull) {
        dropped += lines.length;
        return;
      }
      if (sink.isFull) {
        const attached = attachedOf();
        attached.blocked += 1;
        await sink.room();
        attached.blocked -= 1;
      }
      if (dropped > 0) {
        const notice = Buffer.from(`[${dropped} lines dropped: nobody was reading]`);
        sink.write(renderLines([{ bytes: notice, cut: false }], frame, this.#clock.wall()));
        dropped = 0;
      }
      sink.write(renderLines(lines, frame, this.#clock.wall()));
    };
    for (let chunk = await source.read(); chunk !== null; chunk = await source.read()) {
      attachedOf().lastRead = this.#clock.now();
      watcher.progressed?.();
      await take(splitter.push(chunk));
    }
    await take(splitter.end());
  }
}

function match(lines: readonly Line[], watcher: Watcher): void {
  for (const { bytes } of lines) {
    const text = Buffer.from(bytes).toString('utf8');
    for (const [index, pattern] of watcher.patterns) {
      if (!pattern.test(text)) continue;
      watcher.patterns.delete(index);
      watcher.matched(index);
    }
  }
}
