// What svc-super passes on unchanged: flags of inherited descriptors, bytes of the environment, of arguments and of paths, and
// limits. It also creates no /dev/null.
import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { binary, isRoot, type Run, up, useRig, variable } from '../helpers/rig.ts';

useRig();

const O_NONBLOCK = 0o4000;

describe('standard output that is shared with other processes', () => {
  test('keeps its flags: other processes on the same pipe see no EAGAIN', () => {
    // $PPID of the service is the native program, which shares the descriptor with the supervisor.
    const config = JSON.stringify({
      services: { a: { command: 'seq 20000; grep flags /proc/$PPID/fdinfo/1; seq 20000', log: { prefix: false } } },
    });
    const folder = `d=$(mktemp -d); cd "$d"; printf '%s' '${config}' > services.yaml`;
    const line = `${folder}; { '${binary}' up -f services.yaml; seq 100000; } | { sleep 0.5; cat; }; cd /; rm -r "$d"`;
    const { stdout, stderr } = Bun.spawnSync(['sh', '-c', line], {
      env: { PATH: process.env.PATH ?? '', TMPDIR: '/tmp' },
    });
    const lines = stdout.toString().trimEnd().split('\n');
    const flags = lines.find((text) => text.startsWith('flags:'));
    expect(stderr.toString()).not.toMatch(/EAGAIN|temporarily unavailable|write error/);
    expect(lines).toHaveLength(20_000 + 1 + 20_000 + 100_000);
    expect(lines.at(-1)).toBe('100000');
    expect(Number.parseInt(flags?.split(/\s+/)[1] ?? '', 8) & O_NONBLOCK).toBe(0);
  });
});

describe('bytes that are not UTF-8', () => {
  /** Appends its arguments and environment to a file, each part in hexadecimal digits. */
  const RECORD = `open my $file, ">>", "seen"; my $what = shift;
print $file join(" ", $what, map { unpack "H*", $_ } @ARGV, map { "$_=$ENV{$_}" } grep { /BYTES/ } sort keys %ENV), "\\n"`;
  const record = (what: string, ...args: readonly string[]) => ['perl', 'record.pl', what, ...args];
  const hex = (text: string) => Buffer.from(text, 'latin1').toString('hex');
  const seen = (run: Run) => {
    const lines = readFileSync(join(run.folder, 'seen'), 'latin1').trimEnd().split('\n');
    return Object.fromEntries(lines.map((line) => [line.split(' ')[0], line.split(' ').slice(1)]));
  };
  const environment = ['BYTES\xfe=\xff\x80v', 'FILE_BYTES=f\xe9e', 'SECRET_BYTES=s\xfft'].map(hex);

  test('reach services, hooks, probes, stop commands and `svc-super exec` unchanged, in every run', async () => {
    const services = {
      a: {
        command: [...record('run'), variable('ARGUMENT')],
        env_file: ['a.env'],
        env: { SECRET_BYTES: { file: 'secret' } },
        restart: { policy: 'always', max: 1, backoff: { initial: '1ms', max: '1ms' } },
        hooks: { before_start: record('hook') },
      },
      b: {
        command: ['sleep', '600'],
        env_file: ['a.env'],
        env: { SECRET_BYTES: { file: 'secret' } },
        ready: { exec: record('probe') },
        stop: { command: [...record('stop'), variable('ARGUMENT')], timeout: '200ms' },
      },
    };
    const bytes = (name: string, text: string) => `printf '${text}' > ${name}`;
    await using run = await up(
      { services, exit: 'all' },
      {
        leaves: ['seen', 'a.env', 'secret'],
        files: { 'record.pl': RECORD },
        before: `${bytes('a.env', 'FILE_BYTES=f\\351e\\n')}; ${bytes('secret', 's\\377t\\n')}
exec env "$(printf 'BYTES\\376')=$(printf '\\377\\200v')" ARGUMENT="$(printf 'x\\377')" "$0" "$@"`,
      },
    );
    await run.state('b', 'ready');
    await run.state('a', 'failed', 'completed');
    const asked = Bun.spawnSync(['sh', '-c', `'${binary}' exec b -- perl record.pl exec "$(printf 'y\\376')"`], {
      env: { PATH: process.env.PATH ?? '', SVC_SUPER_SOCKET: run.socket },
      stdin: 'ignore',
    });
    expect([asked.exitCode, asked.stderr.toString()]).toEqual([0, '']);
    run.signal('SIGTERM');
    await run.ends(137);
    const found = seen(run);
    expect(found.run).toEqual([hex('x\xff'), ...environment]);
    expect(found.hook).toEqual(environment);
    expect(found.probe).toEqual(environment);
    expect(found.stop).toEqual([hex('x\xff'), ...environment]);
    expect(found.exec).toEqual([hex('y\xfe'), ...environment]);
    expect(readFileSync(join(run.folder, 'seen'), 'latin1').match(/^run /gm)).toHaveLength(2);
  });

  test('are kept in the path of the configuration, in the working directory and in `cwd`', async () => {
    const config = JSON.stringify({
      services: { a: { command: ['sh', '-c', 'pwd'], cwd: variable('FOLDER'), log: { prefix: false } } },
    });
    await using run = await up(null, {
      leaves: ['odd'],
      files: { 'plain.yaml': config },
      env: { SVC_SUPER_CONFIG: undefined },
      before: `odd=$(printf 'odd/f\\377'); mkdir -p "$odd/g"; cp plain.yaml "$odd/$(printf 'c\\376.yaml')"; cd "$odd"
exec env FOLDER="$(printf '%s/g' "$PWD")" "$0" up -f "$(printf 'c\\376.yaml')"`,
    });
    await run.ends(0);
    expect(run.output.bytes('stdout').toString('latin1')).toEndWith('/odd/f\xff/g\n');
  });
});

describe('limits', () => {
  const KINDS: Readonly<Record<string, readonly [written: unknown, row: string, value: string]>> = {
    as: ['4GiB', 'Max address space', '4294967296'],
    core: ['1MiB', 'Max core file size', '1048576'],
    cpu: [100, 'Max cpu time', '100'],
    data: ['2GiB', 'Max data size', '2147483648'],
    fsize: ['1GiB', 'Max file size', '1073741824'],
    memlock: ['64KiB', 'Max locked memory', '65536'],
    msgqueue: ['64KiB', 'Max msgqueue size', '65536'],
    nice: [0, 'Max nice priority', '0'],
    nofile: [5, 'Max open files', '5'],
    nproc: [10_000, 'Max processes', '10000'],
    rss: ['1GiB', 'Max resident set', '1073741824'],
    rtprio: [0, 'Max realtime priority', '0'],
    sigpending: [100, 'Max pending signals', '100'],
    stack: ['256KiB', 'Max stack size', '262144'],
  };

  for (const [name, [written, row, value]] of Object.entries(KINDS)) {
    test(`${name}: a program that can run with it runs, and has it`, async () => {
      await using run = await up({
        services: { a: { command: ['cat', '/proc/self/limits'], limits: { [name]: written }, log: { prefix: false } } },
      });
      await run.ends(0);
      const line = run.lines.find((text) => text.startsWith(row)) ?? run.lines.join('\n');
      expect(line.slice(26).trim().split(/\s+/).slice(0, 2)).toEqual([value, value]);
    });
  }

  test('that prevent the load of a program are named', async () => {
    await using run = await up({
      services: { a: { command: ['cat', '/dev/null'], limits: { as: '64KiB' } } },
    });
    await run.line(/a was probably not loaded: `limits\.as` \(64 KiB\) is very small/);
  });

  test('that only root may raise are reported as above the hard limit', async () => {
    await using run = await up(
      { services: { a: { command: ['true'], limits: { nofile: 5_000 } } } },
      { before: 'ulimit -n 1000', ...(isRoot && { unshare: ['--user'] }) },
    );
    await run.ends(126);
    await run.line(
      /cannot set limits\.nofile: operation not permitted \(EPERM\): the hard limit is 1000, and CAP_SYS_RESOURCE is missing\. Ask for less/,
    );
  });
});

describe('a log file', () => {
  for (const size of ['4KiB', '20KiB']) {
    test(`of max_size ${size} never exceeds it, and is rotated between lines`, async () => {
      const file = { path: 'logs/a.log', max_size: size, keep: 500 };
      await using run = await up(
        { services: { a: { command: ['seq', '100000', '130000'], log: { file } } } },
        { leaves: ['logs'] },
      );
      await run.ends(0);
      const names = readdirSync(join(run.folder, 'logs'));
      const most = Number.parseInt(size, 10) * 1024;
      expect(names.length).toBeGreaterThan(9);
      expect(Math.max(...names.map((name) => statSync(join(run.folder, 'logs', name)).size))).toBeLessThanOrEqual(most);
      const number = (name: string) => Number(/\d+$/.exec(name)?.[0] ?? 0);
      const text = names
        .sort((a, b) => number(b) - number(a))
        .map((name) => readFileSync(join(run.folder, 'logs', name), 'utf8'));
      expect(text.every((part) => part.endsWith('\n'))).toBe(true);
      expect(text.join('')).toBe(Array.from({ length: 30_001 }, (_, n) => `${100_000 + n}\n`).join(''));
    });
  }
});

test('without /dev/null svc-super creates no file of that name, and services read an end of file', async () => {
  const services = {
    a: {
      command: ['sh', '-c', 'cat; echo "read to the end"; sleep 0.2; ls /dev; exit 3'],
      ready: { exec: ['cat'] },
      hooks: { before_start: ['cat'], after_exit: ['cat'] },
      log: { file: { path: '/dev/null' } },
    },
  };
  await using run = await up({ services }, { before: 'mount -t tmpfs none /dev; ls /dev >&2; exec "$0" "$@" <&-' });
  await run.ends(3);
  await run.line(/a +\| read to the end/);
  expect(run.lines.filter((line) => /\bnull$/.test(line))).toEqual([]);
});
