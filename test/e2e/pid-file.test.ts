// `up --pid-file`: the number of the native process while it supervises, for a unit of systemd. Each run is below another init
// in its namespace, so that the number is not 1.
import { expect, test } from 'bun:test';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { played, up, useRig } from '../helpers/rig.ts';

useRig();

const services = { web: played() };
const OPTIONS = { pid1: false, args: ['up', '--pid-file', 'web.pid'] } as const;

test('is written before the first service starts, left alone by a successor, and removed at the end', async () => {
  await using run = await up({ services }, OPTIONS);
  const file = join(run.folder, 'web.pid');
  const web = await run.puppet('web');
  expect(readFileSync(file, 'utf8')).toBe(`${run.pid1.pid}\n`);
  const before = statSync(file);
  process.kill(run.supervisor.outer, 'SIGKILL');
  await run.line(/killed by SIGKILL and was restarted/);
  expect(await web.facts()).toMatchObject({ pid: web.pid });
  expect([statSync(file).ino, statSync(file).mtimeMs]).toEqual([before.ino, before.mtimeMs]);
  run.signal('SIGTERM');
  await run.ends(0);
  expect(existsSync(file)).toBe(false);
});

test.each<[string, string]>([
  ['a process that does not exist', 'echo 4194000 > web.pid'],
  ['a process that is younger than the file', 'echo 1 > web.pid; touch -d 2000-01-01 web.pid'],
  ['no process', ': > web.pid'],
])('replaces a file of %s', async (_of, before) => {
  await using run = await up({ services }, { ...OPTIONS, before });
  await run.puppet('web');
  expect(readFileSync(join(run.folder, 'web.pid'), 'utf8')).toBe(`${run.pid1.pid}\n`);
});

test.each<[string, string, RegExp]>([
  [
    'of a process that is alive',
    'echo 1 > web.pid',
    /web\.pid: the process in it is alive: 1 \(.+\); nothing was started/,
  ],
  ['with other content', 'echo precious > web.pid', /web\.pid: it exists, and it has other content than the number/],
  ['that is a link', 'ln -s /etc/hostname web.pid', /web\.pid: it is not a regular file/],
])('refuses a file %s, which stays as it is', async (_which, before, why) => {
  await using run = await up(
    { services },
    { ...OPTIONS, before: `${before}; cp -P web.pid copy`, leaves: ['web.pid', 'copy'] },
  );
  await run.ends(1);
  await run.line(why);
  const [file, copy] = ['web.pid', 'copy'].map((name) => readFileSync(join(run.folder, name), 'utf8'));
  expect(file).toBe(copy);
});
