// Reaping: under a storm of orphans no exit status of a service is lost and no zombie stays, whether the supervisor runs or
// is stopped. And what happens to all processes when the supervisor or svc-super itself is killed.
import { expect, test } from 'bun:test';
import { FairClock } from '../../chaos/fair.ts';
import { waitedOf } from '../../chaos/proc.ts';
import { played, type Run, until, up, useRig } from '../helpers/rig.ts';

useRig();

/** As many as it can in that time, ten at once; the number of them. */
const storm = (seconds: number) => `
  use Time::HiRes ();
  my ($end, $count) = (Time::HiRes::time() + ${seconds}, 0);
  while (Time::HiRes::time() < $end) {
    my $parent = fork() // next;
    if ($parent == 0) {
      close($test);
      for (1 .. 10) { my $child = fork(); POSIX::_exit(3) if defined $child && $child == 0 }
      POSIX::_exit(0);
    }
    waitpid($parent, 0);
    $count += 10;
  }
  $count`;

/**
 * Looks at the zombies whose parent is svc-super until `over`; the longest time that one was seen, milliseconds, less the
 * time for which svc-super waited for a processor.
 */
async function oldestZombie(run: Run, over: Promise<unknown>): Promise<number> {
  let goesOn = true;
  void over.finally(() => {
    goesOn = false;
  });
  const since = new Map<number, number>();
  const clock = new FairClock();
  let oldest = 0;
  while (goesOn) {
    const now = clock.read({ wall: performance.now(), waited: waitedOf(run.outerPid), stopped: 0, late: 0 });
    const zombies = run.ps().filter(({ state, outerParent }) => state === 'Z' && outerParent === run.outerPid);
    const pids = new Set(zombies.map(({ outer }) => outer));
    for (const pid of since.keys()) if (!pids.has(pid)) since.delete(pid);
    for (const pid of pids) {
      since.set(pid, since.get(pid) ?? now);
      oldest = Math.max(oldest, now - (since.get(pid) ?? now));
    }
    await Bun.sleep(20);
  }
  return oldest;
}

const CODES = Array.from({ length: 44 }, (_, at) => at * 5 + 1);
const SIGNALS = [1, 9, 15, 34, 40, 64];

/** Fifty services, each of which ends again and again in a way that its name tells. */
const ending = () => ({
  ...Object.fromEntries(CODES.map((code) => [`code-${code}`, { command: ['/bin/sh', '-c', `exit ${code}`] }])),
  ...Object.fromEntries(SIGNALS.map((n) => [`signal-${n}`, { command: ['/bin/sh', '-c', `kill -${n} $$; sleep 1`] }])),
});

for (const pid1 of [true, false]) {
  test(`thousands of orphans as fast as can be: every code of fifty services is right and no zombie lasts${pid1 ? '' : ', below another init'}`, async () => {
    const again = { essential: false, restart: { policy: 'always', backoff: { initial: '50ms', max: '100ms' } } };
    const services = Object.fromEntries(
      Object.entries(ending()).map(([name, service]) => [name, { ...service, ...again }]),
    );
    await using run = await up({ exit: 'failure', services: { wild: played(), ...services } }, { pid1 });
    const wild = await run.puppet('wild');
    let made = 0;
    // Until each of them has ended several times, which takes longer on a machine that has more to do.
    for (let least = 0; made < (pid1 ? 3_000 : 1_000) || least < 3; ) {
      const raging = wild.eval(storm(1));
      const oldest = await oldestZombie(run, raging);
      made += Number(await raging);
      expect(oldest).toBeLessThan(1_000);
      least = Math.min(...(await run.status()).services.slice(1).map(({ restarts }) => restarts));
    }
    await until('the last of them to be reaped', () => run.ps().every(({ state }) => state !== 'Z'));
    await wild.exit(0);
    run.signal('SIGTERM');
    await run.ends(0);
    let seen = 0;
    for (const line of run.lines) {
      const [, kind, number, end] =
        /\| (?:warning: )?(code|signal)-(\d+) (exited .*|was killed .*?) after/.exec(line) ?? [];
      if (kind === undefined) continue;
      const names: Readonly<Record<string, string>> = { 1: 'SIGHUP', 9: 'SIGKILL', 15: 'SIGTERM' };
      const signal = names[`${number}`] ?? `SIGRTMIN+${Number(number) - 34}`;
      expect(end).toBe(kind === 'code' ? `exited with code ${number}` : `was killed by ${signal}`);
      seen += 1;
    }
    expect(seen).toBeGreaterThanOrEqual(3 * (CODES.length + SIGNALS.length));
  });
}

test('children that svc-super inherits through its own exec are reaped as well', async () => {
  await using run = await up({ services: { a: played() } }, { before: 'sleep 0.2 &\nsleep 0.1 &\n(sleep 0.1 &)' });
  const a = await run.puppet('a');
  await until('only a to be there', () => run.ps().length === 1);
  await a.exit(2);
  await run.ends(2);
});

test('while the supervisor is stopped, orphans are reaped, and what happened is reported afterwards', async () => {
  await using run = await up({ services: { a: played(), b: played({ essential: false }) } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  const { outer: supervisor } = run.supervisor;
  process.kill(supervisor, 'SIGSTOP');
  await a.orphans(200, 3);
  void b.exit(41).catch(() => undefined);
  await b.gone;
  await until('orphans and b to be reaped', () => run.ps().every(({ pid }) => pid === a.pid));
  process.kill(supervisor, 'SIGCONT');
  expect((await run.state('b', 'failed')).exit).toEqual({ code: 41, signal: null });
  await a.exit(2);
  await run.ends(2);
});

/** PID 1 gives up soon. */
const SOON = { supervisor: { deaths_starting: 2, deaths_young: 2, longest_pause: '0s' } };

/** Kills each supervisor as soon as it is there, until PID 1 starts no other. */
async function killSupervisors(run: Run): Promise<void> {
  await until('PID 1 to give up', () => {
    if (/stopping \d+ running processes, exit code 70/.test(run.output.text())) return true;
    const found = run.ps().length > 0 ? supervisorOf(run) : null;
    try {
      if (found !== null) process.kill(found, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
    return run.isOver;
  });
}

function supervisorOf(run: Run): number | null {
  try {
    return run.supervisor.outer;
  } catch {
    return null;
  }
}

for (const pid1 of [true, false]) {
  const where = pid1 ? '' : ', below another init';

  test(`supervisors that die again and again: each service gets its stop signal, and the code is 70${where}`, async () => {
    const config = { ...SOON, services: { a: played({ stop: { signal: 'INT' } }), b: played() } };
    await using run = await up(config, { pid1 });
    const [a, b] = [await run.puppet('a'), await run.puppet('b')];
    await Promise.all([a.trap('INT', 'TERM'), b.trap('INT', 'TERM')]);
    await a.spawn('kid', { daemon: true });
    const kid = await run.puppet('kid');
    const killed = killSupervisors(run);
    await Promise.all([a.signalled('SIGINT'), b.signalled('SIGTERM')]);
    await a.exit(0);
    await b.exit(0);
    await run.ends(70);
    await Promise.all([kid.gone, killed]);
    await run.line(/was killed by signal 9, as those before it, .*: stopping 2 running processes, exit code 70/);
  });

  test(`supervisors that die again and again: a service that ignores its stop signal is killed after stop_timeout${where}`, async () => {
    await using run = await up({ ...SOON, stop_timeout: '500ms', services: { a: played() } }, { pid1 });
    const a = await run.puppet('a');
    await a.ignore('TERM');
    await killSupervisors(run);
    await run.ends(70);
    await a.gone;
  });
}

test('svc-super below another init that is SIGKILLed takes its supervisor and all processes of its services along', async () => {
  await using run = await up({ services: { a: played() } }, { pid1: false, leaves: ['control.sock'] });
  const a = await run.puppet('a');
  await run.state('a', 'ready');
  await a.spawn('kid', { daemon: true });
  const kid = await run.puppet('kid');
  run.signal('SIGKILL');
  await until('svc-super to be gone', () => run.isOver);
  await Promise.all([a.gone, kid.gone]);
  await until('nothing to be left', () => run.ps().length === 0);
});
