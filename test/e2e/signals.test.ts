// Signals to svc-super: those in `forward` reach the services that name them only; no signal other than those that stop it changes
// the supervisor itself.
import { expect, test } from 'bun:test';
import { constants } from 'node:os';
import { played, type Run, up, useRig } from '../helpers/rig.ts';

useRig();

const ALL = ['HUP', 'USR1', 'USR2', 'WINCH', 'INT', 'QUIT', 'ALRM', 'CONT', 'PIPE', 'URG', 'IO'];

/** Checks that the supervisor has handled earlier signals: it responds, and its services are unchanged. */
async function isWell(run: Run): Promise<void> {
  const { phase, services } = await run.status();
  expect({ phase, states: services.map(({ state, run: number }) => `${state} ${number}`) }).toEqual({
    phase: 'running',
    states: services.map(() => 'ready 1'),
  });
}

test('forward: a signal reaches only the main process of each service that names it', async () => {
  await using run = await up({
    services: { a: played({ forward: ['HUP', 'USR1'] }), b: played({ forward: ['USR1'] }), c: played() },
  });
  const [a, b, c] = [await run.puppet('a'), await run.puppet('b'), await run.puppet('c')];
  await a.spawn('kid');
  const kid = await run.puppet('kid');
  await Promise.all([a, b, c, kid].map((puppet) => puppet.trap(...ALL)));
  run.signal('SIGUSR1');
  await Promise.all([a.signalled('SIGUSR1'), b.signalled('SIGUSR1')]);
  run.signal('SIGHUP');
  await a.signalled('SIGHUP');
  await isWell(run);
  expect(await Promise.all([a, b, c, kid].map((puppet) => puppet.caught()))).toEqual([
    ['SIGUSR1', 'SIGHUP'],
    ['SIGUSR1'],
    [],
    [],
  ]);
});

test('forward: another signal may be sent instead', async () => {
  await using run = await up({ services: { a: played({ forward: { HUP: 'QUIT', USR2: 'USR1' } }) } });
  const a = await run.puppet('a');
  await a.trap(...ALL);
  run.signal('SIGHUP');
  await a.signalled('SIGQUIT');
  run.signal('SIGUSR2');
  await a.signalled('SIGUSR1');
  await isWell(run);
  expect(await a.caught()).toEqual(['SIGQUIT', 'SIGUSR1']);
});

test('forward: a real-time signal may be sent instead', async () => {
  await using run = await up({ services: { a: played({ forward: { HUP: 'SIGRTMIN+2' } }) } });
  const a = await run.puppet('a');
  await a.trap('NUM36');
  run.signal('SIGHUP');
  await a.signalled('SIGNUM36');
});

for (const signal of ['WINCH', 'USR2', 'ALRM', 'CONT', 'URG', 'TTOU', 'VTALRM', 'PROF', 'XCPU', 'XFSZ']) {
  test(`forward: ${signal} can be passed on`, async () => {
    await using run = await up({ services: { a: played({ forward: [signal] }) } });
    const a = await run.puppet('a');
    await a.trap(signal);
    run.signal(`SIG${signal}` as NodeJS.Signals);
    await a.signalled(`SIG${signal}`);
    await isWell(run);
  });
}

test('forward: a starting service gets the signal, and a waiting one does not block it', async () => {
  await using run = await up({
    services: {
      a: played({ forward: ['USR1'], ready: { notify: true } }),
      b: played({ forward: ['USR1'], depends_on: ['a'] }),
    },
  });
  const a = await run.puppet('a');
  await a.trap('USR1');
  run.signal('SIGUSR1');
  await a.signalled('SIGUSR1');
  await a.notify();
  await run.puppet('b');
});

test('forward: every run of a service gets it', async () => {
  await using run = await up({
    services: { a: played({ forward: ['USR1'], restart: { policy: 'always', backoff: { initial: '1ms' } } }) },
  });
  await (await run.puppet('a', 1)).exit(1);
  const second = await run.puppet('a', 2);
  await second.trap('USR1');
  run.signal('SIGUSR1');
  await second.signalled('SIGUSR1');
});

/** Signals that no process can catch, and those that stop svc-super. */
const NOT_SENT = new Set(['SIGKILL', 'SIGSTOP', 'SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGPWR']);
const SIGRTMIN_3 = 37;

const named = Object.entries(constants.signals).flatMap(([name, number]) => (NOT_SENT.has(name) ? [] : [number]));
const realTime = Array.from({ length: 64 - 34 + 1 }, (_, index) => 34 + index).filter((n) => n !== SIGRTMIN_3);
const OTHERS = [...new Set([...named, ...realTime])];

for (const pid1 of [true, false]) {
  test(`no other signal changes svc-super or reaches a service${pid1 ? '' : ', below another init'}`, async () => {
    await using run = await up({ services: { a: played(), b: played() } }, { pid1 });
    const [a, b] = [await run.puppet('a'), await run.puppet('b')];
    await Promise.all([a, b].map((puppet) => puppet.trap(...ALL)));
    for (const number of OTHERS) {
      run.signal(number);
      await isWell(run).catch((error) => {
        throw new Error(`after signal ${number}: ${error}`);
      });
    }
    expect([await a.caught(), await b.caught()]).toEqual([[], []]);
    run.signal('SIGTERM');
    await run.ends(0);
  });
}

/** Faults and aborts of the runtime itself, and the signals of its threads, which it cannot ignore. */
const FATAL = new Set([3, 4, 5, 6, 7, 8, 9, 11, 19, 31, 32, 33, 62]);

test('signals that are sent to the supervisor by mistake change nothing and reach no service', async () => {
  await using run = await up({ services: { a: played({ forward: ['USR1', 'HUP'] }) } });
  const a = await run.puppet('a');
  await a.trap(...ALL);
  const { outer: supervisor } = run.supervisor;
  for (const number of [constants.signals.SIGTERM, constants.signals.SIGINT, ...OTHERS]) {
    if (FATAL.has(number)) continue;
    process.kill(supervisor, number);
    await isWell(run).catch((error) => {
      throw new Error(`after signal ${number}: ${error}`);
    });
  }
  expect(await a.caught()).toEqual([]);
  expect(run.supervisor.outer).toBe(supervisor);
  await a.exit(3);
  await run.ends(3);
});

test('SIGUSR1 does not start a debugger: nothing listens and nothing is printed', async () => {
  await using run = await up({ services: { a: played() } });
  await run.puppet('a');
  await isWell(run);
  const before = run.lines.length;
  for (let count = 0; count < 5; count += 1) {
    run.signal('SIGUSR1');
    process.kill(run.supervisor.outer, 'SIGUSR1');
  }
  await isWell(run);
  expect(run.lines.slice(before).filter((line) => !line.includes('SIGUSR1 received and ignored'))).toEqual([]);
});

test('SIGHUP that no service forwards reloads the configuration', async () => {
  await using run = await up({ services: { a: played() } });
  await run.puppet('a');
  run.signal('SIGHUP');
  await run.line(/configuration read again: nothing has changed/);
  await isWell(run);
});

test('signals of a service to PID 1 have the same effect as those from outside', async () => {
  await using run = await up({ services: { a: played(), b: played({ forward: ['USR1'] }) } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await b.trap('USR1');
  await a.kill('USR2', 1);
  await a.kill('KILL', 1);
  await a.kill('STOP', 1);
  await a.kill('USR1', 1);
  await b.signalled('SIGUSR1');
  await isWell(run);
  // The stop may end it before it has responded.
  await Promise.race([a.kill('TERM', 1).catch(() => undefined), a.gone]);
  await run.ends(0);
});
