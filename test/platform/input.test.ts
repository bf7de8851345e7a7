// Readers of real pipes, in Bun and in Node: they return every byte, read only on demand, and leak no descriptor.
import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { folder, RUNTIMES, run, useProgram } from './rig.ts';

useProgram();

describe.each(RUNTIMES)('a pipe that is read in %s', (name, command) => {
  const read = async (what: string) => {
    const fifo = join(folder, `${name}-${what}`);
    return (await run(`mkfifo ${fifo} && exec ${command} read ${what} ${fifo}`)).report;
  };

  test('yields every byte in order, then the end', async () => {
    expect(await read('whole')).toEqual({ isSame: true, after: null });
  });

  test('is not read while no read() is pending', async () => {
    const { taken } = (await read('onDemand')) as { taken: number };
    // The capacity of the pipe, and a chunk that is read ahead.
    expect(taken).toBeGreaterThanOrEqual(64 * 1024);
    expect(taken).toBeLessThanOrEqual(64 * 1024 + 256 * 1024);
  });

  test('keeps its order when read() and readNow() alternate', async () => {
    const report = (await read('mixed')) as { now: number; nowWhilePending: number };
    expect(report).toMatchObject({ wrong: 0, isComplete: true });
    expect(report.now).toBeGreaterThan(report.nowWhilePending);
    expect(report.nowWhilePending).toBeGreaterThan(0);
  });

  test('ends when it is closed, even while a read() is pending', async () => {
    expect(await read('close')).toEqual({ pending: null, after: null, now: null, unused: null });
  });

  test('leaks no descriptor', async () => {
    expect(await read('leaks')).toEqual({ more: 0 });
  });
});
