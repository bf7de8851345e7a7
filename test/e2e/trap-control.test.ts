// Malformed input at the two sockets of the supervisor: the control socket, to which any process of its user may connect, and the
// notify socket, to which any process may send. It must have no effect, and the next valid message must be handled.
import { expect, test } from 'bun:test';
import { connect, type Socket } from 'node:net';
import { isRoot, played, until, up, useRig } from '../helpers/rig.ts';

useRig();

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.on('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      socket.resume();
      resolve(socket);
    });
  });
}

/** The same, but a connection that is closed at once, because there are too many, counts as well. */
function knock(path: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const done = () => resolve(socket);
    socket.on('error', done).once('connect', done).resume();
  });
}

const ended = (socket: Socket) =>
  new Promise<void>((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });

const noise = (size: number) => Buffer.from(Array.from({ length: size }, (_, at) => (at * 7_919 + (at >> 3)) & 255));

const RUBBISH: Readonly<Record<string, string | Uint8Array>> = {
  'half a request': 'GET /v1/status HT',
  'a request without its end': 'GET /v1/status HTTP/1.1\r\nhost: x\r\n',
  'no HTTP at all': 'hello, is anybody there?\r\n\r\n',
  'bytes of any kind': noise(100_000),
  'nothing but NUL': new Uint8Array(10_000),
  'a TLS greeting': Buffer.from('16030100a5010000a10303', 'hex'),
  'a line without end': 'x'.repeat(1_000_000),
  'a path of a megabyte': `GET /${'x'.repeat(1_000_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
  'a header of a megabyte': `GET /v1/status HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(1_000_000)}\r\n\r\n`,
  'a hundred thousand headers': `GET /v1/status HTTP/1.1\r\n${'x: y\r\n'.repeat(100_000)}\r\n`,
  'a body that never comes': 'POST /v1/status HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n',
  'a negative length': 'POST /v1/status HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n',
  'two lengths': 'POST /v1/status HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx',
  'chunks that are none': 'POST /v1/status HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzzzz\r\n',
  'a version that is none': 'GET /v1/status HTTP/9.9\r\nhost: x\r\n\r\n',
  'a method that is none': 'FETCH /v1/status HTTP/1.1\r\nhost: x\r\n\r\n',
  'an upgrade': 'GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
  'a proxy request': 'CONNECT 127.0.0.1:1 HTTP/1.1\r\nhost: x\r\n\r\n',
  'paths that lead elsewhere':
    'GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\nGET //%00%ff?x#y HTTP/1.1\r\nhost: x\r\n\r\n',
  'the names of objects': 'GET __proto__ HTTP/1.1\r\nhost: x\r\n\r\nGET /constructor HTTP/1.1\r\nhost: x\r\n\r\n',
  'a thousand requests at once': 'GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(1_000),
};

test('after any input to the control socket the next request gets a response', async () => {
  await using run = await up({ services: { a: played() } });
  const a = await run.puppet('a');
  await run.state('a', 'ready');
  const before = run.descriptors();
  for (const [what, bytes] of Object.entries(RUBBISH)) {
    const [one, other] = [await open(run.socket), await open(run.socket)];
    // One waits for the response, the other disconnects early.
    one.write(bytes);
    other.write(bytes, () => other.destroy());
    expect({ what, phase: (await run.status()).phase }).toEqual({ what, phase: 'running' });
    one.destroy();
    await Promise.all([ended(one), ended(other)]);
  }
  await until('the connections to be closed', () => run.descriptors() <= before + 2);
  expect(run.lines.filter((line) => /a bug|panic/.test(line))).toEqual([]);
  expect(run.memory('RssAnon')).toBeLessThan(64 * 1024 * 1024);
  await a.exit(3);
  await run.ends(3);
});

test('with five hundred open connections, idle or half-way, status and health respond', async () => {
  await using run = await up({ services: { a: played() } });
  const a = await run.puppet('a');
  await run.state('a', 'ready');
  const before = run.descriptors();
  const sockets = await Promise.all(Array.from({ length: 500 }, () => knock(run.socket)));
  sockets.forEach((socket, at) => {
    if (at % 2 === 0) socket.write('GET /v1/status HTTP/1.1\r\nhost: x\r\n');
  });
  for (let round = 0; round < 20; round += 1) {
    expect((await run.ask('/v1/health')).status).toBe(200);
    expect((await run.status()).phase).toBe('running');
  }
  expect((await run.command('status')).code).toBe(0);
  await a.orphans(20, 1);
  await until('orphans to be reaped', () => run.ps().every(({ state }) => state !== 'Z'));
  for (const socket of sockets) socket.destroy();
  await until('the connections to be closed', () => run.descriptors() <= before + 2);
  await a.exit(3);
  await run.ends(3);
});

test('open connections do not delay the end', async () => {
  await using run = await up({ services: { a: played() } });
  const a = await run.puppet('a');
  await run.state('a', 'ready');
  const sockets = await Promise.all(Array.from({ length: 50 }, () => open(run.socket)));
  for (const socket of sockets) socket.write('GET /v1/status HTTP/1.1\r\n');
  await a.exit(3);
  await run.ends(3);
  for (const socket of sockets) socket.destroy();
});

const notify = { notify: true };

test('five hundred messages are read, and the READY=1 among them counts', async () => {
  await using run = await up({ services: { a: played({ ready: notify }), b: played({ depends_on: { a: 'ready' } }) } });
  const a = await run.puppet('a');
  for (const text of [
    'STATUS=loading',
    '',
    'READY=0',
    'READY=11',
    'XREADY=1',
    ' READY=1',
    '\0READY=1',
    'x'.repeat(20_000),
  ])
    await a.notify(text);
  for (let at = 0; at < 500; at += 1) await a.notify(`STATUS=${at}`);
  expect((await run.service('a')).state).toBe('starting');
  expect(run.hasCalled('b')).toBe(false);
  await a.notify('STATUS=done\nREADY=1\nMAINPID=1');
  await run.state('a', 'ready');
  await run.puppet('b');
  await a.notify('READY=1');
  await a.notify('STOPPING=1');
  expect((await run.service('a')).state).toBe('ready');
  await a.exit(3);
  await run.ends(3);
});

test('five hundred messages at once do not block their sender', async () => {
  await using run = await up({ services: { a: played({ ready: notify }) } });
  const a = await run.puppet('a');
  await a.eval(`do_notify("STATUS=$_") for 1 .. 500; undef`);
  await a.notify();
  await run.state('a', 'ready');
  await a.exit(3);
  await run.ends(3);
});

test.skipIf(!isRoot)(
  "a message of another user is ignored, one of its own user or of the supervisor's counts",
  async () => {
    const config = { services: { a: played({ ready: notify, user: '12345:12345', cwd: '/' }) } };
    for (const [uid, heard] of [
      [23_456, false],
      [12_345, true],
      [0, true],
    ] as const) {
      await using run = await up(config);
      const a = await run.puppet('a');
      const { NOTIFY_SOCKET = '' } = (await a.facts()).env;
      // Not one of its processes: from outside, as any process of the container could.
      const inside = `nsenter --target ${run.outerPid} --pid --mount --net`;
      const say = (user: number) => {
        const perl = `use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0); my $a = shift; $a =~ s/^@/\\0/; send($s, "READY=1", 0, pack("S a*", AF_UNIX, $a)) // die`;
        const { exitCode } = Bun.spawnSync([
          ...inside.split(' '),
          'setpriv',
          `--reuid=${user}`,
          '--clear-groups',
          'perl',
          '-e',
          perl,
          NOTIFY_SOCKET,
        ]);
        expect(exitCode).toBe(0);
      };
      say(uid);
      if (heard) await run.state('a', 'ready');
      else {
        // A later message that has been read shows that this one has been read too.
        await a.notify('STATUS=1');
        for (let round = 0; round < 20; round += 1) expect((await run.service('a')).state).toBe('starting');
      }
      await a.exit(3);
      await run.ends(3);
    }
  },
);
