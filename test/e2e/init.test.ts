// `svc-super init -- CMD` in its simplest form, and the short form `svc-super CMD` as PID 1: exit codes, forwarded signals, reaped
// orphans, unchanged standard streams and environment.
import { expect, test } from 'bun:test';
import { constants } from 'node:os';
import { binary, command, puppetCommand, start, until, up, useRig } from '../helpers/rig.ts';

useRig();

const shell = (text: string) => ['init', '--', '/bin/sh', '-c', text];

for (const pid1 of [true, false]) {
  const where = pid1 ? 'as PID 1' : 'below another init';

  test(`its exit code is the command's, ${where}`, async () => {
    for (const code of [0, 1, 42, 255]) {
      await using run = await start(shell(`exit ${code}`), { pid1 });
      await run.ends(code);
    }
  });

  test(`128+n for a command that dies of a signal, ${where}`, async () => {
    for (const signal of [1, 6, 9, 11, 15, 34, 64]) {
      await using run = await start(shell(`kill -${signal} $$`), { pid1 });
      await run.ends(128 + signal);
    }
  });

  test(`signals are passed on to the command only, ${where}`, async () => {
    await using run = await start(['init', '--', ...puppetCommand, 'main'], { pid1 });
    const main = await run.puppet('main');
    await main.spawn('kid', { session: true });
    const kid = await run.puppet('kid');
    const names = [
      'HUP',
      'INT',
      'QUIT',
      'USR1',
      'USR2',
      'ALRM',
      'TERM',
      'CONT',
      'WINCH',
      'URG',
      'VTALRM',
      'PROF',
      'IO',
    ];
    await Promise.all([main, kid].map((puppet) => puppet.trap(...names)));
    for (const name of names) {
      run.signal((constants.signals as Record<string, number>)[`SIG${name}`] ?? 0);
      await main.signalled(`SIG${name}`);
    }
    expect(await main.caught()).toEqual(names.map((name) => `SIG${name}`));
    expect(await kid.caught()).toEqual([]);
    await kid.exit(0);
    await run.reaped(kid.pid);
    await main.exit(7);
    await run.ends(7);
  });

  test(`every orphan is reaped, ${where}`, async () => {
    await using run = await start(['init', '--', ...puppetCommand, 'main'], { pid1 });
    const main = await run.puppet('main');
    await main.spawn('daemon', { daemon: true });
    const daemon = await run.puppet('daemon');
    expect((await daemon.facts()).ppid).toBe(run.pid1.pid);
    for (let round = 0; round < 5; round += 1) await main.orphans(100, 3);
    await daemon.exit(1);
    await until('no zombie', () => run.ps().length === 1);
    await main.exit(9);
    await run.ends(9);
  });
}

test('a missing command gives 127, one that cannot be executed 126', async () => {
  await using missing = await start(['init', '--', 'no-such-program']);
  await missing.ends(127);
  await missing.line(/cannot execute no-such-program/);
  await using denied = await start(['init', '--', '/etc/passwd']);
  await denied.ends(126);
});

test('a signal that the command does not catch ends it, and gives 128+n', async () => {
  await using run = await start(['init', '--', ...puppetCommand, 'main']);
  await run.puppet('main');
  run.signal('SIGTERM');
  await run.ends(143);
});

test('all arguments belong to the command, whatever they look like', async () => {
  await using run = await start(['init', '--', '/bin/echo', '-f', '--help', '--', '-h', 'a  b', '']);
  await run.ends(0);
  expect(run.output.bytes('stdout').toString()).toBe('-f --help -- -h a  b \n');
});

test('standard streams are inherited unchanged', async () => {
  const child = Bun.spawn([binary, ...shell('cat; echo out; echo err >&2')], {
    stdio: [Buffer.from('from standard input\n'), 'pipe', 'pipe'],
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  expect({ stdout, stderr, code }).toEqual({ stdout: 'from standard input\nout\n', stderr: 'err\n', code: 0 });
});

test('environment, folder, limits and signals of the command are those of the container', async () => {
  const given = {
    NODE_OPTIONS: '--x',
    BUN_OPTIONS: '--smol',
    BUN_JSC_useConcurrentGC: '1',
    UV_THREADPOOL_SIZE: '9',
    A: 'b c',
  };
  await using run = await start(['init', '--', ...puppetCommand, 'main'], {
    env: given,
    before: 'ulimit -Sn 256; umask 027; cd /usr',
  });
  const facts = await (await run.puppet('main')).facts();
  expect(facts.env).toEqual({ ...given, ...facts.env });
  expect(
    Object.keys(facts.env).filter((name) =>
      /^(SVC_NAME|SVC_RUN|SVC_SUPER_(SETTLED|KEEP)|BUN_GC|MIMALLOC|JSC)/.test(name),
    ),
  ).toEqual([]);
  expect(facts).toMatchObject({ cwd: '/usr', umask: '0027', blocked: '0000000000000000' });
  expect(facts.limits['open files']?.[0]).toBe('256');
});

test('as PID 1 a first argument that is not a command of svc-super but a program on PATH is run', async () => {
  await using run = await start(['sh', '-c', 'echo "$1"; exit 5', 'sh', '--json']);
  await run.ends(5);
  await run.line(/^--json$/);
});

test('as PID 1 a program with a path is run too', async () => {
  await using run = await start(['/bin/sh', '-c', 'exit 6']);
  await run.ends(6);
});

test('as PID 1 a command of svc-super takes precedence over a program of that name', async () => {
  await using run = await start(['version'], {
    before: 'printf "#!/bin/sh\\nexit 9\\n" > version; chmod 755 version; PATH=$PWD:$PATH',
    leaves: ['version'],
  });
  await run.ends(0);
  await run.line(/^svc-super \d/);
});

test('as PID 1 a first argument that is neither is the name of a service', async () => {
  await using run = await up({ services: { chat: { command: 'true' } } }, { args: ['no-such-thing'] });
  await run.ends(78);
  await run.line(/no service `no-such-thing`/);
});

test('below another init a program is not run by its name only', async () => {
  const { code } = await command(['true'], { SVC_SUPER_CONFIG: '/nowhere/services.yaml' });
  expect(code).toBe(78);
});

test('it prints nothing itself', async () => {
  await using run = await start(shell('exit 3'));
  await run.ends(3);
  expect(run.lines).toEqual([]);
});

test('signals that are blocked at its start are blocked for the command, as with any other init', async () => {
  const hold =
    'use POSIX; sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGTERM, SIGCHLD, SIGALRM)) or die; exec @ARGV or die';
  const show = ['grep', '^SigBlk', '/proc/self/status'];
  const child = Bun.spawn(['perl', '-e', hold, binary, 'init', '--', ...show]);
  const blocked = [constants.signals.SIGTERM, constants.signals.SIGCHLD, constants.signals.SIGALRM];
  const mask = blocked.reduce((sum, signal) => sum | (1n << BigInt(signal - 1)), 0n);
  expect(await child.stdout.text()).toBe(`SigBlk:\t${mask.toString(16).padStart(16, '0')}\n`);
});
