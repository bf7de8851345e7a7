// Twelve thousand malformed requests, through the unix socket and over TCP, with and without the token, many of them incomplete:
// the supervisor keeps running, the service keeps its process, and nothing is readable without the token. FUZZ_SEED repeats a
// run.
import { expect, test } from 'bun:test';
import { randomInt } from 'node:crypto';
import { connect } from 'node:net';
import { Dice, nonsense } from '../helpers/nonsense.ts';
import { freePort, isRoot, played, until, up, useRig } from '../helpers/rig.ts';
import { exchange, statusOf } from '../helpers/wire.ts';

useRig();

const TOKEN = 'the-right-token';
/** Only in requests without the token: a request that is valid by accident does not contain this name. */
const NAME = 'precious-one';
const COUNT = 4_000;
const AT_ONCE = 24;

/** Allowed responses without the token; the page is open to everyone. */
const REFUSALS: ReadonlySet<number> = new Set([400, 401, 403, 405, 408, 413, 417, 431, 505]);
const ORDERS = [
  `POST /v1/services/${NAME}/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}`,
  `POST /v1/services/${NAME}/restart HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer the-wrong-token\r\nContent-Length: 0\r\n\r\n`,
  'POST /v1/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n\r\n{"all":true}',
  'POST /v1/restart HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer the-right-toke\r\nContent-Length: 12\r\n\r\n{"all":true}',
  `GET /v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}x\r\n\r\n`,
];

/** Sends all requests, a few at a time; some connections are torn at once. Returns the responses of the others. */
async function send(
  to: number | string,
  count: number,
  dice: Dice,
  make: () => Uint8Array | string,
): Promise<string[]> {
  const answers: string[] = [];
  let left = count;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      const bytes = make();
      if (dice.chance(25)) await tear(to, bytes);
      else {
        const patience = dice.chance(3) ? 400 : 60;
        answers.push((await exchange(to, [bytes], { patience, until: /^HTTP\/1\.1 [2345]\d\d [\s\S]*\r\n\r\n/ })).text);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return answers;
}

/** Writes and disconnects. */
function tear(to: number | string, bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve) => {
    const socket = typeof to === 'number' ? connect(to, '127.0.0.1') : connect(to);
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    socket.on('connect', () => {
      socket.write(bytes);
      setImmediate(() => socket.destroy());
    });
  });
}

test('malformed requests change nothing, reveal nothing and break nothing', async () => {
  const seed = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
  process.stdout.write(`fuzz-api: FUZZ_SEED=${seed}\n`);
  const dice = new Dice(seed);
  const port = await freePort();
  await using run = await up({
    control: { http: { listen: `127.0.0.1:${port}`, token: TOKEN } },
    services: { [NAME]: played() },
  });
  await run.puppet(NAME);
  await run.line(/the control API and the dashboard are at/);
  const before = await run.state(NAME, 'ready');
  // All lazily loaded modules are loaded now.
  await send(run.socket, 300, dice, () => nonsense(dice, null));
  await send(port, 300, dice, () => nonsense(dice, TOKEN));
  const [files, memory] = [run.descriptors(), run.memory('VmRSS')];

  const overSocket = await send(run.socket, COUNT, dice, () => nonsense(dice, null));
  const known = await send(port, COUNT, dice, () => nonsense(dice, TOKEN));
  const unknown = await send(port, COUNT, dice, () => (dice.chance(20) ? dice.one(ORDERS) : nonsense(dice, null)));

  // Both kinds reached their targets.
  for (const answers of [overSocket, known])
    expect(answers.filter((text) => / (200|404) /.test(text.slice(0, 20))).length).toBeGreaterThan(50);
  for (const text of unknown) {
    const status = statusOf({ text, closed: true, took: 0 });
    const isPage = status === 200 && text.includes("content-security-policy: default-src 'none'");
    const isFine = status === null || isPage || REFUSALS.has(status);
    expect(isFine ? '' : text.slice(0, 500)).toBe('');
    expect(text.includes(NAME) || text.includes('"services":') ? text.slice(0, 2_000) : '').toBe('');
  }
  expect(unknown.filter((text) => text.startsWith('HTTP/1.1 401')).length).toBeGreaterThan(300);

  const after = await run.service(NAME);
  expect([after.state, after.pid, after.run, after.restarts]).toEqual([
    before.state,
    before.pid,
    before.run,
    before.restarts,
  ]);
  expect(run.lines.filter((line) => /bug in svc-super|asked to|stop/.test(line))).toEqual([]);
  await until(
    'the connections to be closed',
    () => run.descriptors() <= files + 4,
    () => `${run.descriptors()} of ${files}`,
  );
  expect(run.memory('VmRSS') - memory).toBeLessThan(64 * 1_024 * 1_024);
  expect(
    (await fetch(`http://127.0.0.1:${port}/v1/status`, { headers: { authorization: `Bearer ${TOKEN}` } })).status,
  ).toBe(200);
}, 300_000);

test('half-open connections neither block the unix socket nor stay open', async () => {
  const port = await freePort();
  await using run = await up({ control: { http: { listen: port } }, services: { [NAME]: played() } });
  await run.puppet(NAME);
  await run.line(/the control API and the dashboard are at/);
  await run.status();
  const files = run.descriptors();
  const halves = Array.from({ length: 60 }, (_, index) =>
    exchange(index % 2 === 0 ? port : run.socket, ['POST /v1/stop HTTP/1.1\r\nHost: localhost\r\nContent-Le'], {
      patience: 15_000,
    }),
  );
  await Bun.sleep(300);
  expect(run.descriptors()).toBeGreaterThanOrEqual(files + 25);
  expect((await run.status()).services).toHaveLength(1);
  const over = await Promise.all(halves.filter((_, index) => index % 2 === 0));
  expect(over.every(({ closed, took }) => closed && took < 9_000)).toBe(true);
  expect((await run.service(NAME)).state).toBe('ready');
}, 60_000);

test.skipIf(!isRoot)('another user cannot use the socket', async () => {
  await using run = await up({ services: { [NAME]: played() } });
  await run.puppet(NAME);
  await run.status();
  const perl = 'use IO::Socket::UNIX; print IO::Socket::UNIX->new(Peer => shift) ? "in" : "out: $!"';
  const ask = (...as: readonly string[]) => Bun.spawnSync([...as, 'perl', '-e', perl, run.socket]).stdout.toString();
  expect(ask()).toBe('in');
  expect(ask('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups')).toBe('out: Permission denied');
});
