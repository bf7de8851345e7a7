// The listener of `control.http` from outside: authorization, responses, limits; and that it exists only if it is
// configured.
import { describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { freePort, played, type Run, until, up, useRig } from '../helpers/rig.ts';
import { answersIn, exchange, statusOf } from '../helpers/wire.ts';

useRig();

const TOKEN = 'the-right-token';
const BEARER = `Authorization: Bearer ${TOKEN}\r\n`;

interface Listener {
  readonly run: Run;
  readonly port: number;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

/** A supervisor with one puppet `a` and the listener. */
async function listening(
  http: Readonly<Record<string, unknown>> = { token: TOKEN },
  service: Readonly<Record<string, unknown>> = {},
): Promise<Listener & AsyncDisposable> {
  const port = await freePort();
  const run = await up({
    control: { http: { listen: `127.0.0.1:${port}`, ...http } },
    services: { a: played(service) },
  });
  await run.line(/the control API and the dashboard are at/);
  return {
    run,
    port,
    get: (path, headers = { authorization: `Bearer ${TOKEN}` }) =>
      fetch(`http://127.0.0.1:${port}${path}`, { headers, redirect: 'manual' }),
    [Symbol.asyncDispose]: () => run[Symbol.asyncDispose](),
  };
}

describe('responses', () => {
  test('the API with the token; without it only 401', async () => {
    await using at = await listening();
    await at.run.puppet('a');
    const status = await at.get('/v1/status');
    expect(status.status).toBe(200);
    expect(await status.json()).toMatchObject({ services: [{ name: 'a' }] });
    // Otherwise nginx holds the lines of a stream back.
    expect((await at.get('/v1/logs')).headers.get('x-accel-buffering')).toBe('no');
    for (const path of ['/v1/status', '/v1/health', '/healthz', '/readyz', '/metrics', '/openapi.json', '/nowhere']) {
      for (const headers of [{}, { authorization: 'Bearer the-wrong-token' }]) {
        const refused = await at.get(path, headers as Record<string, string>);
        expect(`${path} ${refused.status} ${await refused.text()}`).toBe(
          `${path} 401 {"error":"the token is missing or wrong"}\n`,
        );
        expect(refused.headers.get('www-authenticate')).toBe('Bearer');
      }
    }
  });

  test('/healthz while it runs, /readyz as `health`, before and after', async () => {
    await using at = await listening({ open: ['healthz', 'readyz'], token: TOKEN }, { ready: { notify: true } });
    const a = await at.run.puppet('a');
    const ask = async (path: string) => {
      const response = await at.get(path, {});
      return `${response.status} ${await response.text()}`;
    };
    expect(await ask('/healthz')).toBe('200 ok\n');
    expect(await ask('/readyz')).toBe('503 not ready\n');
    await a.notify('READY=1');
    await at.run.state('a', 'ready');
    expect(await ask('/readyz')).toBe('200 ready\n');
  });

  test('/metrics, with real counts', async () => {
    await using at = await listening({}, { ready: { file: '/' }, restart: 'always' });
    const a = await at.run.puppet('a');
    await a.print('one');
    await a.print('two');
    await at.run.line(/a +\| two/);
    const text = await (await at.get('/metrics', {})).text();
    expect(text).toContain('svc_super_log_lines_total{service="a",stream="stdout"} 2\n');
    expect(text).toContain('svc_super_log_bytes_total{service="a",stream="stdout"} 8\n');
    expect(text).toContain('svc_super_service_state{service="a",state="ready"} 1\n');
    expect(text).toContain('svc_super_probe_attempts_total{service="a",probe="ready",index="0",result="ok"} 1\n');
    expect(text).toMatch(/svc_super_service_memory_bytes\{service="a"\} [1-9]/);
    expect(text).toMatch(/process_resident_memory_bytes [1-9]\d{6}/);
  });

  test('/metrics: orphans, cleaned-up processes, probes that fail or time out', async () => {
    const port = await freePort();
    await using run = await up({
      control: { http: { listen: port } },
      services: {
        a: played({ restart: { policy: 'always', backoff: { initial: '1ms' } } }),
        b: played({ ready: { exec: 'exit 1' } }),
        c: played({ ready: { exec: 'sleep 60', timeout: '50ms' } }),
      },
    });
    const metric = async (name: string) => {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (.*)$`, 'm').exec(text)?.[1]);
    };
    await run.line(/the control API and the dashboard are at/);
    const a = await run.puppet('a', 1);
    await a.orphans(5);
    await until('the orphans', async () => (await metric('svc_super_reaped_orphans_total')) >= 5);
    await a.spawn('left-over', { session: true });
    await a.exit(1);
    await run.puppet('a', 2);
    expect(await metric('svc_super_service_cleaned_up_processes_total{service="a"}')).toBe(1);
    expect(await metric('svc_super_service_restarts_total{service="a"}')).toBe(1);
    expect(await metric('svc_super_service_runs_total{service="a"}')).toBe(2);
    const attempts = (service: string, result: string) =>
      metric(`svc_super_probe_attempts_total{service="${service}",probe="ready",index="0",result="${result}"}`);
    await until('failures', async () => (await attempts('b', 'failed')) >= 2);
    await until('time-outs', async () => (await attempts('c', 'timeout')) >= 2);
    expect([await attempts('b', 'ok'), await attempts('c', 'ok'), await attempts('c', 'failed')]).toEqual([0, 0, 0]);
  });

  test('the OpenAPI document, with every route', async () => {
    await using at = await listening({});
    const document = (await (await at.get('/openapi.json', {})).json()) as { paths: Record<string, unknown> };
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining(['/', '/metrics', '/openapi.json', '/v1/status']),
    );
  });

  test('the page, with a policy that allows only its own script and no frames', async () => {
    await using at = await listening();
    const page = await at.get('/', {});
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    const text = await page.text();
    expect(text).not.toMatch(/(?:src|href)\s*=\s*["']?(?:https?:)?\/\//);
    expect(text).not.toContain(TOKEN);
  });

  test('HEAD without a body, and no method except GET, HEAD and POST', async () => {
    await using at = await listening({});
    const head = await exchange(at.port, ['HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n']);
    expect(statusOf(head)).toBe(200);
    expect(head.text).toEndWith('\r\n\r\n');
    for (const method of ['PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH']) {
      const refused = await exchange(at.port, [`${method} /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n`]);
      expect(`${method} ${statusOf(refused)}`).toBe(`${method} 405`);
    }
  });
});

describe('requests from other origins', () => {
  test('with another Host or Origin are refused, even with the token', async () => {
    await using at = await listening();
    const ask = async (head: string) =>
      statusOf(await exchange(at.port, [`GET /v1/status HTTP/1.1\r\n${head}${BEARER}\r\n`], { until: /\r\n\r\n/ }));
    expect(await ask(`Host: 127.0.0.1:${at.port}\r\n`)).toBe(200);
    expect(await ask('Host: evil.example\r\n')).toBe(403);
    expect(await ask('Host: localhost\r\nHost: evil.example\r\n')).toBe(400);
    expect(await ask('Host: localhost\r\nOrigin: http://evil.example\r\n')).toBe(403);
    expect(await ask('Host: localhost\r\nOrigin: null\r\n')).toBe(403);
    expect(await ask('')).toBe(400);
  });
});

test('without a token it is read-only, with a suggestion', async () => {
  await using at = await listening({});
  await at.run.line(/warning: .*without a token the control API is read-only over TCP/);
  await at.run.puppet('a');
  expect((await at.get('/v1/status', {})).status).toBe(200);
  const body = JSON.stringify({ argv: ['touch', `${at.run.folder}/made`] });
  const paths = ['/v1/services/a/exec', '/v1/services/a/stop', '/v1/services/a/signal', '/v1/stop', '/v1/reload'];
  for (const path of [...paths, '/group/g/stop', '/v1/status', '/nowhere']) {
    const refused = await fetch(`http://127.0.0.1:${at.port}${path}`, { method: 'POST', body });
    expect(`${path} ${refused.status}`).toBe(`${path} 403`);
    expect(((await refused.json()) as { error: string }).error).toMatch(/read-only.*control\.http\.token/);
  }
  expect(await (await at.get('/', {})).text()).toContain('<body data-read-only>');
  expect(existsSync(`${at.run.folder}/made`)).toBe(false);
  // The unix socket accepts the supervisor's own user.
  expect((await at.run.command('stop', 'a', '--wait')).code).toBe(0);
});

test('`check` warns of a listener without a token', async () => {
  await using run = await up({ control: { http: { listen: 9100 } }, services: { a: played() } }, { args: ['check'] });
  await run.ends(0);
  await run.line(/services\.yaml:\d+:\d+: warning: without a token the control API is read-only/);
  await run.line(/help: add `token: \{file: PATH\}`/);
});

describe('limits', () => {
  test('a head of more than 16 KiB, a body of more than 64 KiB', async () => {
    await using at = await listening({ token: TOKEN, open: ['healthz'] });
    const head = (bytes: number) => `GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(bytes)}\r\n\r\n`;
    expect(statusOf(await exchange(at.port, [head(15_000)], { until: /ok\n/ }))).toBe(200);
    expect(statusOf(await exchange(at.port, [head(17_000)]))).toBe(431);
    const post = (more: string) => `POST /healthz HTTP/1.1\r\nHost: localhost\r\n${BEARER}${more}\r\n\r\n`;
    const large = await exchange(at.port, [post('Content-Length: 70000'), 'GET /healthz HTTP/1.1\r\n'.repeat(1_000)]);
    expect([statusOf(large), answersIn(large), large.closed]).toEqual([413, 1, true]);
  });

  test('a head that does not arrive within 5 s', async () => {
    await using at = await listening({});
    const slow = Array.from({ length: 40 }, (_, line) => [`X-${line}: 1\r\n`, 300]).flat();
    const [silent, dripping] = await Promise.all([
      exchange(at.port, [], { patience: 12_000 }),
      exchange(at.port, ['GET /healthz HTTP/1.1\r\nHost: localhost\r\n', ...slow], { patience: 12_000 }),
    ]);
    for (const { closed, took } of [silent, dripping]) {
      expect(closed).toBe(true);
      expect(took).toBeGreaterThan(3_500);
      expect(took).toBeLessThan(8_000);
    }
  });

  test('of 64 connections: one more closes the one that has been idle longest, so that /healthz always responds', async () => {
    await using at = await listening({});
    const early = Array.from({ length: 20 }, () => exchange(at.port, [], { patience: 3_000 }));
    await Bun.sleep(200);
    const late = Array.from({ length: 60 }, (_, index) =>
      exchange(at.port, index % 2 === 0 ? [] : ['GET /healthz HTTP/1.1\r\nHost: '], { patience: 2_000 }),
    );
    await Bun.sleep(200);
    for (let count = 0; count < 3; count += 1) expect((await at.get('/healthz', {})).status).toBe(200);
    expect((await at.run.ask('/v1/health')).status).toBe(200);
    expect((await Promise.all(early)).filter(({ closed, took }) => closed && took < 2_500).length).toBeGreaterThan(15);
    expect((await Promise.all(late)).some(({ closed }) => closed)).toBe(false);
  });

  test('hundreds of half-open connections do not block /healthz', async () => {
    await using at = await listening({ token: TOKEN, open: ['healthz'] });
    const flood: Promise<unknown>[] = [];
    for (let wave = 0; wave < 6; wave += 1) {
      for (let count = 0; count < 50; count += 1) flood.push(exchange(at.port, ['GET'], { patience: 1_500 }));
      await Bun.sleep(50);
      expect((await at.get('/healthz', {})).status).toBe(200);
    }
    await Promise.all(flood);
  });

  test('bytes after a refused request are not taken as another request', async () => {
    await using at = await listening();
    const inner = `GET /v1/status HTTP/1.1\r\nHost: localhost\r\n${BEARER}\r\n`;
    for (const head of [
      `POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${inner.length}\r\n\r\n`,
      'GET /v1/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n',
      'POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\n',
      'GET /v1/x HTTP/1.1\r\nHost: localhost\r\n\r\n',
    ]) {
      const found = await exchange(at.port, [head, inner], { patience: 1_500 });
      expect(answersIn(found)).toBe(1);
      expect([400, 401]).toContain(statusOf(found) ?? 0);
      expect(found.text).not.toContain('"services"');
    }
    // Valid requests after each other get responses in turn.
    const two = await exchange(at.port, [inner, inner.replace('/v1/status', '/healthz')], { until: /ok\n/ });
    expect(answersIn(two)).toBe(2);
  });
});

describe('the listener itself', () => {
  test('exists only if it is configured, and is closed at the end', async () => {
    await using at = await listening({});
    const a = await at.run.puppet('a');
    await a.exit(0);
    await at.run.ends(0);
    const gone = await exchange(at.port, []);
    expect([gone.closed, gone.text]).toEqual([true, '']);
    await using plain = await up({ services: { a: played() } });
    await plain.puppet('a');
    await plain.status();
    const folders = [plain.pid1, plain.supervisor].map(({ outer }) => `/proc/${outer}/fd`);
    const fds = Bun.spawnSync(['ls', '-l', ...folders]).stdout.toString();
    const inodes = [...fds.matchAll(/socket:\[(\d+)\]/g)].map(([, inode = '']) => inode);
    const tables = await Promise.all(['tcp', 'tcp6'].map((name) => Bun.file(`/proc/net/${name}`).text()));
    expect(inodes.filter((inode) => tables.some((table) => table.includes(` ${inode} `)))).toEqual([]);
  });

  test('that cannot be opened is reported, and the services run', async () => {
    await using first = await listening({});
    await using run = await up({
      control: { http: { listen: first.port } },
      services: { a: played() },
    });
    await run.line(new RegExp(`the control API is not available at http://127.0.0.1:${first.port}/: `));
    await run.puppet('a');
    expect((await run.status()).services).toHaveLength(1);
  });

  test('beyond the loopback without a token is refused before anything starts', async () => {
    await using run = await up({
      control: { http: { listen: ':9100', open: ['metrics'] } },
      services: { a: played() },
    });
    await run.ends(78);
    expect(run.output.text()).toContain('a `token` is required beyond the loopback');
  });
});
