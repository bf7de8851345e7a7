// The program that the tests of src/platform run in Bun and in Node: `write BYTES` sends bytes through a sink to standard
// output, `read CASE PATH` reads a named pipe. Reports results as JSON on standard error; checks nothing.
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { makeSinks } from '../../src/logs/sinks.ts';
import { inspectDescriptor } from '../../src/platform/descriptors.ts';
import { openReader, type Reader } from '../../src/platform/input.ts';
import { openOutput } from '../../src/platform/output.ts';
import { makeClock } from '../../src/ports.ts';

const { O_RDWR, O_NONBLOCK } = fs.constants;

const clock = makeClock();
const sleep = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));
const turn = () => new Promise<void>((resolve) => clock.soon(resolve));
const descriptorCount = () => fs.readdirSync('/proc/self/fd').length;
const sha256 = () => createHash('sha256');

/** The flags of standard output's open file description, which others share: proc_pid_fdinfo(5). */
function flags(): string {
  return /^flags:\s*(\S+)$/m.exec(fs.readFileSync('/proc/self/fdinfo/1', 'utf8'))?.[1] ?? '';
}

/** Pseudo-random numbers, the same in each run. */
function* numbers(): Generator<number> {
  for (let state = 1; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state;
  }
}

async function write(total: number): Promise<object> {
  const seen = new Set([flags()]);
  const { stdout } = makeSinks((fd) => openOutput(fd, clock));
  const hash = sha256();
  const random = numbers();
  const next = () => random.next().value as number;
  let sent = 0;
  while (sent < total) {
    if (stdout.isFull) {
      seen.add(flags());
      await stdout.room();
    }
    if (next() % 16 === 0) await turn();
    // Many short pieces, and a few that are larger than a pipe.
    const size = Math.min(total - sent, 1 + (next() % (next() % 8 === 0 ? 200_000 : 3_000)));
    const bytes = Buffer.alloc(size, `${next()} `);
    hash.update(bytes);
    stdout.write(bytes, () => bytes.fill('!'));
    sent += size;
  }
  await stdout.drained();
  seen.add(flags());
  const { maxRSS } = process.resourceUsage();
  return {
    kind: inspectDescriptor(1).kind,
    sha256: hash.digest('hex'),
    flags: [...seen],
    written: stdout.written,
    maxRSS,
  };
}

/** Writes `total` bytes into a pipe; gives up after `patience` milliseconds without room. Returns how many were written. */
async function fill(fd: number, total: number, patience: number, chunk: () => Uint8Array): Promise<number> {
  let sum = 0;
  for (let waited = 0; sum < total && waited < patience; ) {
    const bytes = chunk();
    for (let rest = bytes; rest.length > 0 && waited < patience; ) {
      try {
        const count = fs.writeSync(fd, rest);
        rest = rest.subarray(count);
        sum += count;
        waited = 0;
      } catch {
        await sleep(1);
        waited += 1;
      }
    }
    await turn();
  }
  return sum;
}

const CASES: Readonly<Record<string, (path: string, writer: number) => Promise<object>>> = {
  /** Reads all bytes, until the writer closes. */
  async whole(path, writer) {
    const reader = openReader(path);
    const [theirs, ours] = [sha256(), sha256()];
    const random = numbers();
    const filling = fill(writer, 30_000_000, 10_000, () => {
      const bytes = Buffer.alloc(1 + ((random.next().value as number) % 100_000), `${random.next().value} `);
      theirs.update(bytes);
      return bytes;
    }).then(() => fs.closeSync(writer));
    for (let bytes = await reader.read(); bytes !== null; bytes = await reader.read()) ours.update(bytes);
    await filling;
    return { isSame: theirs.digest('hex') === ours.digest('hex'), after: await reader.read() };
  },

  /** Reports how many bytes can be written after one byte was read, while no read() is pending. */
  async onDemand(path, writer) {
    const reader = openReader(path);
    fs.writeSync(writer, 'x');
    await reader.read();
    const taken = await fill(writer, 10_000_000, 200, () => Buffer.alloc(4_096));
    await reader.close();
    return { taken };
  },

  /** Reads numbered bytes with read() and readNow() in a pseudo-random order. */
  async mixed(path, writer) {
    const reader = openReader(path);
    const random = numbers();
    let next = 0;
    let written = 0;
    const total = 3_000_000;
    const filling = fill(writer, total, 10_000, () => {
      const bytes = new Uint8Array(1 + ((random.next().value as number) % 30_000));
      for (let at = 0; at < bytes.length; at += 1) bytes[at] = written++ % 251;
      return bytes;
    }).then(() => fs.closeSync(writer));
    const counts = { wrong: 0, now: 0, nowWhilePending: 0 };
    const take = (bytes: Uint8Array) => {
      for (const byte of bytes) if (byte !== next++ % 251) counts.wrong += 1;
    };
    let isPending = false;
    let isOver = false;
    const readOnce = async () => {
      isPending = true;
      const bytes = await reader.read();
      isPending = false;
      if (bytes === null) isOver = true;
      else take(bytes);
    };
    while (!isOver) {
      const bytes = reader.readNow();
      if (bytes !== null) {
        counts.now += 1;
        if (isPending) counts.nowWhilePending += 1;
        take(bytes);
      }
      if (!isPending && (random.next().value as number) % 3 === 0) void readOnce();
      if (!isPending && bytes === null) await readOnce();
      await turn();
    }
    await filling;
    return { ...counts, isComplete: next === written };
  },

  async close(path, writer) {
    const reader = openReader(path);
    const pending = reader.read();
    await sleep(20);
    await reader.close();
    await reader.close();
    const unused = openReader(path);
    await unused.close();
    fs.closeSync(writer);
    return { pending: await pending, after: await reader.read(), now: reader.readNow(), unused: await unused.read() };
  },

  async leaks(path, writer) {
    const use = async (round: number) => {
      const reader: Reader = openReader(path);
      if (round % 3 > 0) {
        fs.writeSync(writer, 'x');
        await reader.read();
      }
      if (round % 3 > 1) {
        reader.readNow();
        const pending = reader.read();
        await turn();
        void pending;
      }
      await reader.close();
    };
    await use(2);
    await sleep(50);
    const before = descriptorCount();
    for (let round = 0; round < 300; round += 1) await use(round);
    for (let waited = 0; descriptorCount() > before && waited < 100; waited += 1) await sleep(20);
    return { more: descriptorCount() - before };
  },
};

const [, , mode, what = '', path = ''] = process.argv;
const report =
  mode === 'write' ? await write(Number(what)) : await CASES[what]?.(path, fs.openSync(path, O_RDWR | O_NONBLOCK));
fs.writeSync(2, `${JSON.stringify(report)}\n`);
process.exit(0);
