// Readers that stop reading, with a clock that runs a hundred times as fast: they are disconnected, and readers of a silent
// stream are not. test/e2e/tcp.test.ts tests the rest of the listener from outside.
import { expect, test } from 'bun:test';
import { connect, type Socket } from 'node:net';
import type { ApiSource } from '../../src/control/api.ts';
import type { Counters } from '../../src/control/metrics.ts';
import { serveTcp } from '../../src/control/tcp.ts';
import { freePort } from '../helpers/rig.ts';

const FASTER = 100;

const armed = new Set<object>();

const after = (ms: number, fn: () => void) => {
  const timer = setTimeout(() => {
    armed.delete(timer);
    fn();
  }, ms / FASTER);
  armed.add(timer);
  return () => {
    armed.delete(timer);
    clearTimeout(timer);
  };
};

/** A source of one service, which prints endlessly if it is `loud`; `followed` is the number of followers. */
function fakeSource(loud: boolean): { readonly source: ApiSource; readonly followed: () => number } {
  let count = 0;
  const bytes = Buffer.from(`${'x'.repeat(1_000)}\n`.repeat(60));
  const source = {
    version: '0',
    pid: 1,
    snapshot: () => ({
      name: 'x',
      phase: 'running',
      healthy: true,
      groups: [],
      services: [{ name: 'a', state: 'ready' }],
    }),
    usage: () => new Map(),
    wall: () => 0,
    after: (ms: number, fn: () => void) => {
      const timer = setTimeout(fn, ms);
      return () => clearTimeout(timer);
    },
    logs: {
      tail: () => [],
      follow: (_service: string, listener: (block: object) => void) => {
        count += 1;
        const timer = loud
          ? setInterval(() => listener({ time: 0, stream: 'stdout', bytes, prefix: 0 }), 2)
          : undefined;
        return () => {
          count -= 1;
          clearInterval(timer);
        };
      },
    },
  };
  return { source: source as unknown as ApiSource, followed: () => count };
}

async function follow(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write('GET /v1/logs?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n');
  return socket;
}

async function within(ms: number, holds: () => boolean): Promise<boolean> {
  for (const from = performance.now(); performance.now() - from < ms; await Bun.sleep(10)) if (holds()) return true;
  return holds();
}

async function listening(loud: boolean) {
  const port = await freePort();
  const { source, followed } = fakeSource(loud);
  const plan = { host: '127.0.0.1', port, token: null, open: [], hosts: [] };
  const server = await serveTcp({ plan, source, counters: () => ({}) as Counters, after, isShort: () => false });
  if (!server.ok) throw new Error(server.reason);
  return { port, followed, [Symbol.dispose]: () => server.close() };
}

test('a follower that stops reading is disconnected', async () => {
  using at = await listening(true);
  const socket = await follow(at.port);
  expect(await within(2_000, () => at.followed() === 1)).toBe(true);
  socket.pause();
  expect(await within(20_000, () => at.followed() === 0)).toBe(true);
  socket.destroy();
}, 30_000);

test('a follower that reads, and one of a silent stream, are not', async () => {
  using loud = await listening(true);
  using silent = await listening(false);
  const sockets = [await follow(loud.port), await follow(silent.port)];
  for (const socket of sockets) socket.resume();
  expect(await within(2_000, () => loud.followed() === 1 && silent.followed() === 1)).toBe(true);
  // Six times the time limit of this test.
  await Bun.sleep(1_800);
  expect([loud.followed(), silent.followed()]).toEqual([1, 1]);
  for (const socket of sockets) socket.destroy();
  expect(await within(2_000, () => loud.followed() + silent.followed() === 0)).toBe(true);
}, 30_000);

test('no timer is left for a connection that was closed during a response', async () => {
  using at = await listening(false);
  armed.clear();
  const socket = await follow(at.port);
  expect(await within(2_000, () => at.followed() === 1)).toBe(true);
  socket.destroy();
  expect(await within(2_000, () => at.followed() === 0)).toBe(true);
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
  expect(armed.size).toBe(0);
}, 30_000);
