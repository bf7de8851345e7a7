// The start of programs and the reports of their ends: attributes that are in force at the first instruction, streams,
// failures by step and errno, exact statuses. The test sends frames to the native program.
import { describe, expect, test } from 'bun:test';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { encodeRelease, encodeSignal } from '../../src/pid1/protocol.ts';
import type { ProcessAttributes } from '../../src/plan/process.ts';
import { folder, shell, useNative } from '../helpers/native.ts';
import { isRoot, perl, type SpawnOptions, statusOf, takeOver } from '../helpers/pid1.ts';

useNative();

const rootTest = isRoot ? test : test.skip;
const NOBODY = { uid: 65_534, gid: 65_533, groups: [65_533, 7, 9] };

/** Creates a file in the test's folder that every user may access. */
function file(name: string, content: string, mode = 0o755): string {
  const path = join(folder(), name);
  writeFileSync(path, content, { encoding: 'latin1' });
  chmodSync(path, mode);
  return path;
}

describe('attributes are in force at the first instruction', () => {
  rootTest('user, groups and umask', async () => {
    await using pid1 = await takeOver();
    const status = await pid1.outputOf({ argv: ['cat', '/proc/self/status'], user: NOBODY, umask: 0o27 });
    expect(status).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
    expect(status).toMatch(/^Gid:\t65533\t65533\t65533\t65533$/m);
    expect(status).toMatch(/^Groups:\t7 9 65533 $/m);
    expect(status).toMatch(/^Umask:\t0027$/m);
    const alone = await pid1.outputOf({ argv: ['cat', '/proc/self/status'], user: { ...NOBODY, groups: [] } });
    expect(alone).toMatch(/^Groups:\t65533 $/m);
  });

  rootTest('nice, oom_score_adj and processors, as another user too', async () => {
    await using pid1 = await takeOver();
    const last = availableParallelism() - 1;
    for (const user of [null, NOBODY]) {
      const attributes = { nice: -3, oomScoreAdj: 123, cpus: [last], user };
      const text = await pid1.outputOf({
        argv: ['cat', '/proc/self/stat', '/proc/self/oom_score_adj', '/proc/self/status'],
        ...attributes,
      });
      expect(text.slice(text.lastIndexOf(') ')).split(' ')[17]).toBe('-3');
      expect(text).toMatch(/^123$/m);
      expect(text).toMatch(new RegExp(`^Cpus_allowed_list:\t${last}$`, 'm'));
    }
  });

  test('each resource limit, and a mark in the limit of file locks', async () => {
    await using pid1 = await takeOver();
    const limit = (soft: number, hard: number | null = null) => ({ soft, hard });
    const limits: ProcessAttributes['limits'] = {
      cpu: limit(1_001),
      fsize: limit(1_002),
      data: limit(100_000_003),
      stack: limit(8_000_004),
      core: limit(1_005),
      rss: limit(1_006),
      nproc: limit(10_007, 20_000),
      nofile: limit(1_008, 1_009),
      memlock: limit(1_010, 2_000),
      as: limit(1_000_000_011),
      sigpending: limit(1_012, 2_000),
      msgqueue: limit(1_013, 2_000),
      nice: limit(0, 0),
      rtprio: limit(0, 0),
      rttime: limit(1_016),
    };
    const mark = (1n << 53n) + 12_345n;
    const text = await pid1.outputOf({ argv: ['cat', '/proc/self/limits'], limits, mark });
    const found = [...text.matchAll(/^Max [a-z ]+?\s{2,}(\d+|unlimited)\s+(\d+|unlimited)/gm)].map(
      ([, soft, hard]) => `${soft} ${hard}`,
    );
    const wanted = Object.values(limits).map(({ soft, hard }) => `${soft} ${hard ?? 'unlimited'}`);
    expect(found.filter((pair) => wanted.includes(pair)).length).toBeGreaterThanOrEqual(wanted.length);
    expect(text).toMatch(/^Max file locks +9007199254753337 /m);
    expect(await pid1.outputOf({ argv: ['cat', '/proc/self/limits'] })).toMatch(/^Max file locks +unlimited /m);
  });

  test('the working directory and its own session', async () => {
    await using pid1 = await takeOver();
    const text = await pid1.outputOf({ argv: ['sh', '-c', 'pwd; cat /proc/$$/stat'], cwd: '/usr/lib' });
    const [directory = '', stat = ''] = text.split('\n');
    const [pid, group, session] = [0, 3, 4].map((at) =>
      at === 0 ? stat.split(' ')[0] : stat.slice(stat.lastIndexOf(')')).split(' ')[at],
    );
    expect(directory).toBe('/usr/lib');
    expect([group, session]).toEqual([pid, pid]);
  });

  test('signals are blocked and ignored as the container had them', async () => {
    // SIGUSR1 (10) is blocked, SIGHUP (1) and SIGPIPE (13) are ignored.
    const text =
      'use POSIX; $SIG{HUP} = $SIG{PIPE} = "IGNORE"; sigprocmask(SIG_BLOCK, POSIX::SigSet->new(10)); exec @ARGV';
    await using pid1 = await takeOver({ through: ['perl', '-e', text] });
    const status = await pid1.outputOf({ argv: ['cat', '/proc/self/status'] });
    expect(status).toMatch(/^SigBlk:\t0000000000000200$/m);
    expect(status).toMatch(/^SigIgn:\t0000000000001001$/m);
    await using plain = await takeOver();
    expect(await plain.outputOf({ argv: ['cat', '/proc/self/status'] })).toMatch(/^SigBlk:\t0{16}\nSigIgn:\t0{16}$/m);
  });

  test('arguments and environment, byte for byte and in order', async () => {
    await using pid1 = await takeOver();
    const argv = ['cat', '/proc/self/cmdline', '/proc/self/environ', '/dev/null', '--', ''].slice(0, 4);
    const env = { B: '\udcff\udc80', PATH: '/bin', A: '', ' spaced': 'new\nline' };
    const text = await pid1.outputOf({ argv, env });
    expect(text).toBe(`${argv.join('\0')}\0B=\xff\x80\0PATH=/bin\0A=\0 spaced=new\nline\0`);
    expect(await pid1.outputOf({ argv: ['/usr/bin/cat', '/proc/self/environ'], env: {} })).toBe('');
  });

  test('a terminal is the controlling terminal', async () => {
    // A pseudo-terminal of the test: TIOCSPTLCK, TIOCGPTN (ioctl_tty(2)).
    const master = Bun.spawn(
      perl(
        'open T, "+>", "/dev/ptmx" or die; my $n = pack "i", 0; ioctl T, 0x40045431, $n; ioctl T, 0x80045430, $n; $| = 1; print unpack("i", $n), "\\n"; <STDIN>',
      ),
      { stdin: 'pipe', stdout: 'pipe' },
    );
    try {
      const { value } = await master.stdout.getReader().read();
      const path = `/dev/pts/${Buffer.from(value ?? [])
        .toString()
        .trim()}`;
      await using pid1 = await takeOver();
      const terminal = { kind: 'path', path, access: 'readWrite' } as const;
      const streams = { 0: terminal, 1: { kind: 'pipe' }, 2: terminal } as const;
      expect(
        await pid1.outputOf({ argv: ['sh', '-c', 'tty; echo yes >/dev/tty && echo "$?"'], terminal: true, streams }),
      ).toBe(`${path}\n0\n`);
      const failed = await pid1.failed(pid1.spawn({ argv: ['true'], terminal: true }));
      expect(failed).toMatchObject({ step: 'terminal', errno: 25 });
    } finally {
      master.kill();
    }
  });
});

describe('streams', () => {
  test('lead to /dev/null, pipes, the same pipe and paths, up to descriptor 255', async () => {
    await using pid1 = await takeOver();
    const path = file('stream', '', 0o666);
    const run = pid1.spawn({
      argv: ['perl', '-e', 'for (0, 1, 2, 5, 200, 255, 3, 4) { print readlink("/proc/$$/fd/$_") // "none", "\\n" }'],
      streams: {
        0: { kind: 'null' },
        1: { kind: 'pipe' },
        5: { kind: 'path', path, access: 'readWrite' },
        2: { kind: 'pipe' },
        200: { kind: 'same', pipe: 0 },
        255: { kind: 'same', pipe: 1 },
      },
    });
    // Object keys that are numbers are in ascending order: 0, 1, 2, 5, 200, 255.
    const { pipes } = await pid1.spawned(run);
    const [zero, one, two, five, high, highest, ...rest] = (await pid1.read(run)).trim().split('\n');
    expect([zero, five, rest]).toEqual(['/dev/null', path, ['none', 'none']]);
    expect([high, highest]).toEqual([one, two]);
    expect(one).not.toBe(two as string);
    expect(pipes.length).toBe(2);
  });

  test('a program inherits no descriptor of PID 1 and none of the container', async () => {
    await using pid1 = await takeOver({ before: 'exec 7</etc/passwd' });
    const list = perl('for (0 .. 400) { print "$_ " if -l "/proc/$$/fd/$_" }');
    expect(await pid1.outputOf({ argv: list })).toBe('0 1 2 ');
  });

  rootTest('a pipe belongs to the user, who may open it again as /dev/stdout', async () => {
    await using pid1 = await takeOver();
    expect(await pid1.outputOf({ argv: ['sh', '-c', 'echo again > /dev/stdout'], user: NOBODY })).toBe('again\n');
  });

  rootTest('without /dev/null standard input is at its end', async () => {
    await using pid1 = await takeOver({ before: 'mount -t tmpfs none /dev' });
    expect(await pid1.outputOf({ argv: ['sh', '-c', 'cat; echo end $?'] })).toBe('end 0\n');
  });

  test('a path is opened for reading, or for both', async () => {
    await using pid1 = await takeOver();
    const path = file('opened', '', 0o666);
    const argv = perl('open F, "<", "/proc/$$/fdinfo/0"; while (<F>) { print $1 if /^flags:.*(\\d)$/ }');
    for (const [access, flags] of [
      ['read', '0'],
      ['readWrite', '2'],
    ] as const) {
      const streams = { 0: { kind: 'path', path, access }, 1: { kind: 'pipe' } } as const;
      expect(await pid1.outputOf({ argv, streams })).toBe(flags);
    }
    const streams = { 0: { kind: 'path', path: '/usr', access: 'readWrite' } } as const;
    expect(await pid1.failed(pid1.spawn({ argv, streams }))).toMatchObject({ step: 'streams', errno: 21, index: 0 });
  });

  test('PID 1 closes its writing ends: the reader gets the end of file', async () => {
    await using pid1 = await takeOver();
    const run = pid1.spawn({ argv: ['echo', 'x'] });
    // `read` would wait if a writing end were still open.
    expect(await pid1.read(run)).toBe('x\n');
    pid1.send(encodeRelease(run));
    const { pipes } = await pid1.spawned(run);
    const outer = await pid1.started.pid();
    await pid1.until('the pipe to be closed', () => !existsSync(`/proc/${outer}/fd/${pipes[0]}`));
  });
});

describe('failures', () => {
  const missing = '/no/such/path';
  const cases: readonly (readonly [string, SpawnOptions, { step: string; errno: number; index?: number }])[] = [
    ['a notify name in use', { argv: ['true'], notify: 'same' }, { step: 'notify', errno: 98 }],
    ['a notify name that is too long', { argv: ['true'], notify: 'x'.repeat(108) }, { step: 'notify', errno: 36 }],
    [
      'a stream that is missing',
      { argv: ['true'], streams: { 9: { kind: 'path', path: missing, access: 'read' } } },
      { step: 'streams', errno: 2, index: 9 },
    ],
    [
      'the same pipe as one that does not exist',
      { argv: ['true'], streams: { 1: { kind: 'same', pipe: 3 } } },
      { step: 'descriptors', errno: 22 },
    ],
    ['an oom_score_adj out of range', { argv: ['true'], oomScoreAdj: 5_000 }, { step: 'oom_score_adj', errno: 22 }],
    ['processors that the machine does not have', { argv: ['true'], cpus: [1_000] }, { step: 'cpus', errno: 22 }],
    [
      'a soft limit above the hard one',
      { argv: ['true'], limits: { nofile: { soft: 10, hard: 5 } } },
      { step: 'limits', errno: 22, index: 7 },
    ],
    [
      "a limit of open files above the kernel's maximum",
      { argv: ['true'], limits: { nofile: { soft: 10, hard: null } } },
      { step: 'limits', errno: 1, index: 7 },
    ],
    ['a working directory that is missing', { argv: ['true'], cwd: missing }, { step: 'cwd', errno: 2 }],
    ['a working directory that is a file', { argv: ['true'], cwd: '/etc/passwd' }, { step: 'cwd', errno: 20 }],
    ['a program that is missing', { argv: [missing] }, { step: 'exec', errno: 2 }],
    ['a program in no folder of PATH', { argv: ['no-such-program'] }, { step: 'exec', errno: 2 }],
    ['an empty program name', { argv: [''] }, { step: 'exec', errno: 2 }],
    ['a program that is a folder', { argv: ['/usr'] }, { step: 'exec', errno: 13 }],
    ['a program that may not be executed', { argv: ['/etc/passwd'] }, { step: 'exec', errno: 13 }],
    ['an argument that is too long', { argv: ['true', 'x'.repeat(140_000)] }, { step: 'exec', errno: 7 }],
  ];

  test.each(cases)('%s: step and errno', async (_what, options, expected) => {
    await using pid1 = await takeOver();
    // Another run has the name.
    if (options.notify === 'same') await pid1.spawned(pid1.spawn({ argv: ['sleep', '1000'], notify: 'same' }));
    const failed = await pid1.failed(pid1.spawn(options));
    expect(failed).toMatchObject(expected);
    // The failed run does not affect the next one.
    expect(await pid1.outputOf({ argv: ['echo', 'next'] })).toBe('next\n');
    const exits = pid1.all('exited').filter(({ run }) => run === failed.run);
    expect(exits).toEqual([]);
  });

  rootTest('nice, user and group beyond the rights of the caller', async () => {
    await using pid1 = await takeOver({
      through: [
        'setpriv',
        '--bounding-set=-all',
        '--inh-caps=-all',
        '--ambient-caps=-all',
        '--securebits=+noroot,+noroot_locked',
        'setpriv',
      ],
    });
    expect(await pid1.failed(pid1.spawn({ argv: ['true'], nice: -5 }))).toMatchObject({ step: 'nice', errno: 13 });
    expect(await pid1.failed(pid1.spawn({ argv: ['true'], user: NOBODY }))).toMatchObject({ step: 'user', errno: 1 });
    expect(await pid1.failed(pid1.spawn({ argv: ['true'], oomScoreAdj: -900 }))).toMatchObject({
      step: 'oom_score_adj',
      errno: 13,
    });
  });

  rootTest('a user without privileges may name itself', async () => {
    await using pid1 = await takeOver({ through: ['setpriv', '--reuid=4242', '--regid=4242', '--clear-groups'] });
    expect(await pid1.outputOf({ argv: ['id', '-u'], user: { uid: 4_242, gid: 4_242, groups: [] } })).toBe('4242\n');
    expect(await pid1.failed(pid1.spawn({ argv: ['true'], user: NOBODY }))).toMatchObject({ step: 'user', errno: 1 });
  });

  test('a program that is open for writing: ETXTBSY', async () => {
    await using pid1 = await takeOver();
    const path = join(folder(), 'busy');
    copyFileSync('/bin/true', path);
    const handle = Bun.file(path).writer();
    const holder = Bun.spawn(['sh', '-c', 'exec 3<>"$0"; echo open; read x', path], { stdin: 'pipe', stdout: 'pipe' });
    await holder.stdout.getReader().read();
    expect(await pid1.failed(pid1.spawn({ argv: [path] }))).toMatchObject({ step: 'exec', errno: 26 });
    holder.kill();
    await handle.end();
  });

  rootTest('no process left: fork fails with EAGAIN', async () => {
    const through = ['setpriv', '--reuid=4343', '--regid=4343', '--clear-groups', 'prlimit', '--nproc=3'];
    await using pid1 = await takeOver({ through });
    // The limit permits PID 1, its supervisor and one program.
    await pid1.spawned(pid1.spawn({ argv: ['sleep', '1000'] }));
    expect(await pid1.failed(pid1.spawn({ argv: ['true'] }))).toMatchObject({ step: 'fork', errno: 11 });
  });

  rootTest('no memory left for the table of runs: ENOMEM, and the next start may succeed', async () => {
    await using pid1 = await takeOver();
    const outer = await pid1.started.pid();
    const limitMemory = (bytes: number | string) => Bun.spawnSync(['prlimit', `--pid=${outer}`, `--as=${bytes}:`]);
    const unstartable = () => pid1.spawn({ argv: ['x'], streams: { 1: { kind: 'same', pipe: 0 } } });
    expect(await pid1.failed(unstartable())).toMatchObject({ step: 'descriptors', errno: 22 });
    limitMemory(Number(statusOf(outer, 'VmSize').split(' ')[0]) * 1_024);
    // The table has room for some hundred runs before it must grow.
    let last = await pid1.failed(unstartable());
    while (last.step !== 'fork' && last.run < 2_000) last = await pid1.failed(unstartable());
    expect(last).toMatchObject({ step: 'fork', errno: 12 });
    limitMemory('unlimited');
    expect(await pid1.outputOf({ argv: ['echo', 'again'] })).toBe('again\n');
  });

  test('no descriptor left: EMFILE, and running programs continue', async () => {
    await using pid1 = await takeOver({ before: 'ulimit -n 64' });
    const runs: number[] = [];
    for (let at = 0; at < 64; at += 1) {
      const run = pid1.spawn({ argv: ['cat'], streams: { 1: { kind: 'pipe' } } });
      runs.push(run);
      // Until the result of a start is known, the run needs one more descriptor.
      await pid1.until('its result', () => pid1.events.some((event) => 'run' in event && event.run === run));
    }
    const last = await pid1.failed(runs.at(-1) ?? 0);
    expect(last).toMatchObject({ step: 'descriptors', errno: 24 });
    const first = runs[0] ?? 0;
    pid1.send(encodeSignal(1, 9, [{ kind: 'main', run: first }]));
    await pid1.exited(first);
    pid1.send(encodeRelease(first));
    expect(await pid1.outputOf({ argv: ['echo', 'again'] })).toBe('again\n');
  });
});

describe('programs', () => {
  test('a script without #! is run by /bin/sh, with its name and arguments', async () => {
    await using pid1 = await takeOver();
    const path = file('a script\nof two lines', 'echo "$0" "$1" $#\n');
    expect(await pid1.outputOf({ argv: [path, 'one two', ''] })).toBe(`${path} one two 2\n`);
    const empty = file('empty', '');
    expect(await pid1.outputOf({ argv: [empty] })).toBe('');
    const env = { PATH: `${folder()}:/usr/bin:/bin` };
    expect(await pid1.outputOf({ argv: ['a script\nof two lines'], env })).toBe(`${path}  0\n`);
  });

  test('an ELF file for another machine is never run by a shell', async () => {
    await using pid1 = await takeOver();
    const foreign = file('foreign', '\x7fELF\necho a shell has read this\n');
    expect(await pid1.failed(pid1.spawn({ argv: [foreign] }))).toMatchObject({ step: 'exec', errno: 8 });
    // A real ELF file, if no emulator for it is registered with the kernel (binfmt_misc).
    const other = process.arch === 'x64' ? 'arm64' : 'x64';
    if (existsSync('/proc/sys/fs/binfmt_misc/qemu-aarch64')) return;
    const program = join(import.meta.dir, `../../native/prebuilt/svc-super-${other}`);
    expect(await pid1.failed(pid1.spawn({ argv: [program] }))).toMatchObject({ step: 'exec', errno: 8 });
  });

  test('all folders of PATH are tried, and EACCES is reported if one of them caused it', async () => {
    await using pid1 = await takeOver();
    file('found', '', 0o644);
    const PATH = `/no/such:/etc/passwd:${folder()}`;
    expect(await pid1.failed(pid1.spawn({ argv: ['found'], env: { PATH } }))).toMatchObject({
      step: 'exec',
      errno: 13,
    });
    expect(await pid1.outputOf({ argv: ['echo', 'ok'], env: { PATH: `${PATH}:/bin` } })).toBe('ok\n');
    expect(await pid1.outputOf({ argv: ['echo', 'ok'], env: {} })).toBe('ok\n');
  });

  test('a folder of PATH in which the path of the program is too long is skipped', async () => {
    await using pid1 = await takeOver();
    let PATH = folder();
    while (PATH.length < 4_090) PATH += `/${'d'.repeat(Math.min(200, 4_089 - PATH.length))}`;
    mkdirSync(PATH, { recursive: true });
    // The path of `abcdef` there, cut at the length that the kernel accepts.
    writeFileSync(`${PATH}/abcd`, 'echo another program\n', { mode: 0o755 });
    expect(await pid1.failed(pid1.spawn({ argv: ['abcdef'], env: { PATH } }))).toMatchObject({
      step: 'exec',
      errno: 2,
    });
  });
});

describe('exits', () => {
  test('codes and signals are exact, real-time ones and core dumps too', async () => {
    await using pid1 = await takeOver({ before: `cd ${folder()}\nulimit -c unlimited` });
    const codes = [0, 1, 77, 126, 127, 128, 255];
    const runs = codes.map((code) => pid1.spawn({ argv: shell(`exit ${code}`) }));
    for (const [at, run] of runs.entries()) expect((await pid1.exited(run)).status).toBe((codes[at] ?? 0) << 8);
    for (const signal of [1, 9, 13, 15, 34, 64]) {
      const run = pid1.spawn({ argv: perl(`kill ${signal}, $$; sleep 100`) });
      expect((await pid1.exited(run)).status).toBe(signal);
    }
    // The machine decides whether a core is written (core(5)): the core bit of the status is not compared.
    const run = pid1.spawn({ argv: perl('kill 6, $$; sleep 100'), cwd: folder() });
    expect((await pid1.exited(run)).status & 0x7f).toBe(6);
  });

  test('exits are reported in the order of reaping, each after its start', async () => {
    await using pid1 = await takeOver();
    const runs = [3, 1, 2].map(
      (rank) =>
        [
          rank,
          pid1.spawn({ argv: perl('$SIG{USR1} = sub { exit 0 }; syswrite STDOUT, "x"; sleep 100 while 1') }),
        ] as const,
    );
    const byRank = [...runs].sort(([a], [b]) => a - b).map(([, run]) => run);
    for (const run of byRank) {
      const { pid } = await pid1.spawned(run);
      const outer = await pid1.outer(pid);
      await pid1.until('its handler', () => (BigInt(`0x${statusOf(outer, 'SigCgt')}`) & (1n << 9n)) !== 0n);
      pid1.send(encodeSignal(run, 10, [{ kind: 'main', run }]));
      await pid1.exited(run);
    }
    expect(pid1.all('exited').map(({ run }) => run)).toEqual(byRank);
  });

  test('for two thousand runs at the same time, each start and then each exit is reported, with the right code', async () => {
    await using pid1 = await takeOver();
    const streams = {};
    const runs = Array.from({ length: 2_000 }, (_, at) =>
      pid1.spawn({ argv: ['/bin/sh', '-c', `exit ${at % 256}`], streams }),
    );
    for (const [at, run] of runs.entries()) expect((await pid1.exited(run)).status).toBe((at % 256) << 8);
    const started = new Set<number>();
    for (const event of pid1.events) {
      if (event.type === 'spawned') started.add(event.run);
      if (event.type === 'exited') expect(started.has(event.run)).toBe(true);
    }
    expect([pid1.all('spawned').length, pid1.all('exited').length]).toEqual([2_000, 2_000]);
    expect(Number(statusOf(await pid1.started.pid(), 'VmRSS').split(' ')[0])).toBeLessThan(1_024);
  });

  test('a run that is requested twice is started once, and standard input of PID 1 stays open', async () => {
    await using pid1 = await takeOver();
    const out = join(folder(), 'twice');
    const stdin = `/proc/${await pid1.started.pid()}/fd/0`;
    const before = readlinkSync(stdin);
    writeFileSync(out, '');
    const argv = ['sh', '-c', `echo once >> ${out}; sleep 1000`];
    for (const _ of [1, 2, 3]) pid1.spawn({ run: 7, argv });
    await pid1.until('the output', () => readFileSync(out, 'latin1') !== '');
    expect(await pid1.outputOf({ argv: ['echo', 'next'] })).toBe('next\n');
    expect(readFileSync(out, 'latin1')).toBe('once\n');
    expect(pid1.all('spawned').filter(({ run }) => run === 7).length).toBe(1);
    expect(readlinkSync(stdin)).toBe(before);
  });

  test('a run that is killed before it executes is reported as started and ended', async () => {
    await using pid1 = await takeOver();
    // Its standard input is a FIFO that nothing writes to: opening it waits for a writer.
    const path = join(folder(), 'fifo');
    Bun.spawnSync(['mkfifo', path]);
    const runs: number[] = [];
    for (let at = 0; at < 50; at += 1) {
      const run = pid1.spawn({ argv: ['true'], streams: { 0: { kind: 'path', path, access: 'read' } } });
      pid1.send(encodeSignal(run, 9, [{ kind: 'main', run }]));
      runs.push(run);
    }
    for (const run of runs) expect((await pid1.exited(run)).status).toBe(9);
    expect(
      pid1
        .all('spawned')
        .map(({ run }) => run)
        .sort((a, b) => a - b),
    ).toEqual(runs);
  });
});
