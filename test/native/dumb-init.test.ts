// Called as dumb-init, the native program behaves like dumb-init 1.2.5. The scenarios are our own, and cover the README and
// the test suite of dumb-init (github.com/Yelp/dumb-init); the original dumb-init runs them too.
import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import {
  children,
  codeOf,
  contenders,
  listener,
  PLACES,
  SIGNALS,
  shell,
  start,
  textOf,
  useNative,
} from '../helpers/native.ts';
import { checkCtrlC, makeOrphans, twoListeners } from './scenarios.ts';

useNative();

const [TSTP, TTIN, TTOU] = [20, 21, 22];
const STOPS = [TSTP, TTIN, TTOU];

const state = (pid: number) => /^State:\s*(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];

describe.each(contenders('dumb-init'))('dumb-init, %s', (_label, dumbInit) => {
  describe.each(PLACES)('%s', (_where, pid1) => {
    test("exit codes are the command's, 128+n for a signal", async () => {
      for (const code of [0, 1, 2, 32, 64, 127, 254, 255]) {
        expect(await codeOf(dumbInit, shell(`exit ${code}`), { pid1 })).toBe(code);
      }
      for (const signal of [1, 2, 9, 15]) {
        expect(await codeOf(dumbInit, shell(`kill -${signal} $$`), { pid1 })).toBe(128 + signal);
      }
    });

    test('every signal is forwarded once, except job control signals', async () => {
      await using run = start(dumbInit, listener, { pid1 });
      await run.line(/^ready/);
      const sent = SIGNALS.filter((signal) => !STOPS.includes(signal));
      for (const signal of sent) {
        await run.signal(signal);
        await run.line(new RegExp(`^signal ${signal}$`));
      }
      expect(run.signals).toEqual(sent);
    });

    test('a job control signal stops the command and, below a shell, the init; SIGCONT continues both', async () => {
      for (const signal of STOPS) {
        await using run = start(dumbInit, listener, { pid1 });
        await run.line(/^ready/);
        const pid = await run.pid();
        const command = children(pid)[0] as number;
        await run.signal(signal);
        await run.until('the stop', () => state(command) === 'T' && (pid1 || state(pid) === 'T'));
        await run.signal(18);
        await run.line(/^signal 18$/);
        expect(state(pid)).not.toBe('T');
        expect(run.signals).toEqual([18]);
      }
    });

    test('with -c it is forwarded unchanged', async () => {
      await using run = start(dumbInit, ['-c', ...listener], { pid1 });
      await run.line(/^ready/);
      await run.signal(TSTP);
      await run.line(/^signal 20$/);
      if (pid1) return;
      const pid = await run.pid();
      await run.until('the stop', () => state(pid) === 'T');
      await run.signal(18);
      await run.line(/^signal 18$/);
    });
  });

  test.each([
    ['by default', [], {}, [12, 12]],
    ['with -c', ['-c'], {}, [12]],
    ['with --single-child', ['--single-child'], {}, [12]],
    ['with DUMB_INIT_SETSID=0', [], { DUMB_INIT_SETSID: '0' }, [12]],
    ['with DUMB_INIT_SETSID=1', [], { DUMB_INIT_SETSID: '1' }, [12, 12]],
  ])('which processes get a signal: %s', async (_what, options, env, expected) => {
    await using run = start(dumbInit, [...options, ...twoListeners], { env: env as Record<string, string> });
    await run.until('both', () => run.output.match(/^ready/gm)?.length === 2);
    await run.signal(12);
    await run.until('the signals', () => run.signals.length >= expected.length);
    await run.signal(15);
    await run.until('the next', () => run.signals.length >= 2 * expected.length);
    expect([...run.signals].sort()).toEqual([...expected, ...expected.map(() => 15)]);
  });

  test('the command leads its own session; with -c neither a session nor a process group', async () => {
    const show = 'open(F, "/proc/self/stat"); print join(" ", (split / /, <F>)[0, 4, 5]), "\\n"';
    const [pid, group, session] = (await textOf(dumbInit, ['perl', '-e', show])).trim().split(' ');
    expect([group, session]).toEqual([pid, pid]);
    const single = (await textOf(dumbInit, ['-c', 'perl', '-e', show])).trim().split(' ');
    expect(single[1]).not.toBe(single[0]);
    expect(single[2]).not.toBe(single[0]);
  });

  test('-r rewrites signals, or drops them', async () => {
    await using run = start(dumbInit, ['-r', '15:3', '--rewrite', '2:0', '--rewrite=1:12', ...listener]);
    await run.line(/^ready/);
    await run.signal(15);
    await run.line(/^signal 3$/);
    await run.signal(2);
    await run.signal(1);
    await run.line(/^signal 12$/);
    expect(run.signals).toEqual([3, 12]);
  });

  test('a rewrite of a job control signal has precedence over SIGSTOP', async () => {
    await using run = start(dumbInit, ['-r', '20:10', ...listener]);
    await run.line(/^ready/);
    await run.signal(TSTP);
    await run.line(/^signal 10$/);
  });

  test('when the command ends, its session gets SIGTERM, or the signal of -r', async () => {
    for (const [options, name] of [
      [[], 'TERM'],
      [['-r', '15:10'], 'USR1'],
    ] as const) {
      const perl = `pipe(R, W);
        if (!fork) {
          $SIG{${name}} = sub { syswrite(STDOUT, "left got ${name}\n"); exit };
          syswrite(W, "x"); select(undef, undef, undef, 60); exit;
        }
        sysread(R, $_, 1); exit 4`;
      // cat ends when the last process that writes to it has ended.
      const script = `(${dumbInit} ${options.join(' ')} perl -e '${perl}'; echo code $?) | cat`;
      await using run = start('/bin/sh', ['-c', script]);
      await run.line(/^code 4$/);
      await run.line(new RegExp(`^left got ${name}$`));
    }
  });

  test('the command has default dispositions and no blocked signals', async () => {
    const set = `use POSIX; $SIG{HUP} = $SIG{TTOU} = "IGNORE";
      sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGUSR1, SIGTTIN)); exec @ARGV`;
    const args = ['-e', set, dumbInit, 'grep', '-E', '^Sig(Blk|Ign)', '/proc/self/status'];
    expect(await textOf('perl', args)).toBe('SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n');
  });

  test('if the command cannot be executed, the exit code is 2', async () => {
    expect(await codeOf(dumbInit, ['/no/such'])).toBe(2);
    expect(await codeOf(dumbInit, ['/etc/passwd'])).toBe(2);
    expect(await textOf(dumbInit, ['/no/such'])).toContain('/no/such');
  });

  test.each([
    ['no command', []],
    ['an unknown option', ['-x', 'true']],
    ['a malformed rewrite', ['-r', '15', 'true']],
    ['a rewrite of signal 0', ['-r', '0:1', 'true']],
    ['a rewrite to a signal that does not exist', ['-r', '15:65', 'true']],
    ['an option without its value', ['-r']],
  ])('%s exits with 1', async (_what, args) => {
    expect(await codeOf(dumbInit, args)).toBe(1);
  });

  test('help and version', async () => {
    for (const option of ['-h', '--help', '-V', '--version']) expect(await codeOf(dumbInit, [option])).toBe(0);
    expect(await textOf(dumbInit, ['-V'])).toStartWith('dumb-init v1.2.5');
  });

  test('debugging output goes to standard error', async () => {
    for (const [options, env] of [
      [['-v'], {}],
      [['--verbose'], {}],
      [[], { DUMB_INIT_DEBUG: '1' }],
    ] as const) {
      expect(await textOf(dumbInit, [...options, 'true'], { env })).not.toBe('');
      expect(await textOf('/bin/sh', ['-c', `${dumbInit} ${options.join(' ')} true 2>/dev/null`], { env })).toBe('');
    }
  });

  test('orphans are reaped as PID 1', async () => {
    expect(await codeOf(dumbInit, ['perl', '-e', makeOrphans(300, 'exit 3')])).toBe(3);
  });

  test('its working directory is /, so that it keeps no file system busy', async () => {
    await using run = start(dumbInit, listener, { before: 'cd /usr' });
    await run.line(/^ready/);
    expect(Bun.spawnSync(['readlink', `/proc/${await run.pid()}/cwd`]).stdout.toString()).toBe('/\n');
    expect(await textOf(dumbInit, ['pwd'], { before: 'cd /usr' })).toBe('/usr\n');
  });

  test('in a terminal the command is in the foreground, and Ctrl-C reaches it once', async () => {
    await using run = start(dumbInit, listener, { terminal: true });
    await checkCtrlC(run);
  });

  test('the command gets no signal if the init gives up its controlling terminal', async () => {
    // `setsid --ctty` makes the init a session leader with the terminal.
    await using run = start('setsid', ['--ctty', dumbInit, ...listener], { terminal: true });
    await run.line(/^ready/);
    await run.signal(10);
    await run.line(/^signal 10$/);
    expect(run.signals).toEqual([10]);
  });
});
