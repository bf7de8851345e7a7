// Services that find each other by name: the lines in /etc/hosts while the supervisor runs, and none afterwards. Each run has its
// own /etc/hosts: a file in its folder, mounted over the real one, as in a container.
import { expect, test } from 'bun:test';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { played, type Run, type UpOptions, up, useRig } from '../helpers/rig.ts';

useRig();

const BEFORE = '127.0.0.1\tlocalhost\n10.9.8.7\tcontainer\n';
const own = (text: string = BEFORE): UpOptions => ({
  files: { hosts: text },
  before: 'mount --bind hosts /etc/hosts',
});
const written = (run: Run) => readFileSync(join(run.folder, 'hosts'), 'latin1');
const named = (run: Run) => [...written(run).matchAll(/^127\.0\.0\.1\t(.*)$/gm)].map(([, name]) => name);
const getent = async (run: Run, name: string) =>
  (await run.command('exec', 'a', '--', 'getent', 'hosts', name)).stdout.replace(/ +/, ' ');

test('every name resolves to 127.0.0.1 from a service, and the file is restored at the end', async () => {
  await using run = await up({ hosts: true, services: { a: played(), b_c: played({ replicas: 2 }) } }, own());
  await run.puppet('a');
  await run.state('a', 'ready');
  for (const name of ['a', 'b_c', 'b_c.1']) expect(await getent(run, name)).toBe(`127.0.0.1 ${name}\n`);
  // Lines that another process adds meanwhile stay.
  appendFileSync(join(run.folder, 'hosts'), '10.0.0.5\tadded\n');
  run.signal('SIGTERM');
  await run.ends(0);
  expect(written(run)).toBe(`${BEFORE}10.0.0.5\tadded\n`);
});

test('a failure restores the file too', async () => {
  await using run = await up({ hosts: true, services: { a: played() } }, own());
  const a = await run.puppet('a');
  expect(named(run)).toEqual(['localhost', 'a']);
  await a.exit(3);
  await run.ends(3);
  expect(written(run)).toBe(BEFORE);
});

test('the block of a killed supervisor is replaced; without `hosts` the file is not changed', async () => {
  await using first = await up(
    { hosts: true, services: { old: played(), a: played() } },
    { ...own(), leaves: ['control.sock'] },
  );
  await first.puppet('a');
  first.signal('SIGKILL');
  await first.ended;
  const stale = written(first);
  expect(stale).toContain('\told\n');
  await using second = await up({ hosts: true, services: { a: played() } }, own(stale));
  await second.puppet('a');
  expect(named(second)).toEqual(['localhost', 'a']);
  second.signal('SIGTERM');
  await second.ends(0);
  expect(written(second)).toBe(BEFORE);
  await using third = await up({ services: { a: played() } }, own(stale));
  await third.puppet('a');
  third.signal('SIGTERM');
  await third.ends(0);
  expect(written(third)).toBe(stale);
});

test('a reload adds new names, and removes all when `hosts` is disabled', async () => {
  await using run = await up({ hosts: true, services: { a: played() } }, own());
  await run.puppet('a');
  const reload = async (config: object) => {
    writeFileSync(join(run.folder, 'services.yaml'), JSON.stringify(config));
    expect((await run.command('reload')).code).toBe(0);
  };
  await reload({ hosts: true, services: { a: played(), b: played() } });
  expect(named(run)).toEqual(['localhost', 'a', 'b']);
  await reload({ services: { a: played(), b: played() } });
  expect(written(run)).toBe(BEFORE);
  await reload({ hosts: true, services: { a: played() } });
  expect(named(run)).toEqual(['localhost', 'a']);
});

test('existing and invalid names get no line, and a warning', async () => {
  const services = { a: played(), localhost: played(), container: played(), 10: played() };
  await using run = await up({ hosts: true, services }, own());
  await run.line(/warning: localhost gets no line in \/etc\/hosts: it exists already, as 127\.0\.0\.1/);
  await run.line(/warning: container gets no line in \/etc\/hosts: it exists already, as 10\.9\.8\.7/);
  await run.line(/warning: 10 gets no line in \/etc\/hosts: resolvers would read it as an address/);
  expect(named(run)).toEqual(['localhost', 'a']);
});

test('a file that cannot be written is reported once, and everything runs', async () => {
  const { files, before } = own();
  await using run = await up(
    { hosts: true, services: { a: played() } },
    { files: files ?? {}, before: `${before} && mount -o remount,ro,bind /etc/hosts` },
  );
  await run.puppet('a');
  await run.line(
    /warning: the services' names do not resolve: \/etc\/hosts cannot be written: .*read-only file system/i,
  );
  await run.state('a', 'ready');
  run.signal('SIGTERM');
  await run.ends(0);
  expect(run.lines.filter((line) => line.includes('/etc/hosts'))).toHaveLength(1);
});
