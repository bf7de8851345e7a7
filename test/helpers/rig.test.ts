// Tests of the rig: it fails where it must, with the output, and leaves nothing behind.
import { expect, test } from 'bun:test';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { played, start, until, up, useRig } from './rig.ts';

useRig();

test('an unexpected exit code fails, with the output', async () => {
  await using run = await up({ services: { a: played() } });
  const a = await run.puppet('a');
  await a.print('hello');
  await a.exit(3);
  expect(run.ends(4)).rejects.toThrow(/ended with 3, not with 4[\s\S]*\| hello/);
  await run.ended;
});

test('a line or a puppet that cannot arrive any more fails at once, with the output', async () => {
  await using run = await start(['init', '--', 'echo', 'hello']);
  await expect(run.line(/nothing like it/)).rejects.toThrow(/ended without printing[\s\S]*> hello/);
  await expect(run.puppet('nobody')).rejects.toThrow(/ended before puppet nobody came[\s\S]*> hello/);
});

test('a leftover file fails', async () => {
  const run = await start(['init', '--', 'true']);
  await run.ended;
  writeFileSync(join(run.folder, 'left'), '');
  await expect(run[Symbol.asyncDispose]()).rejects.toThrow(/left behind:\nleft/);
  expect(existsSync(run.folder)).toBe(false);
});

test('a leftover process fails, and is killed', async () => {
  const run = await start(['init', '--', '/bin/sh', '-c', 'setsid sleep 1000 & exit 0'], { pid1: false });
  await run.ended;
  await until('the process', () => run.ps().some(({ command }) => command === 'sleep 1000'));
  const [left] = run.ps();
  await expect(run[Symbol.asyncDispose]()).rejects.toThrow(/left behind:[\s\S]*sleep 1000/);
  expect(existsSync(`/proc/${left?.outer}`)).toBe(false);
});

test('a running supervisor is killed without an error', async () => {
  const run = await up({ services: { a: played() } });
  const a = await run.puppet('a');
  await a.spawn('kid', { daemon: true });
  const kid = await run.puppet('kid');
  await kid.ignore('TERM', 'HUP');
  await run[Symbol.asyncDispose]();
  await kid.gone;
});
