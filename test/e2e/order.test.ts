// The order of starts: the four conditions of depends_on, their defaults in a list, stages, disabled services, and dependents that
// can never start.
import { expect, test } from 'bun:test';
import { command, played, type Run, up, useRig, variable } from '../helpers/rig.ts';

useRig();

const task = (fields = {}) => played({ type: 'task', ...fields });

/** That a service still waits, and for what; the response shows that all earlier events have been handled. */
async function waits(run: Run, name: string): Promise<string | null> {
  const { state, reason, run: number } = await run.service(name);
  expect({ state, run: number }).toEqual({ state: 'pending', run: 0 });
  return reason;
}

test('started: a dependent starts when the program of its dependency has been executed', async () => {
  const ready = { file: 'never' };
  await using run = await up({
    services: { web: played({ depends_on: { db: 'started' } }), db: played({ ready }) },
  });
  await run.puppet('web');
  expect((await run.service('db')).state).toBe('starting');
});

test('ready: a dependent starts when its dependency is ready, and not before', async () => {
  await using run = await up({
    services: { web: played({ depends_on: { db: 'ready' } }), db: played({ ready: { notify: true } }) },
  });
  const db = await run.puppet('db');
  expect(await waits(run, 'web')).toBe('waits for db to be ready');
  await db.notify();
  await run.puppet('web');
  expect((await run.service('db')).state).toBe('ready');
});

test('completed: a dependent starts when its dependency has ended with success', async () => {
  await using run = await up({
    services: { web: played({ depends_on: { setup: 'completed' } }), setup: task() },
  });
  const setup = await run.puppet('setup');
  expect(await waits(run, 'web')).toBe('waits for setup to be completed');
  await setup.exit(0);
  await run.puppet('web');
});

test('exited: a dependent starts when its dependency has exited, whatever its code', async () => {
  await using run = await up({
    services: { web: played({ depends_on: { setup: 'exited' } }), setup: task({ essential: false }) },
  });
  const setup = await run.puppet('setup');
  expect(await waits(run, 'web')).toBe('waits for setup to be exited');
  await setup.exit(9);
  await run.puppet('web');
});

test('in a list a service with a probe means ready, a task completed, any other service started', async () => {
  await using run = await up({
    services: {
      web: played({ depends_on: ['db', 'setup', 'cache'] }),
      db: played({ ready: { notify: true } }),
      setup: task(),
      cache: played(),
    },
  });
  const [db, setup] = [await run.puppet('db'), await run.puppet('setup')];
  await run.puppet('cache');
  await run.state('cache', 'ready');
  expect(await waits(run, 'web')).toBe('waits for db to be ready, setup to be completed');
  await setup.exit(0);
  await run.state('setup', 'completed');
  expect(await waits(run, 'web')).toBe('waits for db to be ready');
  await db.notify();
  await run.puppet('web');
});

test('a service with several dependencies starts when the last of them is met', async () => {
  const ready = { notify: true };
  await using run = await up({
    services: {
      a: played({ ready }),
      b: played({ ready }),
      c: played({ depends_on: { a: 'ready', b: 'ready' } }),
      d: played({ depends_on: ['c'] }),
    },
  });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await b.notify();
  await run.state('b', 'ready');
  expect(await waits(run, 'c')).toBe('waits for a to be ready');
  expect(await waits(run, 'd')).toBe('waits for c to be started');
  await a.notify();
  await run.puppet('c');
  await run.puppet('d');
});

test('a stage starts when every service of the previous one is ready and every task completed', async () => {
  await using run = await up({
    services: {
      web: played({ group: 'application' }),
      api: played({ group: 'application' }),
      db: played({ group: 'infrastructure', ready: { notify: true } }),
      setup: task({ group: 'infrastructure' }),
      free: played(),
    },
    groups: ['infrastructure', 'application'],
  });
  const [db, setup] = [await run.puppet('db'), await run.puppet('setup')];
  await run.puppet('free');
  await db.notify();
  await run.state('db', 'ready');
  expect(await waits(run, 'web')).toBe('waits for setup to be completed');
  expect(await waits(run, 'api')).toBe('waits for setup to be completed');
  await setup.exit(0);
  await run.puppet('web');
  await run.puppet('api');
});

test('without `groups` the stages are in the order of first use', async () => {
  await using run = await up({
    services: {
      one: played({ group: 'x', ready: { notify: true } }),
      two: played({ group: 'y' }),
    },
  });
  const one = await run.puppet('one');
  expect(await waits(run, 'two')).toBe('waits for one to be ready');
  await one.notify();
  await run.puppet('two');
});

test('a disabled service is skipped, and its state shows that', async () => {
  await using run = await up({ services: { a: played({ enabled: false }), b: played() } });
  await run.puppet('b');
  expect(await run.service('a')).toMatchObject({ state: 'skipped', reason: 'not enabled', run: 0, pid: null });
  await run.line(/a is not enabled/);
});

for (const no of ['', '0', 'no', 'false', 'off', 'False', 'OFF']) {
  test(`enabled may contain variables: ${JSON.stringify(no)} means no`, async () => {
    const services = { a: played({ enabled: variable('WANT_A') }), b: played() };
    await using run = await up({ services }, { env: { WANT_A: no } });
    await run.puppet('b');
    expect((await run.service('a')).state).toBe('skipped');
  });
}

test('enabled may contain variables: anything else means yes', async () => {
  await using run = await up({ services: { a: played({ enabled: variable('WANT_A') }) } }, { env: { WANT_A: '1' } });
  await run.puppet('a');
});

test('a dependent of a disabled service never starts, with the reason', async () => {
  await using run = await up({
    services: {
      a: played({ enabled: false }),
      b: played({ depends_on: ['a'] }),
      c: played({ depends_on: ['b'] }),
      d: played(),
    },
    exit: 'all',
  });
  await run.puppet('d');
  expect(await waits(run, 'b')).toBe('never starts: a is not enabled');
  expect(await waits(run, 'c')).toBe('never starts: b never starts');
  await run.line(/b never starts: a is not enabled/);
  await run.line(/c never starts: b never starts/);
});

test('a dependent of a failed service never starts, with the reason', async () => {
  await using run = await up({
    // If it were essential, everything would end with it.
    services: {
      a: task({ essential: false }),
      b: played({ essential: false, depends_on: ['a'] }),
      c: played(),
    },
  });
  await (await run.puppet('a')).exit(3);
  await run.line(/b never starts: a exited with code 3 after/);
  expect(await waits(run, 'b')).toMatch(/^never starts: a exited with code 3 after/);
});

test('if nothing runs and the rest can never start, it ends with an exit code other than 0', async () => {
  await using run = await up({
    services: { a: task({ essential: false }), b: played({ depends_on: ['a'] }) },
  });
  await (await run.puppet('a')).exit(3);
  await run.ends(3);
  await run.line(/b never starts/);
});

test('a service that exits before it is ready never will be: its dependents report that, and it is the cause of the end', async () => {
  await using run = await up({
    services: {
      a: played({ essential: false, ready: { notify: true } }),
      b: played({ depends_on: ['a'] }),
      c: played(),
    },
  });
  await (await run.puppet('a')).exit(0);
  await run.ends(1);
  await run.line(/b never starts: a exited with code 0 after .*, before it was ready/);
  await run.line(/a exited with code 0 .*; the container ends with code 1/);
});

test('with names, only those services and their dependencies are started', async () => {
  await using run = await up(
    { services: { a: played(), b: played({ depends_on: ['a'] }), c: played() } },
    { args: ['up', 'b'] },
  );
  await run.puppet('a');
  await run.puppet('b');
  const { services } = await run.status();
  expect(services.map(({ name }) => name)).toEqual(['a', 'b']);
});

test('an unknown name is an error with a suggestion, and nothing is started', async () => {
  await using run = await up({ services: { chat: played() } }, { args: ['up', 'caht'] });
  await run.ends(78);
  await run.line(/no service `caht`/);
  await run.line(/did you mean `chat`/);
  expect(run.hasCalled('chat')).toBe(false);
});

test('a dependent starts soon after the response that it waits for', async () => {
  // The pause between two attempts is 20 ms in the first seconds; a loaded machine gets twenty times that.
  await using run = await up({
    services: { web: played({ depends_on: { db: 'ready' } }), db: played({ ready: { file: 'ready' } }) },
  });
  await run.puppet('db');
  await run.state('db', 'starting');
  const before = performance.now();
  await Bun.write(`${run.folder}/ready`, '');
  await run.puppet('web');
  expect(performance.now() - before).toBeLessThan(500);
});

test('check prints the number of services and starts none', async () => {
  await using run = await up({ services: { a: played(), b: played({ enabled: false }) } }, { args: ['check'] });
  await run.ends(0);
  await run.line(/services\.yaml: ok, 1 service, 1 not enabled/, { stream: 'stdout' });
  expect(run.hasCalled('a')).toBe(false);
  expect((await command(['check', '-f', '/nowhere/services.yaml'])).code).toBe(78);
});
