// The rig itself: that it fails where it has to, with the output, and leaves nothing behind itself.
import { expect, test } from 'bun:test';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { played, start, until, up, useRig } from './rig.ts';

useRig();

test('a code that was not expected fails, with all that was printed', async () => {
  await using run = await up({ services: { a: played() } });
  const a = await run.puppet('a');
  await a.print('hello');
  await a.exit(3);
  expect(run.ends(4)).rejects.toThrow(/ended with 3, not with 4[\s\S]*\| hello/);
  await run.ended;
});

test('a line or a puppet that can no longer come fails at once, with all that was printed', async () => {
  await using run = await start(['init', '--', 'echo', 'hello']);
  await expect(run.line(/nothing like it/)).rejects.toThrow(/ended without printing[\s\S]*> hello/);
  await expect(run.puppet('nobody')).rejects.toThrow(/ended before puppet nobody came[\s\S]*> hello/);
});

test('a file that is left behind fails', async () => {
  const run = await start(['init', '--', 'true']);
  await run.ended;
  writeFileSync(join(run.folder, 'left'), '');
  await expect(run[Symbol.asyncDispose]()).rejects.toThrow(/left behind:\nleft/);
  expect(existsSync(run.folder)).toBe(false);
});

test('a process that is left behind fails, and is ended', async () => {
  const run = await start(['init', '--', '/bin/sh', '-c', 'setsid sleep 1000 & exit 0'], { pid1: false });
  await run.ended;
  await until('the process', () => run.ps().some(({ command }) => command === 'sleep 1000'));
  const [left] = run.ps();
  await expect(run[Symbol.asyncDispose]()).rejects.toThrow(/left behind:[\s\S]*sleep 1000/);
  expect(existsSync(`/proc/${left?.outer}`)).toBe(false);
});

test('what still runs is ended without a word', async () => {
  const run = await up({ services: { a: played() } });
  const a = await run.puppet('a');
  await a.spawn('kid', { daemon: true });
  const kid = await run.puppet('kid');
  await kid.ignore('TERM', 'HUP');
  await run[Symbol.asyncDispose]();
  await kid.gone;
});
