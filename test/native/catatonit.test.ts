// Called as catatonit (podman's --init), the native program behaves like catatonit 0.1.7 to 0.2, except that it does not
// block SIGTSTP, SIGTTIN and SIGTTOU in the command. The scenarios are our own; the original catatonit runs them too.
import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { codeOf, contenders, listener, PLACES, SIGNALS, shell, start, textOf, useNative } from '../helpers/native.ts';
import { checkCtrlC, twoListeners } from './scenarios.ts';

useNative();

/** Faults, SIGTSTP, SIGTTIN and SIGTTOU. */
const KEPT = [4, 5, 6, 7, 8, 11, 20, 21, 22, 31];

const stat = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'latin1');

describe.each(contenders('catatonit'))('catatonit, %s', (_label, catatonit) => {
  test.each(PLACES)("exit codes are the command's, 128+n for a signal, %s", async (_where, pid1) => {
    for (const code of [0, 1, 42, 255]) {
      expect(await codeOf(catatonit, ['--', ...shell(`exit ${code}`)], { pid1 })).toBe(code);
    }
    for (const signal of [1, 9, 15, 64]) {
      expect(await codeOf(catatonit, ['--', ...shell(`kill -${signal} $$`)], { pid1 })).toBe(128 + signal);
    }
  });

  test.each(PLACES)('signals are forwarded once, except faults and job control, %s', async (_where, pid1) => {
    await using run = start(catatonit, ['--', ...listener], { pid1 });
    await run.line(/^ready/);
    for (const signal of SIGNALS.filter((number) => pid1 || !KEPT.includes(number))) {
      await run.signal(signal);
      if (!KEPT.includes(signal)) await run.line(new RegExp(`^signal ${signal}$`));
    }
    expect(run.signals).toEqual(SIGNALS.filter((signal) => !KEPT.includes(signal)));
  });

  test('-g forwards to the process group', async () => {
    await using run = start(catatonit, ['-g', '--', ...twoListeners]);
    await run.until('both', () => run.output.match(/^ready/gm)?.length === 2);
    await run.signal(12);
    await run.until('both signals', () => run.signals.length === 2);
  });

  test.each([2, 15])('-P runs no command, and signal %d ends it with 0', async (signal) => {
    for (const pid1 of [true, false]) {
      await using run = start(catatonit, ['-P'], { pid1 });
      const pid = await run.pid();
      // It blocks signals in its first instructions, long before it sleeps for the first time.
      await run.until('it to wait for signals', () => /^\d+ \(catatonit\) S/.test(stat(pid)));
      await run.signal(10);
      await run.signal(signal);
      expect(await run.code).toBe(0);
    }
  });

  test('orphans are adopted below another init too', async () => {
    const perl = `pipe(R, W); my $init = getppid;
      if (!fork) {
        my $parent = $$;
        if (!fork) { select(undef, undef, undef, 0.001) while getppid == $parent; syswrite(W, 1) if getppid == $init }
        exit;
      }
      close W; wait; exit(<R> ? 4 : 5)`;
    for (const pid1 of [true, false]) expect(await codeOf(catatonit, ['--', 'perl', '-e', perl], { pid1 })).toBe(4);
  });

  test('errors exit with 1', async () => {
    for (const args of [[], ['-x', '--', 'true'], ['--', '/no/such'], ['--', '/etc/passwd']]) {
      expect(await codeOf(catatonit, args)).toBe(1);
    }
  });

  test('help, license and version exit with 0', async () => {
    for (const option of ['-h', '-L', '-V', '--version']) expect(await codeOf(catatonit, [option])).toBe(0);
    // `docker info` and `podman info` parse it.
    expect(await textOf(catatonit, ['--version'])).toStartWith('tini version ');
  });

  test('LISTEN_PID of the init is replaced by that of the command', async () => {
    const show = shell('echo $$ $LISTEN_PID');
    expect(await textOf(catatonit, ['--', ...show], { env: { LISTEN_PID: '1' } })).toBe('2 2\n');
    expect(await textOf(catatonit, ['--', ...show], { env: { LISTEN_PID: '77' } })).toBe('2 77\n');
  });

  test('it keeps none of the descriptors that the command inherits', async () => {
    const options = { before: 'exec 7</etc/hostname' };
    await using run = start(catatonit, ['--', ...listener], options);
    await run.line(/^ready/);
    expect(readdirSync(`/proc/${await run.pid()}/fd`)).not.toContain('7');
    expect(await textOf(catatonit, ['--', ...shell('readlink /proc/self/fd/7')], options)).toBe('/etc/hostname\n');
  });

  test('in a terminal Ctrl-C reaches the command once', async () => {
    await using run = start(catatonit, ['--', ...listener], { terminal: true });
    await checkCtrlC(run);
  });
});
