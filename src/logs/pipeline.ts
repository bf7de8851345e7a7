// From a service's pipes to the sinks: reads, splits into lines, looks for what `log` probes want, remembers the latest,
// writes. When a sink is full the stream is not read (`block`: its pipe fills and slows the service) or its lines are
// counted and dropped (`drop`). One slow reader never holds up anything but the services that write to it.
import type { Clock } from '../ports.ts';
import { type Frame, JsonFrame, renderPrefix, Spares, TextFrame } from './frame.ts';
import { LineSplitter } from './lines.ts';
import { both, dropping, stripping, type Watcher, watched } from './passing.ts';
import { type ByteSource, type LogStyle, Pump, type StreamCounts } from './pump.ts';
import { type Block, Ring, type RingLine, ringLinesOf } from './ring.ts';
import type { Sink } from './sinks.ts';
import type { Compressor } from './sinks-compress.ts';
import type { FileSink, FileStyle } from './sinks-file.ts';
import { Unfinished } from './unfinished.ts';

const RING_BYTES = 64 * 1024;
/** Streams that always have more would keep the event loop from everything else: it turns after this long, milliseconds. */
const SLICE = 2;
/** As often the clock is looked at, bytes: a stream that says little turns no loop. */
const BURST = 64 * 1024;
/** The longest that whoever has moved the log files waits for the last piece, milliseconds. */
const REOPENING = 2_000;
/** A stream that is silent this long after its run's last process has gone is held open by a stranger, milliseconds. */
const SILENCE = 500;
/** Turns of the event loop after which a pipe that has something has been read, however busy the loop is. */
const TURNS = 3;

/** Two streams that are read. */
export interface Attachment {
  /**
   * Reads what the pipes hold now, as far as the sinks have room, so that the output of a process is handled before its
   * exit. Call it from a timer or an event (readNow of platform/input.ts).
   */
  drain(): void;
  /** Closes the streams once they are silent, even if a process outside the run holds them open. */
  release(): void;
}

interface Attached {
  readonly sources: readonly ByteSource[];
  /** One for each stream that has not ended: reads what its pipe holds now. */
  readonly drains: Set<() => void>;
  finished: Promise<unknown>;
  /** How many streams have bytes in hand: they wait for room or for their turn, and their pipes may be full. */
  busy: number;
  /** Since when none has. */
  silentSince: number;
}

/** One stream that is read. */
interface Read {
  readonly service: string;
  readonly stream: 'stdout' | 'stderr';
  readonly style: LogStyle;
  readonly watcher: Watcher;
  readonly isCut: boolean;
}

export class Pipeline {
  readonly #clock: Clock;
  readonly #sinks: { readonly stdout: Sink; readonly stderr: Sink };
  #names: readonly string[];
  #width: number;
  readonly #followers = new Map<string, Set<(block: Block) => void>>();
  readonly #rings = new Map<string, Ring>();
  /** Unfinished lines that were shown, by service: at most one block for each stream. */
  readonly #unfinished = new Map<string, Set<Block>>();
  readonly #files = new Map<string, FileSink>();
  /** Made for the first file. */
  #compressor: Compressor | null = null;
  readonly #say: (service: string, text: string) => void;
  readonly #spares = new Spares();
  readonly #attached = new Set<Attached>();
  #printed = new Set<string>();
  /** Called when a service has printed: takePrinted() returns it. */
  printed: (() => void) | null = null;
  /** Bytes read since the clock was looked at, and the turn of the event loop that all busy streams wait for. */
  #burst = 0;
  #turnedAt = 0;
  #turn: Promise<void> | null = null;
  /** By service and stream. */
  readonly counts = new Map<string, Readonly<Record<'stdout' | 'stderr', StreamCounts>>>();

  /** `say` is told what people should know about a service's log file. */
  constructor(
    clock: Clock,
    sinks: { readonly stdout: Sink; readonly stderr: Sink },
    names: readonly string[],
    say: (service: string, text: string) => void,
  ) {
    this.#clock = clock;
    this.#say = say;
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

  /** What the service prints from here on belongs to a new run of it: its last words are looked for there. */
  beginRun(service: string): void {
    this.#ring(service).beginRun();
  }

  /** Reads two streams of a service to their ends. `isCut`: a supervisor that has died read them before. */
  attach(
    service: string,
    style: LogStyle,
    stdout: ByteSource,
    stderr: ByteSource,
    watcher: Watcher,
    isCut = false,
  ): Attachment {
    const attached: Attached = {
      sources: [stdout, stderr],
      drains: new Set(),
      finished: Promise.resolve(),
      busy: 0,
      silentSince: this.#clock.now(),
    };
    this.#attached.add(attached);
    attached.finished = Promise.all([
      this.#read({ service, stream: 'stdout', style, watcher, isCut }, stdout, attached),
      this.#read({ service, stream: 'stderr', style, watcher, isCut }, stderr, attached),
    ]).finally(() => this.#attached.delete(attached));
    return {
      drain() {
        for (const drain of attached.drains) drain();
      },
      release: () => {
        attached.silentSince = this.#clock.now();
        this.#closeWhenSilent(attached);
      },
    };
  }

  /** The last lines of a service's latest run. */
  lastWords(service: string, count: number): string[] {
    return this.#tail(service, count, 'latest run').map(({ text }) => text);
  }

  /** Begins a new line where the supervisor before this one may have ended within one. */
  endTornLines({ stdout, stderr }: { readonly stdout: boolean; readonly stderr: boolean }): void {
    if (stdout) this.#sinks.stdout.write(NEWLINE);
    if (stderr && this.#sinks.stderr !== this.#sinks.stdout) this.#sinks.stderr.write(NEWLINE);
  }

  /** `torn` is called when a write may end within a line if this process dies, and when it no longer may. */
  watchTorn(torn: (isTorn: { readonly stdout: boolean; readonly stderr: boolean }) => void): void {
    const { stdout, stderr } = this.#sinks;
    for (const sink of new Set([stdout, stderr]))
      sink.onTorn = () => torn({ stdout: stdout.isTorn, stderr: stderr.isTorn });
  }

  /** The services that have printed since the last call. */
  takePrinted(): ReadonlySet<string> {
    const printed = this.#printed;
    this.#printed = new Set();
    return printed;
  }

  /** The last whole lines of a service's latest run, at most so many and so many characters. */
  lastLines(service: string, count: number, characters: number): readonly RingLine[] {
    const lines = this.#rings.get(service)?.tail(count, 'latest run') ?? [];
    let left = characters;
    const from = lines.findLastIndex(({ text }) => {
      left -= text.length;
      return left < 0;
    });
    return lines.slice(from + 1);
  }

  /** What the supervisor before this one knew of a service: its last lines, and what it had counted. */
  inherit(
    service: string,
    lines: readonly RingLine[],
    counts: Readonly<Record<'stdout' | 'stderr', StreamCounts>> | null,
  ): void {
    const ring = this.#ring(service);
    for (const { time, stream, text } of lines) ring.push({ time, stream, bytes: Buffer.from(`${text}\n`), prefix: 0 });
    if (counts === null) return;
    for (const stream of ['stdout', 'stderr'] as const) Object.assign(this.#count(service, stream), counts[stream]);
  }

  /** Bytes that have left so far. */
  get written(): number {
    const { stdout, stderr } = this.#sinks;
    return stdout === stderr ? stdout.written : stdout.written + stderr.written;
  }

  /** The last lines of a service that are still there, whichever run wrote them. */
  tail(service: string, count: number): readonly RingLine[] {
    return this.#tail(service, count, 'all runs');
  }

  /** The last whole lines, then the unfinished ones. */
  #tail(service: string, count: number, of: 'latest run' | 'all runs'): readonly RingLine[] {
    const ended = this.#rings.get(service)?.tail(count, of) ?? [];
    const unfinished = [...(this.#unfinished.get(service) ?? [])].flatMap(ringLinesOf);
    return unfinished.length === 0 ? ended : [...ended, ...unfinished].slice(-count);
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

  /**
   * Opens every log file anew at its path: whoever has moved them away wants that. Resolves when nothing is written to the
   * moved ones any more; a disk that hangs is not waited for.
   */
  async reopenFiles(): Promise<void> {
    const reopened = Promise.all([...this.#files.values()].map((file) => file.reopen()));
    const late = Promise.withResolvers<void>();
    const cancel = this.#clock.after(REOPENING, late.resolve);
    await Promise.race([reopened, late.promise]);
    cancel();
  }

  /** Resolves when every stream has been read to its end. */
  async ended(): Promise<void> {
    await Promise.all([...this.#attached].map(({ finished }) => finished));
  }

  /** For the end: resolves when every stream has ended and everything is written. What is rotated may stay plain then. */
  async drained(): Promise<void> {
    await this.ended();
    this.#compressor?.stop();
    await Promise.all([this.#sinks.stdout, this.#sinks.stderr, ...this.#files.values()].map((sink) => sink.drained()));
  }

  #closeWhenSilent(attached: Attached): void {
    if (!this.#attached.has(attached)) return;
    const since = attached.silentSince;
    const isSilent = () => attached.busy === 0 && attached.silentSince === since;
    if (!isSilent() || this.#clock.now() - since < SILENCE) {
      this.#clock.after(SILENCE, () => this.#closeWhenSilent(attached));
      return;
    }
    // By the clock alone a loop that is late would take what it has yet to read for silence.
    const look = (turns: number): void => {
      if (!isSilent()) this.#closeWhenSilent(attached);
      else if (turns > 0) this.#clock.soon(() => look(turns - 1));
      else for (const source of attached.sources) void source.close();
    };
    look(TURNS);
  }

  #ring(service: string): Ring {
    const found = this.#rings.get(service) ?? new Ring(RING_BYTES);
    this.#rings.set(service, found);
    return found;
  }

  /** Kept from run to run, since a path has one writer. */
  #holdFile(service: string, style: FileStyle): FileSink {
    const found = this.#files.get(style.path) ?? this.#openFile(service, style);
    this.#files.set(style.path, found);
    found.hold(style);
    return found;
  }

  /** With it comes what writes and rotates files: most services have none, and the first start need not wait for it. */
  #openFile(service: string, style: FileStyle): FileSink {
    const { FileSink } = require('./sinks-file.ts') as typeof import('./sinks-file.ts');
    const { Compressor } = require('./sinks-compress.ts') as typeof import('./sinks-compress.ts');
    this.#compressor ??= new Compressor(this.#clock);
    return new FileSink(style, this.#clock, this.#compressor, (text) => this.#say(service, text));
  }

  #frame(service: string, stream: 'stdout' | 'stderr', style: LogStyle, prefix: string): Frame {
    if (style.format === 'text') return new TextFrame(prefix, this.#spares);
    return new JsonFrame(service, stream, style.merge, () => this.#clock.wall());
  }

  #count(service: string, stream: 'stdout' | 'stderr'): StreamCounts {
    const none = () => ({ lines: 0, bytes: 0, dropped: 0, cuts: 0 });
    const found = this.counts.get(service) ?? { stdout: none(), stderr: none() };
    this.counts.set(service, found);
    return found[stream];
  }

  async #read(read: Read, source: ByteSource, attached: Attached): Promise<void> {
    const pump = this.#pump(read);
    const drain = () => pump.drain(source);
    attached.drains.add(drain);
    for (let chunk = await source.read(); chunk !== null; chunk = await source.read()) {
      attached.busy += 1;
      pump.take(chunk);
      // Nothing refers to the chunk from here on: who waits for room holds what is to be written, and no more.
      await pump.pass();
      if (this.#turn !== null || this.#burst >= BURST) await this.#takeTurns();
      attached.busy -= 1;
      attached.silentSince = this.#clock.now();
    }
    attached.drains.delete(drain);
    attached.busy += 1;
    await pump.end();
    attached.busy -= 1;
  }

  #pump({ service, stream, style, watcher, isCut }: Read): Pump {
    const prefix = style.prefix && style.format === 'text' ? this.prefix(service, stream) : '';
    const ring = this.#ring(service);
    const frame = this.#frame(service, stream, style, prefix);
    const file = style.file === null ? null : this.#holdFile(service, style.file);
    // A file that holds one service's lines needs no prefix; without one both are the same bytes.
    const fileFrame = file === null || prefix === '' ? null : new TextFrame('', this.#spares);
    const take = fileFrame === null ? frame.take : both(frame.take, fileFrame.take);
    // Patterns see what people see: a line without what is stripped from it.
    const splitter = new LineSplitter(stripping(watched(dropping(take, style.drop), watcher), style.ansi));
    return new Pump({
      sink: this.#sinks[stream],
      whenFull: style.whenFull,
      splitter,
      unfinished: new Unfinished(this.#clock, splitter, this.#showing(service, stream, style, prefix, watcher)),
      frame,
      file,
      fileFrame,
      counts: this.#count(service, stream),
      isCut,
      arrived: (size) => {
        this.#burst += size;
        watcher.progressed?.();
      },
      show: (bytes) => {
        const block: Block = { bytes, time: this.#clock.wall(), stream, prefix: Buffer.byteLength(prefix) };
        ring.push(block);
        this.#printed.add(service);
        this.printed?.();
        const followers = this.#followers.get(service);
        for (const listener of followers ?? []) listener(block);
        return (followers?.size ?? 0) > 0;
      },
    });
  }

  /**
   * Returns the function that shows an unfinished line: it tries `log` probes on the line, adds it to `logs` and the
   * post-mortem after the whole lines, and passes it to followers. It skips what `drop` matches.
   */
  #showing(
    service: string,
    stream: 'stdout' | 'stderr',
    style: LogStyle,
    prefix: string,
    watcher: Watcher,
  ): (text: Uint8Array | null) => void {
    let shown: Block | null = null;
    return (text) => {
      const blocks = this.#unfinished.get(service) ?? new Set();
      if (shown !== null) blocks.delete(shown);
      shown = null;
      if (text === null) return;
      const frame = this.#frame(service, stream, style, prefix);
      const take = stripping(watched(dropping(frame.take, style.drop), watcher), style.ansi);
      take(text, 0, text.length, false);
      const bytes = frame.flush();
      if (bytes.length === 0) return;
      shown = { bytes, time: this.#clock.wall(), stream, prefix: Buffer.byteLength(prefix) };
      this.#unfinished.set(service, blocks.add(shown));
      for (const listener of this.#followers.get(service) ?? []) listener(shown);
    };
  }

  /** Lets signals, probes and requests come in between where streams have had the event loop for long enough. */
  #takeTurns(): Promise<void> | null {
    this.#burst = 0;
    if (this.#turn !== null || this.#clock.now() - this.#turnedAt < SLICE) return this.#turn;
    this.#turn = new Promise((resolve) => {
      this.#clock.soon(() => {
        this.#turn = null;
        this.#turnedAt = this.#clock.now();
        resolve();
      });
    });
    return this.#turn;
  }
}

const NEWLINE = Buffer.from('\n');

function widthOf(names: readonly string[]): number {
  return Math.min(24, Math.max(...names.map((name) => name.length)));
}
