// How PID 1 exits: after REQUEST_END, after the end of the supervisor or a malformed frame, and by SIGKILL above the real
// supervisor. No process may outlive it, whether it is PID 1 of its namespace or not.
import { describe, expect, test } from 'bun:test';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeEnd } from '../../src/pid1/protocol.ts';
import { folder, PLACES, sendSignal, useNative } from '../helpers/native.ts';
import { childrenOf, launch, perl, type Supervised, statOf, statusOf, supervise, takeOver } from '../helpers/pid1.ts';

useNative();

/** A shell command that prints the names of all remaining processes. Starts no process. */
const PRINT_LEFT = 'for p in /proc/[0-9]*; do read -r name < $p/comm && echo "left $name"; done';
/** Standard output and error, each a pipe. */
const both = { 0: { kind: 'null' }, 1: { kind: 'pipe' }, 2: { kind: 'pipe' } } as const;

const killSupervisor = async (pid1: Supervised) => sendSignal(await pid1.supervisor(), 9);
describe('the end', () => {
  test.each(PLACES)('has the code of REQUEST_END, %s', async (_where, pid1) => {
    for (const code of [0, 1, 78, 255]) {
      await using run = await takeOver({ pid1 });
      run.send(encodeEnd(code));
      expect(await run.code).toBe(code);
      expect(run.output).toBe('');
    }
  });

  test.each(PLACES)(
    'of the supervisor: each run gets its own stop signal and SIGCONT, then SIGKILL, 70, %s',
    async (_where, isPid1) => {
      await using pid1 = await takeOver({ pid1: isPid1, after: PRINT_LEFT }, 400);
      const streams = { 0: { kind: 'null' }, 1: { kind: 'pipe' } } as const;
      const ended = perl(
        '$SIG{USR2} = sub { syswrite STDOUT, "got its own\\n"; exit }; syswrite STDOUT, "x\\n"; sleep 1000 while 1',
      );
      const polite = pid1.spawn({ argv: ended, stopSignal: 12, streams });
      const stopped = pid1.spawn({
        argv: perl('$SIG{TERM} = sub { syswrite STDOUT, "got SIGTERM\\n"; exit }; kill 19, $$; sleep 1000 while 1'),
        stopSignal: 15,
        streams,
      });
      // It ignores its stop signal, and its child has its own session.
      const stubborn = pid1.spawn({
        argv: perl(
          'use POSIX; $SIG{TERM} = $SIG{HUP} = "IGNORE"; if (!fork) { POSIX::setsid(); sleep 1000 } syswrite STDOUT, "deaf\\n"; sleep 1000 while 1',
        ),
        streams,
      });
      const outers = await Promise.all(
        [polite, stopped, stubborn].map(async (run) => pid1.outer((await pid1.spawned(run)).pid)),
      );
      await pid1.until('them to be ready', () => {
        const [a = 0, b = 0, c = 0] = outers;
        const caught = (pid: number) => BigInt(`0x${statusOf(pid, 'SigCgt') || 0}`);
        return (caught(a) & 0x800n) !== 0n && statusOf(b, 'State').startsWith('T') && childrenOf(c).length === 1;
      });
      const from = performance.now();
      await killSupervisor(pid1);
      expect(await pid1.code).toBe(70);
      expect(performance.now() - from).toBeGreaterThan(390);
      expect(pid1.output).toMatch(
        /^svc-super: the supervisor \(pid \d+\) was killed by signal 9: stopping 3 running processes, exit code 70$/m,
      );
      expect(pid1.output).toMatch(/^got its own$/m);
      expect(pid1.output).toMatch(/^got SIGTERM$/m);
      expect(pid1.output.match(/^left .*$/gm)).toEqual(isPid1 ? null : ['left sh']);
    },
  );

  test('has code 70 too if a signal killed the supervisor before hello', async () => {
    await using pid1 = await supervise();
    await killSupervisor(pid1);
    expect(await pid1.code).toBe(70);
    expect(pid1.output).toMatch(/was killed by signal 9/);
  });

  test('comes at once after a stop signal during the grace period, and after no other signal', async () => {
    await using pid1 = await supervise();
    pid1.hello(600_000, [10, 15]);
    const ignoring = perl(
      '$SIG{TERM} = sub { syswrite STDOUT, "first\\n" }; syswrite STDOUT, "ready\\n"; sleep 1000 while 1',
    );
    const run = pid1.spawn({ argv: ignoring });
    await pid1.line(run, /^ready$/);
    await killSupervisor(pid1);
    await pid1.started.line(/^first$/);
    const main = await pid1.outer((await pid1.spawned(run)).pid);
    await pid1.started.signal(2, 1, 12);
    // PID 1 handles these signals before it copies the output that follows.
    sendSignal(main, 15);
    await pid1.until('the second line', () => pid1.output.match(/^first$/gm)?.length === 2);
    expect(existsSync(`/proc/${main}`)).toBe(true);
    await pid1.started.signal(10);
    expect(await pid1.code).toBe(70);
  });

  test('without a supervisor output is read, so that no program blocks on a full pipe', async () => {
    await using pid1 = await takeOver({}, 600_000);
    const file = join(folder(), 'finished');
    const argv = perl(
      '$SIG{TERM} = sub { print "z" x 99, "\\n" for 1 .. 5000; close STDOUT; open F, ">", shift @ARGV; exit 0 }; syswrite STDERR, "ready\\n"; sleep 1000 while 1',
      file,
    );
    await pid1.line(pid1.spawn({ argv, streams: both }), /^ready$/, 1);
    await killSupervisor(pid1);
    expect(await pid1.code).toBe(70);
    expect(existsSync(file)).toBe(true);
  });

  test('without a supervisor PID 1 uses no processor time for a program that notifies or has closed its output', async () => {
    await using pid1 = await takeOver({}, 600_000);
    const notify = `svc-test-end-${process.pid}`;
    const text = `use Socket; socket(S, PF_UNIX, SOCK_DGRAM, 0); connect(S, pack_sockaddr_un("\\0" . shift)) or die;
      $SIG{TERM} = sub { close STDOUT; my $sent = 0; for (1 .. 1000) { $sent++ if defined send(S, "STOPPING=1", 0) } syswrite STDERR, "done\\n" };
      syswrite STDERR, "ready\\n"; sleep 1000 while 1`;
    await pid1.line(pid1.spawn({ argv: perl(text, notify), notify, streams: both }), /^ready$/, 1);
    const outer = await pid1.started.pid();
    await killSupervisor(pid1);
    await pid1.started.line(/^done$/);
    const cpu = () => Number(statOf(outer, 14)) + Number(statOf(outer, 15));
    const from = cpu();
    const deadline = performance.now() + 500;
    await pid1.until('a while', () => performance.now() > deadline);
    expect(cpu() - from).toBeLessThan(10);
    await pid1.started.signal(15);
    expect(await pid1.code).toBe(70);
  });

  const u32 = (...numbers: readonly number[]) => {
    const bytes = Buffer.alloc(4 * numbers.length);
    numbers.forEach((number, at) => void bytes.writeUInt32LE(number >>> 0, 4 * at));
    return bytes;
  };
  test.each([
    ['an unknown request', u32(4, 99), 'sent request 99'],
    ['an event', u32(4, 101), 'sent request 101'],
    ['no type', u32(4, 0), 'sent a malformed frame'],
    ['a length of 0', u32(0, 0), 'sent a malformed frame'],
    ['the largest length', u32(0xffff_ffff, 2), 'sent a malformed frame'],
    ['another protocol', u32(12, 1, 2, 1_000), 'sent request 1'],
    ['a truncated hello', u32(8, 1, 1), 'sent request 1'],
    ['an empty spawn', u32(4, 2), 'sent request 2'],
    [
      'a spawn whose count of groups is a million',
      u32(48, 2, 1, 15, 0, 0, 0, 0, 0, 0, 0, 0, 1_000_000),
      'sent request 2',
    ],
    ['a signal beyond 64', u32(16, 3, 1, 65, 0), 'sent request 3'],
    ['a signal with fewer targets than counted', u32(16, 3, 1, 15, 7), 'sent request 3'],
    ['an empty release', u32(4, 4), 'sent request 4'],
  ])('a frame with %s: one sentence and 70', async (_what, bytes, words) => {
    await using pid1 = await takeOver();
    pid1.send(bytes, u32(4, 99));
    expect(await pid1.code).toBe(70);
    const [first, second, ...rest] = pid1.output.trim().split('\n');
    expect(first).toBe(
      `svc-super: the supervisor ${words}, which this release does not support: both files must be of the same release`,
    );
    expect(second).toMatch(/was killed by signal 9: stopping 0 running processes, exit code 70$/);
    expect(rest).toEqual([]);
  });

  test('a length that no frame has is refused before the rest of the frame arrives', async () => {
    await using pid1 = await takeOver();
    pid1.send(u32(0xffff_ffff));
    expect(await pid1.code).toBe(70);
    expect(pid1.output).toStartWith('svc-super: the supervisor sent a malformed frame,');
  });

  test('has code 70 if the supervisor closes the socket after hello, and the supervisor is killed', async () => {
    await using pid1 = await takeOver();
    const supervisor = await pid1.supervisor();
    expect(supervisor).toBeGreaterThan(0);
    // Before anything was started there would be another supervisor.
    await pid1.spawned(pid1.spawn({ argv: ['/bin/sleep', '1000'] }));
    pid1.socket.end();
    expect(await pid1.code).toBe(70);
  });

  const real = join(import.meta.dir, '../../dist/svc-super');
  test.skipIf(!existsSync(`${real}-supervisor`))(
    'of the native program by SIGKILL: no service and no descendant outlives it',
    async () => {
      const config = join(folder(), 'services.yaml');
      const command = 'setsid sleep 1001 & (trap "" TERM; sleep 1002) & echo up; exec sleep 1003';
      writeFileSync(config, JSON.stringify({ services: { one: { command }, two: { command } } }));
      // The supervisor prints even after its parent has ended. The script waits until only the shell is left.
      const after =
        'while :; do n=0; for p in /proc/[0-9]*; do n=$((n+1)); done; [ $n = 1 ] && break; done; echo all gone';
      await using run = launch({ program: real, args: ['up', '-f', config], pid1: false, after });
      await run.until('both', () => (run.output.match(/up$/gm) ?? []).length === 2);
      await run.signal(9);
      await run.line(/^all gone$/);
      expect(await run.code).toBe(137);
    },
  );
});
