// Clean-up: however a main process exits, every process of its run has ended before the next run starts and before the container
// ends: children in its group and session, in their own sessions, daemons, and those that changed their name, environment or
// user. Processes that do not belong to the service are never signalled.
import { expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import type { ChildKind, Puppet } from '../helpers/puppet.ts';
import { isRoot, played, puppetCommand, type Run, until, up, useRig } from '../helpers/rig.ts';

useRig();

const NOBODY = 65534;

const KINDS: Readonly<Record<string, ChildKind>> = {
  'a child in its group': {},
  'a child in a session of its own': { session: true },
  'a daemon (double fork)': { daemon: true },
  'a child that renamed itself': { title: 'VLLM::EngineCore' },
  'a daemon that renamed itself over its whole environment': { daemon: true, title: 'VLLM::Worker_TP0 '.repeat(40) },
  'a child with an empty environment': { wiped: true, session: true },
  'a daemon with an empty environment': { wiped: true, daemon: true },
  ...(isRoot && {
    'a daemon under another user': { daemon: true, uid: NOBODY },
    'a daemon under another user with an empty environment': { daemon: true, uid: NOBODY, wiped: true },
  }),
};

const always = { policy: 'always', backoff: { initial: '1ms', max: '1ms' } };

/** Has a puppet fork one process of each kind; they ignore SIGTERM if requested. */
async function breed(run: Run, parent: Puppet, stubborn: boolean): Promise<readonly Puppet[]> {
  const children: Puppet[] = [];
  for (const [name, kind] of Object.entries(KINDS)) {
    await parent.spawn(name, kind);
    children.push(await run.puppet(name));
  }
  if (stubborn) await Promise.all(children.map((child) => child.ignore('TERM', 'HUP')));
  return children;
}

/** Checks that only these processes remain. */
function expectOnly(run: Run, pids: readonly number[]): void {
  expect(
    run
      .ps()
      .map(({ pid }) => pid)
      .sort(),
  ).toEqual([...pids].sort());
}

const ENDS: Readonly<Record<string, (run: Run, main: Puppet) => Promise<void> | void>> = {
  'is SIGKILLed from outside': (run, main) => run.kill(main.pid, 'SIGKILL'),
  'exits by itself': (_run, main) => main.exit(0),
  crashes: (_run, main) => main.die(11),
};

for (const [how, end] of Object.entries(ENDS)) {
  for (const stubborn of [false, true]) {
    test(`when main ${how}, all of its ${stubborn ? 'stubborn ' : ''}processes have ended when the next run starts`, async () => {
      await using run = await up({ services: { a: played({ restart: always }) } });
      const first = await run.puppet('a', 1);
      const children = await breed(run, first, stubborn);
      await end(run, first);
      const second = await run.puppet('a', 2);
      expectOnly(run, [second.pid]);
      expect(await second.processes()).toEqual([1, run.supervisor.pid, second.pid]);
      await Promise.all(children.map(({ gone }) => gone));
      await run.line(new RegExp(`cleaned up ${children.length} processes of a: `));
    });
  }
}

for (const [name, kind] of Object.entries(KINDS)) {
  test(`a single leftover process is found: ${name}`, async () => {
    await using run = await up({ services: { a: played({ restart: always }) } });
    const first = await run.puppet('a', 1);
    await first.spawn('child', kind);
    const child = await run.puppet('child');
    run.kill(first.pid);
    const second = await run.puppet('a', 2);
    expectOnly(run, [second.pid]);
    await child.gone;
  });
}

test('after a SIGKILL of main from outside all of its processes have ended when the container ends, with 137', async () => {
  await using run = await up({ services: { a: played() } }, { pid1: false });
  const main = await run.puppet('a');
  const children = await breed(run, main, true);
  run.kill(main.pid);
  await run.ends(137);
  expectOnly(run, []);
  await Promise.all(children.map(({ gone }) => gone));
});

test('as PID 1 too: all are cleaned up before the end', async () => {
  await using run = await up({ services: { a: played() } });
  const main = await run.puppet('a');
  const children = await breed(run, main, false);
  run.kill(main.pid);
  await run.ends(137);
  await run.line(new RegExp(`cleaned up ${children.length} processes of a`));
});

test('a stop ends all of them', async () => {
  await using run = await up({ services: { a: played() } }, { pid1: false });
  await breed(run, await run.puppet('a'), false);
  run.signal('SIGTERM');
  await run.ends(0);
  expectOnly(run, []);
});

test.each(['main', 'group'] as const)(
  'a stop (to: %s) reports no process that ends after the main process; only `debug` names it',
  async (to) => {
    await using run = await up({ log: { level: 'debug' }, services: { a: played({ stop: { to } }), b: played() } });
    const main = await run.puppet('a', 1);
    await main.spawn('kid');
    const kid = await run.puppet('kid');
    await kid.trap('TERM');
    expect((await run.command('stop', 'a')).code).toBe(0);
    await kid.signalled('SIGTERM');
    // The answer comes after the scan that has found the process.
    await until('the scan', async () => (await run.service('a')).reason === 'waiting for its last processes');
    await kid.exit(0);
    await run.line(
      new RegExp(`no process of the run is left; these outlived its main process: perl \\(pid ${kid.pid}\\)`),
    );
    expect((await run.command('start', '--wait', 'a')).code).toBe(0);
    const next = await run.puppet('a', 2);
    expect(run.lines.filter((line) => line.includes('cleaned up'))).toEqual([]);
    await next.spawn('late');
    const late = await run.puppet('late');
    run.kill(next.pid);
    await run.line(new RegExp(`cleaned up 1 process of a: perl \\(pid ${late.pid}\\)`));
  },
);

test('processes that are killed together with the main process are not called leftover', async () => {
  await using run = await up({ services: { a: played({ stop: { timeout: '200ms' } }), b: played() } });
  const main = await run.puppet('a');
  await main.spawn('kid');
  const kid = await run.puppet('kid');
  await Promise.all([main.ignore('TERM'), kid.ignore('TERM')]);
  expect((await run.command('stop', '--wait', 'a')).code).toBe(0);
  await Promise.all([main.gone, kid.gone]);
  await run.line(/a did not stop within .*: sending SIGKILL/);
  expect(run.lines.filter((line) => line.includes('cleaned up'))).toEqual([]);
});

test('cleaned-up processes are reported with name and pid', async () => {
  await using run = await up({ services: { vllm: played({ restart: always }) } });
  const main = await run.puppet('vllm', 1);
  await main.spawn('one', { session: true, title: 'VLLM::EngineCore' });
  await main.spawn('two', { daemon: true, title: 'VLLM::Worker_TP0' });
  const [one, two] = [await run.puppet('one'), await run.puppet('two')];
  run.kill(main.pid);
  await run.puppet('vllm', 2);
  const { text } = await run.line(/cleaned up 2 processes of vllm: /);
  expect(text).toContain(`VLLM::EngineCore (pid ${one.pid})`);
  expect(text).toContain(`VLLM::Worker_TP0 (pid ${two.pid})`);
});

test('leftover processes receive SIGTERM and may exit in their own time', async () => {
  await using run = await up({ services: { a: played({ restart: always }) } });
  const first = await run.puppet('a', 1);
  await first.spawn('child', { daemon: true });
  const child = await run.puppet('child');
  await child.trap('TERM');
  await first.exit(1);
  await child.signalled('SIGTERM');
  expect(await run.service('a')).toMatchObject({ state: 'stopping', reason: 'waiting for its last processes', run: 1 });
  await child.exit(0);
  await run.puppet('a', 2);
});

test('clean-up works without ps and with an empty PATH', async () => {
  const [perl = '', ...rest] = puppetCommand;
  await using run = await up(
    { services: { a: { command: [perl, ...rest], restart: always } } },
    { before: 'PATH=/var/empty; export PATH' },
  );
  const first = await run.puppet('a', 1);
  expect((await first.facts()).env.PATH).toBe('/var/empty');
  await breed(run, first, true);
  run.kill(first.pid);
  const second = await run.puppet('a', 2);
  expectOnly(run, [second.pid]);
});

test('a daemon of a daemon of a child is found', async () => {
  await using run = await up({ services: { a: played({ restart: always }) } });
  const first = await run.puppet('a', 1);
  await first.spawn('child', { session: true, wiped: true });
  const child = await run.puppet('child');
  await child.spawn('grandchild', { daemon: true, ...(isRoot && { uid: NOBODY }) });
  const grandchild = await run.puppet('grandchild');
  await child.exit(0);
  await grandchild.spawn('last', { daemon: true, wiped: true, title: 'nginx: worker process' });
  const last = await run.puppet('last');
  await grandchild.exit(0);
  run.kill(first.pid);
  const second = await run.puppet('a', 2);
  expectOnly(run, [second.pid]);
  await last.gone;
});

test('a watchdog in another session that restarts its child is cleaned up with it', async () => {
  await using run = await up({ services: { a: played({ restart: always }) } });
  const first = await run.puppet('a', 1);
  await first.spawn('watchdog', { daemon: true });
  const watchdog = await run.puppet('watchdog');
  await watchdog.ignore('TERM');
  // Whenever its child exits, it forks another one.
  await watchdog.eval(`$SIG{CHLD} = sub { waitpid(-1, 1) > 0 and do_spawn('again', 'session') }; undef`);
  await watchdog.spawn('again', { session: true });
  const child = await run.puppet('again');
  await child.exit(1);
  await run.puppet('again');
  run.kill(first.pid);
  const second = await run.puppet('a', 2);
  expectOnly(run, [second.pid]);
});

test('processes of other services and foreign processes are not touched', async () => {
  await using run = await up(
    { services: { a: played({ restart: always }), b: played({ restart: always }) } },
    { pid1: false },
  );
  const [a, b] = [await run.puppet('a', 1), await run.puppet('b', 1)];
  await b.spawn('of b', { daemon: true });
  await a.spawn('of a', { daemon: true });
  const [ofB, ofA] = [await run.puppet('of b'), await run.puppet('of a')];
  await Promise.all([b, ofB].map((puppet) => puppet.trap('TERM', 'HUP', 'INT', 'CONT')));
  run.kill(a.pid);
  await run.puppet('a', 2);
  await ofA.gone;
  expect([b.isGone, ofB.isGone]).toEqual([false, false]);
  expect([await b.caught(), await ofB.caught()]).toEqual([[], []]);
  // At the end neither of two foreign processes below the same init is touched.
  await b.ignore('TERM');
  await b.exit(0);
  await ofB.signalled('SIGTERM');
  await ofB.exit(0);
  await run.puppet('b', 2);
});

test('a foreign process in the namespace outlives the supervisor', async () => {
  await using run = await up({ services: { a: played() } }, { pid1: false });
  const init = run.init;
  await init.spawn('other', { session: true });
  const other = await run.puppet('other');
  await other.trap('TERM', 'HUP', 'INT', 'QUIT', 'CONT');
  const main = await run.puppet('a');
  await main.spawn('child', { daemon: true });
  await run.puppet('child');
  run.kill(main.pid);
  await run.ends(137);
  expect(run.ps().map(({ pid }) => pid)).toEqual([other.pid]);
  expect(await other.caught()).toEqual([]);
  await other.exit(0);
  await run.reaped(other.pid);
});

test('orphans of any process are reaped at once, and no exit status of a service is lost', async () => {
  await using run = await up({
    services: { a: played(), b: played({ essential: false }), c: played({ essential: false }) },
  });
  const [a, b, c] = [await run.puppet('a'), await run.puppet('b'), await run.puppet('c')];
  for (let round = 0; round < 5; round += 1) await a.orphans(100, 3);
  await Promise.all([a.orphans(200), b.exit(41), c.die(10)]);
  expect((await run.state('b', 'failed')).exit).toEqual({ code: 41, signal: null });
  expect((await run.state('c', 'failed')).exit).toEqual({ code: null, signal: 'SIGUSR1' });
  await until('no zombie', () => run.ps().length === 1);
  expectOnly(run, [a.pid]);
});

test('below another init svc-super adopts orphans and reaps them', async () => {
  await using run = await up({ services: { a: played() } }, { pid1: false });
  const a = await run.puppet('a');
  await a.spawn('daemon', { daemon: true });
  const daemon = await run.puppet('daemon');
  expect((await daemon.facts()).ppid).toBe(run.pid1.pid);
  await a.orphans(100);
  await until('no zombie', () => run.ps().length === 2);
  await daemon.exit(0);
  await run.reaped(daemon.pid);
});

test('zombies that a main process never reaped do not block the clean-up', async () => {
  await using run = await up({ services: { a: played({ restart: always }) } });
  const first = await run.puppet('a', 1);
  // Children that exit, and a parent that does not reap them.
  await first.eval(
    `for (1 .. 5) { my $pid = fork; POSIX::_exit(0) if $pid == 0 } $SIG{CHLD} = 'DEFAULT'; *reap = sub {}; undef`,
  );
  run.kill(first.pid);
  const second = await run.puppet('a', 2);
  expectOnly(run, [second.pid]);
});

/** A process whose first thread exits at once, while another one sleeps: the kernel shows it in state Z. */
const HALF = `use threads; threads->create(sub { sleep 1000 }); syscall(${process.arch === 'arm64' ? 93 : 60}, 0)`;

test('a process of which only the first thread has ended is cleaned up too', async () => {
  await using run = await up({ services: { a: played({ restart: always }) } });
  const first = await run.puppet('a', 1);
  await first.eval(`if (fork() == 0) { close($test); exec('/usr/bin/perl', '-e', q{${HALF}}) } undef`);
  const threads = (outer: number) => readdirSync(`/proc/${outer}/task`).length;
  await until('its first thread to end', () =>
    run.ps().some(({ state, outer }) => state === 'Z' && threads(outer) > 1),
  );
  run.kill(first.pid);
  const second = await run.puppet('a', 2);
  expectOnly(run, [second.pid]);
});

test('a stopped leftover process is ended too', async () => {
  await using run = await up({ services: { a: played({ restart: always }) } });
  const first = await run.puppet('a', 1);
  await first.spawn('child', { daemon: true });
  const child = await run.puppet('child');
  run.kill(child.pid, 'SIGSTOP');
  await until('it to be stopped', () => run.find(child.pid)?.state === 'T');
  await first.exit(1);
  const second = await run.puppet('a', 2);
  expectOnly(run, [second.pid]);
});

/** As in gVisor: marks are not possible, and orphans are identified only by the names in their environment. */
const UNMARKED = { before: 'exec prlimit --locks=1000 "$0" "$@"' };

test('without marks, processes that run beside a service do not end its daemons', async () => {
  const beside = (role: string) => [...puppetCommand, role];
  const live = { exec: beside('probe'), interval: '1s', timeout: '50s' };
  const hooks = { after_ready: beside('warm') };
  await using run = await up({ services: { a: played({ restart: always, live: [live], hooks }) } }, UNMARKED);
  const first = await run.puppet('a', 1);
  await first.spawn('daemon', { daemon: true });
  const daemon = await run.puppet('daemon');
  await daemon.trap('TERM');
  const warm = await run.puppet('warm');
  await warm.spawn('stray', { daemon: true });
  const stray = await run.puppet('stray');
  await warm.exit(0);
  expect(await run.command('exec', 'a', '--', 'true')).toMatchObject({ code: 0 });
  // The second probe shows that all processes of the first one have ended.
  await (await run.puppet('probe')).exit(0);
  await run.puppet('probe');
  expect([daemon.isGone, await daemon.caught()]).toEqual([false, []]);
  // All processes with the service's name end with it, including the leftover of its hook.
  await first.exit(1);
  await daemon.signalled('SIGTERM');
  await daemon.exit(0);
  const second = await run.puppet('a', 2);
  await stray.gone;
  expect([daemon.isGone, stray.isGone]).toEqual([true, true]);
  expect(run.ps().some(({ pid }) => pid === second.pid)).toBe(true);
});

test('without marks, leftover processes of before_start and after_exit end before the next step', async () => {
  const hooks = { before_start: [...puppetCommand, 'prepare'], after_exit: [...puppetCommand, 'tidy'] };
  await using run = await up({ services: { a: played({ hooks }) } }, UNMARKED);
  const leave = async (role: string) => {
    const hook = await run.puppet(role);
    await hook.spawn(`of ${role}`, { daemon: true });
    const daemon = await run.puppet(`of ${role}`);
    await hook.exit(0);
    await daemon.gone;
  };
  await leave('prepare');
  await (await run.puppet('a')).exit(0);
  await leave('tidy');
  await run.ends(0);
});

test('a program that daemonizes is reported once, with the usual switches', async () => {
  // A real double fork, as in daemon(3).
  const daemon =
    'use POSIX; fork and exit; POSIX::setsid(); fork and exit; ' +
    'open STDIN, "/dev/null"; open STDOUT, ">/dev/null"; open STDERR, ">/dev/null"; sleep 1000';
  const backoff = { initial: '50ms', max: '50ms' };
  await using run = await up({
    services: { a: { command: ['/usr/bin/perl', '-e', daemon], restart: { policy: 'always', backoff } } },
  });
  await run.line(
    /cleaned up \d process(?:es)? of a: .*Did the program go into the background\?.*`daemon off;`.*`-F`.*`--foreground`/,
  );
  await until('a third run', async () => (await run.service('a')).run >= 3);
  expect(run.output.text().match(/into the background/g)).toHaveLength(1);
  run.signal('SIGTERM');
  await run.ends(0);
});
