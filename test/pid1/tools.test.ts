// Short commands, with fake events of PID 1: their results, and that no process of a command is left when it has ended.
import { expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codeOf } from '../../src/linux/errno.ts';
import { Children } from '../../src/pid1/children.ts';
import { Pid1 } from '../../src/pid1/client.ts';
import { EVENT, REQUEST } from '../../src/pid1/protocol.ts';
import { runTool } from '../../src/pid1/tools.ts';
import type { ConnectionListener } from '../../src/platform/socket.ts';
import { makeClock } from '../../src/ports.ts';
import { INHERITED } from '../helpers/plans.ts';

const ENOENT = 2;
const EXEC = 12;
/** The default capacity of a pipe, bytes: pipe(7). */
const PIPE_SIZE = 65_536;
/** No process has this PID: it is above the largest pid_max, 2^22. */
const NO_PROCESS = 5_000_000;

function frame(type: number, ...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 + 4 * numbers.length);
  [4 + 4 * numbers.length, type, ...numbers].forEach((number, index) => void bytes.writeInt32LE(number, 4 * index));
  return bytes;
}

/** The types of the requests in a frame, including those in a batch. */
function typesOf(bytes: Buffer): number[] {
  if (bytes.length === 0) return [];
  const [end, type] = [4 + bytes.readUInt32LE(0), bytes.readUInt32LE(4)];
  const inner = type === REQUEST.batch ? typesOf(bytes.subarray(8, end)) : [type];
  return [...inner, ...typesOf(bytes.subarray(end))];
}

/** A fake PID 1, which sends only the events of the test; `sent` are the types of the requests. */
async function rig() {
  const clock = makeClock();
  const sent: number[] = [];
  let listener: ConnectionListener | null = null;
  const pid1 = new Pid1(process.pid, clock.soon, {
    received: () => undefined,
    turn: (take) => take(),
    reaped: () => undefined,
    lost: () => undefined,
  });
  await pid1.connect(async (given) => {
    listener = given;
    return { write: (bytes) => void sent.push(...typesOf(Buffer.from(bytes))), close: () => undefined };
  });
  const children = new Children({ clock, pid1, seed: 1, hasMarks: false, files: 1_024, env: {} });
  return { clock, sent, children, report: (bytes: Buffer) => listener?.data(bytes) };
}

const request = {
  spec: { argv: ['/no/such/program'], env: {}, cwd: null, attributes: INHERITED },
  runName: 'none',
  stopSignal: 'SIGTERM',
};

test('a command that cannot be executed has the exit code of a shell; a later abort does nothing', async () => {
  const { clock, sent, children, report } = await rig();
  const abort = new AbortController();
  const result = runTool(children, request, abort.signal);
  report(frame(EVENT.failed, 1, EXEC, ENOENT, 0));
  expect(await result).toMatchObject({
    code: 127,
    summary: expect.stringContaining('cannot execute /no/such/program'),
  });
  abort.abort();
  expect([sent, clock.armed]).toEqual([[REQUEST.spawn, REQUEST.release], 0]);
});

test('a character that arrives in two pieces is read as one', async () => {
  const { children, report } = await rig();
  const folder = mkdtempSync(join(tmpdir(), 'svc-tools-'));
  spawnSync('mkfifo', [join(folder, 'fifo')]);
  const pipe = openSync(join(folder, 'fifo'), constants.O_RDWR | constants.O_NONBLOCK);
  const result = runTool(children, request, new AbortController().signal);
  report(frame(EVENT.spawned, 1, NO_PROCESS, 1, 0, 1, pipe));
  // The first piece fills the pipe, so there is room for the second one only after the first has been read.
  const first = Buffer.from(`${'-'.repeat(PIPE_SIZE - 5)}\ncaf\xc3`, 'latin1');
  expect(writeSync(pipe, first)).toBe(PIPE_SIZE);
  for (let written = 0; written === 0; await new Promise(setImmediate)) {
    try {
      written = writeSync(pipe, Buffer.from('\xa9\n', 'latin1'));
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error;
    }
  }
  report(frame(EVENT.exited, 1, 0));
  expect(await result).toEqual({ code: 0, summary: 'exit code 0', lastLine: 'café' });
  closeSync(pipe);
  rmSync(folder, { recursive: true });
});

test('the last line is read too where the command leaves a full pipe at its end', async () => {
  const { children, report } = await rig();
  const folder = mkdtempSync(join(tmpdir(), 'svc-tools-'));
  spawnSync('mkfifo', [join(folder, 'fifo')]);
  const pipe = openSync(join(folder, 'fifo'), constants.O_RDWR | constants.O_NONBLOCK);
  const result = runTool(children, request, new AbortController().signal);
  report(frame(EVENT.spawned, 1, NO_PROCESS, 1, 0, 1, pipe));
  expect(writeSync(pipe, `${'-'.repeat(PIPE_SIZE - 6)}\nlast\n`)).toBe(PIPE_SIZE);
  report(frame(EVENT.exited, 1, 0));
  expect(await result).toMatchObject({ lastLine: 'last' });
  closeSync(pipe);
  rmSync(folder, { recursive: true });
});

test('a run that has ended is not ended again', async () => {
  const { clock, sent, children, report } = await rig();
  const failed = Promise.withResolvers<void>();
  const listener = { spawned: () => undefined, failed: () => failed.resolve(), exited: () => undefined };
  const run = children.spawn(request, { input: null, output: [], notify: null }, listener);
  report(frame(EVENT.failed, 1, EXEC, ENOENT, 0));
  await failed.promise;
  let cleanedUp: readonly unknown[] | null = null;
  children.kill(run, (found) => {
    cleanedUp = found;
  });
  expect([cleanedUp, sent, clock.armed]).toEqual([[], [REQUEST.spawn, REQUEST.release], 0]);
});
