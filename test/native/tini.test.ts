// Called as tini (or docker-init), the native program behaves like tini 0.19. The scenarios are our own, and cover the
// README and the test suite of tini (github.com/krallin/tini); the original tini runs them too.
import { describe, expect, test } from 'bun:test';
import {
  codeOf,
  contenders,
  listener,
  named,
  PLACES,
  SIGNALS,
  shell,
  start,
  textOf,
  useNative,
} from '../helpers/native.ts';
import { makeOrphans, parentThatExits, twoListeners, unblockTerm, withPendingTerm } from './scenarios.ts';

useNative();

/** Faults, SIGTTIN and SIGTTOU. */
const KEPT = [4, 5, 6, 7, 8, 11, 21, 22, 31];

describe.each(contenders('tini'))('tini, %s', (_label, tini) => {
  describe.each(PLACES)('%s', (_where, pid1) => {
    const options = { pid1, env: { TINI_SUBREAPER: '1' } };

    test("exit codes are the command's, 128+n for a signal", async () => {
      for (const code of [0, 1, 42, 255]) {
        expect(await codeOf(tini, ['--', ...shell(`exit ${code}`)], options)).toBe(code);
      }
      for (const signal of [1, 9, 15, 64]) {
        expect(await codeOf(tini, ['--', ...shell(`kill -${signal} $$`)], options)).toBe(128 + signal);
      }
    });

    test('every signal is forwarded once, except faults, SIGTTIN and SIGTTOU', async () => {
      await using run = start(tini, ['--', ...listener], options);
      await run.line(/^ready/);
      const sent = SIGNALS.filter((signal) => pid1 || !KEPT.includes(signal));
      for (const signal of sent) {
        await run.signal(signal);
        if (!KEPT.includes(signal)) await run.line(new RegExp(`^signal ${signal}$`));
      }
      expect(run.signals).toEqual(SIGNALS.filter((signal) => !KEPT.includes(signal)));
    });

    test('orphans are reaped while the command runs', async () => {
      const perl = makeOrphans(500, 'print "none left\\n"; exit 3');
      await using run = start(tini, ['--', 'perl', '-e', perl], options);
      await run.line(/^none left$/);
      expect(await run.code).toBe(3);
    });
  });

  test('-e maps exit codes to 0, including those of signals', async () => {
    const args = ['-e', '3', '-e143', '--'];
    expect(await codeOf(tini, [...args, ...shell('exit 3')])).toBe(0);
    expect(await codeOf(tini, [...args, ...shell('exit 4')])).toBe(4);
    expect(await codeOf(tini, [...args, ...shell('kill -15 $$')])).toBe(0);
  });

  test.each([
    ['no command', []],
    ['an unknown option', ['-x', '--', 'true']],
    ['an exit code above 255', ['-e', '256', '--', 'true']],
    ['an exit code that is no number', ['-e', 'x', '--', 'true']],
    ['an unknown signal', ['-p', 'SIGNOTHING', '--', 'true']],
    ['an option without its value', ['-e']],
  ])('%s exits with 1', async (_what, args) => {
    expect(await codeOf(tini, args)).toBe(1);
  });

  test('the exit code is 127 for a missing command and 126 for a file that is not a program', async () => {
    expect(await codeOf(tini, ['--', '/no/such'])).toBe(127);
    expect(await codeOf(tini, ['--', 'no-such-program'])).toBe(127);
    expect(await codeOf(tini, ['--', '/etc/passwd'])).toBe(126);
  });

  test('`COMMAND -- ARGUMENT...` passes the arguments without the mark', async () => {
    expect(await textOf(tini, ['/bin/echo', '--', '-l', '--', 'x'])).toBe('-l -- x\n');
    expect(await textOf(tini, ['--', '/bin/echo', '--', '-l'])).toBe('-- -l\n');
  });

  test('--version and -h print to standard output', async () => {
    expect(await textOf(tini, ['--version'])).toStartWith('tini version 0.19.0');
    expect(await codeOf(tini, ['--version'])).toBe(0);
    expect(await textOf(tini, ['-h'])).toContain('TINI_SUBREAPER');
    expect(await codeOf(tini, ['-l'])).toBe(0);
  });

  test('the command leads a process group in the same session', async () => {
    const show = 'open(F, "/proc/self/stat"); print join(" ", (split / /, <F>)[0, 4, 5]), "\\n"';
    const [pid, group, session] = (await textOf(tini, ['--', 'perl', '-e', show])).trim().split(' ').map(Number);
    expect(group).toBe(pid as number);
    expect(session).not.toBe(pid);
  });

  test.each([['-g'], ['TINI_KILL_PROCESS_GROUP']])('%s forwards to the whole process group', async (how) => {
    const option = how.startsWith('-') ? [how] : [];
    const env = how.startsWith('-') ? {} : { [how]: '1' };
    await using run = start(tini, [...option, '--', ...twoListeners], { env });
    await run.until('both', () => run.output.match(/^ready/gm)?.length === 2);
    await run.signal(10);
    await run.until('both signals', () => run.signals.length === 2);
    expect(run.signals).toEqual([10, 10]);
  });

  test('without -g only the command gets a signal', async () => {
    await using run = start(tini, ['--', ...twoListeners]);
    await run.until('both', () => run.output.match(/^ready/gm)?.length === 2);
    await run.signal(10);
    // Two signals that are pending together are handled in any order.
    await run.line(/^signal 10$/);
    await run.signal(12);
    await run.line(/^signal 12$/);
    expect(run.signals).toEqual([10, 12]);
  });

  test('-p sends a signal when the parent ends', async () => {
    await using run = start('perl', ['-e', parentThatExits, tini, '-p', 'SIGUSR1', '--', ...listener]);
    await run.line(/^signal 10$/);
  });

  test('-s adopts orphans below another init', async () => {
    const show = `pipe(R, W); my $init = getppid;
      if (!fork) {
        my $parent = $$;
        if (!fork) {
          select(undef, undef, undef, 0.001) while getppid == $parent;
          syswrite(W, getppid == $init ? "adopted" : "lost");
        }
        exit;
      }
      close W; wait; print <R>, "\\n"`;
    expect(await textOf(tini, ['-s', '--', 'perl', '-e', show], { pid1: false })).toBe('adopted\n');
  });

  test('the command inherits blocked and ignored signals unchanged', async () => {
    const set = `use POSIX; $SIG{HUP} = $SIG{TTOU} = "IGNORE";
      sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGUSR1, SIGTTIN)); exec @ARGV`;
    const args = ['-e', set, tini, '--', 'grep', '-E', '^Sig(Blk|Ign)', '/proc/self/status'];
    expect(await textOf('perl', args)).toBe('SigBlk:\t0000000000100200\nSigIgn:\t0000000000200001\n');
  });

  test('a signal sent before the command is executed reaches it', async () => {
    for (let round = 0; round < 10; round += 1) {
      expect(await codeOf('perl', ['-e', withPendingTerm, tini, '--', 'perl', '-e', unblockTerm])).toBe(143);
    }
  });
});

test('docker-init is tini', async () => {
  expect(await textOf(named('docker-init'), ['--version'])).toStartWith('tini version 0.19.0');
  expect(await codeOf(named('docker-init'), ['--', ...shell('exit 4')])).toBe(4);
});
