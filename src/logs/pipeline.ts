// From a service's pipes to the sinks: reads, splits into lines, looks for what `log` probes want, remembers the latest,
// writes. When a sink is full the stream is not read (`block`: its pipe fills and slows the service) or its lines are
// counted and dropped (`drop`). One slow reader never holds up anything but the services that write to it.
import type { Clock } from '../ports.ts';
import { type Frame, JsonFrame, renderPrefix, Spares, TextFrame } from './frame.ts';
import { LineSplitter } from './lines.ts';
import { both, dropping, type Pattern, stripping, type Watcher, watched } from './passing.ts';
import { type Block, linesOf, Ring, type RingLine } from './ring.ts';
import type { Sink } from './sinks.ts';
import type { Compressor } from './sinks-compress.ts';
import type { FileSink, FileStyle } from './sinks-file.ts';
import { Unfinished } from './unfinished.ts';

/** What a stream's bytes come from. */
export interface ByteSource {
  /** The next bytes; null at the end. */
  read(): Promise<Uint8Array | null>;
  /** What there is at this moment; null if nothing. */
  readNow(): Uint8Array | null;
  close(): Promise<void>;
}

export interface LogStyle {
  readonly prefix: boolean;
  readonly format: 'text' | 'json';
  readonly whenFull: 'block' | 'drop';
  readonly ansi: 'keep' | 'strip';
  readonly merge: boolean;
  /** A line that one of them matches goes nowhere. */
  readonly drop: readonly Pattern[];
  readonly file: FileStyle | null;
}

const RING_BYTES = 64 * 1024;
/** Streams that always have more would keep the event loop from everything else: it turns after this long, milliseconds. */
const SLICE = 2;
/** As often the clock is looked at, bytes: a stream that says little turns no loop. */
const BURST = 64 * 1024;
/** As much is taken in at once at the end of a process, bytes: as much as its pipe may hold (pipe(7)). */
const MOST_DRAINED = 1024 * 1024;
/** The longest that whoever has moved the log files waits for the last piece, milliseconds. */
const REOPENING = 2_000;
/** A stream that is silent this long after its run's last process has gone is held open by a stranger, milliseconds. */
const SILENCE = 500;
/** Turns of the event loop after which a pipe that has something has been read, however busy the loop is. */
const TURNS = 3;

/** Two streams that are read. */
export interface Attachment {
  /**
   * Takes in what the pipes hold at this moment, as far as there is room: what a process has printed comes before its end. To
   * be called from a timer or an event (platform/input.ts, readNow).
   */
  drain(): void;
  /** Ends the reading once the streams are silent, even where a stranger holds them open. */
  release(): void;
}

interface Attached {
  readonly sources: readonly ByteSource[];
  /** Of each stream that has not ended: takes in what its pipe holds now. */
  readonly drains: Set<() => void>;
  finished: Promise<unknown>;
  /** How many streams have bytes in hand: they wait for room or for their turn, and their pipes may be full. */
  busy: number;
  /** Since when none has. */
  silentSince: number;
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
  /** Text without a newline that has been shown, by service: at most one block a stream. */
  readonly #unfinished = new Map<string, Set<Block>>();
  readonly #files = new Map<string, FileSink>();
  /** Made for the first file. */
  #compressor: Compressor | null = null;
  readonly #say: (service: string, text: string) => void;
  readonly #spares = new Spares();
  readonly #attached = new Set<Attached>();
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

  /** Reads two streams of a service to their ends. */
  attach(service: string, style: LogStyle, stdout: ByteSource, stderr: ByteSource, watcher: Watcher): Attachment {
    const attached: Attached = {
      sources: [stdout, stderr],
      drains: new Set(),
      finished: Promise.resolve(),
      busy: 0,
      silentSince: this.#clock.now(),
    };
    this.#attached.add(attached);
    attached.finished = Promise.all([
      this.#pump(service, 'stdout', style, stdout, watcher, attached),
      this.#pump(service, 'stderr', style, stderr, watcher, attached),
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

  /** Bytes that have left so far. */
  get written(): number {
    const { stdout, stderr } = this.#sinks;
    return stdout === stderr ? stdout.written : stdout.written + stderr.written;
  }

  /** The last lines of a service that are still there, whichever run wrote them. */
  tail(service: string, count: number): readonly RingLine[] {
    return this.#tail(service, count, 'all runs');
  }

  /** Lines that have ended, then the text that has not. */
  #tail(service: string, count: number, of: 'latest run' | 'all runs'): readonly RingLine[] {
    const ended = this.#rings.get(service)?.tail(count, of) ?? [];
    const unfinished = [...(this.#unfinished.get(service) ?? [])].flatMap(linesOf);
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
    const frame = this.#frame(service, stream, style, prefix);
    const file = style.file === null ? null : this.#holdFile(service, style.file);
    // A file that holds one service's lines needs no prefix; without one both are the same bytes.
    const fileFrame = file === null || prefix === '' ? null : new TextFrame('', this.#spares);
    const take = fileFrame === null ? frame.take : both(frame.take, fileFrame.take);
    // Patterns see what people see: a line without what is stripped from it.
    const splitter = new LineSplitter(stripping(watched(dropping(take, style.drop), watcher), style.ansi));
    const unfinished = new Unfinished(this.#clock, splitter, this.#showing(service, stream, style, prefix, watcher));
    const counts = this.#count(service, stream);
    let dropped = 0;
    const put = (bytes: Uint8Array, done?: () => void): void => {
      if (dropped > 0) sink.write(noticeOf(frame, dropped));
      dropped = 0;
      sink.write(bytes, done);
    };
    /** Hands on what the splitter has made; what has to wait for room is returned. */
    const deliver = (): Uint8Array | null => {
      const bytes = frame.flush();
      if (bytes.length === 0) return null;
      file?.write(fileFrame?.flush() ?? bytes);
      const block: Block = { bytes, time: this.#clock.wall(), stream, prefix: Buffer.byteLength(prefix) };
      ring.push(block);
      const followers = this.#followers.get(service);
      for (const listener of followers ?? []) listener(block);
      if (sink.isFull && style.whenFull === 'drop') {
        const lost = countLines(bytes);
        dropped += lost;
        counts.dropped += lost;
        return null;
      }
      // Memory that somebody else holds on to is not written into again.
      const kept = (file !== null && fileFrame === null) || (followers?.size ?? 0) > 0;
      const recycle = kept ? undefined : () => frame.recycle(bytes);
      if (!sink.isFull) {
        put(bytes, recycle);
        return null;
      }
      // Hundreds may wait here: each with no more than it has to say.
      const held = new Uint8Array(bytes);
      recycle?.();
      return held;
    };
    let isWaiting = false;
    const pass = async (): Promise<void> => {
      const held = deliver();
      if (held === null) return;
      isWaiting = true;
      await whenRoom(sink, () => put(held));
      isWaiting = false;
    };
    const takeIn = (chunk: Uint8Array): void => {
      watcher.progressed?.();
      splitter.push(chunk);
      unfinished.changed();
      counts.bytes += chunk.length;
      counts.lines += splitter.lines;
      splitter.lines = 0;
      this.#burst += chunk.length;
    };
    const drain = (): void => {
      for (let taken = 0; taken < MOST_DRAINED && !isWaiting && (!sink.isFull || style.whenFull === 'drop'); ) {
        const chunk = source.readNow();
        if (chunk === null) {
          unfinished.showNow();
          return;
        }
        taken += chunk.length;
        takeIn(chunk);
        const held = deliver();
        if (held !== null) put(held);
      }
    };
    attached.drains.add(drain);
    for (let chunk = await source.read(); chunk !== null; chunk = await source.read()) {
      attached.busy += 1;
      takeIn(chunk);
      // Nothing refers to the chunk from here on: who waits for room holds what is to be written, and no more.
      await pass();
      if (this.#turn !== null || this.#burst >= BURST) await this.#takeTurns();
      attached.busy -= 1;
      attached.silentSince = this.#clock.now();
    }
    attached.drains.delete(drain);
    attached.busy += 1;
    splitter.end();
    unfinished.end();
    counts.lines += splitter.lines;
    await pass();
    file?.release();
    if (dropped > 0) await whenRoom(sink, () => sink.write(noticeOf(frame, dropped)));
    attached.busy -= 1;
  }

  /**
   * What becomes of text without a newline: `log` probes are tried on it, `logs` and the post-mortem find it behind the last
   * line, followers get it once. What `drop` matches is left out.
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

/** Room is told to all who wait, and the first of them may fill it: each looks and writes in one go. */
async function whenRoom(sink: Sink, write: () => void): Promise<void> {
  while (sink.isFull) await sink.room();
  write();
}

function widthOf(names: readonly string[]): number {
  return Math.min(24, Math.max(...names.map((name) => name.length)));
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
