// Authorization over TCP: hosts, origins, tokens, one by one and without a socket.
import { describe, expect, test } from 'bun:test';
import { makeGuard, needsToken } from '../../src/control/guard.ts';
import type { ControlPlan } from '../../src/plan/plan.ts';

const PLAN: ControlPlan = { host: '127.0.0.1', port: 9100, token: null, open: [], hosts: [] };

interface Asking {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly host?: string | null;
}

/** The status of the refusal; null if the request is allowed. */
function refused(given: Partial<ControlPlan>, asking: Asking = {}): number | null {
  const { method = 'GET', target = '/v1/status', headers = [], host = '127.0.0.1:9100' } = asking;
  const all = [...(host === null ? [] : [['Host', host] as const]), ...headers];
  return makeGuard({ ...PLAN, ...given })({ method, target, rawHeaders: all.flat() })?.status ?? null;
}

describe('Host', () => {
  test.each(['127.0.0.1:9100', '127.0.0.1', 'localhost:8080', 'LOCALHOST', '[::1]:9100'])('%s is allowed', (host) => {
    expect(refused({}, { host })).toBe(null);
  });

  test.each([
    'evil.example',
    'evil.example:9100',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '10.0.0.1:9100',
    '[::2]',
    '',
    'localhost:9100:1',
    'localhost@evil',
    'evil.example#localhost',
    '127.0.0.1:99999999',
  ])('%s is refused', (host) => {
    expect(refused({}, { host })).toBe(403);
  });

  test('must occur exactly once', () => {
    expect(refused({}, { host: null })).toBe(400);
    expect(refused({}, { headers: [['host', 'localhost']] })).toBe(400);
  });

  test('may be any address if it listens on all, and only configured names', () => {
    const wide = { host: '0.0.0.0', hosts: ['ops.example'] };
    expect(refused(wide, { host: '10.1.2.3:9100' })).toBe(null);
    expect(refused(wide, { host: '[2001:db8::1]:80' })).toBe(null);
    expect(refused({ host: '::' }, { host: '10.1.2.3' })).toBe(null);
    expect(refused(wide, { host: 'OPS.example:443' })).toBe(null);
    expect(refused(wide, { host: 'evil.example' })).toBe(403);
    expect(refused({ host: '10.0.0.5' }, { host: '10.0.0.5:9100' })).toBe(null);
    expect(refused({ host: '2001:db8::1' }, { host: '[2001:db8::1]:9100' })).toBe(null);
  });
});

describe('Origin', () => {
  const from = (origin: string) => refused({}, { headers: [['Origin', origin]] });

  test('is allowed if it is the requested host, whatever the scheme', () => {
    expect(from('http://127.0.0.1:9100')).toBe(null);
    expect(from('https://127.0.0.1:9100')).toBe(null);
  });

  test.each(['null', 'http://evil.example', 'http://127.0.0.1:3000', 'http://localhost:9100', '127.0.0.1:9100', ''])(
    '%s is foreign',
    (origin) => {
      expect(from(origin)).toBe(403);
    },
  );

  test('a request that a browser marks as cross-site is refused, except a link to the page', () => {
    const site = (site: string, mode: string, method = 'GET') =>
      refused(
        {},
        {
          method,
          target: '/',
          headers: [
            ['Sec-Fetch-Site', site],
            ['sec-fetch-mode', mode],
          ],
        },
      );
    expect(site('cross-site', 'no-cors')).toBe(403);
    expect(site('same-site', 'cors')).toBe(403);
    expect(site('cross-site', 'navigate')).toBe(null);
    expect(site('cross-site', 'navigate', 'POST')).toBe(403);
    expect(site('none', 'navigate')).toBe(null);
    expect(site('same-origin', 'cors')).toBe(null);
  });
});

describe('the token', () => {
  const plan = { token: 'right-token' };
  const bearing = (authorization: string, target = '/v1/status', given: Partial<ControlPlan> = plan) =>
    refused(given, { target, headers: [['Authorization', authorization]] });

  test('is accepted', () => {
    expect(bearing('Bearer right-token')).toBe(null);
    expect(bearing('bearer   right-token')).toBe(null);
  });

  test.each([
    '',
    'Bearer',
    'Bearer ',
    'Bearer right-toke',
    'Bearer right-token2',
    'Bearer right-token ',
    'Bearer RIGHT-TOKEN',
    'Basic right-token',
    'right-token',
    'Bearer right-token, Bearer right-token',
    `Bearer ${'x'.repeat(10_000)}`,
  ])('%s is refused', (authorization) => {
    expect(bearing(authorization)).toBe(401);
  });

  test('must occur once, and is required for everything except the page', () => {
    expect(refused(plan)).toBe(401);
    expect(refused(plan, { method: 'POST', target: '/v1/services/a/stop' })).toBe(401);
    expect(
      refused(plan, {
        headers: [
          ['Authorization', 'Bearer right-token'],
          ['authorization', 'x'],
        ],
      }),
    ).toBe(401);
    expect(refused(plan, { target: '/' })).toBe(null);
    expect(refused(plan, { target: '/', method: 'POST' })).toBe(401);
    expect(refused(plan, { target: '/?x=1' })).toBe(null);
    expect(refused(plan, { target: '//' })).toBe(401);
    for (const target of ['/healthz', '/readyz', '/metrics', '/openapi.json'])
      expect(refused(plan, { target })).toBe(401);
  });

  test('three endpoints may be open; a wrong token is refused there too', () => {
    const open: Partial<ControlPlan> = { ...plan, open: ['healthz', 'metrics'] };
    expect(refused(open, { target: '/healthz' })).toBe(null);
    expect(refused(open, { target: '/metrics?x' })).toBe(null);
    expect(refused(open, { target: '/readyz' })).toBe(401);
    expect(refused(open, { target: '/healthz/' })).toBe(401);
    expect(refused(open, { target: '/%68ealthz' })).toBe(401);
    expect(refused(open, { method: 'POST', target: '/healthz' })).toBe(401);
    expect(bearing('Bearer wrong', '/healthz', open)).toBe(401);
    expect(bearing('Bearer wrong', '/', open)).toBe(401);
    // The password of a proxy in front, which passes it on.
    expect(bearing('Basic dXNlcjp3b3Jk', '/healthz', open)).toBe(null);
    expect(bearing('Basic dXNlcjp3b3Jk', '/', open)).toBe(null);
    expect(bearing('Basic dXNlcjp3b3Jk', '/readyz', open)).toBe(401);
    expect(needsToken({ ...PLAN, ...open }, '/__proto__')).toBe(true);
  });
});

describe('without a token', () => {
  test('every user of this machine may read, and no user may change a service', () => {
    expect(refused({}, { target: '/v1/status' })).toBe(null);
    expect(refused({}, { method: 'HEAD', target: '/' })).toBe(null);
    for (const target of ['/v1/stop', '/v1/services/a/exec', '/group/g/stop', '/', '/healthz'])
      expect(refused({}, { method: 'POST', target })).toBe(403);
    expect(refused({}, { method: 'POST', headers: [['Authorization', 'Bearer any']] })).toBe(403);
    expect(refused({}, { method: 'POST', headers: [['Authorization', 'Bearer ']] })).toBe(403);
  });
});

describe('anything else', () => {
  test.each(['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT'])('%s is refused', (method) => {
    expect(refused({}, { method })).toBe(405);
  });

  test.each(['http://127.0.0.1/v1/status', '*', '', '/a b', '/ä', `/${'x'.repeat(5_000)}`])(
    'the target %s is refused',
    (target) => {
      expect(refused({}, { target })).toBe(400);
    },
  );
});
