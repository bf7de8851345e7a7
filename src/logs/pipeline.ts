// Moves output from the pipes of services to the sinks: reads it, splits it into lines, matches `log` probes, keeps the
// latest lines, writes. If a sink is full, the stream is not read (`when_full: block`: its pipe fills and slows the service), or its
// lines are counted and dropped (`when_full: drop`). A slow reader slows only the services that write to it.
import type { Clock } from '../ports.ts';
import { BufferPool, type Frame, JsonFrame, renderPrefix, TextFrame, TIME_LENGTH } from './frame.ts';
import { LineSplitter } from './lines.ts';
import { dropLines, passToBoth, stripLines, type Watcher, watchLines } from './passing.ts';
import { type ByteSource, type LogStyle, Pump, type StreamCounts } from './pump.ts';
import { type LogBlock, type LogLine, Ring, ringLinesOf } from './ring.ts';
import type { Sink } from './sinks.ts';
import type { Compressor } from './sinks-compress.ts';
import type { FileSink, FileStyle } from './sinks-file.ts';
import { Unfinished } from './unfinished.ts';

const RING_BYTES = 64 * 1024;
/** The longest that busy streams occupy the event loop before other events are handled, milliseconds. */
const SLICE = 2;
/** The bytes that are read between two checks of the clock for SLICE. */
const BURST = 64 * 1024;
/** The longest that reopenFiles() waits for the last writes to the old files, milliseconds. */
const REOPENING = 2_000;
/**
 * After the last process of a run has ended, a stream that is silent for this long is closed: only a process outside the run
 * can hold it open. Milliseconds.
 */
const SILENCE = 500;
/** Within this many turns of the event loop every pipe that has bytes is read, even if the loop is busy. */
const TURNS = 3;

/** Two streams that are read. */
interface Attachment {
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
  /** How many streams wait for room or for their turn with bytes that were read; their pipes may be full. */
  busy: number;
  /** The last time at which a stream was busy or the run ended, milliseconds. */
  silentSince: number;
}

/** One stream that is read, with its options. */
interface StreamOptions {
  readonly service: string;
  readonly stream: 'stdout' | 'stderr';
  readonly style: LogStyle;
  readonly watcher: Watcher;
  readonly isTakenOver: boolean;
}

export class Pipeline {
  readonly #clock: Clock;
  readonly #sinks: { readonly stdout: Sink; readonly stderr: Sink };
  #names: readonly string[];
  #width: number;
  readonly #followers = new Map<string, Set<(block: LogBlock) => void>>();
  readonly #rings = new Map<string, Ring>();
  /** Unfinished lines that were shown, by service: at most one block per stream. */
  readonly #unfinished = new Map<string, Set<LogBlock>>();
  readonly #files = new Map<string, FileSink>();
  /** Created with the first log file. */
  #compressor: Compressor | null = null;
  readonly #report: (service: string, text: string) => void;
  readonly #pool = new BufferPool();
  readonly #attached = new Set<Attached>();
  #printed = new Set<string>();
  /** Called when a service has printed; takePrinted() then returns its name. */
  printed: (() => void) | null = null;
  /** Bytes read since the last check of the clock. */
  #burst = 0;
  #turnedAt = 0;
  /** Resolves in the next turn of the event loop; all busy streams wait for it. Null: no stream has to wait. */
  #turn: Promise<void> | null = null;
  /** By service and stream. */
  readonly counts = new Map<string, Readonly<Record<'stdout' | 'stderr', StreamCounts>>>();

  /** `report` receives messages about the log file of a service, for users. */
  constructor(
    clock: Clock,
    sinks: { readonly stdout: Sink; readonly stderr: Sink },
    names: readonly string[],
    report: (service: string, text: string) => void,
  ) {
    this.#clock = clock;
    this.#report = report;
    this.#sinks = sinks;
    this.#names = ['svc-super', ...names];
    this.#width = widthOf(this.#names);
  }

  /** Adds the services of a new configuration. Services that are already known keep their colours. */
  addNames(names: readonly string[]): void {
    this.#names = [...this.#names, ...names.filter((name) => !this.#names.includes(name))];
    this.#width = widthOf(this.#names);
  }

  /** The prefix of a service's lines on that stream. */
  prefix(name: string, stream: 'stdout' | 'stderr'): string {
    return renderPrefix(name, this.#width, this.#sinks[stream].isTerminal ? this.#names.indexOf(name) : null);
  }

  /** Output from now on belongs to a new run of the service. The post-mortem shows lines of the latest run only. */
  beginRun(service: string): void {
    this.#ring(service).beginRun();
  }

  /** Reads two streams of a service to their ends. `isTakenOver`: an earlier supervisor, which has died, read them before. */
  attach(
    service: string,
    style: LogStyle,
    stdout: ByteSource,
    stderr: ByteSource,
    watcher: Watcher,
    isTakenOver = false,
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
      this.#read({ service, stream: 'stdout', style, watcher, isTakenOver }, stdout, attached),
      this.#read({ service, stream: 'stderr', style, watcher, isTakenOver }, stderr, attached),
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
  tailOfRun(service: string, count: number): string[] {
    return this.#tail(service, count, 'latest run').map(({ text }) => text);
  }

  /** Begins a new line if the previous supervisor may have written only a part of its last line. */
  endTornLines({ stdout, stderr }: { readonly stdout: boolean; readonly stderr: boolean }): void {
    if (stdout) this.#sinks.stdout.write(NEWLINE);
    if (stderr && this.#sinks.stderr !== this.#sinks.stdout) this.#sinks.stderr.write(NEWLINE);
  }

  /** `torn` is called when a line may stay incomplete if this process dies now, and when that is no longer so. */
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

  /** The last whole lines of a service's latest run: at most `count` lines and `characters` characters. */
  lastLines(service: string, count: number, characters: number): readonly LogLine[] {
    const lines = this.#rings.get(service)?.tail(count, 'latest run') ?? [];
    let left = characters;
    const from = lines.findLastIndex(({ text }) => {
      left -= text.length;
      return left < 0;
    });
    return lines.slice(from + 1);
  }

  /** Takes over the last lines and the counts of a service from the previous supervisor. */
  inherit(
    service: string,
    lines: readonly LogLine[],
    counts: Readonly<Record<'stdout' | 'stderr', StreamCounts>> | null,
  ): void {
    const ring = this.#ring(service);
    for (const { time, stream, text } of lines) ring.push({ time, stream, bytes: Buffer.from(`${text}\n`), prefix: 0 });
    if (counts === null) return;
    for (const stream of ['stdout', 'stderr'] as const) Object.assign(this.#count(service, stream), counts[stream]);
  }

  /** Bytes written to standard output and standard error since the start. */
  get written(): number {
    const { stdout, stderr } = this.#sinks;
    return stdout === stderr ? stdout.written : stdout.written + stderr.written;
  }

  /** The last lines of a service that are still kept, from all runs. */
  tail(service: string, count: number): readonly LogLine[] {
    return this.#tail(service, count, 'all runs');
  }

  /** The last whole lines, then the unfinished ones. */
  #tail(service: string, count: number, of: 'latest run' | 'all runs'): readonly LogLine[] {
    const ended = this.#rings.get(service)?.tail(count, of) ?? [];
    const unfinished = [...(this.#unfinished.get(service) ?? [])].flatMap(ringLinesOf);
    const lines = [...ended, ...unfinished.map((line): LogLine => ({ ...line, unfinished: true }))];
    return lines.slice(Math.max(0, lines.length - count));
  }

  /**
   * Passes all further output of a service to the listener. The listener must not block and must not change the bytes of a
   * block. Returns the function that removes the listener.
   */
  follow(service: string, listener: (block: LogBlock) => void): () => void {
    const followers = this.#followers.get(service) ?? new Set();
    this.#followers.set(service, followers);
    followers.add(listener);
    return () => followers.delete(listener);
  }

  /**
   * Opens every log file again at its path, after a program such as logrotate has moved it. Resolves when no more bytes are
   * written to the old files, or after REOPENING if a disk hangs.
   */
  async reopenFiles(): Promise<void> {
    const reopened = Promise.all([...this.#files.values()].map((file) => file.reopen()));
    const timeout = Promise.withResolvers<void>();
    const cancel = this.#clock.after(REOPENING, timeout.resolve);
    await Promise.race([reopened, timeout.promise]);
    cancel();
  }

  /** Resolves when every stream has been read to its end. */
  async ended(): Promise<void> {
    await Promise.all([...this.#attached].map(({ finished }) => finished));
  }

  /**
   * Call it at the end of the supervisor: resolves when every stream has ended and everything is written. Stops the
   * compression of rotated files, so some may stay uncompressed.
   */
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
    // If the event loop is late, the pipes may hold bytes that were not read in time: they are read in the next turns.
    const closeAfter = (turns: number): void => {
      if (!isSilent()) this.#closeWhenSilent(attached);
      else if (turns > 0) this.#clock.soon(() => closeAfter(turns - 1));
      else for (const source of attached.sources) void source.close();
    };
    closeAfter(TURNS);
  }

  #ring(service: string): Ring {
    const found = this.#rings.get(service) ?? new Ring(RING_BYTES);
    this.#rings.set(service, found);
    return found;
  }

  /** Returns the sink of a log file. It is kept from run to run, so that each path has one writer. */
  #holdFile(service: string, style: FileStyle): FileSink {
    const found = this.#files.get(style.path) ?? this.#openFile(service, style);
    this.#files.set(style.path, found);
    found.hold(style);
    return found;
  }

  /** Loads the modules for log files here, because few services have a log file and loading would delay the first start. */
  #openFile(service: string, style: FileStyle): FileSink {
    const { FileSink } = require('./sinks-file.ts') as typeof import('./sinks-file.ts');
    const { Compressor } = require('./sinks-compress.ts') as typeof import('./sinks-compress.ts');
    this.#compressor ??= new Compressor(this.#clock);
    return new FileSink(style, this.#clock, this.#compressor, (text) => this.#report(service, text));
  }

  /** `readAt`: when the bytes that are framed were read, milliseconds of wall time. */
  #frame({ service, stream, style }: StreamOptions, prefix: string, readAt: () => number): Frame {
    if (style.format === 'text') return new TextFrame(prefix, this.#pool, style.time ? readAt : null);
    return new JsonFrame(service, stream, style.merge, readAt);
  }

  #count(service: string, stream: 'stdout' | 'stderr'): StreamCounts {
    const none = () => ({ lines: 0, bytes: 0, dropped: 0, cuts: 0 });
    const found = this.counts.get(service) ?? { stdout: none(), stderr: none() };
    this.counts.set(service, found);
    return found[stream];
  }

  async #read(options: StreamOptions, source: ByteSource, attached: Attached): Promise<void> {
    const pump = this.#makePump(options);
    const drain = () => pump.drain(source);
    attached.drains.add(drain);
    for (let chunk = await source.read(); chunk !== null; chunk = await source.read()) {
      attached.busy += 1;
      pump.take(chunk);
      // While a stream waits for room, it holds a copy of its lines, and not the chunk.
      await pump.pass();
      if (this.#turn !== null || this.#burst >= BURST) await this.#yieldTurn();
      attached.busy -= 1;
      attached.silentSince = this.#clock.now();
    }
    attached.drains.delete(drain);
    attached.busy += 1;
    await pump.end();
    attached.busy -= 1;
  }

  #makePump(options: StreamOptions): Pump {
    const { service, stream, style, watcher, isTakenOver } = options;
    // The time of a line is when its end was read from the pipe, however much later it is written or asked for.
    let readAt = this.#clock.wall();
    const prefix = style.prefix && style.format === 'text' ? this.prefix(service, stream) : '';
    const ring = this.#ring(service);
    const frame = this.#frame(options, prefix, () => readAt);
    const fileStyle = stream === 'stderr' ? (style.stderrFile ?? style.file) : style.file;
    const file = fileStyle === null ? null : this.#holdFile(service, fileStyle);
    // A log file contains the lines of one service, so they need no prefix. Without a prefix both get the same bytes.
    const fileFrame =
      file === null || prefix === '' ? null : new TextFrame('', this.#pool, style.time ? () => readAt : null);
    const take = fileFrame === null ? frame.take : passToBoth(frame.take, fileFrame.take);
    // Patterns are matched against the line that users see, without escape sequences.
    const splitter = new LineSplitter(stripLines(watchLines(dropLines(take, style.drop), watcher), style.ansi));
    return new Pump({
      sink: this.#sinks[stream],
      whenFull: style.whenFull,
      splitter,
      unfinished: new Unfinished(
        this.#clock,
        splitter,
        this.#showing(options, prefix, () => readAt),
      ),
      frame,
      file,
      fileFrame,
      counts: this.#count(service, stream),
      isTakenOver,
      arrived: (size) => {
        this.#burst += size;
        readAt = this.#clock.wall();
        watcher.progressed?.();
      },
      show: (bytes) => {
        const block: LogBlock = { bytes, time: readAt, stream, prefix: lengthBefore(prefix, style) };
        ring.push(block);
        this.#printed.add(service);
        this.printed?.();
        const followers = this.#followers.get(service);
        for (const listener of followers ?? []) listener(block);
        // A follower may keep the bytes; the ring has copied them.
        return (followers?.size ?? 0) > 0;
      },
    });
  }

  /**
   * Returns the function that shows an unfinished line: it tries `log` probes on the line, adds it to `logs` and the
   * post-mortem after the whole lines, and passes it to followers. It skips what the patterns of `log.drop` match.
   */
  #showing(options: StreamOptions, prefix: string, readAt: () => number): (text: Uint8Array | null) => void {
    const { service, stream, style, watcher } = options;
    let shown: LogBlock | null = null;
    return (text) => {
      const blocks = this.#unfinished.get(service) ?? new Set();
      if (shown !== null) blocks.delete(shown);
      shown = null;
      if (text === null) return;
      const frame = this.#frame(options, prefix, readAt);
      const take = stripLines(watchLines(dropLines(frame.take, style.drop), watcher), style.ansi);
      take(text, 0, text.length, false);
      const bytes = frame.flush();
      if (bytes.length === 0) return;
      shown = { bytes, time: readAt(), stream, prefix: lengthBefore(prefix, style) };
      this.#unfinished.set(service, blocks.add(shown));
      for (const listener of this.#followers.get(service) ?? []) listener(shown);
    };
  }

  /** If streams have used SLICE, waits for the next turn of the event loop, so that signals, probes and requests are handled in time. */
  #yieldTurn(): Promise<void> | null {
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

/** The bytes of a block before each line: its prefix and its time. */
function lengthBefore(prefix: string, { format, time }: LogStyle): number {
  return Buffer.byteLength(prefix) + (time && format === 'text' ? TIME_LENGTH : 0);
}

function widthOf(names: readonly string[]): number {
  return Math.min(24, Math.max(...names.map((name) => name.length)));
}
