// The commands that use a supervisor, and those that do not: status, health, check, schema, version, help; and the places of
// the control socket.
import { expect, test } from 'bun:test';
import { lstatSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { command, isRoot, played, until, up, useRig } from '../helpers/rig.ts';

useRig();

const services = {
  db: played({ ready: { notify: true } }),
  api: played({ depends_on: ['db'] }),
  setup: played({ type: 'task' }),
  off: played({ enabled: false }),
};

test('status is a table: service, state, pid, uptime, restarts, usage, and why not', async () => {
  await using run = await up({ services });
  const db = await run.puppet('db');
  await run.status();
  const waiting = await run.command('status');
  expect(waiting.code).toBe(3);
  const [head, ...rows] = waiting.stdout.trimEnd().split('\n');
  expect(head).toMatch(/^SERVICE +STATE +PID +UPTIME +RESTARTS +CPU +MEMORY +NOTE$/);
  expect(rows[0]).toMatch(
    new RegExp(`^db +starting +${db.pid} +[\\d.]+ m?s +0 +\\d.* m?s +[\\d.]+ MiB +waiting for READY=1$`),
  );
  expect(rows[1]).toMatch(/^api +pending +- +- +0 +- +- +waits for db to be ready$/);
  expect(rows[3]).toMatch(/^off +skipped +- +- +0 +- +- +not enabled$/);
  await db.notify();
  await (await run.puppet('setup')).exit(0);
  await run.puppet('api');
  await run.state('setup', 'completed');
  await run.state('api', 'ready');
  const ready = await run.command('status');
  expect([ready.code, ready.stderr]).toEqual([0, '']);
  expect(ready.stdout).toMatch(/^setup +completed +- .*exited with code 0 after/m);
});

test('status NAME shows those services only, and its exit code is theirs', async () => {
  await using run = await up({ services });
  await run.puppet('db');
  await (await run.puppet('setup')).exit(0);
  await run.state('setup', 'completed');
  const { code, stdout } = await run.command('status', 'setup');
  expect(code).toBe(0);
  expect(stdout.trimEnd().split('\n').length).toBe(2);
  expect((await run.command('status', 'setup', 'db')).code).toBe(3);
});

test('status of an unknown service is an error that lists the known ones', async () => {
  await using run = await up({ services });
  await run.status();
  const { code, stderr } = await run.command('status', 'dd');
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/there is no service dd.*db, api, setup, off; did you mean `db`\?/);
});

test('status --json has the whole state', async () => {
  await using run = await up({ name: 'chat', services: { a: played({ essential: false, group: 'g' }) } });
  const a = await run.puppet('a');
  await run.state('a', 'ready');
  const body = JSON.parse((await run.command('status', '--json')).stdout);
  expect(body).toMatchObject({ name: 'chat', phase: 'running', healthy: true, pid: 1 });
  expect(body.services).toEqual([
    {
      name: 'a',
      replica: null,
      type: 'service',
      group: 'g',
      essential: false,
      state: 'ready',
      ready: true,
      probed: false,
      wanted: 'up',
      blocked: false,
      unkillable: false,
      reason: null,
      pid: a.pid,
      run: 1,
      restarts: 0,
      uptime_seconds: expect.any(Number),
      ready_after_seconds: expect.any(Number),
      gpus: null,
      exit: null,
      success: null,
      memory: null,
      schedule: null,
      usage: { cpu_seconds: expect.any(Number), memory_bytes: expect.any(Number), processes: 1 },
    },
  ]);
});

test('usage includes every process of the service', async () => {
  await using run = await up({ services: { a: played() } });
  const a = await run.puppet('a');
  await a.spawn('kid', { daemon: true, wiped: true });
  await run.puppet('kid');
  const { usage } = await run.service('a');
  expect(usage?.processes).toBe(2);
  expect(usage?.memory_bytes).toBeGreaterThan(1_000_000);
});

test('health is 0 when every essential service is ready and every essential task completed, else 1 with the reasons', async () => {
  await using run = await up({
    services: { ...services, extra: played({ essential: false, ready: { file: 'never' } }) },
  });
  const db = await run.puppet('db');
  await run.status();
  const before = await run.command('health');
  expect(before.code).toBe(1);
  expect(before.stdout).toMatch(/^db is starting: waiting for READY=1$/m);
  expect(before.stdout).toMatch(/^api is pending: waits for db to be ready$/m);
  expect(before.stdout).not.toMatch(/extra|off/);
  await db.notify();
  await run.puppet('api');
  await run.state('api', 'ready');
  expect((await run.command('health')).stdout).toMatch(/^setup is (starting|running)/);
  await (await run.puppet('setup')).exit(0);
  await run.state('setup', 'completed');
  expect(await run.command('health')).toEqual({ code: 0, stdout: 'healthy\n', stderr: '' });
  expect(JSON.parse((await run.command('health', '--json')).stdout)).toEqual({ healthy: true, waiting: [] });
});

test('without a supervisor, status lists the searched places and exits with 69, health exits with 1', async () => {
  const env = { SVC_SUPER_SOCKET: '/nowhere/control.sock' };
  const status = await command(['status'], env);
  expect(status.code).toBe(69);
  expect(status.stderr).toMatch(/no supervisor responds/);
  expect(status.stderr).toContain('/nowhere/control.sock');
  const health = await command(['health'], env);
  expect(health.code).toBe(1);
  expect(health.stderr).toContain('/nowhere/control.sock');
});

test.skipIf(!isRoot)('without SVC_SUPER_SOCKET each default place is listed', async () => {
  await using run = await up(
    { services: { a: played() } },
    {
      args: ['status'],
      env: { SVC_SUPER_SOCKET: undefined, XDG_RUNTIME_DIR: '/run/user/7' },
      before: 'mount -t tmpfs none /run; mount -t tmpfs none /dev/shm',
    },
  );
  await run.ends(69);
  for (const place of [
    '/run/svc-super.sock',
    '/run/user/7/svc-super.sock',
    '/dev/shm/svc-super-0',
    '/tmp/svc-super-0',
  ]) {
    await run.line(new RegExp(place));
  }
});

for (const [command, code] of [
  ['status --nonsense', 64],
  ['check --file', 64],
  ['init', 64],
] as const) {
  test(`\`${command}\` is a mistake in the command line: 64, with the usage`, async () => {
    const { stderr, code: found } = await import('../helpers/rig.ts').then((rig) => rig.command(command.split(' ')));
    expect(found).toBe(code);
    expect(stderr).toContain('svc-super ');
  });
}

for (const [line, says] of [
  ['check --jsn', 'there is no flag --jsn; did you mean `--json`?'],
  ['status --foo', 'there is no flag --foo'],
  ['check -x', 'there is no flag -x'],
  ['logs -n -1', '-n takes N, which cannot begin with a dash: only the last N lines'],
  ['logs --lines -1', '--lines takes N, which cannot begin with a dash: only the last N lines'],
  ['logs -fn -1', '-n takes N, which cannot begin with a dash: only the last N lines'],
  ['events --lines', '--lines takes N: only the last N lines'],
  ['wait --for --json', '--for takes STATE, which cannot begin with a dash: ready (default) or stopped'],
  ['up -f -x', '-f takes FILE, which cannot begin with a dash: the configuration (default'],
  ['logs --lines=-1', '-n takes a whole number'],
] as const) {
  test(`\`${line}\` reports the value of the flag, in one line before the usage`, async () => {
    const { stderr, code } = await command(line.split(' '));
    const [first, second, ...rest] = stderr.split('\n');
    expect(first).toStartWith(`svc-super: ${says}`);
    expect(second).toStartWith('usage: svc-super ');
    expect([code, rest]).toEqual([64, ['']]);
  });
}

test('version, help and help COMMAND print to standard output and exit 0', async () => {
  for (const args of [['version'], ['--version'], ['-V']]) {
    expect(await command(args)).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^svc-super \d+\.\d+\.\d+\n$/),
      stderr: '',
    });
  }
  for (const args of [['help'], ['--help'], ['-h']]) {
    const { code, stdout } = await command(args);
    expect(code).toBe(0);
    for (const name of ['up', 'status', 'health', 'check', 'schema', 'init'])
      expect(stdout).toMatch(new RegExp(`^ +${name} `, 'm'));
  }
  for (const args of [
    ['help', 'status'],
    ['status', '--help'],
  ]) {
    expect((await command(args)).stdout).toContain('usage: svc-super status');
  }
});

test('version --json reports commit, runtime, C library and architecture, under the names that the packages have', async () => {
  const { code, stdout } = await command(['version', '--json']);
  expect(code).toBe(0);
  const { version, ...rest } = JSON.parse(stdout);
  expect(`svc-super ${version}\n`).toBe((await command(['version'])).stdout);
  expect(rest).toEqual({
    commit: rest.commit === null ? null : expect.stringMatching(/^[0-9a-f]{40}(-dirty)?$/),
    runtime: { name: expect.stringMatching(/^(bun|node)$/), version: expect.stringMatching(/^\d+\.\d+\.\d+$/) },
    libc: expect.stringMatching(/^(glibc|musl)$/),
    architecture: process.arch,
  });
});

test('schema prints a JSON Schema', async () => {
  const { code, stdout } = await command(['schema']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ $schema: expect.stringContaining('json-schema.org'), type: 'object' });
});

test('the control socket is accessible to its user only, and removed at the end', async () => {
  await using run = await up({ services: { a: played() } }, { before: 'umask 000' });
  const a = await run.puppet('a');
  await run.status();
  const { mode } = lstatSync(run.socket);
  expect((mode & 0o777).toString(8)).toBe('600');
  await a.exit(0);
  await run.ends(0);
  expect(lstatSync(run.socket, { throwIfNoEntry: false })).toBeUndefined();
});

test('the socket of a dead supervisor is replaced', async () => {
  await using run = await up(
    { services: { a: played() } },
    {
      // Bound, but not listening.
      before: `perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un($ENV{SVC_SUPER_SOCKET}))'`,
    },
  );
  await run.puppet('a');
  expect((await run.status()).phase).toBe('running');
});

test('a socket with a running supervisor is not replaced, and the new place is reported', async () => {
  await using first = await up({ services: { a: played() } });
  await first.puppet('a');
  await first.status();
  const options = { env: { SVC_SUPER_SOCKET: first.socket }, before: 'mount -t tmpfs none /run' };
  await using second = await up({ services: { b: played() } }, options);
  await second.puppet('b');
  await second.line(
    /another supervisor answers at .*; to connect to this one, set SVC_SUPER_SOCKET=\/run\/svc-super\.sock/,
  );
  expect((await first.status()).services.map(({ name }) => name)).toEqual(['a']);
});

test('a file that is not a socket is not replaced', async () => {
  await using run = await up(
    { services: { a: played() } },
    { before: 'echo precious > control.sock', leaves: ['control.sock'] },
  );
  const a = await run.puppet('a');
  await run.line(/a file that is not a socket has that path/);
  await a.exit(0);
  await run.ends(0);
  expect(await Bun.file(run.socket).text()).toBe('precious\n');
});

test.skipIf(!isRoot)('without SVC_SUPER_SOCKET the first writable place is used', async () => {
  for (const [before, place] of [
    ['mount -t tmpfs none /run', '/run/svc-super.sock'],
    [
      'mount -t tmpfs none /run; mount -o remount,ro /run; mount -t tmpfs none /dev/shm',
      '/dev/shm/svc-super-0/svc-super.sock',
    ],
  ] as const) {
    await using run = await up({ services: { a: played() } }, { env: { SVC_SUPER_SOCKET: undefined }, before });
    await run.puppet('a');
    const path = `/proc/${run.outerPid}/root${place}`;
    await until('the socket', () => lstatSync(path, { throwIfNoEntry: false }));
    expect((await command(['status'], { SVC_SUPER_SOCKET: path })).code).toBe(0);
  }
});

test('the API responds with 404 for unknown paths and 405 for other methods', async () => {
  await using run = await up({ services: { a: played() } });
  await run.puppet('a');
  expect((await run.ask('/v1/nothing')).status).toBe(404);
  expect((await run.ask('/v1/health')).status).toBe(200);
  const response = await fetch('http://svc-super/v1/status', { unix: run.socket, method: 'POST' } as RequestInit);
  expect(response.status).toBe(405);
});

test('an idle client does not block the others', async () => {
  await using run = await up({ services: { a: played() } });
  const a = await run.puppet('a');
  await run.status();
  const { connect } = await import('node:net');
  const silent = connect({ path: run.socket });
  await new Promise((resolve) => silent.once('connect', resolve));
  expect((await run.status()).phase).toBe('running');
  await a.exit(6);
  await run.ends(6);
  silent.destroy();
});

test('files in the working directory have no effect', async () => {
  const touched = join(process.env.TMPDIR ?? '/tmp', `svc-e2e-touched-${process.pid}`);
  const evil = `require('fs').writeFileSync('${touched}', '')`;
  await using run = await up(
    { services: { a: played() } },
    {
      files: {
        '.env': 'FROM_DOTENV=1\nBUN_OPTIONS=--smol\n',
        'bunfig.toml': 'preload = ["./evil.js"]\n',
        'evil.js': evil,
        'package.json': '{"type":"commonjs"}',
        'tsconfig.json': '{',
      },
    },
  );
  const { env } = await (await run.puppet('a')).facts();
  expect(env.FROM_DOTENV).toBeUndefined();
  expect(await Bun.file(touched).exists()).toBe(false);
});

test('another server on the socket is not taken for a supervisor', async () => {
  const path = join(process.env.TMPDIR ?? '/tmp', `svc-e2e-fake-${process.pid}.sock`);
  const server = createServer((socket) => socket.resume().end('hello\n'));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    const { code, stderr } = await command(['status'], { SVC_SUPER_SOCKET: path });
    expect([code, stderr.includes(path)]).toEqual([69, true]);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test('check --json lists every mistake with its position', async () => {
  await using run = await up(
    { services: { a: { comand: 'x' }, b: { command: 'x', depends_on: ['c'] } } },
    { args: ['check', '--json'] },
  );
  await run.ends(78);
  const body = JSON.parse(run.output.bytes('stdout').toString());
  expect(body.ok).toBe(false);
  expect(body.diagnostics.length).toBe(2);
});
