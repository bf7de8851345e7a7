// The operator's commands on the real binary: start, stop, restart, signal, wait, exec, groups and globs, with their exit
// codes.
import { expect, test } from 'bun:test';
import { command, isRoot, played, until, up, useRig } from '../helpers/rig.ts';

useRig();

const chain = {
  db: played({ group: 'base', ready: { notify: true } }),
  api: played({ group: 'app', depends_on: ['db'] }),
  web: played({ group: 'app', depends_on: ['api'] }),
};

async function chained(run: Awaited<ReturnType<typeof up>>) {
  const db = await run.puppet('db');
  await db.notify();
  return { db, api: await run.puppet('api'), web: await run.puppet('web') };
}

test('stop stops one service only; start starts it again with its dependencies', async () => {
  await using run = await up({ groups: ['base', 'app'], services: chain });
  await chained(run);
  await run.state('web', 'ready');
  const stopped = await run.command('stop', 'db', 'web', '--wait');
  expect(stopped).toEqual({ code: 0, stdout: 'stopped: db, web\n', stderr: expect.any(String) });
  expect((await run.service('db')).state).toBe('stopped');
  expect((await run.service('api')).state).toBe('ready');
  const starting = run.command('start', 'web', '--wait');
  expect((await starting).code).toBe(0);
  expect((await run.service('db')).state).toBe('stopped');
  const revived = run.command('restart', 'api', '--wait');
  await (await run.puppet('db', 2)).notify();
  expect((await revived).code).toBe(0);
  expect((await run.status()).services.map(({ name, run: number }) => `${name} ${number}`)).toEqual([
    'db 2',
    'api 2',
    'web 2',
  ]);
});

test('restart by glob, by group and of all is in the order of dependencies', async () => {
  await using run = await up({ groups: ['base', 'app'], services: chain });
  await chained(run);
  await run.state('web', 'ready');
  expect((await run.command('restart', 'w*', '--wait')).code).toBe(0);
  expect((await run.command('restart', '--group', 'app', '--wait', '--json')).stdout).toMatch(
    /^\{"operation":"restart","services":\["api","web"\],"result":"reached"/,
  );
  const all = run.command('restart', '--all', '--wait');
  await (await run.puppet('db', 2)).notify();
  expect((await all).code).toBe(0);
  expect((await run.status()).services.map(({ run: number }) => number)).toEqual([2, 3, 4]);
  const events = (await run.command('events')).stdout;
  expect(events.lastIndexOf('web stopped')).toBeLessThan(events.lastIndexOf('api stopped'));
  expect(events.lastIndexOf('api stopped')).toBeLessThan(events.lastIndexOf('db stopped'));
});

test('restart --wait exits with 1 if the next run fails, and reports why', async () => {
  await using run = await up({ exit: 'all', services: { a: played({ ready: { notify: true } }), b: played() } });
  const a = await run.puppet('a');
  await a.notify();
  await run.state('a', 'ready');
  const restarted = run.command('restart', 'a', '--wait');
  await (await run.puppet('a', 2)).exit(3);
  const { code, stderr } = await restarted;
  expect([code, stderr]).toEqual([1, expect.stringMatching(/a is failed: exited with code 3/)]);
});

test('restart --wait of a service that can never start says why, and ends at --timeout', async () => {
  const restart = { policy: 'on-failure', backoff: { initial: '20ms', max: '20ms' } };
  const services = { a: { command: ['/no/such/program'], restart, start: 'manual' }, b: played() };
  await using run = await up({ services });
  const { code, stderr } = await run.command('restart', 'a', '--wait', '--timeout', '500ms');
  expect(code).toBe(124);
  const failed = /^svc-super: a could not be started: cannot execute \/no\/such\/program: .*; starts again in /gm;
  expect(stderr.match(failed)?.length).toBe(1);
  expect(stderr).toContain('still waiting: the time limit or Ctrl-C ends the wait');
  expect(await run.command('restart', 'a', '--timeout', '1s')).toMatchObject({
    code: 64,
    stderr: expect.stringMatching(/^svc-super: --timeout limits --wait: add --wait\n/),
  });
});

test('a service that ignores its stop signal is killed by its own stop.timeout', async () => {
  await using run = await up({ services: { a: played({ stop: { timeout: '300ms' } }), b: played() } });
  const a = await run.puppet('a');
  await a.trap('TERM');
  await run.status();
  expect((await run.command('stop', 'a', '--wait')).code).toBe(0);
  await run.line(/a did not stop within \d+ ms: sending SIGKILL/);
  expect((await run.service('b')).state).toBe('ready');
});

test('unknown names, no names, and a disabled service', async () => {
  await using run = await up({ services: { a: played(), off: played({ enabled: false }) } });
  await run.puppet('a');
  await run.status();
  expect(await run.command('stop', 'x')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'svc-super: there is no service x; the services are a, off\n',
  });
  expect((await run.command('stop')).code).toBe(64);
  expect((await run.command('restart', '--group', 'g')).stderr).toMatch(/there is no group g/);
  expect((await run.command('start', 'off')).stderr).toMatch(/off is not enabled/);
  expect((await run.command('signal', 'NOPE', 'a')).stderr).toMatch(/there is no signal/);
  expect((await run.command('exec', 'x', '--', 'true')).code).toBe(1);
  expect((await run.service('a')).run).toBe(1);
});

test('every command that needs a supervisor lists the searched places and exits with 69; health exits with 1', async () => {
  const env = { SVC_SUPER_SOCKET: '/nowhere/control.sock' };
  const all = [
    'logs',
    'start a',
    'stop a',
    'restart a',
    'reload',
    'signal HUP a',
    'exec a -- true',
    'wait',
    'events',
    'timeline',
    'graph',
  ];
  for (const words of all) {
    const { code, stderr } = await command(words.split(' '), env);
    expect([words, code, stderr.includes('/nowhere/control.sock')]).toEqual([words, 69, true]);
  }
});

test('signal reaches the main process', async () => {
  await using run = await up({ services: { a: played(), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await Promise.all([a.trap('USR1'), b.trap('USR1')]);
  await run.status();
  expect(await run.command('signal', 'usr1', 'a')).toEqual({ code: 0, stdout: '', stderr: '' });
  await a.signalled('SIGUSR1');
  expect(b.signals).toEqual([]);
});

test('wait: 0 when ready, 124 at the timeout, 1 if the condition cannot be met', async () => {
  await using run = await up({ exit: 'all', services: { a: played({ ready: { notify: true } }), b: played() } });
  const a = await run.puppet('a');
  await run.status();
  const late = await run.command('wait', 'a', '--timeout', '100ms');
  expect([late.code, late.stderr]).toEqual([124, expect.stringMatching(/a is starting: waiting for READY=1/)]);
  expect((await run.command('wait', '--timeout', '5')).stderr).toMatch(/write `5s` or `5ms`/);
  const waiting = run.command('wait');
  await a.notify();
  expect((await waiting).code).toBe(0);
  const stopping = run.command('wait', 'a', '--for', 'stopped', '--json');
  await a.exit(3);
  expect(JSON.parse((await stopping).stdout)).toMatchObject({ result: 'reached' });
  expect((await run.command('wait', 'a')).code).toBe(1);
});

test('exec runs with the environment and folder of the service; output and code are the command’s', async () => {
  await using run = await up({ services: { a: played({ env: { FOO: 'bar' }, cwd: '/usr' }) } });
  await run.puppet('a');
  await run.status();
  const shell = 'echo $FOO $SVC_NAME; pwd; echo oops >&2; exit 7';
  expect(await run.command('exec', 'a', '--', 'sh', '-c', shell)).toEqual({
    code: 7,
    stdout: 'bar a\n/usr\n',
    stderr: 'oops\n',
  });
  const large = await run.command('exec', 'a', '--', 'sh', '-c', 'head -c 3000000 /dev/zero');
  expect([large.code, large.stdout.length]).toEqual([0, 3_000_000]);
  const missing = await run.command('exec', 'a', '--', '/no/such');
  expect([missing.code, missing.stderr]).toEqual([127, expect.stringMatching(/cannot execute \/no\/such/)]);
  expect((await run.command('exec', 'a', '--', 'sh', '-c', 'kill -9 $$')).code).toBe(137);
});

test.skipIf(!isRoot)('exec runs as the user of the service', async () => {
  await using run = await up({ services: { a: played({ user: '1234:1234' }) } });
  await run.puppet('a');
  await run.status();
  expect((await run.command('exec', 'a', '--', 'id', '-u')).stdout).toBe('1234\n');
});

test('a command whose client has disconnected is killed', async () => {
  await using run = await up({ services: { a: played() } });
  await run.puppet('a');
  await run.state('a', 'ready');
  const { connect } = await import('node:net');
  const socket = connect({ path: run.socket });
  const body = JSON.stringify({ argv: ['sleep', '987'] });
  socket.write(`POST /v1/services/a/exec HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  const sleeping = () => run.ps().some(({ command: words }) => words.includes('987'));
  await until('the command to run', sleeping);
  socket.destroy();
  await until('the command to be gone', () => !sleeping());
});

test('the paths of Nosana’s node: /ops, and groups with their operations', async () => {
  await using run = await up({ groups: ['base', 'app'], services: chain });
  await chained(run);
  await run.state('web', 'ready');
  expect((await run.ask('/ops')).body).toEqual({ db: 'running', api: 'running', web: 'running' });
  const post = (path: string) => fetch(`http://svc-super${path}`, { unix: run.socket, method: 'POST' } as RequestInit);
  expect((await post('/group/app/operation/web/restart')).status).toBe(202);
  await run.puppet('web', 2);
  expect((await post('/group/app/stop')).status).toBe(202);
  await run.state('api', 'stopped');
  await run.state('web', 'stopped');
  expect((await run.ask('/ops')).body).toEqual({ db: 'running', api: 'completed', web: 'completed' });
  expect((await post('/group/base/operation/web/stop')).status).toBe(404);
});
