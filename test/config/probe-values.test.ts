// The probes of a service: valid values, the resulting Plan, rejected values.
import { describe, expect, test } from 'bun:test';
import type { Probe } from '../../src/plan/plan.ts';
import { messages, oneService, serviceOf } from './rig.ts';

function probeOf(written: string, ...lines: readonly string[]): Probe | undefined {
  return serviceOf(oneService('command: run', `ready: ${written}`, ...lines)).ready[0];
}

const COMMON = { timeout: 5000, interval: 10_000, startInterval: null, successes: 1, failures: 3, continuous: false };
const HTTP = {
  kind: 'http',
  ...COMMON,
  scheme: 'http',
  host: '127.0.0.1',
  port: 80,
  socket: null,
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
};

describe('a probe', () => {
  const right: Readonly<Record<string, unknown>> = {
    '{ http: "http://127.0.0.1:8080/health?x=1" }': { ...HTTP, port: 8080, path: '/health?x=1' },
    '{ http: "http://localhost/" }': HTTP,
    '{ http: "https://[::1]:444/x" }': { ...HTTP, scheme: 'https', host: '::1', port: 444, path: '/x' },
    '{ http: "https://10.0.0.1" }': { ...HTTP, scheme: 'https', host: '10.0.0.1', port: 443 },
    '{ http: { port: 1, path: "/a b%20c" } }': { ...HTTP, port: 1, path: '/a%20b%20c' },
    '{ http: { port: 1, path: /h } }': { ...HTTP, port: 1, path: '/h' },
    '{ http: { url: "http://127.0.0.2:5/a", method: POST, body: "{}" } }': {
      ...HTTP,
      host: '127.0.0.2',
      port: 5,
      path: '/a',
      method: 'POST',
      body: '{}',
    },
    '{ http: { socket: /run/x.sock, path: /_ping } }': { ...HTTP, socket: '/run/x.sock', path: '/_ping' },
    '{ http: { port: 1, headers: { Authorization: Bearer x, X-N: 5 }, contains: ok, matches: "^ok$", not_matches: no } }':
      {
        ...HTTP,
        port: 1,
        headers: { Authorization: 'Bearer x', 'X-N': '5' },
        contains: 'ok',
        matches: '^ok$',
        notMatches: 'no',
      },
    '{ http: { port: 1, status: 200 } }': { ...HTTP, port: 1, status: [[200, 200]] },
    '{ http: { port: 1, status: [200, 204] } }': {
      ...HTTP,
      port: 1,
      status: [
        [200, 200],
        [204, 204],
      ],
    },
    '{ http: { port: 1, status: ["200-299", 401] } }': {
      ...HTTP,
      port: 1,
      status: [
        [200, 299],
        [401, 401],
      ],
    },
    '{ http: { port: 1, json: { path: a.0.b } } }': { ...HTTP, port: 1, json: { path: 'a.0.b' } },
    '{ http: { port: 1, json: { path: a, equals: null } } }': { ...HTTP, port: 1, json: { path: 'a', equals: null } },
    '{ http: { port: 1, json: { path: a, equals: { b: [1, true, x, "1"] } } } }': {
      ...HTTP,
      port: 1,
      json: { path: 'a', equals: { b: [1, true, 'x', '1'] } },
    },
    '{ http: { port: 1, scheme: https, verify_tls: false } }': { ...HTTP, port: 1, scheme: 'https', verifyTls: false },
    '{ tcp: 5432 }': { kind: 'tcp', ...COMMON, host: '127.0.0.1', port: 5432, socket: null },
    '{ tcp: "10.1.2.3:80" }': { kind: 'tcp', ...COMMON, host: '10.1.2.3', port: 80, socket: null },
    '{ tcp: "[::1]:80" }': { kind: 'tcp', ...COMMON, host: '::1', port: 80, socket: null },
    '{ tcp: { socket: /run/x.sock } }': { kind: 'tcp', ...COMMON, host: '127.0.0.1', port: 0, socket: '/run/x.sock' },
    '{ tcp: 5432, start_interval: 2s }': {
      kind: 'tcp',
      ...COMMON,
      startInterval: 2_000,
      host: '127.0.0.1',
      port: 5432,
      socket: null,
    },
    '{ tcp: localhost:80 }': { kind: 'tcp', ...COMMON, host: '127.0.0.1', port: 80, socket: null },
    '{ exec: "test -f $X" }': { kind: 'exec', ...COMMON, argv: ['/bin/sh', '-c', 'test -f $X'] },
    '{ exec: [pg_isready], timeout: 1s, interval: 100ms, successes: 2 }': {
      kind: 'exec',
      ...COMMON,
      argv: ['pg_isready'],
      timeout: 1000,
      interval: 100,
      successes: 2,
    },
    '{ log: "^ready\\\\b" }': { kind: 'log', ...COMMON, pattern: '^ready\\b' },
    '{ log: "a{" }': { kind: 'log', ...COMMON, pattern: 'a{' },
    '{ file: /run/ready }': { kind: 'file', ...COMMON, path: '/run/ready' },
    '{ notify: true }': { kind: 'notify', ...COMMON, fd: null },
    '{ notify: { fd: 3 } }': { kind: 'notify', ...COMMON, fd: 3 },
    '{ tcp: 1, continuous: true }': {
      kind: 'tcp',
      ...COMMON,
      host: '127.0.0.1',
      port: 1,
      socket: null,
      continuous: true,
    },
  };
  for (const [written, expected] of Object.entries(right)) {
    test(written, () => expect(probeOf(written) as unknown).toEqual(expected));
  }

  test('uses the first port of its service', () => {
    expect(probeOf('{ http: /health }', 'port: 9000')).toMatchObject({ port: 9000, path: '/health' });
    expect(probeOf('{ http: "/a b?q=ä#part" }', 'port: 1')).toMatchObject({ path: '/a%20b?q=%C3%A4' });
    expect(probeOf('{ http: {} }', 'ports: [9001, 9002]')).toMatchObject({ port: 9001, path: '/' });
    expect(probeOf('{ tcp: true }', 'port: 9000')).toMatchObject({ port: 9000 });
  });

  test('may be one of several', () => {
    const service = serviceOf(
      oneService('command: run', 'ready: [{ tcp: 1 }, { file: /x }]', 'live: [{ tcp: 2, failures: 5 }]'),
    );
    expect(service.ready.map(({ kind }) => kind)).toEqual(['tcp', 'file']);
    expect(service.live[0]).toMatchObject({ kind: 'tcp', failures: 5 });
  });

  const wrong: Readonly<Record<string, string>> = {
    'ready: {}': 'a probe must have one of `http`, `tcp`, `exec`, `log`, `file`, `notify`',
    'ready: []': '`ready` is an empty list',
    'ready: true': '`ready` must be a probe (a map), or a list of probes, not true',
    'ready: { tcp: 1, file: /x }': 'a probe must have one kind, and this one already has `tcp`',
    'ready: { tcp: 1, failures: 3 }': '`failures` is for `live` probes only',
    'ready: { log: x, continuous: true }':
      '`log` cannot be `continuous`: a `log` probe stays true once it has succeeded',
    'ready: { notify: true, continuous: true }': '`notify` cannot be `continuous`',
    'live: { log: x }':
      '`log` cannot be a `live` probe: a `log` probe stays true once it has succeeded, so it could never fail',
    'live: { notify: true }': '`notify` cannot be a `live` probe',
    'live: { tcp: 1, continuous: true }': '`continuous` is for `ready`: a `live` probe always continues',
    'ready: { http: health }':
      '`http` must be a URL (`http://127.0.0.1:8000/health`) or a path (`/health`), not "health"',
    'ready: { http: "ftp://127.0.0.1/" }': '`http` must be a URL',
    'ready: { http: "http://u:p@127.0.0.1/" }': '`http` cannot hold a user name or password',
    'ready: { http: "http://127.0.0.1:0/" }': '`http` has port 0',
    'ready: { http: { url: "http://127.0.0.1/", port: 5 } }': '`url` already says the port',
    'ready: { http: { url: /health, port: 5 } }': '`url` cannot be a path where there is a port',
    'ready: { http: { port: 1, path: health } }': '`path` must be a path beginning with `/`, not "health"',
    'ready: { http: { port: 1, method: get } }': '`method` must be a method in capitals, not "get"',
    'ready: { http: { port: 1, status: 99 } }': '`status` must be a status',
    'ready: { http: { port: 1, status: "399-200" } }': '`status` must be a status',
    'ready: { http: { port: 1, headers: { "a b": c } } }': '"a b" is not a name of a header',
    'ready: { http: { port: 1, headers: { A: "b\\r\\nC: d" } } }': '`headers.A` must be a text on one line',
    'ready: { http: { port: 1, json: { equals: 1 } } }': '`json` has no `path`',
    'ready: { http: { port: 1, timeout: 5s } }': 'unknown key `timeout` in an `http` probe',
    'ready: { tcp: db:5432 }': '`tcp` names the host "db": a probe takes only a literal IP address',
    'ready: { tcp: 70000 }':
      "`tcp` must be a port, `host:port`, `true` for the service's own port, or `{socket: /run/x.sock}`, not 70000",
    'ready: { tcp: { socket: x.sock } }': '`socket` must be an absolute path, not "x.sock"',
    'ready: { tcp: { port: 80 } }': 'unknown key `port` in a `tcp` probe',
    'live: { tcp: 1, start_interval: 1s }':
      '`start_interval` is for `ready`: a `live` probe runs every `interval`, once the service is ready',
    'ready: { log: up, start_interval: 1s }':
      '`start_interval` has no effect: a `log` probe waits for an event and makes no attempts',
    'ready: { tcp: 1, start_interval: 5ms }': '`start_interval` must be a duration of at least 10ms, not "5ms"',
    'ready: { tcp: true }': 'this probe has no port, and `a` has no `port`',
    'ready: { notify: false }': '`notify` must be `true`, or `{fd: 3}`, not false',
    'ready: { notify: { fd: 2 } }': '`fd` must be a descriptor from 3 to 255, not 2',
    'ready: { tcp: 1, interval: 5ms }': '`interval` must be a duration of at least 10ms, not "5ms"',
    'ready: { tcp: 1, retries: 3 }': 'unknown key `retries` in a probe',
    'ready: { htp: /health }': 'unknown key `htp` in a probe',
    'ready: { interval: soon }': '`interval` must be a duration',
  };
  for (const [line, message] of Object.entries(wrong)) {
    test(`${line} is refused`, () => {
      const found = messages(oneService('command: run', line));
      expect(found.length).toBe(1);
      expect(found[0]).toStartWith(message);
    });
  }
});
