// The http probe: each form and each option, against servers inside the test. The service itself is a puppet that does nothing;
// the tests check when it becomes ready, and the reasons before that.
import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { freePort, played, type Run, until, up, useRig, variable } from '../helpers/rig.ts';
import { type Answering, Web } from '../helpers/web.ts';

useRig();

const ok: Answering = () => ({ status: 200, body: 'ok' });

/** A run whose one service `a` has this probe. */
function probing(http: unknown, fields: object = {}): Promise<Run> {
  return up({ services: { a: played({ ready: { http }, ...fields }) } });
}

/** Waits until the supervisor reports that reason why a service is not ready. */
async function notReady(run: Run, reason: RegExp): Promise<void> {
  let last: string | null = null;
  await until(
    `the reason ${reason}`,
    async () => {
      const { state, reason: found } = await run.service('a');
      expect(state).toBe('starting');
      last = found;
      return found !== null && reason.test(found);
    },
    () => `last: ${last}\n${run.output.text()}`,
  );
}

test('a URL is requested with GET, and 200 is ready', async () => {
  await using web = await Web.serve(ok);
  await using run = await probing(`http://127.0.0.1:${web.port}/v1/models?a=b`);
  await run.state('a', 'ready');
  const [asked] = web.asked;
  expect(asked).toMatchObject({ method: 'GET', url: '/v1/models?a=b', body: '' });
  expect(asked?.headers.host).toBe(`127.0.0.1:${web.port}`);
  expect(web.asked.length).toBe(1);
});

test('without a listener it is not ready, and the reason names the address', async () => {
  const port = await freePort();
  await using run = await probing(`http://127.0.0.1:${port}/`);
  await notReady(run, new RegExp(`^nothing listens on 127\\.0\\.0\\.1:${port}$`));
});

test("the service's port, host 127.0.0.1 and path / are the defaults", async () => {
  await using run = await up({ services: { a: played({ port: await freePort(), ready: { http: {} } }) } });
  const a = await run.puppet('a');
  const port = Number((await a.facts()).env.PORT);
  await a.listen(port);
  await run.state('a', 'ready');
});

test('host and port may be given', async () => {
  await using web = await Web.serve(ok);
  await using run = await probing({ host: 'localhost', port: web.port, path: '/health' });
  await run.state('a', 'ready');
  expect(web.asked[0]?.url).toBe('/health');
});

test('by default each status from 200 to 399 is ready, and a redirect is not followed', async () => {
  await using web = await Web.serve(() => ({ status: 302, headers: { location: 'http://127.0.0.1:1/' } }));
  await using run = await probing({ port: web.port });
  await run.state('a', 'ready');
});

test('another status is not ready, and the reason names it', async () => {
  await using web = await Web.serve(() => ({ status: 503 }));
  await using run = await probing({ port: web.port });
  await notReady(run, /^HTTP 503$/);
  web.answer = () => ({ status: 400 });
  await notReady(run, /^HTTP 400$/);
  web.answer = ok;
  await run.state('a', 'ready');
});

for (const [status, good, bad] of [
  [204, 204, 200],
  [[200, 418], 418, 204],
  ['200-204', 204, 205],
  ['404', 404, 200],
] as const) {
  test(`status may be ${JSON.stringify(status)}`, async () => {
    let code: number = bad;
    await using web = await Web.serve(() => ({ status: code }));
    await using run = await probing({ port: web.port, status });
    await notReady(run, new RegExp(`^HTTP ${bad}$`));
    code = good;
    await run.state('a', 'ready');
  });
}

test('method, headers and body are sent as configured', async () => {
  await using web = await Web.serve(ok);
  const headers = { Authorization: 'Bearer abc', 'Content-Type': 'application/json', Host: 'chat.example' };
  await using run = await probing({
    port: web.port,
    path: '/v1/chat',
    method: 'POST',
    headers,
    body: '{"prompt":"ö"}',
  });
  await run.state('a', 'ready');
  const [asked] = web.asked;
  expect(asked).toMatchObject({ method: 'POST', url: '/v1/chat', body: '{"prompt":"ö"}' });
  expect(asked?.headers).toMatchObject({
    authorization: 'Bearer abc',
    'content-type': 'application/json',
    host: 'chat.example',
  });
});

test('HEAD needs no body', async () => {
  await using web = await Web.serve(ok);
  await using run = await probing({ port: web.port, method: 'HEAD' });
  await run.state('a', 'ready');
  expect(web.asked[0]?.method).toBe('HEAD');
});

test('contains: the body must contain that text', async () => {
  await using web = await Web.serve(() => ({ body: 'loading (35 %)' }));
  await using run = await probing({ port: web.port, contains: 'model loaded' });
  await notReady(run, /^HTTP 200, but the body does not contain "model loaded"$/);
  web.answer = () => ({ body: 'the model loaded at last' });
  await run.state('a', 'ready');
});

test('matches: the body must match that expression', async () => {
  await using web = await Web.serve(() => ({ body: 'workers: 0' }));
  await using run = await probing({ port: web.port, matches: 'workers: [1-9]' });
  await notReady(run, /^HTTP 200, but the body does not match \/workers: \[1-9\]\/$/);
  web.answer = () => ({ body: 'workers: 4' });
  await run.state('a', 'ready');
});

test('json: a path into the response must equal a value, and the reason shows the actual value', async () => {
  const body = (data: unknown) => () => ({ body: JSON.stringify({ object: 'list', data }) });
  await using web = await Web.serve(() => ({ body: '<html>' }));
  await using run = await probing({ port: web.port, json: { path: 'data.0.id', equals: 'R1' } });
  await notReady(run, /^HTTP 200, but the body is not JSON$/);
  web.answer = body([]);
  await notReady(run, /^HTTP 200, but the body has no `data\.0\.id`$/);
  web.answer = body([{ id: 'R0' }]);
  await notReady(run, /^HTTP 200, but data\.0\.id is "R0", not "R1"$/);
  web.answer = body([{ id: 'R1' }]);
  await run.state('a', 'ready');
});

test('json: values are compared with their types: "true" is not true', async () => {
  await using web = await Web.serve(() => ({ body: '{"status":"true"}' }));
  await using run = await probing({ port: web.port, json: { path: 'status', equals: true } });
  await notReady(run, /status is "true", not true/);
  web.answer = () => ({ body: '{"status":true}' });
  await run.state('a', 'ready');
});

test('json: without a value the path must exist', async () => {
  await using web = await Web.serve(() => ({ body: '{}' }));
  await using run = await probing({ port: web.port, json: { path: 'model.name' } });
  await notReady(run, /the body has no `model\.name`/);
  web.answer = () => ({ body: '{"model":{"name":null}}' });
  await run.state('a', 'ready');
});

test('json may equal a whole list or map', async () => {
  await using web = await Web.serve(() => ({ body: '{"a":[1,{"b":2}]}' }));
  await using run = await probing({ port: web.port, json: { path: 'a', equals: [1, { b: 2 }] } });
  await run.state('a', 'ready');
});

test('several options must all hold', async () => {
  await using web = await Web.serve(() => ({ status: 200, body: '{"n":1}' }));
  await using run = await probing({
    port: web.port,
    status: 200,
    contains: '"n"',
    matches: '2',
    json: { path: 'n', equals: 2 },
  });
  await notReady(run, /does not match/);
  web.answer = () => ({ status: 200, body: '{"n":2}' });
  await run.state('a', 'ready');
});

test('socket: the request is sent through a unix socket', async () => {
  await using run = await probing({ socket: `${variable('TMPDIR')}/web.sock`, path: '/ping' });
  await notReady(run, /^there is no socket at .*\/tmp\/web\.sock$/);
  const a = await run.puppet('a');
  await a.listen(join(run.folder, 'tmp/web.sock'));
  await run.state('a', 'ready');
});

test('https: an untrusted certificate is rejected', async () => {
  await using web = await Web.serve(ok, { tls: true });
  await using run = await probing({ scheme: 'https', port: web.port });
  await notReady(run, /^the certificate of 127\.0\.0\.1:\d+ is not trusted: .+ \(`verify_tls: false` accepts it\)$/);
  expect(web.asked.length).toBe(0);
});

test('https: with verify_tls: false it is accepted', async () => {
  await using web = await Web.serve(ok, { tls: true });
  await using run = await probing({ scheme: 'https', port: web.port, verify_tls: false });
  await run.state('a', 'ready');
});

test('https in a URL', async () => {
  await using web = await Web.serve(ok, { tls: true });
  await using run = await probing({ url: `https://127.0.0.1:${web.port}/x`, verify_tls: false });
  await run.state('a', 'ready');
  expect(web.asked[0]?.url).toBe('/x');
});

test('timeout: an attempt without a response counts as failed, and the next one follows', async () => {
  await using web = await Web.serve(() => new Promise(() => undefined));
  await using run = await up({
    services: { a: played({ ready: { http: { port: web.port }, timeout: '50ms' } }) },
  });
  await notReady(run, /^no answer within 50 ms$/);
  web.answer = ok;
  await run.state('a', 'ready');
});

test('an endless body does not count as a response', async () => {
  await using web = await Web.serve(() => ({ body: '12345', headers: { 'content-length': '100' } }));
  await using run = await up({
    services: { a: played({ ready: { http: { port: web.port, contains: '1' }, timeout: '50ms' } }) },
  });
  await notReady(run, /no answer within 50 ms|closed the connection|cannot connect/);
});

test('a server that closes without a response is not ready', async () => {
  await using web = await Web.serve(() => null);
  await using run = await probing({ port: web.port });
  await notReady(run, /closed the connection$/);
});

test('a server without HTTP is not ready', async () => {
  await using run = await up({ services: { a: played({ port: await freePort(), ready: { http: {} } }) } });
  const a = await run.puppet('a');
  const port = Number((await a.facts()).env.PORT);
  await a.ignore('PIPE');
  await a.eval(
    `no warnings; *answer = sub { my $c = shift; syswrite($c->{handle}, "hello\\n"); delete $main::clients{fileno $c->{handle}} }; undef`,
  );
  await a.listen(port);
  await notReady(run, /^127\.0\.0\.1:\d+ does not speak HTTP: its response begins with "hello\\n"$/);
});

/** A run whose one service responds to every request with these bytes. */
async function answering(bytes: string, fields: object = {}): Promise<Run> {
  const run = await up({ services: { a: played({ port: await freePort(), ready: { http: fields } }) } });
  const a = await run.puppet('a');
  await a.ignore('PIPE');
  await a.eval(
    `no warnings; *answer = sub { my $c = shift; syswrite($c->{handle}, ${JSON.stringify(bytes).replaceAll('$', '\\$')}); delete $main::clients{fileno $c->{handle}} }; undef`,
  );
  await a.listen(Number((await a.facts()).env.PORT));
  return run;
}

test('a response with bare LF line ends, as small scripts write it, is ready', async () => {
  await using run = await answering('HTTP/1.0 200 OK\nContent-Length: 2\n\nok', { contains: 'ok' });
  await run.state('a', 'ready');
});

test('a response after an unrequested 100 Continue is ready', async () => {
  await using run = await answering('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  await run.state('a', 'ready');
});

test('a duplicate Content-Length is not ready, and reported', async () => {
  await using run = await answering('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok');
  await notReady(run, /^127\.0\.0\.1:\d+ does not speak HTTP: it sends Content-Length twice \(2, 2\)$/);
});

test('the response to an earlier run changes nothing in the next', async () => {
  const held: ((reply: { status: number }) => void)[] = [];
  await using web = await Web.serve(() => new Promise((resolve) => held.push(resolve)));
  const restart = { policy: 'always', backoff: { initial: '1ms' } };
  await using run = await probing({ port: web.port }, { restart });
  const first = await run.puppet('a', 1);
  await until('a first request', () => held.length === 1);
  await first.exit(1);
  await run.puppet('a', 2);
  await until('a second request', () => held.length === 2);
  held[0]?.({ status: 200 });
  expect(await run.service('a')).toMatchObject({ state: 'starting', run: 2 });
  held[1]?.({ status: 200 });
  await run.state('a', 'ready');
});

test('one attempt at a time: during one no other is made', async () => {
  const held: ((reply: { status: number }) => void)[] = [];
  await using web = await Web.serve(() => new Promise((resolve) => held.push(resolve)));
  await using other = await Web.serve(() => ({ status: 503 }));
  await using run = await up({
    services: {
      a: played({ ready: { http: { port: web.port } } }),
      b: played({ ready: { http: { port: other.port } } }),
    },
  });
  // The attempts on the other service measure the time.
  await other.asks(10);
  expect(held.length).toBe(1);
  held[0]?.({ status: 200 });
  await run.state('a', 'ready');
});

test('ready probes stop once the service is ready', async () => {
  await using web = await Web.serve(ok);
  await using other = await Web.serve(() => ({ status: 503 }));
  await using run = await up({
    services: {
      a: played({ ready: { http: { port: web.port }, interval: '10ms' } }),
      b: played({ ready: { http: { port: other.port } } }),
    },
  });
  await run.state('a', 'ready');
  const before = web.asked.length;
  await other.asks(10);
  expect(web.asked.length).toBe(before);
});
