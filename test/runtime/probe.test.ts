// Attempts of http and tcp probes against servers that send fixed bytes: over TCP and over unix sockets.
import { afterEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HttpProbe, TcpProbe } from '../../src/plan/plan.ts';
import { attemptProbe, type ProbeContext } from '../../src/runtime/probe.ts';
import { renderRequest } from '../../src/runtime/probe-http.ts';
import { tcp } from '../helpers/plans.ts';

const CONTEXT: ProbeContext = {
  cwd: null,
  fileExists: () => false,
  runTool: () => Promise.resolve({ code: 1, summary: '', lastLine: '' }),
};
const { kind: _kind, ...COMMON } = tcp();

function http(given: Partial<HttpProbe>): HttpProbe {
  return {
    ...COMMON,
    kind: 'http',
    scheme: 'http',
    path: '/',
    method: 'GET',
    headers: {},
    body: null,
    status: [[200, 399]],
    contains: null,
    matches: null,
    notMatches: null,
    json: null,
    verifyTls: true,
    ...given,
  };
}

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

/** Starts a server that passes each connection to the test; returns the port. */
async function serve(talk: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    talk(socket);
  });
  await listen(server, { port: 0, host: '127.0.0.1' });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function listen(server: Server, where: { port: number; host: string } | { path: string }): Promise<void> {
  open.push(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, resolve);
  });
}

const attempt = (probe: HttpProbe | TcpProbe) => attemptProbe(probe, new AbortController().signal, CONTEXT);
const answering = (text: string) => serve((socket) => void socket.once('data', () => void socket.write(text)));

describe('an http probe', () => {
  test('accepts a response whose lines end with a bare LF', async () => {
    const port = await answering('HTTP/1.0 200 OK\nContent-Type: text/plain\nContent-Length: 2\n\nok');
    expect(await attempt(http({ port, contains: 'ok' }))).toEqual({ ok: true, detail: 'HTTP 200' });
  });

  test('accepts a response after a 100 Continue that it did not request', async () => {
    const port = await answering('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    expect(await attempt(http({ port, contains: 'ok' }))).toEqual({ ok: true, detail: 'HTTP 200' });
  });

  test('reports a repeated Content-Length', async () => {
    const port = await answering('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok');
    expect(await attempt(http({ port }))).toEqual({
      ok: false,
      detail: `127.0.0.1:${port} does not speak HTTP: it sends Content-Length twice (2, 2)`,
    });
  });

  test('reports that the connection was closed in the middle of a response', async () => {
    const port = await serve((socket) => {
      socket.once('data', () => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok'));
    });
    const detail = `127.0.0.1:${port} closed the connection in the middle of its response`;
    expect(await attempt(http({ port, contains: 'ok' }))).toEqual({ ok: false, detail });
  });

  test('reads a body that ends with the connection', async () => {
    const port = await serve((socket) => void socket.once('data', () => void socket.end('HTTP/1.0 200 OK\n\n{"a":1}')));
    expect(await attempt(http({ port, json: { path: 'a', equals: 1 } }))).toEqual({ ok: true, detail: 'HTTP 200' });
  });

  test('connects to a unix socket, and closes the connection when it is abandoned', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'svc-super-probe-'));
    open.push({ close: () => rmSync(folder, { recursive: true }) });
    const path = join(folder, 'web.sock');
    const closed = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const server = createServer((socket) => {
      socket.once('close', () => closed.resolve());
      socket.once('data', () => asked.resolve());
    });
    await listen(server, { path });
    const abort = new AbortController();
    const attempted = attemptProbe(http({ socket: path }), abort.signal, CONTEXT);
    await asked.promise;
    abort.abort();
    expect((await attempted).ok).toBe(false);
    await closed.promise;
  });
});

describe('the request of an http probe', () => {
  const lines = (given: Partial<HttpProbe>) => renderRequest(http(given)).toString().split('\r\n');

  test('has a Host with the port, unless it is the default port of the scheme', () => {
    expect(lines({ port: 8000, path: '/a?b' })).toEqual([
      ...['GET /a?b HTTP/1.1', 'Host: 127.0.0.1:8000', 'Connection: close', 'User-Agent: svc-super', '', ''],
    ]);
    expect(lines({ port: 80, host: '::1' })[1]).toBe('Host: [::1]');
    expect(lines({ port: 443, scheme: 'https' })[1]).toBe('Host: 127.0.0.1');
  });

  test('has the headers of the probe instead of the default ones; names are not case-sensitive', () => {
    const headers = { host: 'chat.example', 'user-agent': 'kube-probe' };
    expect(lines({ headers, method: 'POST', body: 'ö' })).toEqual([
      ...['POST / HTTP/1.1', 'Connection: close', 'Content-Length: 2'],
      ...['host: chat.example', 'user-agent: kube-probe', '', 'ö'],
    ]);
  });

  test('encodes characters that a request line cannot contain', () => {
    expect(lines({ path: '/a b/ö\ud800%20' })[0]).toBe('GET /a%20b/%C3%B6%EF%BF%BD%20 HTTP/1.1');
  });
});

describe('a tcp probe of a unix socket', () => {
  test('succeeds if the socket accepts a connection, and fails for a stale socket file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'svc-super-probe-'));
    open.push({ close: () => rmSync(folder, { recursive: true }) });
    const path = join(folder, 'x.sock');
    expect(await attempt(tcp({ socket: path }))).toEqual({ ok: false, detail: `there is no socket at ${path}` });
    // A program that closes its socket leaves the file, unless it removes it.
    const stale = Bun.spawnSync([
      'perl',
      '-MIO::Socket::UNIX',
      '-e',
      'IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1)',
      path,
    ]);
    expect(stale.exitCode).toBe(0);
    expect(await attempt(tcp({ socket: path }))).toEqual({ ok: false, detail: `nothing listens on ${path}` });
    rmSync(path);
    await listen(createServer(), { path });
    expect(await attempt(tcp({ socket: path }))).toEqual({ ok: true, detail: `${path} accepts connections` });
  });
});
