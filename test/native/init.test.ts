// `svc-super init`, without the supervisor's file: the features of tini and dumb-init, and those that neither has. The
// scenarios are our own, and follow the test suites of tini (github.com/krallin/tini) and dumb-init
// (github.com/Yelp/dumb-init).
import { describe, expect, test } from 'bun:test';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  children,
  codeOf,
  folder,
  isSanitized,
  listener,
  named,
  nativeBinary,
  PLACES,
  SIGNALS,
  type StartOptions,
  shell,
  start,
  textOf,
  useNative,
} from '../helpers/native.ts';
import { checkCtrlC, makeOrphans, parentThatExits, twoListeners, unblockTerm, withPendingTerm } from './scenarios.ts';

useNative();

const program = named('svc-super');
const run = (args: readonly string[], options: StartOptions = {}) => start(program, ['init', ...args], options);
const code = (args: readonly string[], options: StartOptions = {}) => codeOf(program, ['init', ...args], options);
const text = (args: readonly string[], options: StartOptions = {}) => textOf(program, ['init', ...args], options);
/** The arguments with which a shell runs a command. */
const line = (words: readonly string[]) => words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
const INIT = line([program, 'init']);

/** An interactive shell on a terminal. */
const startShell = () =>
  start('bash', ['--norc', '--noprofile', '-i'], { terminal: true, env: { PS1: '$ ', TERM: 'dumb' } });

/** Types keys, and waits for the line that they lead to. */
const stepsOf = (shell: ReturnType<typeof startShell>) => async (keys: string, pattern: RegExp) => {
  shell.type(keys);
  await shell.line(pattern);
};

/** The words that run a script of Perl. */
function scriptOf(perl: string): string {
  const script = join(folder(), 'job.pl');
  writeFileSync(script, perl);
  return `perl ${script}`;
}

describe.each(PLACES)('%s', (_where, pid1) => {
  test("exit codes are the command's, 128+n for a signal", async () => {
    for (const value of [0, 1, 42, 255]) expect(await code(shell(`exit ${value}`), { pid1 })).toBe(value);
    for (const signal of [1, 6, 9, 11, 15, 34, 64]) {
      expect(await code(shell(`kill -${signal} $$`), { pid1 })).toBe(128 + signal);
    }
  });

  test('every signal from 1 to 64 is forwarded once, faults too', async () => {
    await using init = run(listener, { pid1 });
    await init.line(/^ready/);
    for (const signal of SIGNALS) {
      await init.signal(signal);
      await init.line(new RegExp(`^signal ${signal}$`));
    }
    expect(init.signals).toEqual(SIGNALS);
  });

  test('thousands of orphans are reaped while the command runs', async () => {
    expect(await code(['perl', '-e', makeOrphans(3_000, 'exit 7')], { pid1 })).toBe(7);
  });

  test('an orphan becomes a child of the init', async () => {
    const perl = `pipe(R, W); my $init = getppid;
      if (!fork) {
        my $parent = $$;
        if (!fork) { select(undef, undef, undef, 0.001) while getppid == $parent; syswrite(W, getppid == $init ? 1 : 0) }
        exit;
      }
      close W; wait; exit(<R> ? 4 : 5)`;
    expect(await code(['perl', '-e', perl], { pid1 })).toBe(4);
  });
});

test('nothing is printed without an error', async () => {
  expect(await text(shell('exit 0'))).toBe('');
  expect(await text(shell('exit 3'), { pid1: false })).toBe('');
});

describe('exec', () => {
  const file = (name: string, content: string | Buffer, mode = 0o755): string => {
    const path = join(folder(), name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };

  test('the exit code is 127 for a missing command and 126 for a file that is not a program, with the reason', async () => {
    expect(await code(['no-such-program'])).toBe(127);
    expect(await code(['/no/such'])).toBe(127);
    expect(await code(['/etc/passwd'])).toBe(126);
    expect(await code(['/etc'])).toBe(126);
    expect(await code([''])).toBe(127);
    expect(await text(['/no/such'])).toContain('cannot execute /no/such');
  });

  test('the exit code is 127 for a missing interpreter', async () => {
    expect(await code([file('no-interpreter', '#!/no/such/interpreter\n')])).toBe(127);
  });

  test('a script without #! is run by the shell with its arguments', async () => {
    const script = file('plain', 'echo "$0: $1 $#"; exit 9\n');
    await using init = run([script, 'a b', 'c']);
    expect(await init.code).toBe(9);
    expect(init.output).toBe(`${script}: a b 2\n`);
  });

  test('the exit code is 126 for an ELF file for another machine, which is never run as a script', async () => {
    const foreign = Buffer.from(readFileSync(nativeBinary()));
    foreign.writeUInt16LE(0x15, 18);
    const path = file('foreign', foreign);
    expect(await code([path])).toBe(126);
    expect(await text([path])).toMatch(/not a program for this machine \(errno 8\)/);
  });

  test('argv and environment are passed byte for byte', async () => {
    const show = `print unpack("H*", $ARGV[0]), " ", unpack("H*", $ENV{BYTES}), " ", scalar(@ARGV)`;
    const start = `$ENV{BYTES} = "\\xff\\xfe=\\x80"; exec @ARGV, "\\xc3\\x28\\xff", "", "-h", "--"`;
    expect(await textOf('perl', ['-e', start, program, 'init', 'perl', '-e', show, '--'])).toBe('c328ff fffe3d80 4');
  });

  test('an argument list of a megabyte is passed', async () => {
    const perl = `exec @ARGV, ("x" x 100_000) x 10`;
    const show = ['perl', '-e', 'print length join "", @ARGV'];
    expect(await textOf('perl', ['-e', perl, program, 'init', ...show])).toBe('1000000');
  });

  test.if(process.getuid?.() === 0 && !isSanitized())('a fork that is refused is reported', async () => {
    // Root has no process limit, so the command runs as another user, who has no other process.
    chmodSync(folder(), 0o755);
    const user = ['setpriv', '--reuid=54321', '--regid=54321', '--clear-groups', 'prlimit', '--nproc=1'];
    await using init = start('env', [...user, program, 'init', 'true']);
    expect(await init.code).toBe(126);
    expect(init.output).toMatch(/cannot start true: too many processes/);
  });
});

describe('the command inherits', () => {
  test('descriptors, and PID 1 keeps none of them', async () => {
    const perl = `use Fcntl; pipe(R, W); if (!fork) { close W; sysread(R, $l, 9); print "closed\\n"; exit }
      close R; fcntl(W, F_SETFD, 0); my $fd = fileno W; exec @ARGV, "exec $fd>&-; exec sleep 60"`;
    await using init = start('/bin/sh', ['-c', `exec perl -e '${perl}' ${INIT} sh -c`]);
    await init.line(/^closed$/);
    expect(await textOf('/bin/sh', ['-c', `exec 7</etc/hostname; exec ${INIT} sh -c 'readlink /proc/self/fd/7'`])).toBe(
      '/etc/hostname\n',
    );
  });

  test('no descriptor of the init', async () => {
    const list = await text(shell('ls /proc/self/fd | tr "\\n" " "'));
    expect(list).toBe('0 1 2 3 ');
  });

  test('folder, umask and limits', async () => {
    const before = 'ulimit -Sn 256; umask 027; cd /usr';
    const show = shell('pwd; umask; ulimit -Sn; ulimit -Hn');
    const hard = (await textOf('/bin/sh', ['-c', 'ulimit -Hn'])).trim();
    expect(await text(show, { before })).toBe(`/usr\n0027\n256\n${hard}\n`);
  });

  test.each([
    ['init', [program, 'init']],
    ...(existsSync('/usr/bin/tini') ? ([['the genuine tini', ['/usr/bin/tini', '--']]] as const) : []),
  ])('blocked and ignored signals are as they were: %s', async (_what, words) => {
    const set = `use POSIX; $SIG{$_} = "IGNORE" for qw(HUP TTOU PIPE);
      sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGUSR1, SIGTTIN, SIGCHLD)); exec @ARGV`;
    const show = ['grep', '-E', '^Sig(Blk|Ign)', '/proc/self/status'];
    expect(await textOf('perl', ['-e', set, ...words, ...show])).toBe(
      'SigBlk:\t0000000000110200\nSigIgn:\t0000000000201001\n',
    );
  });

  test('an ignored SIGCHLD, and its exit code is returned nevertheless', async () => {
    const set = `$SIG{CHLD} = "IGNORE"; exec @ARGV`;
    const show = ['grep', '^SigIgn', '/proc/self/status'];
    expect(await textOf('perl', ['-e', set, program, 'init', ...show])).toBe('SigIgn:\t0000000000010000\n');
    expect(await codeOf('perl', ['-e', set, program, 'init', ...shell('exit 3')])).toBe(3);
  });
});

describe('signals', () => {
  test('-g reaches the group, -c only the command', async () => {
    for (const [options, expected] of [
      [['-g'], [12, 12]],
      [['-g', '-c'], [12]],
      [[], [12]],
    ] as const) {
      await using init = run([...options, ...twoListeners]);
      await init.until('both', () => init.output.match(/^ready/gm)?.length === 2);
      await init.signal(12);
      await init.until('the signals', () => init.signals.length === expected.length);
      expect(init.signals).toEqual([...expected]);
    }
  });

  test('-g reaches a command that has left its group', async () => {
    const leave = `use POSIX; if (!($k = fork)) { sleep 60 } setpgid($k, $k); setpgid(0, $k) or die; exec @ARGV`;
    await using init = run(['-g', 'perl', '-e', leave, ...listener]);
    await init.line(/^ready/);
    await init.signal(15);
    await init.line(/^signal 15$/);
  });

  test('-r forwards another signal, or none; by number or name', async () => {
    await using init = run(['-r', '15:3', '-r', 'INT:0', '-rSIGHUP:SIGUSR2', '-r', '10:34', ...listener]);
    await init.line(/^ready/);
    for (const signal of [15, 2, 1, 10, 13]) {
      await init.signal(signal);
      if (signal !== 2) await init.until('it', () => init.signals.length === [15, 1, 10, 13].indexOf(signal) + 1);
    }
    expect(init.signals).toEqual([3, 12, 34, 13]);
  });

  test('-p sends a signal when the parent ends, by short name too', async () => {
    await using init = start('perl', ['-e', parentThatExits, program, 'init', '-p', 'USR1', ...listener]);
    await init.line(/^signal 10$/);
  });

  test('a queued value is forwarded with its signal', async () => {
    const show = `use POSIX; $| = 1;
      POSIX::sigaction(35, POSIX::SigAction->new(sub { print "value ", unpack("x24 i", $_[2]), "\\n" }, undef, SA_SIGINFO));
      print "ready\\n"; sleep 1 while 1`;
    await using init = run(['perl', '-e', show]);
    await init.line(/^ready/);
    Bun.spawnSync(['/bin/kill', '-35', '-q', '4711', `${await init.pid()}`]);
    await init.line(/^value 4711$/);
  });

  test('a signal sent before the command is executed reaches it', async () => {
    for (const option of ['-c', '-g']) {
      for (let round = 0; round < 10; round += 1) {
        const command = [program, 'init', option, 'perl', '-e', unblockTerm];
        expect(await codeOf('perl', ['-e', withPendingTerm, ...command])).toBe(143);
      }
    }
  });
});

describe('options', () => {
  test('-e maps exit codes to 0, in any spelling', async () => {
    for (const options of [['-e', '3'], ['-e3'], ['-ge3'], ['-e', '4', '-e', '3', '--']]) {
      expect(await code([...options, ...shell('exit 3')])).toBe(0);
    }
    expect(await code(['-e', '143', ...shell('kill -15 $$')])).toBe(0);
  });

  test.each([
    ['no command', []],
    ['only a mark', ['--']],
    ['an unknown option', ['-x', 'true']],
    ['an unknown long option', ['--nonsense', 'true']],
    ['an exit code above 255', ['-e', '256', 'true']],
    ['a malformed rewrite', ['-r', '15', 'true']],
    ['a rewrite of signal 0', ['-r', '0:1', 'true']],
    ['a signal above 64', ['-r', '15:65', 'true']],
    ['an option without its value', ['-e']],
  ])('%s exits with 64 and one line', async (_what, args) => {
    await using init = run(args);
    expect(await init.code).toBe(64);
    expect(init.output).toMatch(/^svc-super: init: .*svc-super init -h`\.\n$/);
  });

  test('-h and -l print to standard output', async () => {
    expect(await text(['-h'])).toContain('Usage: svc-super init');
    expect(await text(['--help'])).toContain('-r SIG:SIG');
    expect(await text(['-l'])).toContain('MIT');
    expect(await code(['-h'])).toBe(0);
  });

  test('-w reports orphans that were reaped', async () => {
    // Its number disappears when it has been reaped.
    const orphan = shell('pid=$(sleep 0 >/dev/null & echo $!); while [ -e /proc/$pid ]; do :; done');
    expect(await text(['-w', ...orphan])).toMatch(/reaped orphan \d+/);
  });

  test('the variables of tini and dumb-init do the same', async () => {
    await using init = run(twoListeners, { env: { TINI_KILL_PROCESS_GROUP: '1' } });
    await init.until('both', () => init.output.match(/^ready/gm)?.length === 2);
    await init.signal(12);
    await init.until('both signals', () => init.signals.length === 2);
    expect(await text(shell('exit 0'), { env: { DUMB_INIT_DEBUG: '1' } })).toContain('started the command');
  });
});

describe('standard error that accepts no output', () => {
  test('does not block the init', async () => {
    // A full pipe without a reader.
    const full = `use Fcntl; pipe(R, W); fcntl(W, F_SETFL, O_NONBLOCK); 1 while syswrite(W, "x" x 4096);
      fcntl(W, F_SETFL, 0); fcntl(R, F_SETFD, 0); open(STDERR, ">&W"); exec @ARGV`;
    expect(await codeOf('perl', ['-e', full, program, 'init', '-vvv', '-w', ...shell('exit 6')])).toBe(6);
  });
});

describe('terminal', () => {
  test('Ctrl-C reaches the command once, and it reads the keyboard', async () => {
    for (const pid1 of [true, false]) {
      await using init = run(listener, { terminal: true, pid1 });
      await checkCtrlC(init);
    }
    await using reader = run(shell('read word; echo "got $word"'), { terminal: true });
    reader.type('hello\n');
    await reader.line(/^got hello$/);
    expect(await reader.code).toBe(0);
  });

  test.each([
    ['', []],
    [', nor after a stop that was not forwarded', ['-r', 'TSTP:0']],
  ])('Ctrl-Z does not stop a command permanently if no shell can continue it%s', async (_after, options) => {
    // Not `%SIG`, whose handlers run between two operations: one that comes just before a read would wait for its end.
    const handler = `sigaction(SIGCONT, POSIX::SigAction->new(sub { syswrite(STDOUT, "continued\\n") }))`;
    const perl = `use POSIX; $| = 1; ${handler}; print "ready\\n"; $_ = <STDIN> until /end/; exit 5`;
    await using init = run([...options, 'perl', '-e', perl], { terminal: true });
    await init.line(/^ready/);
    if (options.length > 0) {
      await init.signal(20);
      const pid = await init.pid();
      const status = () => readFileSync(`/proc/${pid}/status`, 'latin1');
      await init.until('the init to handle it', () => /^State:\tS[\s\S]*^ShdPnd:\t0+$/m.test(status()));
    }
    init.type('\x1a');
    await init.line(/^continued$/);
    init.type('end\n');
    expect(await init.code).toBe(5);
  });

  test('a forwarded stop that the command has ignored does not hide a Ctrl-Z of a second later', async () => {
    const handler = `sigaction(SIGCONT, POSIX::SigAction->new(sub { syswrite(STDOUT, "continued\\n") }))`;
    const obey = '$SIG{TSTP} = "DEFAULT"; print "obeys\\n"';
    const perl = `use POSIX; $| = 1; ${handler}; $SIG{TSTP} = "IGNORE"; print "ready\\n"; <STDIN>; ${obey}; $_ = <STDIN> until /end/`;
    await using init = run(['perl', '-e', perl], { terminal: true });
    await init.line(/^ready/);
    await init.signal(20);
    const pid = await init.pid();
    const status = () => readFileSync(`/proc/${pid}/status`, 'latin1');
    await init.until('the init to handle it', () => /^State:\tS[\s\S]*^ShdPnd:\t0+$/m.test(status()));
    const over = performance.now() + 1_000;
    init.type('\n');
    await init.line(/^obeys/);
    await init.until('a second later', () => performance.now() > over);
    init.type('\x1a');
    await init.line(/^continued$/);
    init.type('end\n');
    expect(await init.code).toBe(0);
  });

  test('a command that SIGTSTP from another process stopped stays stopped until SIGCONT', async () => {
    const perl = '$| = 1; $SIG{CONT} = sub { print "continued\\n" }; print "ready\\n"; sleep 1 while 1';
    await using init = run(['perl', '-e', perl], { terminal: true });
    await init.line(/^ready/);
    const pid = await init.pid();
    const status = (of: number) => readFileSync(`/proc/${of}/status`, 'latin1');
    const command = children(pid)[0] as number;
    await init.signal(20);
    await init.until('the stop', () => /^State:\tT/m.test(status(command)));
    await init.until('the init to handle it', () => /^State:\tS[\s\S]*^ShdPnd:\t0+$/m.test(status(pid)));
    expect(status(command)).toMatch(/^State:\tT/m);
    await init.signal(18);
    await init.line(/^continued$/);
  });

  test('a shell can suspend the command, and continue it in the background and in the foreground', async () => {
    const perl = `$| = 1; $SIG{CONT} = sub { syswrite STDOUT, "resumed\\n" }; print "started\\n";
      while (1) { $_ = <STDIN> // next; print "got $_"; exit 3 if /end/ }`;
    await using bash = startShell();
    const step = stepsOf(bash);
    await bash.line(/^\$ /);
    await step(`${INIT} ${scriptOf(perl)}\n`, /^started/);
    await step('one\n', /^got one/);
    await step('\x1a', /Stopped/);
    await step('fg\n', /^resumed/);
    await step('two\n', /^got two/);
    await step('\x1a', /Stopped[\s\S]*Stopped/);
    // A background job that reads from the terminal is stopped.
    await step('bg\n', /resumed[\s\S]*resumed/);
    await step('wait; jobs; echo stopped-again\n', /Stopped[\s\S]*Stopped[\s\S]*Stopped[\s\S]*^stopped-again/);
    await step('fg\n', /resumed[\s\S]*resumed[\s\S]*resumed/);
    await step('three\n', /^got three/);
    await step('end\n', /^got end/);
    await step('echo code=$?\n', /^code=3/);
    bash.type('exit\n');
    await bash.code;
  });

  test('a shell continues all processes of a suspended command, also those that the command has started', async () => {
    const child = '$SIG{CONT} = sub { syswrite STDOUT, "child resumed\\n" }; close W; print "started\\n"; <R>; exit';
    const perl = `$| = 1; pipe(R, W); if (!fork) { ${child} } $_ = <STDIN> until /end/`;
    await using bash = startShell();
    const step = stepsOf(bash);
    await bash.line(/^\$ /);
    await step(`${INIT} ${scriptOf(perl)}\n`, /^started/);
    await step('\x1a', /Stopped/);
    await step('fg\n', /^child resumed/);
    await step('end\necho code=$?\n', /^code=0/);
    bash.type('exit\n');
    await bash.code;
  });

  test('a shell script below has the terminal again after the command', async () => {
    // The process group has a number in this namespace.
    const env = { PS1: '$ ', TERM: 'dumb' };
    await using bash = start('bash', ['--norc', '--noprofile', '-i'], { terminal: true, env });
    bash.type(`sh -c "${INIT} true; echo ended; read word; echo got=\\$word"\n`);
    await bash.line(/^ended$/);
    bash.type('hello\n');
    await bash.line(/^got=hello$/);
  });

  test('a background job does not take the terminal', async () => {
    const script = `set -m; ${INIT} sleep 60 & set +m; read word; echo "got $word"; kill %1`;
    await using init = start('bash', ['-c', script], { terminal: true });
    init.type('hello\n');
    await init.line(/^got hello$/);
  });
});

test.skipIf(isSanitized())(
  'the init has no thread, no descriptor but the standard ones, and little memory',
  async () => {
    await using init = run(listener);
    await init.line(/^ready/);
    const pid = await init.pid();
    expect(children(pid)).toHaveLength(1);
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    expect(Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1])).toBeLessThan(100);
    expect(/^Threads:\s*(\d+)/m.exec(status)?.[1]).toBe('1');
    expect(Bun.spawnSync(['ls', `/proc/${pid}/fd`]).stdout.toString()).toBe('0\n1\n2\n');
  },
);
