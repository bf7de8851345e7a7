// Which of its own lines the supervisor prints: `log.level`, `--quiet`, `--verbose`, across a reload and a successor.
import { expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { played, until, up, useRig } from '../helpers/rig.ts';

useRig();

const own = (lines: readonly string[]) => lines.filter((line) => line.startsWith('svc-super'));

test('--quiet prints warnings and errors only, also after the supervisor was replaced; events have every line', async () => {
  await using run = await up({ services: { a: played(), b: played() } }, { args: ['up', '--quiet'] });
  const a = await run.puppet('a');
  await run.state('b', 'ready');
  const { outer } = run.supervisor;
  process.kill(outer, 'SIGKILL');
  await run.line(/warning: the supervisor was killed by SIGKILL and was restarted/);
  await until('another supervisor', () => run.supervisor.outer !== outer);
  expect((await run.command('restart', 'b')).code).toBe(0);
  await run.puppet('b', 2);
  await run.state('b', 'ready');
  const { stdout } = await run.command('events');
  expect(stdout).toMatch(/b started \(pid/);
  await a.exit(3);
  await run.ends(3);
  const lines = own(run.lines);
  expect(lines.filter((line) => !/\| (?:warning|error): /.test(line))).toEqual([]);
  expect(lines.some((line) => line.includes('error: '))).toBe(true);
});

test('log.level: debug prints probe attempts; a reload changes the level', async () => {
  const services = { a: played({ ready: { log: 'now' } }) };
  await using run = await up({ log: { level: 'debug' }, services });
  const a = await run.puppet('a');
  await run.line(/^svc-super +\| debug: a run 1 is being started$/);
  await a.print('now');
  await run.line(/debug: a its `log` or `notify` probe \(number 1\) has seen what it waits for/);
  await run.line(/a ready after/);
  const before = own(run.lines);
  writeFileSync(join(run.folder, 'services.yaml'), JSON.stringify({ log: { level: 'error' }, services }));
  expect((await run.command('reload')).code).toBe(0);
  expect((await run.command('restart', 'a')).code).toBe(0);
  const again = await run.puppet('a', 2);
  await again.print('now');
  await run.state('a', 'ready');
  await again.exit(0);
  await run.ends(0);
  expect(own(run.lines)).toEqual(before);
});

test('--quiet and --verbose together are refused', async () => {
  await using run = await up({ services: { a: played() } }, { args: ['up', '--quiet', '--verbose'] });
  await run.ends(64);
  await run.line(/`--quiet` and `--verbose` contradict each other: leave one out/);
});
