// What the kernel refuses, sends and limits: system calls that an old seccomp profile blocks, signals to PID 1 from its own
// services and during its start, and limits on open files.
import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { isRoot, played, type Run, start, until, up, useRig } from '../helpers/rig.ts';

useRig();

const launcher = join(import.meta.dir, '../helpers/trap-seccomp.pl');

/** Makes system calls fail in PID 1 and in all its descendants. */
const refuse = (error: 'EPERM' | 'ENOSYS', calls: string) => `exec perl ${launcher} ${error} ${calls} "$0" "$@"`;

const noZombie = (run: Run) =>
  until(
    'orphans to be reaped',
    () => run.ps().every(({ state }) => state !== 'Z'),
    () => run.output.text(),
  );

/** Refused alone and together, as in Docker before 20.10, gVisor and old kernels. No C library survives clone3 with EPERM. */
const REFUSED = [
  ['EPERM', 'pidfd_open'],
  ['ENOSYS', 'pidfd_open'],
  ['EPERM', 'close_range,memfd_create'],
  ['ENOSYS', 'clone3'],
  ['ENOSYS', 'pidfd_open,clone3,close_range,memfd_create,epoll_pwait2'],
] as const;

describe.each(REFUSED)('with seccomp and %s for %s', (error, calls) => {
  test('exits of children are reported, orphans reaped, signals handled', async () => {
    await using run = await up(
      {
        exit: 'all',
        services: {
          a: played({ stop: { signal: 'INT' } }),
          b: played(),
          other: isRoot ? played({ user: 'nobody', cwd: '/' }) : played(),
          again: {
            command: 'exit 7',
            ready: { exec: 'true' },
            restart: { policy: 'on-failure', max: 3, backoff: { initial: '10ms' } },
          },
        },
      },
      { before: refuse(error, calls) },
    );
    const [a, b, other] = [await run.puppet('a'), await run.puppet('b'), await run.puppet('other')];
    await run.state('again', 'failed');
    await a.orphans(200, 3);
    await noZombie(run);
    await b.exit(4);
    expect((await run.state('b', 'failed')).reason).toContain('exited with code 4');
    await other.die(40);
    expect((await run.state('other', 'failed')).reason).toContain('killed by SIGRTMIN+6');
    await b.gone;
    await a.trap('INT');
    run.signal('SIGTERM');
    await a.signalled('SIGINT');
    await a.exit(0);
    await run.ends(0);
  });

  test('init: the code of the command is returned, orphans are reaped', async () => {
    await using run = await start(['init', '--', ...(played().command as string[])], {
      before: refuse(error, calls),
      env: { SVC_NAME: 'command' },
    });
    const puppet = await run.puppet('command');
    await puppet.orphans(200, 3);
    await noZombie(run);
    await puppet.trap('USR1');
    run.signal('SIGUSR1');
    await puppet.signalled('SIGUSR1');
    await puppet.exit(9);
    await run.ends(9);
  });
});

describe('signals that a service sends to PID 1', () => {
  /** The kernel's own signals, those that stop everything, and those of the threads of the C library. */
  const APART = new Set([2, 3, 9, 15, 19, 30, 32, 33, 37]);
  /** Sent by a process these are ordinary signals; only the kernel's own are faults. */
  const FAULTS = ['ILL', 'BUS', 'FPE', 'SEGV'];

  const all = Array.from({ length: 64 }, (_, at) => at + 1).filter((number) => !APART.has(number));

  test('up: none of them ends or stops it, whatever the sender', async () => {
    await using run = await up({ services: { a: played() } });
    const a = await run.puppet('a');
    for (const number of all) {
      await a.kill(String(number), 1);
      run.signal(number);
    }
    await a.orphans(20, 1);
    await noZombie(run);
    expect((await run.status()).phase).toBe('running');
    expect(run.lines.filter((line) => /panic|Bun v/.test(line))).toEqual([]);
    await a.exit(5);
    await run.ends(5);
  });

  test('init: faults that a process sends do not end it either, and reach the command', async () => {
    await using run = await start(['init', '--', ...(played().command as string[])], { env: { SVC_NAME: 'a' } });
    const a = await run.puppet('a');
    await a.trap(...FAULTS);
    for (const name of FAULTS) {
      run.signal(`SIG${name}` as NodeJS.Signals);
      await a.signalled(`SIG${name}`);
    }
    await a.orphans(20, 1);
    await noZombie(run);
    await a.exit(5);
    await run.ends(5);
  });
});

describe('a signal during the load of the program', () => {
  /**
   * Blocked or handled: otherwise the kernel would discard it for PID 1 (signal(7)) before its first instruction. While `init`
   * waits in rt_sigtimedwait(2) no signal is shown as blocked: by then it has a child.
   */
  const bit = 1n << BigInt(constants.signals.SIGTERM - 1);
  const hears = (run: Run) =>
    until('SIGTERM to be held or heard', () => {
      const status = readFileSync(`/proc/${run.outerPid}/status`, 'utf8');
      const mask = (name: string) => BigInt(`0x${new RegExp(`^${name}:\\s*(\\w+)$`, 'm').exec(status)?.[1] ?? '0'}`);
      if (!status.startsWith('Name:\tsvc-super\n')) return false;
      return ((mask('SigBlk') | mask('SigCgt')) & bit) !== 0n || run.ps().length > 0;
    });

  test('up: SIGTERM ends everything with 0', async () => {
    for (let round = 0; round < 20; round += 1) {
      await using run = await up({ services: { a: { command: ['/bin/sleep', '1000'] } } });
      await hears(run);
      run.signal('SIGTERM');
      await run.ends(0);
    }
  });

  test('init: SIGTERM reaches the command', async () => {
    for (let round = 0; round < 20; round += 1) {
      await using run = await start(['init', '--', '/bin/sleep', '1000']);
      await hears(run);
      run.signal('SIGTERM');
      await run.ends(128 + 15);
    }
  });
});

describe('open files', () => {
  const MANY = 140;
  const sleepers = Object.fromEntries(
    Array.from({ length: MANY }, (_, at) => [
      `s${at}`,
      {
        command: 'ulimit -Sn; ulimit -Hn; exec sleep 1000',
        essential: false,
        log: { prefix: false },
        restart: { policy: 'always', backoff: { initial: '100ms', max: '200ms' } },
      },
    ]),
  );

  test('a hard limit of 256 is enough for 70 services; further starts fail with that reason, and the supervisor continues', async () => {
    await using run = await up(
      { exit: 'failure', services: { first: played(), leaver: played({ essential: false }), ...sleepers } },
      { before: 'ulimit -n 256' },
    );
    const first = await run.puppet('first');
    const leaver = await run.puppet('leaver');
    await run.line(/s\d+ could not be started: the limit of 256 open files is reached; starting again in/);
    // Each has started or has been refused: from now on an exit makes space for one more.
    const services = await until('each to have been tried', async () => {
      const now = await run.status();
      return now.services.every(({ state, restarts }) => state === 'ready' || state === 'backoff' || restarts > 0)
        ? now.services
        : null;
    });
    const [there = [], waiting = []] = [true, false].map((ready) =>
      services.filter(({ state }) => (state === 'ready') === ready).map(({ name }) => name),
    );
    expect(there.length).toBeGreaterThan(70);
    expect(waiting.length).toBeGreaterThan(10);
    await first.orphans(20, 1);
    await noZombie(run);
    // A service that is stopped makes space for another.
    await leaver.exit(0);
    await until('another to be started', async () => {
      const now = await run.status();
      return now.services.some(({ name, state }) => waiting.includes(name) && state === 'ready');
    });
    expect(run.lines.filter((line) => /a bug|EMFILE/.test(line))).toEqual([]);
    await first.exit(3);
    await run.ends(3);
  });

  test('a soft limit of 256 applies to the services, not to the supervisor', async () => {
    const before = 'ulimit -Sn 256; ulimit -Hn 4096';
    await using run = await up({ exit: 'failure', services: { first: played(), ...sleepers } }, { before });
    const first = await run.puppet('first');
    await run.line(/everything (?:is ready|has started)/);
    // PID 1 has the pipes open, and the supervisor has opened each of them again.
    for (const { outer } of [run.pid1, run.supervisor])
      expect(readdirSync(`/proc/${outer}/fd`).length).toBeGreaterThan(256);
    expect((await first.facts()).limits['open files']).toEqual(['256', '4096']);
    // Services that were started when the supervisor had few open files, and later ones.
    await until('all to have said their limits', () => run.output.bytes('stdout').toString().length === MANY * 9);
    // Lines of several services have no order.
    const said = run.output.bytes('stdout').toString().trimEnd().split('\n').sort();
    expect(said).toEqual([...Array(MANY).fill('256'), ...Array(MANY).fill('4096')]);
    await first.exit(3);
    await run.ends(3);
  });
});
