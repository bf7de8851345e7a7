// How services stop: the signal and its target, stop commands, the order, the one deadline, the signals that stop the supervisor,
// and a second such signal.
import { expect, test } from 'bun:test';
import { isRoot, type Puppet, played, type Run, until, up, useRig } from '../helpers/rig.ts';

useRig();

/** Lets time pass, by the supervisor's clock. */
async function passes(run: Run, name: string, ms: number): Promise<void> {
  const began = (await run.service(name)).uptime_seconds ?? 0;
  await until(`${ms} ms to pass`, async () => ((await run.service(name)).uptime_seconds ?? 0) >= began + ms / 1_000);
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
  for (const pid1 of [true, false]) {
    test(`${signal} ${pid1 ? 'to PID 1' : 'below another init'} stops everything, and the code is 0`, async () => {
      await using run = await up({ services: { a: played(), b: played() } }, { pid1 });
      const [a, b] = [await run.puppet('a'), await run.puppet('b')];
      run.signal(signal);
      await Promise.all([a.gone, b.gone]);
      await run.ends(0);
      await run.line(new RegExp(`${signal} received: stopping everything within 9\\.0 s`));
    });
  }
}

test('whatever code a service exits with after a stop request, the code is 0', async () => {
  await using run = await up({ services: { a: played({ success_codes: [] }) } });
  const a = await run.puppet('a');
  await a.trap('TERM');
  run.signal('SIGTERM');
  await a.signalled('SIGTERM');
  await a.exit(143);
  await run.ends(0);
});

test('the stop signal is sent once, and to the main process only', async () => {
  await using run = await up({ services: { a: played(), other: played() } });
  const a = await run.puppet('a');
  const other = await run.puppet('other');
  await other.trap('TERM');
  await a.spawn('kid');
  const kid = await run.puppet('kid');
  await Promise.all([a.trap('TERM', 'INT', 'HUP', 'QUIT'), kid.trap('TERM', 'INT', 'HUP', 'QUIT')]);
  run.signal('SIGTERM');
  await a.signalled('SIGTERM');
  await other.signalled('SIGTERM');
  await passes(run, 'a', 300);
  expect(await a.caught()).toEqual(['SIGTERM']);
  expect(await kid.caught()).toEqual([]);
  await other.exit(0);
  await a.exit(0);
  // Main has exited: now the leftover processes receive SIGTERM.
  await kid.signalled('SIGTERM');
  expect(kid.signals).toEqual(['SIGTERM']);
  await kid.exit(0);
  await run.ends(0);
});

test('stop.to: group: the signal reaches every process of the group', async () => {
  await using run = await up({ services: { a: played({ stop: { to: 'group' } }) } });
  const a = await run.puppet('a');
  await a.spawn('kid');
  await a.spawn('far', { session: true });
  const [kid, far] = [await run.puppet('kid'), await run.puppet('far')];
  await Promise.all([a, kid, far].map((puppet) => puppet.trap('TERM')));
  run.signal('SIGTERM');
  await Promise.all([a.signalled('SIGTERM'), kid.signalled('SIGTERM')]);
  expect(await far.caught()).toEqual([]);
  await kid.exit(0);
  await a.exit(0);
  await far.signalled('SIGTERM');
  await far.exit(0);
  await run.ends(0);
});

for (const signal of ['SIGINT', 'QUIT', 'SIGUSR1', 'SIGWINCH']) {
  test(`stop.signal: ${signal}`, async () => {
    await using run = await up({ services: { a: played({ stop: { signal } }) } });
    const a = await run.puppet('a');
    const name = signal.replace('SIG', '');
    await a.trap(name, 'TERM');
    run.signal('SIGTERM');
    await a.signalled(`SIG${name}`);
    await a.exit(0);
    expect(a.signals).toEqual([`SIG${name}`]);
    await run.ends(0);
  });
}

test('stop.signal may be a real-time signal', async () => {
  await using run = await up({ services: { a: played({ stop: { signal: 'SIGRTMIN+3' } }) } });
  const a = await run.puppet('a');
  await a.trap('NUM37');
  run.signal('SIGTERM');
  await a.signalled('SIGNUM37');
  await a.exit(0);
  await run.ends(0);
});

test('stop.command runs instead of the signal, with the environment of the service and its main pid', async () => {
  await using run = await up(
    {
      services: {
        a: played({
          env: { WORD: 'goodbye' },
          stop: { command: 'echo "$SVC_NAME $SVC_RUN $WORD $MAINPID" > tmp/said; kill -USR2 $MAINPID' },
        }),
      },
    },
    { leaves: ['tmp/said'] },
  );
  const a = await run.puppet('a');
  await a.trap('USR2', 'TERM');
  run.signal('SIGTERM');
  await a.signalled('SIGUSR2');
  expect(await Bun.file(`${run.folder}/tmp/said`).text()).toBe(`a 1 goodbye ${a.pid}\n`);
  await a.exit(0);
  await run.ends(0);
  expect(a.signals).toEqual(['SIGUSR2']);
});

test.skipIf(!isRoot)('stop.command runs as the user of the service', async () => {
  await using run = await up({
    services: { a: played({ user: 'nobody', stop: { command: 'kill -USR1 $MAINPID; id -un >&2; true' } }) },
  });
  const a = await run.puppet('a');
  await a.trap('USR1');
  run.signal('SIGTERM');
  await a.signalled('SIGUSR1');
  await a.exit(0);
  await run.ends(0);
});

test('a stop command that hangs ends with the service', async () => {
  await using run = await up({ services: { a: played({ stop: { command: 'kill -USR1 $MAINPID; sleep 1000' } }) } });
  const a = await run.puppet('a');
  await a.trap('USR1');
  run.signal('SIGTERM');
  await a.signalled('SIGUSR1');
  await a.exit(0);
  await run.ends(0);
});

test('the output of a stop command is in the log of the service, also of one that fails', async () => {
  const told = { stop: { command: 'echo before; echo why >&2; exit 3', signal: 'INT' } };
  await using run = await up({ services: { a: played(told) } });
  const a = await run.puppet('a');
  await a.trap('INT');
  run.signal('SIGTERM');
  await a.signalled('SIGINT');
  await run.line(/^a +\| before$/m);
  await run.line(/^a +\| why$/m);
  await run.line(/a stop.command failed \(exit code 3\): sent SIGINT instead/);
  await a.exit(0);
  await run.ends(0);
});

test('a stop command that fails falls back to the signal', async () => {
  await using run = await up({ services: { a: played({ stop: { command: ['no-such-program'], signal: 'INT' } }) } });
  const a = await run.puppet('a');
  await a.trap('INT');
  run.signal('SIGTERM');
  await a.signalled('SIGINT');
  await a.exit(0);
  await run.ends(0);
});

test('stop.timeout: after that, all processes of the service are killed, and the code is 137', async () => {
  await using run = await up({ services: { a: played({ stop: { timeout: '100ms' } }), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await a.spawn('far', { daemon: true });
  const far = await run.puppet('far');
  await Promise.all([a.ignore('TERM'), far.ignore('TERM')]);
  await b.trap('TERM');
  run.signal('SIGTERM');
  await Promise.all([a.gone, far.gone]);
  await run.line(/a did not stop within .*: sending SIGKILL to all its processes/);
  await b.exit(0);
  await run.ends(137);
});

test('stop_timeout: after that, everything is killed, and the code is 137', async () => {
  await using run = await up({ stop_timeout: '300ms', services: { a: played(), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await Promise.all([a.ignore('TERM'), b.ignore('TERM')]);
  const began = performance.now();
  run.signal('SIGTERM');
  await run.ends(137);
  const took = performance.now() - began;
  expect(took).toBeGreaterThan(290);
  expect(took).toBeLessThan(3_000);
});

test('there is one deadline for a chain of any length: the last service still gets its signal', async () => {
  await using run = await up({
    stop_timeout: '2s',
    services: {
      db: played(),
      api: played({ depends_on: ['db'] }),
      web: played({ depends_on: ['api'] }),
    },
  });
  const [db, api, web] = [await run.puppet('db'), await run.puppet('api'), await run.puppet('web')];
  await Promise.all([web.ignore('TERM'), api.ignore('TERM'), db.trap('TERM')]);
  run.signal('SIGTERM');
  // At the deadline it would have been killed without a signal.
  await db.signalled('SIGTERM');
  await db.exit(0);
  await run.ends(137);
  await Promise.all([web.gone, api.gone]);
});

test('the one deadline also applies to a shutdown after a failure, whose code is kept', async () => {
  await using run = await up({ stop_timeout: '300ms', services: { a: played(), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await b.ignore('TERM');
  await a.exit(3);
  await run.ends(3);
  await b.gone;
});

test('dependents stop before their dependencies, independent services at the same time', async () => {
  await using run = await up({
    services: {
      db: played(),
      api: played({ depends_on: ['db'] }),
      web: played({ depends_on: { api: 'started' } }),
      cron: played({ depends_on: ['db'] }),
    },
  });
  const names = ['db', 'api', 'web', 'cron'] as const;
  const [db, api, web, cron] = (await Promise.all(names.map((name) => run.puppet(name)))) as [
    Puppet,
    Puppet,
    Puppet,
    Puppet,
  ];
  await Promise.all([db, api, web, cron].map((puppet) => puppet.trap('TERM')));
  run.signal('SIGTERM');
  await Promise.all([web.signalled('SIGTERM'), cron.signalled('SIGTERM')]);
  await passes(run, 'db', 100);
  expect([await api.caught(), await db.caught()]).toEqual([[], []]);
  await web.exit(0);
  await api.signalled('SIGTERM');
  await api.exit(0);
  await passes(run, 'db', 100);
  expect(await db.caught()).toEqual([]);
  await cron.exit(0);
  await db.signalled('SIGTERM');
  await db.exit(0);
  await run.ends(0);
});

test('stages stop in the opposite order', async () => {
  await using run = await up({ services: { db: played({ group: 'one' }), web: played({ group: 'two' }) } });
  const [db, web] = [await run.puppet('db'), await run.puppet('web')];
  await Promise.all([db.trap('TERM'), web.trap('TERM')]);
  run.signal('SIGTERM');
  await web.signalled('SIGTERM');
  await passes(run, 'db', 100);
  expect(await db.caught()).toEqual([]);
  await web.exit(0);
  await db.signalled('SIGTERM');
  await db.exit(0);
  await run.ends(0);
});

test('a second SIGTERM, some time after the first, kills the rest at once', async () => {
  await using run = await up({ stop_timeout: '1h', services: { a: played() } });
  const a = await run.puppet('a');
  await a.spawn('far', { session: true });
  const far = await run.puppet('far');
  await Promise.all([a.trap('TERM'), far.ignore('TERM')]);
  run.signal('SIGTERM');
  await a.signalled('SIGTERM');
  await passes(run, 'a', 600);
  run.signal('SIGTERM');
  await run.ends(137);
  await far.gone;
  await run.line(/SIGTERM received again: killing what is left/);
});

test('a second SIGINT kills too, whichever signal came first', async () => {
  await using run = await up({ stop_timeout: '1h', services: { a: played() } });
  const a = await run.puppet('a');
  await a.trap('TERM');
  run.signal('SIGTERM');
  await a.signalled('SIGTERM');
  await passes(run, 'a', 600);
  run.signal('SIGINT');
  await run.ends(137);
});

test('a signal that arrives twice at once, as from npm or a terminal, is one request', async () => {
  await using run = await up({ stop_timeout: '1h', services: { a: played() } });
  const a = await run.puppet('a');
  await a.trap('TERM');
  run.signal('SIGINT');
  run.signal('SIGINT');
  run.signal('SIGTERM');
  await a.signalled('SIGTERM');
  await passes(run, 'a', 700);
  expect(a.isGone).toBe(false);
  expect(await a.caught()).toEqual(['SIGTERM']);
  await a.exit(0);
  await run.ends(0);
});

test('SIGTERM during a start stops the service, and its dependents never start', async () => {
  await using run = await up({
    services: { a: played({ ready: { notify: true } }), b: played({ depends_on: ['a'] }) },
  });
  const a = await run.puppet('a');
  await a.trap('TERM');
  run.signal('SIGTERM');
  await a.signalled('SIGTERM');
  // Too late: nothing starts any more.
  await a.notify();
  expect((await run.service('b')).state).toBe('pending');
  await a.exit(0);
  await run.ends(0);
  expect(run.hasCalled('b')).toBe(false);
});

test('SIGTERM while a task runs stops it', async () => {
  await using run = await up({ services: { a: played({ type: 'task' }), b: played({ depends_on: ['a'] }) } });
  const a = await run.puppet('a');
  run.signal('SIGTERM');
  await a.gone;
  await run.ends(0);
  expect(run.hasCalled('b')).toBe(false);
});

test('a service that is asked to stop is not restarted, whatever its policy', async () => {
  await using run = await up({
    services: { a: played({ restart: { policy: 'always', backoff: { initial: '1ms' } } }) },
  });
  const a = await run.puppet('a', 1);
  run.signal('SIGTERM');
  await a.gone;
  await run.ends(0);
  expect(run.hasCalled('a')).toBe(false);
});

test('leftover processes of a stopped service receive SIGTERM, then SIGKILL: the code is 137', async () => {
  await using run = await up({ stop_timeout: '5s', services: { a: played() } });
  const a = await run.puppet('a');
  await a.spawn('far', { daemon: true });
  const far = await run.puppet('far');
  await far.trap('TERM');
  run.signal('SIGTERM');
  await far.signalled('SIGTERM');
  await run.ends(137);
  await run.line(/cleaned up 1 process of a: perl \(pid \d+\)/);
});

test('a service that is stopped by SIGSTOP is continued, and receives its stop signal', async () => {
  await using run = await up({ stop_timeout: '300ms', services: { a: played() } });
  const a = await run.puppet('a');
  run.kill(a.pid, 'SIGSTOP');
  await until('it to be stopped', () => run.find(a.pid)?.state === 'T');
  run.signal('SIGTERM');
  await run.ends(0);
});

test('a service with only a failed start stops at once', async () => {
  await using run = await up({
    services: {
      a: { command: ['no-such-program'], restart: { policy: 'always', backoff: { initial: '1h', max: '1h' } } },
    },
  });
  await run.state('a', 'backoff');
  run.signal('SIGTERM');
  await run.ends(0);
});

test('the state shows the stop', async () => {
  await using run = await up({ services: { a: played() } });
  const a = await run.puppet('a');
  await a.trap('TERM');
  run.signal('SIGTERM');
  await a.signalled('SIGTERM');
  expect(await run.service('a')).toMatchObject({ state: 'stopping', reason: 'asked to stop', pid: a.pid });
  expect((await run.status()).phase).toBe('stopping');
  expect((await run.command('health')).code).toBe(1);
});
