// The handover from the native program to the supervisor, the attributes of the supervisor's process, and the errors of a
// start that fails.
import { describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { nativeBinary, useNative } from '../helpers/native.ts';
import {
  hex,
  install,
  isRoot,
  launch,
  splitHandover,
  statOf,
  statusOf,
  supervise,
  throughBytes,
} from '../helpers/pid1.ts';

useNative();

const TRAP = join(import.meta.dir, '../helpers/trap-seccomp.pl');
const MINE = /^(?:FAKE_|SVC_SUPER_SOCKET=)/;
/** 200 KB in two variables: one may have 128 KiB at most (execve(2)). */
const LARGE = { A: 'a'.repeat(100_000), B: 'b'.repeat(100_000) };
const rootTest = isRoot ? test : test.skip;

/** Signals that the supervisor must not ignore: SIGCHLD, its own faults, what cannot be ignored, and those of its runtime. */
const KEPT = [4, 5, 6, 7, 8, 9, 11, 17, 18, 19, 31, 32, 33, 62];

describe('the handover', () => {
  test('has arguments and environment byte for byte', async () => {
    const argv = ['', 'two words', 'new\nline', '\xff\xfe\x80', '-f', 'ü'];
    const env = ['EMPTY=', 'BYTES=\xff\x01\n=', 'TWICE=1', 'TWICE=2', 'without', '=nameless', '', 'PATH=/usr/bin:/bin'];
    await using pid1 = await supervise({ through: throughBytes([hex(env), hex(argv)]) });
    const found = splitHandover(pid1.handover);
    expect(found.argv.slice(1)).toEqual(argv);
    expect(found.env.filter((text) => !MINE.test(text))).toEqual(env);
  });

  test.each([
    ['a file in memory', [], ':', /memfd:svc-super/],
    ['a pipe where memfd_create(2) is refused', ['perl', TRAP, 'ENOSYS', 'memfd_create'], ':', /^pipe:/],
    ['a pipe where files may have no size', [], 'ulimit -f 0', /^pipe:/],
  ] as const)('carries 200 KB of environment through %s', async (_where, trap, before, kind) => {
    await using pid1 = await supervise({ before, through: trap, env: LARGE, args: ['x'] });
    const found = splitHandover(pid1.handover);
    for (const [name, value] of Object.entries(LARGE)) expect(found.env.includes(`${name}=${value}`)).toBe(true);
    expect(found.argv.slice(1)).toEqual(['x']);
    expect(readlinkSync(`/proc/${await pid1.supervisor()}/fd/4`)).toMatch(kind);
  });

  test('fails with one message if neither a file nor a pipe has room for it', async () => {
    const env = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`V${at}`, 'x'.repeat(100_000)]));
    await using run = launch({ through: ['perl', TRAP, 'ENOSYS', 'memfd_create'], env });
    expect(await run.code).toBe(70);
    expect(run.output).toMatch(/^svc-super: cannot hand over arguments and environment: [^\n]*\n$/);
  });

  test('describes terminals, limits and the page size', async () => {
    await using pipes = await supervise({ before: 'ulimit -Sn 100\nulimit -Hn 1000' });
    expect(splitHandover(pipes.handover).lines).toEqual(
      expect.arrayContaining([
        'protocol=1',
        'role=supervise',
        'pid=1',
        'soft_files=100',
        'hard_files=1000',
        'terminal0=0',
        'terminal1=0',
        'terminal2=0',
        'page=4096',
      ]),
    );
    await using terminal = await supervise({ terminal: true, before: 'exec 1>/dev/null' });
    expect(splitHandover(terminal.handover).lines).toEqual(
      expect.arrayContaining(['terminal0=1', 'terminal1=0', 'terminal2=1']),
    );
  });
});

describe('the supervisor', () => {
  test('has an environment of the settings and PATH only', async () => {
    const settings = [
      ...readFileSync(join(import.meta.dir, '../../native/handover.c'), 'latin1').matchAll(/^ {2}"(\w+=\w+)",$/gm),
    ].map(([, text]) => text as string);
    await using pid1 = await supervise({
      env: { BUN_OPTIONS: '--smol', NODE_OPTIONS: '-r x', LD_PRELOAD: '', A: 'b' },
    });
    const environment = readFileSync(`/proc/${await pid1.supervisor()}/environ`, 'latin1')
      .split('\0')
      .slice(0, -1);
    expect(settings.length).toBeGreaterThan(10);
    expect(environment).toEqual([...settings, 'PATH=/usr/bin:/bin']);
  });

  test('has its own session, blocks no signal, and ignores all signals that would end it', async () => {
    await using pid1 = await supervise({ through: ['perl', '-e', '$SIG{CHLD} = "IGNORE"; exec @ARGV'] });
    const supervisor = await pid1.supervisor();
    expect(statOf(supervisor, 6)).toBe(`${supervisor}`);
    expect(BigInt(`0x${statusOf(supervisor, 'SigBlk')}`)).toBe(0n);
    const ignored = BigInt(`0x${statusOf(supervisor, 'SigIgn')}`);
    const numbers = Array.from({ length: 64 }, (_, at) => at + 1);
    // perl itself ignores SIGFPE.
    expect(numbers.filter((number) => number !== 8 && ((ignored >> BigInt(number - 1)) & 1n) === 0n)).toEqual(
      KEPT.filter((number) => number !== 8),
    );
  });

  test('has its descriptors at fixed numbers, and none of the container', async () => {
    await using pid1 = await supervise({ before: 'exec 3</etc/passwd 4</etc/passwd 5</etc/passwd 9</etc/passwd' });
    const supervisor = await pid1.supervisor();
    const kindOf = (fd: number) => readlinkSync(`/proc/${supervisor}/fd/${fd}`).replace(/:.*/, '');
    expect([3, 4, 5, 6].map(kindOf)).toEqual(['socket', 'pipe', 'socket', 'pipe']);
    expect(() => kindOf(9)).toThrow();
    const socket =
      splitHandover(pid1.handover)
        .lines.find((line) => line.startsWith('socket='))
        ?.slice(7) ?? '';
    const inode = /\d+/.exec(readlinkSync(`/proc/${supervisor}/fd/5`))?.[0];
    // Fields: address, reference count, protocol, flags (00010000: it listens), type, state, inode, path (proc_net(5)).
    expect(readFileSync(`/proc/${supervisor}/net/unix`, 'latin1')).toMatch(
      new RegExp(`00010000 0001 01 +${inode} ${socket}$`, 'm'),
    );
  });

  test('has standard descriptors even if the container has closed them', async () => {
    await using pid1 = await supervise({ before: 'exec 0<&- 1>&- 2>&-' });
    const supervisor = await pid1.supervisor();
    for (const fd of [0, 1, 2]) expect(readlinkSync(`/proc/${supervisor}/fd/${fd}`)).toBe('/dev/null');
    pid1.hello();
    expect(await pid1.outputOf({ argv: ['echo', 'works'] })).toBe('works\n');
  });

  test('may open as many files as the hard limit allows, while programs have the limit of the container', async () => {
    await using pid1 = await supervise({ before: 'ulimit -Sn 100\nulimit -Hn 2000' });
    expect(readFileSync(`/proc/${await pid1.supervisor()}/limits`, 'latin1')).toMatch(/open files +2000 +2000/);
    expect(await pid1.outputOf({ argv: ['cat', '/proc/self/limits'] })).toMatch(/open files +100 +2000/);
  });
});

describe('a start that fails', () => {
  test('names the missing second file with its path, 127', async () => {
    const program = install();
    rmSync(`${program}-supervisor`);
    await using run = launch({ program });
    expect(await run.code).toBe(127);
    expect(run.output).toBe(
      `svc-super: cannot find ${program}-supervisor: svc-super is two files. Copy svc-super-supervisor into the same folder (\`svc-super init\` works without it)\n`,
    );
  });

  test('writes `?` for characters in a name that a terminal interprets or hides: C0, C1, bidirectional, invisible', async () => {
    const program = install();
    rmSync(`${program}-supervisor`);
    const folderOf = join(dirname(program), 'é\x1b[2J\n\u009b\u202e\u2066\u200b\u2028\u061c\ufeff名😀');
    mkdirSync(folderOf);
    renameSync(program, join(folderOf, 'svc-super'));
    await using run = launch({ program: join(folderOf, 'svc-super') });
    expect(await run.code).toBe(127);
    expect(Buffer.from(run.output, 'latin1').toString()).toStartWith(
      `svc-super: cannot find ${dirname(program)}/é?[2J?${'?'.repeat(2 + 4 * 3 + 2 + 3)}名😀/svc-super-supervisor: `,
    );
    expect(run.output.trim()).not.toContain('\n');
  });

  test('reports that the second file cannot be executed, 127', async () => {
    const program = install();
    chmodSync(`${program}-supervisor`, 0o644);
    await using run = launch({ program });
    expect(await run.code).toBe(127);
    expect(run.output).toMatch(/^svc-super: cannot execute .*\/svc-super-supervisor \(errno 13\): [^\n]*\n$/);
    writeFileSync(`${program}-supervisor`, '\x7fELF for no machine');
    chmodSync(`${program}-supervisor`, 0o755);
    await using other = launch({ program });
    expect(await other.code).toBe(127);
    expect(other.output).toMatch(/^svc-super: cannot execute .*\/svc-super-supervisor \(errno 8\): [^\n]*\n$/);
  });

  test.each([
    ['no /proc', 'mount -t tmpfs none /proc'],
    ['the /proc of another PID namespace', 'umount -l /proc'],
  ])('with %s it is 78 and one sentence', async (_what, before) => {
    await using run = launch({ before });
    expect(await run.code).toBe(78);
    expect(run.output).toBe(
      'svc-super: cannot supervise: /proc does not show the processes of this PID namespace. Mount it: mount -t proc proc /proc\n',
    );
  });

  rootTest('with no process left it is 70 and names the limit', async () => {
    const program = install();
    const through = ['setpriv', '--reuid=4242', '--regid=4242', '--clear-groups', 'prlimit', '--nproc=1'];
    await using run = launch({ program, pid1: false, before: 'true', through });
    expect(await run.code).toBe(70);
    expect(run.output).toMatch(/^svc-super: cannot start the supervisor: no process can be created\. Raise the limit/m);
  });

  test.each([9, 10, 11, 13])('with a hard limit of %i open files it is 70 and names descriptors', async (files) => {
    await using run = launch({ before: `ulimit -n ${files}` });
    expect(await run.code).toBe(70);
    expect(run.output).toMatch(/^svc-super: cannot (?:supervise: no descriptors|hand over .* descriptor is left$)/m);
  });

  test('has the exit code of a supervisor that exits before hello; `init` needs no second file', async () => {
    for (const code of [0, 3, 78, 255]) {
      await using run = launch({ env: { FAKE_EXIT: `${code}` } });
      expect(await run.code).toBe(code);
      expect(run.output).toBe('');
    }
    await using run = launch({ program: nativeBinary(), args: ['init', '--', 'sh', '-c', 'exit 5'] });
    expect(await run.code).toBe(5);
  });
});
