// The queue in front of an output, with fake outputs: the order of writes, when a sink is full, and what happens after the
// reader has gone.
import { describe, expect, test } from 'bun:test';
import { makeSinks, Sink } from '../../src/logs/sinks.ts';
import type { Output } from '../../src/platform/output.ts';

const KIB = 1024;

/** Has room for that many bytes; admit() adds room. */
class FakeOutput implements Output {
  readonly isTerminal = false;
  readonly identity: string;
  room: number;
  text = '';
  writes = 0;
  #waiting: { readonly bytes: Uint8Array; readonly settled: PromiseWithResolvers<number> } | null = null;

  constructor(room: number, identity = 'pipe') {
    this.room = room;
    this.identity = identity;
  }

  write(bytes: Uint8Array): number | Promise<number> {
    if (this.#waiting !== null) throw new Error('one write at a time');
    if (this.room > 0) return this.#take(bytes);
    this.#waiting = { bytes, settled: Promise.withResolvers() };
    return this.#waiting.settled.promise;
  }

  async admit(size: number): Promise<void> {
    this.room += size;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.settled.resolve(this.#take(waiting.bytes));
    await turn();
  }

  async leave(): Promise<void> {
    this.#waiting?.settled.reject(Object.assign(new Error('broken pipe'), { code: 'EPIPE' }));
    await turn();
  }

  #take(bytes: Uint8Array): number {
    const count = Math.min(this.room, bytes.length);
    this.room -= count;
    this.writes += 1;
    this.text += Buffer.from(bytes.subarray(0, count)).toString('latin1');
    return count;
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const filled = (size: number, character: string) => Buffer.alloc(size, character);

/** Whether the promise has resolved by the next turn of the event loop. */
async function isResolved(promise: Promise<void>): Promise<boolean> {
  return Promise.race([promise.then(() => true), turn().then(() => false)]);
}

describe('while there is room', () => {
  test('bytes are written at once, and `done` is called', async () => {
    const output = new FakeOutput(100);
    const sink = new Sink(output);
    const free: string[] = [];
    sink.write(Buffer.from('one\n'), () => free.push('one'));
    sink.write(Buffer.from(''), () => free.push('nothing'));
    sink.write(Buffer.from('two\n'), () => free.push('two'));
    expect([output.text, free, sink.written]).toEqual(['one\ntwo\n', ['one', 'nothing', 'two'], 8]);
    await sink.drained();
    await sink.room();
  });
});

describe('while the reader is slow', () => {
  test('a piece that was written in part is continued before any other piece', async () => {
    const output = new FakeOutput(3);
    const sink = new Sink(output);
    const free: string[] = [];
    sink.write(Buffer.from('abcdef'), () => free.push('first'));
    sink.write(Buffer.from('ghi'), () => free.push('second'));
    expect([output.text, sink.written, free]).toEqual(['abc', 3, []]);
    await output.admit(2);
    expect([output.text, sink.written, free]).toEqual(['abcde', 5, []]);
    await output.admit(2);
    expect([output.text, free]).toEqual(['abcdefg', ['first']]);
    const drained = sink.drained();
    expect(await isResolved(drained)).toBe(false);
    await output.admit(100);
    expect([output.text, sink.written, free]).toEqual(['abcdefghi', 9, ['first', 'second']]);
    await drained;
  });

  test('it is full at 64 KiB and has room again below', async () => {
    const output = new FakeOutput(0);
    const sink = new Sink(output);
    sink.write(filled(63 * KIB, 'a'));
    expect(sink.isFull).toBe(false);
    await sink.room();
    sink.write(filled(KIB, 'b'));
    expect(sink.isFull).toBe(true);
    const rooms = [sink.room(), sink.room()];
    expect(await isResolved(Promise.race(rooms))).toBe(false);
    await output.admit(1);
    await Promise.all(rooms);
    expect(sink.isFull).toBe(false);
  });

  test("the supervisor's own lines are accepted up to 1 MiB", async () => {
    const output = new FakeOutput(0);
    const sink = new Sink(output);
    sink.write(filled(1023 * KIB, 'a'));
    expect(sink.offer(filled(KIB, 'b'))).toBe(true);
    expect(sink.offer(Buffer.from('c'))).toBe(false);
    await output.admit(2048 * KIB);
    expect(sink.written).toBe(1024 * KIB);
    expect(sink.offer(Buffer.from('d'))).toBe(true);
    expect(output.text.endsWith('bd')).toBe(true);
  });

  test('many short pieces are written together, in their order, and long ones as they are', async () => {
    const output = new FakeOutput(0);
    const sink = new Sink(output);
    sink.write(Buffer.from('first\n'));
    const lines = Array.from({ length: 2_000 }, (_, number) => `line ${number}\n`);
    let free = 0;
    for (const line of lines) sink.write(Buffer.from(line), () => (free += 1));
    sink.write(filled(100 * KIB, 'x'), () => (free += 1));
    sink.write(Buffer.from('last\n'), () => (free += 1));
    await output.admit(1024 * KIB);
    expect(output.text === `first\n${lines.join('')}${'x'.repeat(100 * KIB)}last\n`).toBe(true);
    expect([output.writes, free, sink.written]).toEqual([4, 2_002, output.text.length]);
  });

  test('bytes that are written when room() resolves come after the queued bytes', async () => {
    const output = new FakeOutput(0);
    const sink = new Sink(output);
    sink.write(filled(256 * KIB, 'a'));
    sink.write(Buffer.from('b'));
    void sink.room().then(() => sink.write(Buffer.from('c')));
    await output.admit(2);
    await output.admit(300 * KIB);
    expect(output.text.slice(-3)).toBe('abc');
  });
});

describe('when the reader has gone', () => {
  test('room() and drained() resolve, and both queued and later bytes are dropped', async () => {
    const output = new FakeOutput(0);
    const sink = new Sink(output);
    let free = 0;
    sink.write(filled(300 * KIB, 'a'), () => (free += 1));
    const waiting = [sink.room(), sink.drained()];
    await output.leave();
    await Promise.all(waiting);
    expect(free).toBe(0);
    // The memory of bytes that are dropped at once may be used again.
    sink.write(Buffer.from('later'), () => (free += 1));
    expect([sink.isFull, sink.written, free, output.text]).toEqual([false, 0, 1, '']);
    expect(sink.offer(Buffer.from('later'))).toBe(true);
    await Promise.all([sink.room(), sink.drained()]);
  });

  test('an error thrown at once has the same effect as a rejection', async () => {
    const output = new FakeOutput(0);
    output.write = () => {
      throw Object.assign(new Error('broken pipe'), { code: 'EPIPE' });
    };
    const sink = new Sink(output);
    sink.write(Buffer.from('a'));
    sink.write(Buffer.from('b'));
    await Promise.all([sink.room(), sink.drained()]);
    expect([sink.isFull, sink.written]).toEqual([false, 0]);
  });
});

test('two streams that lead to one place share a sink', () => {
  const one = makeSinks(() => new FakeOutput(10, 'terminal'));
  expect(one.stdout).toBe(one.stderr);
  const outputs = [new FakeOutput(10, 'pipe 1'), new FakeOutput(10, 'pipe 2')] as const;
  const two = makeSinks((fd) => outputs[fd === 1 ? 0 : 1]);
  two.stdout.write(Buffer.from('out'));
  two.stderr.write(Buffer.from('err'));
  expect(outputs.map(({ text }) => text)).toEqual(['out', 'err']);
});
