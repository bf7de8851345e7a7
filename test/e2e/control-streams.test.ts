// Streams of the control socket: logs and events, once and followed; the timeline and the graph; and that a slow reader delays
// nothing else.
import { expect, test } from 'bun:test';
import { connect, type Socket } from 'node:net';
import { binary, played, type Run, until, up, useRig } from '../helpers/rig.ts';

useRig();

/** A client of a streaming route that reads only on demand. */
async function reader(run: Run, path: string): Promise<{ readonly socket: Socket; text: string }> {
  const socket = connect({ path: run.socket });
  await new Promise((resolve) => socket.once('connect', resolve));
  const found = { socket, text: '' };
  socket.on('data', (bytes: Buffer) => {
    found.text += bytes.toString();
  });
  socket.on('error', () => undefined);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return found;
}

test('logs: all of it, the last N, of some, as JSON', async () => {
  await using run = await up({ services: { a: played(), bb: played() } });
  const [a, bb] = [await run.puppet('a'), await run.puppet('bb')];
  await run.status();
  await a.print('one\ntwo');
  await run.line(/two/);
  await bb.write(2, 'three\n');
  await run.line(/three/);
  expect((await run.command('logs')).stdout).toBe('a | one\na | two\nbb | three\n');
  expect((await run.command('logs', '-n', '2')).stdout).toBe('a | two\nbb | three\n');
  expect((await run.command('logs', 'a')).stdout).toBe('one\ntwo\n');
  expect((await run.command('logs', 'b*')).stdout).toBe('bb | three\n');
  expect((await run.command('logs', '--since', '1h')).stdout).toContain('one');
  expect((await run.command('logs', '--until', '1h')).stdout).toBe('');
  expect((await run.command('logs', '--grep', '^t', '-n', '2', '--until', '2100-01-01')).stdout).toBe(
    'a | two\nbb | three\n',
  );
  expect((await run.command('logs', '--grep', '(')).stderr).toContain('--grep is not a pattern');
  expect((await run.command('logs', '-f', '--until', '5m')).code).toBe(64);
  const [entry] = (await run.command('logs', 'bb', '--json')).stdout.trim().split('\n');
  expect(JSON.parse(entry ?? '')).toEqual({ time: expect.any(String), service: 'bb', stream: 'stderr', text: 'three' });
  expect((await run.command('logs', 'c')).code).toBe(1);
  expect((await run.command('logs', '-n', 'x')).code).toBe(64);
});

test('logs -f continues with new lines, until the supervisor ends', async () => {
  await using run = await up({ services: { a: played() } });
  const a = await run.puppet('a');
  await run.status();
  await a.print('before');
  await run.line(/before/);
  const child = Bun.spawn([binary, 'logs', '-f', 'a'], {
    env: { SVC_SUPER_SOCKET: run.socket },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  expect((await lines.read()).value).toBe('before\n');
  await a.print('after');
  expect((await lines.read()).value).toBe('after\n');
  await a.exit(0);
  await run.ends(0);
  expect(await child.exited).toBe(0);
});

test('events: past ones, and new ones with -f', async () => {
  await using run = await up({ services: { a: played() } });
  await run.puppet('a');
  await run.state('a', 'ready');
  expect((await run.command('events')).stdout).toMatch(/info {3}a started \(pid \d+\)/);
  const follower = await reader(run, '/v1/events?follow=1&lines=0');
  await until('the head', () => follower.text.includes('\r\n\r\n'));
  await run.command('restart', 'a', '--wait');
  await until('the event', () => /"event":"restart-asked".*"text":"was asked to restart"/.test(follower.text));
  follower.socket.destroy();
});

test('timeline and graph describe this start', async () => {
  await using run = await up({
    services: { db: played({ ready: { notify: true } }), api: played({ depends_on: ['db'] }) },
  });
  await (await run.puppet('db')).notify();
  await run.puppet('api');
  await run.state('api', 'ready');
  expect((await run.command('timeline')).stdout).toMatch(/critical path \(\*\): db > api/);
  expect((await run.command('timeline', '--svg', '-')).stdout).toMatch(/^<svg .*<\/svg>\n$/s);
  expect((await run.command('graph')).stdout).toMatch(/^api +ready +db \(ready\)$/m);
  expect((await run.command('graph', '--dot')).stdout).toContain('"api" -> "db" [label="ready"]');
});

test('a follower that does not read delays neither the service nor another follower, and receives the number of skipped lines', async () => {
  await using run = await up({ services: { a: played() } }, { stdout: 'collect' });
  const a = await run.puppet('a');
  await run.status();
  const slow = await reader(run, '/v1/logs?service=a&follow=1&lines=0');
  await until('the head', () => slow.text.includes('\r\n\r\n'));
  slow.socket.pause();
  for (let at = 0; at < 40; at += 1) await a.write(1, `${'x'.repeat(999)}\n`.repeat(60));
  await a.print('the end');
  await run.line(/the end/);
  expect((await run.status()).phase).toBe('running');
  slow.socket.resume();
  await until('the gap', () => /\[\d+ lines? skipped: reader too slow\]/.test(slow.text));
  slow.socket.destroy();
});

test('status --watch repeats until it is ended; a closed pipe ends a command', async () => {
  await using run = await up({ services: { a: played() } });
  await run.puppet('a');
  await run.state('a', 'ready');
  const env = { SVC_SUPER_SOCKET: run.socket };
  const child = Bun.spawn([binary, 'status', '--watch'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.split('SERVICE').length > 2) break;
  }
  child.kill();
  await child.exited;
});

test('a command ends when its reader has closed the pipe', async () => {
  await using run = await up({ services: { a: played() } });
  const a = await run.puppet('a');
  await run.status();
  await a.print('one\ntwo\nthree');
  await run.line(/three/);
  const env = { SVC_SUPER_SOCKET: run.socket, PATH: process.env.PATH ?? '' };
  const piped = Bun.spawn(['sh', '-c', `"${binary}" logs -f a | head -n 1`], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const first = await piped.stdout.getReader().read();
  expect(Buffer.from(first.value ?? []).toString()).toBe('one\n');
  // The next line is the one that cannot be written.
  await a.print('four');
  expect(await piped.exited).toBe(0);
});
