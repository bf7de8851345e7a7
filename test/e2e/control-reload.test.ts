// Reload, by command and by HUP: only changed services are affected, and an invalid file changes nothing.
import { expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { freePort, played, type Run, up, useRig } from '../helpers/rig.ts';

useRig();

function write(run: Run, config: object): void {
  writeFileSync(join(run.folder, 'services.yaml'), JSON.stringify(config, null, 2));
}

test('--dry-run shows the difference; reload applies exactly that: added, removed, changed', async () => {
  const services = { keep: played(), change: played({ depends_on: ['keep'] }), gone: played() };
  await using run = await up({ services });
  for (const name of Object.keys(services)) await run.puppet(name);
  await run.status();
  write(run, {
    services: { keep: played(), change: played({ depends_on: ['keep'], env: { NEW: '1' } }), fresh: played() },
  });
  const dry = await run.command('reload', '--dry-run');
  expect(dry.stdout).toBe(
    '+ fresh: starts\n~ change: env\n    env.NEW: none → 1\n    restarts\n- gone: stops\n' +
      'not applied: this was a dry run; 1 unchanged\n',
  );
  expect((await run.status()).services.map(({ run: number }) => number)).toEqual([1, 1, 1]);
  expect((await run.command('reload', '--json')).code).toBe(0);
  const changed = await run.puppet('change', 2);
  expect((await changed.facts()).env.NEW).toBe('1');
  await run.puppet('fresh');
  await run.line(/gone is not in the configuration any more/);
  expect((await run.status()).services.map(({ name, run: number }) => `${name} ${number}`)).toEqual([
    'keep 1',
    'change 2',
    'fresh 1',
  ]);
  expect((await run.command('reload')).stdout).toBe('nothing has changed\n');
});

test('an invalid file changes nothing, exits with 78 and reports the position', async () => {
  await using run = await up({ services: { a: played() } });
  await run.puppet('a');
  await run.state('a', 'ready');
  write(run, { services: { a: { comand: 'x' } } });
  const { code, stderr } = await run.command('reload');
  expect(code).toBe(78);
  expect(stderr).toMatch(/services\.yaml:\d+:\d+: error/);
  expect(stderr).toMatch(/did you mean `command`/);
  run.signal('SIGHUP');
  await run.line(/the configuration is wrong in \d+ places?: nothing was changed/);
  expect(await run.service('a')).toMatchObject({ state: 'ready', run: 1 });
});

test('HUP reloads; a restart policy takes effect without a restart', async () => {
  await using run = await up({ services: { a: played(), b: played() } });
  const a = await run.puppet('a');
  await run.puppet('b');
  write(run, { services: { a: played({ restart: { policy: 'always', backoff: { initial: '10ms' } } }), b: played() } });
  run.signal('SIGHUP');
  await run.line(/configuration read again: changed a \(restart\); 1 unchanged/);
  expect((await run.service('a')).run).toBe(1);
  await a.exit(1);
  await run.puppet('a', 2);
});

test('HUP goes to the service that forwards it, and does not reload', async () => {
  await using run = await up({ services: { a: played({ forward: ['HUP'] }) } });
  const a = await run.puppet('a');
  await a.trap('HUP');
  run.signal('SIGHUP');
  await a.signalled('SIGHUP');
  await run.status();
  expect((await run.command('events')).stdout).not.toMatch(/read again/);
});

test('of fifty services only the changed one is restarted', async () => {
  const sleeper = { command: ['/bin/sleep', '1000'] };
  const many = Object.fromEntries(
    Array.from({ length: 50 }, (_, at) => [`s${at}`, at === 0 ? sleeper : { ...sleeper, depends_on: ['s0'] }]),
  );
  await using run = await up({ services: many });
  await run.status();
  expect((await run.command('wait')).code).toBe(0);
  write(run, { services: { ...many, s0: { ...sleeper, env: { A: '1' } } } });
  expect((await run.command('reload')).stdout).toBe(
    '~ s0: env\n    env.A: none → 1\n    restarts\napplied; 49 unchanged\n',
  );
  expect((await run.command('wait')).code).toBe(0);
  expect((await run.status()).services.map(({ run: number }) => number)).toEqual([2, ...Array(49).fill(1)]);
});

test('a new service whose port is taken by a foreign process is refused, and nothing is changed', async () => {
  await using run = await up({ services: { a: played() } });
  await run.puppet('a');
  await run.state('a', 'ready');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  try {
    write(run, { services: { a: played(), b: played({ port }) } });
    const { code, stderr } = await run.command('reload');
    expect([code, stderr]).toEqual([78, expect.stringMatching(new RegExp(`port ${port} of b is taken`))]);
    expect((await run.status()).services.map(({ name }) => name)).toEqual(['a']);
  } finally {
    server.close();
  }
});

test('a renamed service takes over its port when the old one has stopped, even over further reloads', async () => {
  const port = await freePort();
  await using run = await up({ services: { web: played({ port }), other: played() } });
  const web = await run.puppet('web');
  await web.trap('TERM');
  await web.listen(port);
  await run.line(/everything (?:is ready|has started)/);
  write(run, { services: { site: played({ port }), other: played() } });
  expect((await run.command('reload')).code).toBe(0);
  await web.signalled('SIGTERM');
  const waits = `waits for web to give back port ${port}`;
  expect((await run.status()).services.find(({ name }) => name === 'site')).toMatchObject({
    state: 'pending',
    reason: waits,
  });
  // The old service is in no file any more, but its port does not belong to a foreign process.
  write(run, { services: { page: played({ port }), other: played() } });
  expect((await run.command('reload')).code).toBe(0);
  await web.exit(0);
  const page = await run.puppet('page');
  await page.listen(port);
  await run.line(/web is not in the configuration any more/);
  expect((await run.status()).services.map(({ name, state }) => `${name} ${state}`)).toEqual([
    'page ready',
    'other ready',
  ]);
  run.signal('SIGTERM');
  await run.ends(0);
});

test('a port that a service holds without declaring it is not given to another service, and its owner is reported', async () => {
  const port = await freePort();
  await using run = await up({ services: { old: played() } });
  const old = await run.puppet('old');
  await old.listen(port);
  write(run, { services: { new: played({ port }) } });
  const { code, stderr } = await run.command('reload');
  expect(code).toBe(78);
  const holder = `pid ${old.pid} (perl) of old, which does not list it (\`port: ${port}\`)`;
  expect(stderr).toContain(`port ${port} of new is taken by ${holder}: nothing was changed`);
  // As reported.
  write(run, { services: { old: played({ port }) } });
  expect((await run.command('reload')).code).toBe(0);
  await run.puppet('old', 2);
  write(run, { services: { new: played({ port }) } });
  expect((await run.command('reload')).code).toBe(0);
  await run.puppet('new');
});
