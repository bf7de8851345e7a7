// All probes except http: tcp, exec, log, file, notify in both forms; several at once, successes, live probes, continuous ready
// probes.
import { expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, isRoot, played, puppetShell, until, up, useRig, variable } from '../helpers/rig.ts';
import { Web } from '../helpers/web.ts';

useRig();

const touch = (...path: readonly string[]) => writeFileSync(join(...path), '');

test('tcp: ready when the port accepts a connection', async () => {
  const port = await freePort();
  await using run = await up({ services: { a: played({ ready: { tcp: port } }) } });
  const a = await run.puppet('a');
  await until('a reason', async () => (await run.service('a')).reason === `nothing listens on 127.0.0.1:${port}`);
  await a.listen(port);
  await run.state('a', 'ready');
});

test('tcp: host:port may be given', async () => {
  await using web = await Web.serve(() => ({}));
  await using run = await up({ services: { a: played({ ready: { tcp: `127.0.0.1:${web.port}` } }) } });
  await run.state('a', 'ready');
});

test('exec: ready when the command exits with 0; until then the reason is its code and last line', async () => {
  const exec = 'test -e go && exit 0; echo starting up; echo "database not there" >&2; exit 2';
  await using run = await up({ services: { a: played({ ready: { exec } }) } });
  await until('a reason', async () => (await run.service('a')).reason === 'exit code 2: database not there');
  touch(run.folder, 'go');
  await run.state('a', 'ready');
});

test('exec: a list is executed without a shell, with the environment, folder and run number of the service', async () => {
  const script = 'printf "%s %s %s %s" "$SVC_NAME" "$SVC_RUN" "$WORD" "$PWD" > seen';
  await using run = await up({
    services: { a: played({ env: { WORD: 'hi' }, cwd: 'tmp', ready: { exec: ['/bin/sh', '-c', script] } }) },
  });
  await run.state('a', 'ready');
  expect(await Bun.file(join(run.folder, 'tmp/seen')).text()).toBe(`a 1 hi ${run.folder}/tmp`);
});

test.skipIf(!isRoot)('exec: it runs as the user of the service', async () => {
  await using run = await up({
    services: { a: played({ user: 'nobody', ready: { exec: 'echo I am $(id -un); test "$(id -un)" = nobody' } }) },
  });
  await run.state('a', 'ready');
});

test('exec: a missing command is not ready, with the reason', async () => {
  await using run = await up({ services: { a: played({ ready: { exec: ['no-such-program'] } }) } });
  await until('a reason', async () => (await run.service('a')).reason?.includes('no-such-program') === true);
  expect((await run.service('a')).reason).toMatch(/cannot execute no-such-program: it is in no folder of PATH/);
});

test('exec: a command that exceeds the timeout is killed with its process set', async () => {
  const exec = `test -e go && exit 0; ${puppetShell} deep & ${puppetShell} probe`;
  await using run = await up({ services: { a: played({ ready: { exec, timeout: '300ms' } }) } });
  const [probe, deep] = [await run.puppet('probe'), await run.puppet('deep')];
  await Promise.all([probe.ignore('TERM'), deep.ignore('TERM', 'HUP')]);
  await probe.gone;
  await deep.gone;
  await until('a reason', async () => (await run.service('a')).reason === 'no answer within 300 ms');
  touch(run.folder, 'go');
  await run.state('a', 'ready');
});

test('exec: leftover processes of a command are ended', async () => {
  const exec = `test -e done || { touch done; ${puppetShell} left & while ! test -e go; do sleep 0.01; done; }`;
  await using run = await up({ services: { a: played({ ready: { exec } }) } }, { leaves: ['go', 'done'] });
  const left = await run.puppet('left');
  touch(run.folder, 'go');
  await left.gone;
  await run.state('a', 'ready');
});

test('log: ready at a line that matches, on either stream', async () => {
  await using run = await up({
    services: {
      a: played({ ready: { log: 'listening on port \\d+' } }),
      b: played({ ready: { log: '^up$' } }),
    },
  });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await a.print('not yet listening on port x');
  await run.line(/a +\| not yet/);
  expect(await run.service('a')).toMatchObject({
    state: 'starting',
    reason: 'waiting for a line that matches /listening on port \\d+/',
  });
  await a.print('now listening on port 80');
  await run.state('a', 'ready');
  await b.write(2, 'u');
  await run.state('b', 'starting');
  await b.write(2, 'p\n');
  await run.state('b', 'ready');
});

test('log: text without a newline is matched after half a second, and shown by `logs`; standard output gets it with its newline', async () => {
  await using run = await up({ services: { a: played({ ready: { log: 'Listening' } }) } });
  const a = await run.puppet('a');
  await a.write(1, 'Listening');
  await run.state('a', 'ready');
  expect((await run.command('logs', 'a')).stdout).toContain('Listening\n');
  expect(run.output.text()).not.toMatch(/Listening/);
  await a.write(1, ' on port 80\n');
  await run.line(/^a +\| Listening on port 80$/);
  expect((await run.command('logs', 'a')).stdout.match(/Listening/g)).toHaveLength(1);
});

test('tcp: {socket} is ready when the unix socket accepts a connection, not when its file exists', async () => {
  const socket = `${variable('TMPDIR')}/x.sock`;
  const listen = 'IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1)';
  const command = `perl -MIO::Socket::UNIX -e '${listen}' "$TMPDIR/x.sock"; exec ${puppetShell} a`;
  await using run = await up({ services: { a: { command, ready: { tcp: { socket } } } } });
  const a = await run.puppet('a');
  const where = `${run.folder}/tmp/x.sock`;
  await until('a reason', async () => (await run.service('a')).reason === `nothing listens on ${where}`);
  await a.eval(`unlink ${JSON.stringify(where)}`);
  await a.listen(where);
  await run.state('a', 'ready');
});

test('start_interval: attempts during the start are at least that far apart', async () => {
  await using web = await Web.serve(() => ({ status: 503 }));
  await using other = await Web.serve(() => ({ status: 503 }));
  await using run = await up({
    services: {
      a: played({ ready: { http: { port: web.port }, start_interval: '1h' } }),
      b: played({ ready: { http: { port: other.port } } }),
    },
  });
  await until('a first attempt', () => web.asked.length > 0);
  // The attempts on the other service measure the time.
  await other.asks(20);
  expect(web.asked.length).toBe(1);
  expect(await run.service('a')).toMatchObject({ state: 'starting', reason: 'HTTP 503' });
});

test('log: a line of an earlier run does not count', async () => {
  await using run = await up({
    services: { a: played({ ready: { log: 'ready' }, restart: { policy: 'always', backoff: { initial: '1ms' } } }) },
  });
  const first = await run.puppet('a', 1);
  await first.print('ready');
  await run.state('a', 'ready');
  await first.exit(1);
  const second = await run.puppet('a', 2);
  await second.print('second run');
  await run.line(/second run/);
  expect((await run.service('a')).state).toBe('starting');
  await second.print('ready');
  await run.state('a', 'ready');
});

test('file: ready when the path exists, relative to the folder of the service', async () => {
  await using run = await up({ services: { a: played({ cwd: 'tmp', ready: { file: 'a.pid' } }) } });
  await until('a reason', async () => /tmp\/a\.pid does not exist yet$/.test((await run.service('a')).reason ?? ''));
  touch(run.folder, 'tmp/a.pid');
  await run.state('a', 'ready');
});

test('notify: true: ready at READY=1 on NOTIFY_SOCKET', async () => {
  await using run = await up({ services: { a: played({ ready: { notify: true } }) } });
  const a = await run.puppet('a');
  expect(await run.service('a')).toMatchObject({ state: 'starting', reason: 'waiting for READY=1' });
  await a.notify('STATUS=loading\nWATCHDOG=1');
  expect((await run.service('a')).state).toBe('starting');
  await a.notify('STATUS=there\nREADY=1\n');
  await run.state('a', 'ready');
});

test('notify: true: any process of the service may send it', async () => {
  await using run = await up({ services: { a: played({ ready: { notify: true } }) } });
  const a = await run.puppet('a');
  await a.spawn('kid', { daemon: true });
  await (await run.puppet('kid')).notify();
  await run.state('a', 'ready');
});

test.skipIf(!isRoot)('notify: true: a service of another user may send it', async () => {
  await using run = await up({ services: { a: played({ user: 'nobody', ready: { notify: true } }) } });
  await (await run.puppet('a')).notify();
  await run.state('a', 'ready');
});

test.skipIf(!isRoot)('notify: true: messages of another user do not count', async () => {
  await using run = await up({
    services: { a: played({ ready: { notify: true } }), b: played({ user: 'nobody' }) },
  });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  const address = (await a.facts()).env.NOTIFY_SOCKET ?? '';
  expect(address).toStartWith('@');
  expect((await b.facts()).env.NOTIFY_SOCKET).toBeUndefined();
  await b.eval(`$ENV{NOTIFY_SOCKET} = '${address}'`);
  await b.notify();
  // The message of the service itself comes later: if the other one had counted, it would be ready by now.
  await a.notify('STATUS=still loading');
  expect((await run.service('a')).state).toBe('starting');
  await a.notify();
  await run.state('a', 'ready');
});

for (const fd of [3, 7]) {
  test(`notify: {fd: ${fd}}: ready at a newline on that descriptor`, async () => {
    await using run = await up({ services: { a: played({ ready: { notify: { fd } } }) } });
    const a = await run.puppet('a');
    const { descriptors } = await a.facts();
    expect(descriptors[fd]).toStartWith('pipe:');
    await a.write(fd, 'not yet');
    await run.state('a', 'starting');
    expect((await run.service('a')).reason).toBe(`waiting for a newline on descriptor ${fd}`);
    await a.write(fd, '\n');
    await run.state('a', 'ready');
  });
}

test('notify: {fd: 3}: a program that continues to write after the newline is not blocked', async () => {
  const command = 'echo >&3; head -c 1000000 /dev/zero >&3; echo written; exec sleep 1000';
  await using run = await up({ services: { a: { command, ready: { notify: { fd: 3 } } } } });
  await run.line(/^a +\| written$/);
  expect((await run.service('a')).state).toBe('ready');
});

test('several probes must all hold', async () => {
  await using run = await up({
    services: { a: played({ ready: [{ file: 'one' }, { notify: true }, { exec: 'test -e two' }, { log: 'three' }] }) },
  });
  const a = await run.puppet('a');
  touch(run.folder, 'one');
  await a.notify();
  expect((await run.service('a')).state).toBe('starting');
  await a.print('three');
  await until('the exec probe', async () => (await run.service('a')).reason === 'exit code 1');
  touch(run.folder, 'two');
  await run.state('a', 'ready');
});

test('successes: the number of successes in a row', async () => {
  const answers = [200, 200, 503, 200, 200, 200];
  await using web = await Web.serve(() => ({ status: answers.shift() ?? 200 }));
  await using run = await up({ services: { a: played({ ready: { http: { port: web.port }, successes: 3 } }) } });
  await run.state('a', 'ready');
  expect(web.asked.length).toBe(6);
});

test('live: that many failures in a row are a failure of the service', async () => {
  let status = 200;
  await using web = await Web.serve(() => ({ status }));
  await using run = await up({
    services: { a: played({ live: { http: { port: web.port }, interval: '10ms', failures: 2 } }) },
  });
  await run.state('a', 'ready');
  await web.asks(3);
  status = 503;
  await run.ends(143);
  await run.line(/a failed its liveness probe after .*: HTTP 503/);
});

test('live: a success resets the count', async () => {
  const answers = [503, 503, 200, 503, 503, 200];
  await using web = await Web.serve(() => ({ status: answers.shift() ?? 200 }));
  await using run = await up({
    services: { a: played({ live: { http: { port: web.port }, interval: '10ms', failures: 3 } }) },
  });
  await run.puppet('a');
  await web.asks(10);
  expect((await run.service('a')).state).toBe('ready');
});

test('live: it does not run before the service is ready', async () => {
  await using web = await Web.serve(() => ({ status: 503 }));
  await using run = await up(
    {
      services: {
        a: played({ ready: { notify: true }, live: { http: { port: web.port }, interval: '10ms', failures: 1 } }),
        b: played({ ready: { exec: 'echo x >> beats; false' } }),
      },
    },
    { leaves: ['beats'] },
  );
  const a = await run.puppet('a');
  const beats = () => Bun.file(join(run.folder, 'beats')).size;
  await until('time to pass', () => beats() >= 20);
  expect(web.asked.length).toBe(0);
  await a.notify();
  await run.ends(143);
});

test('live: a dead service is stopped like any other, then restarts by its policy', async () => {
  let status = 200;
  await using web = await Web.serve(() => ({ status }));
  await using run = await up({
    services: {
      a: played({
        live: { http: { port: web.port }, interval: '10ms', failures: 1 },
        restart: { policy: 'on-failure', backoff: { initial: '1ms' } },
      }),
    },
  });
  const first = await run.puppet('a', 1);
  await first.trap('TERM');
  status = 500;
  await first.signalled('SIGTERM');
  status = 200;
  await first.exit(0);
  await run.puppet('a', 2);
  expect(await run.state('a', 'ready')).toMatchObject({ run: 2, restarts: 1 });
});

test('live: a service whose process is stopped fails, and is continued to receive its stop signal', async () => {
  const port = await freePort();
  await using run = await up({
    services: {
      a: played({
        port,
        ready: { tcp: port },
        live: { http: {}, interval: '10ms', timeout: '50ms', failures: 2 },
        stop: { timeout: '200ms' },
      }),
    },
  });
  const a = await run.puppet('a');
  await a.listen(port);
  await run.state('a', 'ready');
  run.kill(a.pid, 'SIGSTOP');
  await run.ends(143);
  await run.line(/a failed its liveness probe after .*: no answer within 50 ms/);
});

test('continuous: a ready probe that fails later makes it unready and changes nothing else; it may become ready again', async () => {
  let status = 200;
  await using web = await Web.serve(() => ({ status }));
  await using run = await up({
    services: {
      a: played({ ready: { http: { port: web.port }, interval: '10ms', continuous: true } }),
      b: played({ depends_on: ['a'] }),
    },
  });
  const b = await run.puppet('b');
  expect((await run.command('health')).code).toBe(0);
  status = 503;
  expect(await run.state('a', 'unready')).toMatchObject({ ready: false, reason: 'HTTP 503', restarts: 0 });
  expect((await run.command('health')).code).toBe(1);
  await run.line(/a not ready any more: HTTP 503/);
  expect(b.isGone).toBe(false);
  status = 200;
  await run.state('a', 'ready');
  await run.line(/a ready again/);
  expect((await run.command('health')).code).toBe(0);
});

test('continuous: a dependent that has not started waits while it is unready', async () => {
  let status = 200;
  await using web = await Web.serve(() => ({ status }));
  await using run = await up({
    services: {
      a: played({ ready: { http: { port: web.port }, interval: '10ms', continuous: true } }),
      b: played({ ready: { notify: true } }),
      c: played({ depends_on: ['a', 'b'] }),
    },
  });
  const b = await run.puppet('b');
  await run.state('a', 'ready');
  status = 503;
  await run.state('a', 'unready');
  await b.notify();
  await run.state('b', 'ready');
  expect(await run.service('c')).toMatchObject({ state: 'pending', reason: 'waits for a to be ready' });
  status = 200;
  await run.puppet('c');
});
