// The pipeline with fake streams and sinks: how streams share the event loop and the room of a sink, and when a stream counts
// as silent. The test moves the clock; turns of the event loop are real.
import { describe, expect, test } from 'bun:test';
import { LONGEST_LINE } from '../../src/logs/lines.ts';
import type { Watcher } from '../../src/logs/passing.ts';
import { Pipeline } from '../../src/logs/pipeline.ts';
import type { ByteSource, LogStyle } from '../../src/logs/pump.ts';
import type { Sink } from '../../src/logs/sinks.ts';
import { compilePattern } from '../../src/plan/pattern.ts';
import type { Clock } from '../../src/ports.ts';

const STYLE: LogStyle = {
  prefix: true,
  format: 'text',
  time: false,
  whenFull: 'block',
  ansi: 'keep',
  merge: true,
  drop: [],
  file: null,
  stderrFile: null,
};
const WATCHER: Watcher = { patterns: new Map(), matched: () => undefined, progressed: null };

/** advance() calls the timers that are due; soon() uses the real event loop. */
class HandClock implements Clock {
  #now = 0;
  #due: { readonly at: number; readonly fn: () => void }[] = [];
  now = () => this.#now;
  wall = () => this.#now;
  soon = (fn: () => void) => void setImmediate(fn);
  after(ms: number, fn: () => void) {
    const timer = { at: this.#now + ms, fn };
    this.#due.push(timer);
    return () => {
      this.#due = this.#due.filter((other) => other !== timer);
    };
  }
  get armed(): number {
    return this.#due.length;
  }
  advance(ms: number): void {
    this.#now += ms;
    const due = this.#due.filter(({ at }) => at <= this.#now);
    this.#due = this.#due.filter(({ at }) => at > this.#now);
    for (const { fn } of due) fn();
  }
}

/** Accepts everything; is full if the test sets that. */
class MemorySink {
  readonly isTerminal = false;
  readonly lines: string[] = [];
  written = 0;
  room_ = 0;
  limited = false;
  #waiting: (() => void)[] = [];
  get isFull(): boolean {
    return this.limited && this.room_ <= 0;
  }
  write(bytes: Uint8Array, done?: () => void): void {
    this.room_ -= 1;
    this.lines.push(...Buffer.from(bytes).toString().trimEnd().split('\n'));
    done?.();
  }
  room(): Promise<void> {
    return this.isFull ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }
  /** Acts as if a reader had taken that many pieces. */
  admit(pieces: number): void {
    this.room_ = pieces;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
  drained = () => Promise.resolve();
}

/** Returns `name n` immediately from each read, until stop() is called. */
class Chatter implements ByteSource {
  readNow = () => null;
  over = false;
  #count = 0;
  readonly #name: string;
  constructor(name: string) {
    this.#name = name;
  }
  async read(): Promise<Uint8Array | null> {
    this.#count += 1;
    return this.over ? null : Buffer.from(`${this.#name} ${this.#count}\n${'.'.repeat(50_000)}\n`);
  }
  close(): Promise<void> {
    this.over = true;
    return Promise.resolve();
  }
}

/** Returns these texts, then the end. */
class Said implements ByteSource {
  readonly #chunks: Uint8Array[];
  readNow = () => null;
  constructor(...texts: readonly string[]) {
    this.#chunks = texts.map((text) => Buffer.from(text));
  }
  read = async (): Promise<Uint8Array | null> => this.#chunks.shift() ?? null;
  close = (): Promise<void> => Promise.resolve();
}

/** Returns a text at once, and further texts when say() is called. */
class Spoken implements ByteSource {
  #next = Promise.withResolvers<Uint8Array | null>();
  readNow = () => null;
  constructor(text: string) {
    this.say(text);
  }
  say(text: string): void {
    this.#next.resolve(Buffer.from(text));
  }
  async read(): Promise<Uint8Array | null> {
    const said = await this.#next.promise;
    this.#next = Promise.withResolvers();
    return said;
  }
  close(): Promise<void> {
    this.#next.resolve(null);
    return Promise.resolve();
  }
}

class Silent implements ByteSource {
  readNow = () => null;
  readonly #end = Promise.withResolvers<null>();
  read = (): Promise<null> => this.#end.promise;
  close(): Promise<void> {
    this.#end.resolve(null);
    return Promise.resolve();
  }
}

/** Has one more piece, which is available in the next turn of the event loop. */
class Late implements ByteSource {
  readNow = () => null;
  #left = 1;
  readonly #closed = Promise.withResolvers<null>();
  #ask = Promise.withResolvers<void>();
  /** Simulates a late event loop: time has passed, and the piece is read in this turn. */
  arrive = () => this.#ask.resolve();
  async read(): Promise<Uint8Array | null> {
    if (this.#left === 0) return this.#closed.promise;
    const arrived = this.#ask.promise.then(
      () => new Promise<Uint8Array>((resolve) => setImmediate(() => resolve(Buffer.from('late\n')))),
    );
    const found = await Promise.race([arrived, this.#closed.promise]);
    this.#left = 0;
    return found;
  }
  close(): Promise<void> {
    this.#closed.resolve(null);
    return Promise.resolve();
  }
}

function rig(...names: readonly string[]) {
  const clock = new HandClock();
  const [stdout, stderr] = [new MemorySink(), new MemorySink()];
  const sinks = { stdout: stdout as unknown as Sink, stderr: stderr as unknown as Sink };
  const pipeline = new Pipeline(clock, sinks, names, () => undefined);
  const attach = (name: string, source: ByteSource) => pipeline.attach(name, STYLE, source, new Silent(), WATCHER);
  return { clock, stdout, pipeline, attach };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** How many pieces of each stream were written. */
const pieces = ({ lines }: MemorySink, name: string) => lines.filter((line) => line.includes(`| ${name} `)).length;

describe('streams that always have bytes', () => {
  test('let other events run in between', async () => {
    const { clock, attach, stdout } = rig('a');
    // The clock advances with each read: a slice ends after a few pieces.
    const source = new Chatter('a');
    const read = source.read.bind(source);
    source.read = () => {
      clock.advance(1);
      return read();
    };
    const silence = attach('a', source);
    // Reached only if the stream yields the event loop.
    for (let turns = 0; turns < 5; turns += 1) await turn();
    source.over = true;
    silence.release();
    expect(pieces(stdout, 'a')).toBeGreaterThan(0);
  });

  test('alternate within a turn, piece by piece', async () => {
    const { clock, attach, stdout } = rig('a', 'b', 'c');
    const sources = ['a', 'b', 'c'].map((name) => new Chatter(name));
    for (const source of sources) {
      const read = source.read.bind(source);
      source.read = () => {
        clock.advance(0.1);
        return read();
      };
    }
    for (const [at, name] of ['a', 'b', 'c'].entries()) attach(name, sources[at] as Chatter);
    for (let turns = 0; turns < 20; turns += 1) await turn();
    for (const source of sources) source.over = true;
    await turn();
    const counts = ['a', 'b', 'c'].map((name) => pieces(stdout, name));
    expect(Math.min(...counts)).toBeGreaterThan(20);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
  });

  test('share the room of a full sink; each writes at most one piece beyond it', async () => {
    const names = Array.from({ length: 50 }, (_, n) => `s${n}`);
    const { attach, stdout } = rig(...names);
    stdout.limited = true;
    const sources = names.map((name) => new Chatter(name));
    for (const [at, name] of names.entries()) attach(name, sources[at] as Chatter);
    await turn();
    expect(stdout.lines).toEqual([]);
    for (let round = 0; round < 100; round += 1) {
      const before = stdout.lines.length;
      stdout.admit(5);
      await turn();
      // Each piece has two lines.
      expect(stdout.lines.length - before).toBe(10);
    }
    const counts = names.map((name) => pieces(stdout, name));
    expect([Math.min(...counts), Math.max(...counts)]).toEqual([10, 10]);
    for (const source of sources) source.over = true;
    stdout.limited = false;
    stdout.admit(1);
  });
});

describe('log.time', () => {
  test('is before each line of the output; `logs` and the post-mortem have the time of a line themselves', async () => {
    const { pipeline, stdout } = rig('a');
    pipeline.attach('a', { ...STYLE, time: true }, new Said('one\ntwo\n'), new Said(), WATCHER);
    await pipeline.drained();
    const time = '1970-01-01T00:00:00.000Z';
    expect(stdout.lines).toEqual([`a         | ${time} one`, `a         | ${time} two`]);
    expect(pipeline.tailOfRun('a', 9)).toEqual(['one', 'two']);
  });
});

describe('log.drop', () => {
  /** The lines that are written for that output with that style, without a prefix. */
  async function printed(style: Partial<LogStyle>, text: string, watcher = WATCHER): Promise<readonly string[]> {
    const { pipeline, stdout } = rig('a');
    pipeline.attach('a', { ...STYLE, prefix: false, ...style }, new Said(text), new Said(), watcher);
    await pipeline.drained();
    return stdout.lines;
  }
  const coloured = '\x1b[31mDEBUG\x1b[0m secret\nINFO \x1b[1mready\x1b[0m now\n';

  test('matches the line that is printed: without its colours if they are stripped', async () => {
    const drop = [/^DEBUG secret/];
    expect(await printed({ drop, ansi: 'strip' }, coloured)).toEqual(['INFO ready now']);
    expect(await printed({ drop, ansi: 'keep' }, coloured)).toEqual(coloured.trimEnd().split('\n'));
    expect(await printed({ drop: [/^.\[31mDEBUG/], ansi: 'keep' }, coloured)).toHaveLength(1);
  });

  test('a `log` probe matches the same text, and dropped lines too', async () => {
    for (const [ansi, seen] of [
      ['strip', [0, 1]],
      ['keep', [2]],
    ] as const) {
      const found: number[] = [];
      const patterns = new Map([/^DEBUG secret$/, /^INFO ready now$/, /^INFO .\[1m/].entries());
      await printed({ drop: [/DEBUG/], ansi }, coloured, {
        patterns,
        matched: (index) => void found.push(index),
        progressed: null,
      });
      expect(found).toEqual([...seen]);
    }
  });

  test('keeps or drops all pieces of a line, depending on the first', async () => {
    const long = 'x'.repeat(2 * LONGEST_LINE);
    const text = `DEBUG ${long}\nINFO ${long} DEBUG\nDEBUG short\nend\n`;
    const lines = await printed({ drop: [/DEBUG/] }, text);
    expect(lines.map((line) => line.replace(' [...]', '')).join('')).toBe(`INFO ${long} DEBUGend`);
    expect(lines).toHaveLength(4);
  });
});

/** Its pipe holds text that no read() has returned. */
class Holding implements ByteSource {
  held: string[] = [];
  readonly #end = Promise.withResolvers<null>();
  read = (): Promise<null> => this.#end.promise;
  readNow(): Uint8Array | null {
    const text = this.held.shift();
    return text === undefined ? null : Buffer.from(text);
  }
  close(): Promise<void> {
    this.#end.resolve(null);
    return Promise.resolve();
  }
}

describe('when a main process has ended', () => {
  test('the bytes in its pipe are read at once, and patterns are matched', () => {
    const { pipeline, stdout } = rig('a');
    const source = new Holding();
    const seen: number[] = [];
    const patterns = new Map([[0, compilePattern('UP')]]);
    const watcher = { patterns, matched: (index: number) => void seen.push(index), progressed: null };
    const attached = pipeline.attach('a', STYLE, source, new Silent(), watcher);
    source.held = ['one\nU', 'P\n'];
    attached.drain();
    expect([stdout.lines, seen]).toEqual([['a         | one', 'a         | UP'], [0]]);
    attached.release();
  });

  test('the bytes stay in the pipe if the sink has no room', () => {
    const { pipeline, stdout } = rig('a');
    stdout.limited = true;
    const source = new Holding();
    const attached = pipeline.attach('a', STYLE, source, new Silent(), WATCHER);
    source.held = Array.from({ length: 100 }, () => `${'.'.repeat(60_000)}\n`);
    attached.drain();
    expect(source.held.length).toBeGreaterThan(80);
    attached.release();
  });
});

describe('text without a newline', () => {
  const watching = (pattern: RegExp) => {
    const matched: number[] = [];
    const watcher = {
      patterns: new Map([[0, pattern]]),
      matched: (index: number) => matched.push(index),
      progressed: null,
    };
    return { matched, watcher: watcher as Watcher };
  };
  const texts = (lines: readonly { readonly text: string }[]) => lines.map(({ text }) => text);

  test('is shown after half a second: to a `log` probe, `logs`, followers and the post-mortem', async () => {
    const { clock, stdout, pipeline } = rig('a');
    const { matched, watcher } = watching(/Listening/);
    const followed: string[] = [];
    pipeline.follow('a', ({ bytes }) => followed.push(Buffer.from(bytes).toString()));
    pipeline.attach('a', STYLE, new Spoken('begin\nListening'), new Silent(), watcher);
    await turn();
    clock.advance(499);
    expect([matched, texts(pipeline.tail('a', 9))]).toEqual([[], ['begin']]);
    clock.advance(1);
    expect(pipeline.tail('a', 0)).toEqual([]);
    expect(pipeline.tail('a', 2).map(({ unfinished }) => unfinished)).toEqual([undefined, true]);
    expect([matched, texts(pipeline.tail('a', 9)), pipeline.tailOfRun('a', 1)]).toEqual([
      [0],
      ['begin', 'Listening'],
      ['Listening'],
    ]);
    expect(followed).toEqual(['a         | begin\n', 'a         | Listening\n']);
    // Standard output gets whole lines only.
    expect(stdout.lines).toEqual(['a         | begin']);
  });

  test('is shown once after its line has been finished', async () => {
    const { clock, stdout, pipeline, attach } = rig('a');
    const source = new Spoken('Listening');
    attach('a', source);
    await turn();
    clock.advance(500);
    source.say(' on 80\n');
    await turn();
    expect(texts(pipeline.tail('a', 9))).toEqual(['Listening on 80']);
    expect(stdout.lines).toEqual(['a         | Listening on 80']);
  });

  test('is not shown while more of it arrives, and needs one timer', async () => {
    const { clock, pipeline, attach } = rig('a');
    const source = new Spoken('.');
    attach('a', source);
    for (let dots = 2; dots < 6; dots += 1) {
      await turn();
      clock.advance(300);
      expect(clock.armed).toBe(1);
      expect(pipeline.tail('a', 1)).toEqual([]);
      source.say('.');
    }
    await turn();
    clock.advance(500);
    clock.advance(500);
    expect(texts(pipeline.tail('a', 1))).toEqual(['.....']);
    expect(clock.armed).toBe(0);
  });

  test('that `drop` matches is not shown', async () => {
    const { clock, pipeline } = rig('a');
    const style = { ...STYLE, drop: [/secret/] };
    pipeline.attach('a', style, new Spoken('a secret'), new Silent(), WATCHER);
    await turn();
    clock.advance(500);
    expect(pipeline.tail('a', 9)).toEqual([]);
  });

  test('is matched before the exit of its program is handled', async () => {
    const { pipeline } = rig('a');
    const { matched, watcher } = watching(/UP/);
    const attachment = pipeline.attach('a', STYLE, new Spoken('UP'), new Silent(), watcher);
    await turn();
    attachment.drain();
    expect(matched).toEqual([0]);
  });
});

describe('the time of a line is when it was read', () => {
  test('also of lines that came shortly after each other', async () => {
    const { clock, pipeline, attach } = rig('a');
    const source = new Spoken('at 0\n');
    attach('a', source);
    for (const [wait, text] of [
      [3, 'at 3\nat 3 too\n'],
      [4, 'at 7\n'],
    ] as const) {
      await turn();
      clock.advance(wait);
      source.say(text);
    }
    await turn();
    clock.advance(1_000);
    expect(pipeline.tail('a', 9).map(({ time, text }) => [time, text])).toEqual([
      [0, 'at 0'],
      [3, 'at 3'],
      [3, 'at 3 too'],
      [7, 'at 7'],
    ]);
  });

  test('of one that is shown unfinished, and that ends with its stream', async () => {
    const { clock, pipeline } = rig('a');
    const source = new Spoken('no newline');
    const style = { ...STYLE, format: 'json' as const };
    const followed: string[] = [];
    pipeline.follow('a', ({ bytes }) => followed.push(Buffer.from(bytes).toString()));
    pipeline.attach('a', style, source, new Silent(), WATCHER);
    await turn();
    clock.advance(500);
    expect(pipeline.tail('a', 9)).toMatchObject([{ time: 0 }]);
    clock.advance(9_000);
    await source.close();
    await turn();
    expect(pipeline.tail('a', 9)).toMatchObject([{ time: 0 }]);
    expect(followed.map((text) => JSON.parse(text).time)).toEqual(Array(2).fill('1970-01-01T00:00:00.000Z'));
  });
});

describe('when the last process of a run has ended', () => {
  test('a stream with unread bytes does not count as silent if the event loop is late', async () => {
    const { clock, attach, pipeline, stdout } = rig('a');
    const source = new Late();
    const gone = attach('a', source);
    await turn();
    gone.release();
    // Ten seconds have passed since the last turn of the loop; the piece is read in this turn.
    source.arrive();
    clock.advance(10_000);
    for (let turns = 0; turns < 10; turns += 1) await turn();
    expect(stdout.lines).toEqual(['a         | late']);
    for (let round = 0; round < 3; round += 1) {
      clock.advance(1_000);
      for (let turns = 0; turns < 10; turns += 1) await turn();
    }
    await pipeline.ended();
  });

  test('a stream that a process outside the run holds open is closed', async () => {
    const { clock, attach, pipeline } = rig('a');
    attach('a', new Silent()).release();
    clock.advance(600);
    for (let turns = 0; turns < 10; turns += 1) await turn();
    await pipeline.ended();
  });

  test('a stream that waits for room is not silent', async () => {
    const { clock, attach, pipeline, stdout } = rig('a');
    stdout.limited = true;
    const source = new Late();
    const gone = attach('a', source);
    source.arrive();
    for (let turns = 0; turns < 5; turns += 1) await turn();
    gone.release();
    for (let round = 0; round < 5; round += 1) {
      clock.advance(1_000);
      for (let turns = 0; turns < 5; turns += 1) await turn();
    }
    stdout.admit(1);
    for (let turns = 0; turns < 5; turns += 1) await turn();
    expect(stdout.lines).toEqual(['a         | late']);
    for (let round = 0; round < 3; round += 1) {
      clock.advance(1_000);
      for (let turns = 0; turns < 10; turns += 1) await turn();
    }
    await pipeline.ended();
  });
});
