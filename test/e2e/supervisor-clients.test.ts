// Commands, the API and the dashboard while the supervisor is killed or stopped: followers continue with the next one, each
// request has one effect, and nothing hangs. Kills on conditions, never after a time.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { chromium, Page } from '../helpers/chromium.ts';
import { binary, freePort, played, type Run, until, up, useRig } from '../helpers/rig.ts';

useRig();

/** The command line of a process by its folder in /proc; null: it was reaped. */
function readCommand(folder: string): string | null {
  try {
    return readFileSync(`${folder}/cmdline`, 'utf8');
  } catch {
    return null;
  }
}

/** A command that runs beside the supervisor, with its output so far. */
class Command implements Disposable {
  readonly #child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>;
  stdout = '';
  stderr = '';

  /** `to`: the supervisor, or the URL of one. */
  constructor(to: Run | string, ...args: readonly string[]) {
    const at = typeof to === 'string' ? { SVC_SUPER_URL: to } : { SVC_SUPER_SOCKET: to.socket };
    this.#child = Bun.spawn([binary, ...args], {
      env: { ...at, PATH: process.env.PATH ?? '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of ['stdout', 'stderr'] as const) void this.#read(stream);
  }

  async #read(stream: 'stdout' | 'stderr'): Promise<void> {
    for await (const chunk of this.#child[stream].pipeThrough(new TextDecoderStream())) this[stream] += chunk;
  }

  /** Waits until the output matches. */
  async sees(pattern: RegExp, stream: 'stdout' | 'stderr' = 'stdout'): Promise<void> {
    const said = () => JSON.stringify([this.stdout, this.stderr]);
    await until(`${pattern} on ${stream}`, () => pattern.test(this[stream]), said);
  }

  /** Waits until the native program has connected and executed the supervisor's file, or has ended. */
  async connects(): Promise<void> {
    const folder = `/proc/${this.#child.pid}`;
    await until('the connection', () => {
      if (this.#child.exitCode !== null) return true;
      const isExecuted = readCommand(folder)?.includes('svc-super-supervisor') === true;
      return isExecuted && existsSync(`${folder}/fd/5`);
    });
  }

  get ended(): Promise<number> {
    return this.#child.exited;
  }

  async result(): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
    const code = await this.ended;
    return { code, stdout: this.stdout, stderr: this.stderr };
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}

/** Kills the supervisor, and resolves when its successor responds. */
async function replace(run: Run): Promise<void> {
  const { restarts } = (await run.status()).supervisor;
  process.kill(run.supervisor.outer, 'SIGKILL');
  await until('the successor', async () => (await run.status()).supervisor.restarts > restarts);
}

/** Stops the supervisor: for a client the same as no supervisor. */
async function stop(run: Run): Promise<number> {
  const { outer } = run.supervisor;
  process.kill(outer, 'SIGSTOP');
  await until('the supervisor to be stopped', () => run.supervisor.state === 'T');
  return outer;
}

/** One request over its own connection. */
async function post(run: Run, path: string, key: string, body: object = {}): Promise<number> {
  const init = { method: 'POST', body: JSON.stringify(body), headers: { 'idempotency-key': key }, unix: run.socket };
  return (await fetch(`http://svc-super${path}`, init as RequestInit)).status;
}

test('logs -f continues with the next supervisor: every line once, and a message on standard error', async () => {
  await using run = await up({ services: { a: played(), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await run.state('b', 'ready');
  await b.print('old');
  await run.line(/old/);
  // Lines of several services are sorted by their time, in milliseconds.
  const oldAt = Date.now();
  await until('the next millisecond', () => Date.now() > oldAt);
  for (const text of ['one', 'two']) await a.print(text);
  await run.line(/two/);
  using logs = new Command(run, 'logs', '-f', '-n', '1', 'a', 'b');
  await logs.sees(/a \| two\n/);
  await a.print('three');
  await logs.sees(/three/);
  // Output is added to the checkpoint once a second: the next supervisor then sends these lines again.
  const uptime = async () => (await run.service('a')).uptime_seconds ?? 0;
  const shownAt = await uptime();
  await until('the next checkpoint', async () => (await uptime()) > shownAt + 1.5);
  await replace(run);
  expect((await run.command('logs', 'a')).stdout).toContain('three');
  await logs.sees(/the supervisor was restarted: the log continues/, 'stderr');
  await a.print('four');
  await b.print('five');
  await logs.sees(/four/);
  await logs.sees(/five/);
  await replace(run);
  await a.print('six');
  await logs.sees(/six/);
  await a.exit(0);
  await b.exit(0);
  await run.ends(0);
  expect(await logs.ended).toBe(0);
  const shown = logs.stdout.split('\n').flatMap((line) => / (\w+)$/.exec(line)?.[1] ?? []);
  expect(shown).toEqual(['two', 'three', 'four', 'five', 'six']);
  expect(logs.stderr.split('\n')).toHaveLength(3);
});

test('events -f continues after the last event: no number is missing or repeated', async () => {
  await using run = await up({ services: { a: played() } });
  await run.puppet('a');
  await run.state('a', 'ready');
  using events = new Command(run, 'events', '-f', '--json');
  await events.sees(/"started"/);
  for (let round = 1; round <= 3; round += 1) {
    await replace(run);
    await run.command('restart', 'a', '--wait');
    await events.sees(new RegExp(`(?:"restart-asked"[^]*){${round}}`));
  }
  const seqs = events.stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line).seq as number]));
  expect(seqs).toEqual(seqs.map((_, at) => at + 1));
  expect(events.stdout.match(/"supervisor-restarted"/g)).toHaveLength(3);
  expect(events.stderr).toMatch(/^svc-super: the supervisor was restarted: the events continue$/m);
});

test('status --watch continues, reports the restart of the supervisor, and ends with the container', async () => {
  await using run = await up({ services: { a: played() } });
  const a = await run.puppet('a');
  await run.state('a', 'ready');
  using watch = new Command(run, 'status', '--watch');
  await watch.sees(/SERVICE/);
  expect(watch.stdout).not.toContain('was restarted');
  await replace(run);
  await watch.sees(/the supervisor was restarted: the status continues/, 'stderr');
  await watch.sees(/^the supervisor was restarted once, last .* ago: it was killed by SIGKILL$/m);
  await a.exit(0);
  await run.ends(0);
  expect(await watch.ended).toBe(69);
  expect(watch.stderr).not.toContain('waiting for one');
});

/** A proxy that speaks HTTP/1.0 with the listener, as nginx does by default: it takes each end of a connection for that of the response. */
function proxyTo(port: number) {
  const upstreams = new WeakMap<object, Promise<{ write(bytes: Uint8Array): unknown; end(): unknown } | null>>();
  const closed = 'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';
  return Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(client) {
        const upstream = Bun.connect({
          hostname: '127.0.0.1',
          port,
          socket: {
            data: (_, bytes) => void client.write(bytes),
            close: () => void client.end(),
            error: () => void client.end(),
          },
        }).catch(() => null);
        upstreams.set(client, upstream);
      },
      async data(client, bytes) {
        const upstream = await upstreams.get(client);
        if (upstream) upstream.write(Buffer.from(bytes.toString().replace(' HTTP/1.1\r\n', ' HTTP/1.0\r\n')));
        else client.end(closed);
      },
      close: async (client) => void (await upstreams.get(client))?.end(),
    },
  });
}

test('over TCP, also through a proxy, logs -f, wait and status --watch continue', async () => {
  const port = await freePort();
  const listener = { listen: `127.0.0.1:${port}` };
  await using run = await up({ control: { http: listener }, services: { a: played() } });
  const a = await run.puppet('a');
  await run.line(/the control API and the dashboard are at/);
  const proxy = proxyTo(port);
  try {
    const url = `http://127.0.0.1:${proxy.port}`;
    using logs = new Command(url, 'logs', '-f', 'a');
    using wait = new Command(url, 'wait', 'a', '--for', 'stopped');
    using watch = new Command(`http://127.0.0.1:${port}`, 'status', '--watch');
    await wait.sees(/waiting for a/, 'stderr');
    await watch.sees(/SERVICE/);
    await a.print('one');
    await logs.sees(/one/);
    await replace(run);
    await logs.sees(/the connection broke, and was made again: the log continues/, 'stderr');
    await wait.sees(/the connection broke, and was made again: the wait continues/, 'stderr');
    await watch.sees(/the supervisor was restarted: the status continues/, 'stderr');
    await a.print('two');
    await logs.sees(/two/);
    expect((await run.command('stop', 'a')).code).toBe(0);
    expect(await wait.ended).toBe(0);
  } finally {
    proxy.stop(true);
  }
});

test('wait and --wait continue', async () => {
  await using run = await up({ services: { a: played({ ready: { notify: true } }), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await run.state('b', 'ready');
  using wait = new Command(run, 'wait', 'a', '--timeout', '10m');
  await wait.sees(/waiting for a/, 'stderr');
  await b.ignore('TERM');
  using stopping = new Command(run, 'stop', 'b', '--wait');
  await stopping.sees(/waiting for b/, 'stderr');
  await replace(run);
  for (const one of [wait, stopping]) await one.sees(/the supervisor was restarted: the wait continues/, 'stderr');
  await a.notify();
  expect(await wait.ended).toBe(0);
  await b.exit(0);
  expect(await stopping.ended).toBe(0);
});

test('commands without a supervisor get the response of the next one', async () => {
  await using run = await up({ services: { a: played(), b: played(), c: played() } });
  const puppets = { a: await run.puppet('a'), b: await run.puppet('b'), c: await run.puppet('c') };
  await puppets.a.trap('USR1');
  await run.state('c', 'ready');
  const stopped = await stop(run);
  // Not everything is ready while services are restarted and stopped.
  const asked: readonly (readonly [codes: readonly number[], ...args: readonly string[]])[] = [
    [[0, 3], 'status'],
    [[0, 1], 'health'],
    [[0], 'timeline'],
    [[0], 'graph'],
    [[0], 'events'],
    [[0], 'logs'],
    [[0], 'signal', 'USR1', 'a'],
    [[0], 'restart', 'b'],
    [[0], 'stop', 'c'],
    [[0], 'reload', '--dry-run'],
    [[0], 'exec', 'a', '--', 'echo', 'ran'],
  ];
  const commands = asked.map(([, ...args]) => new Command(run, ...args));
  for (const one of commands) await one.connects();
  process.kill(stopped, 'SIGKILL');
  for (const [at, one] of commands.entries()) {
    const { code, stderr } = await one.result();
    expect([asked[at]?.slice(1), asked[at]?.[0].includes(code), stderr]).toEqual([asked[at]?.slice(1), true, '']);
  }
  await puppets.a.signalled('SIGUSR1');
  await run.puppet('b', 2);
  await run.state('c', 'stopped');
  expect((await run.service('b')).run).toBe(2);
});

test('health succeeds each time while the supervisor is killed repeatedly', async () => {
  await using run = await up({ services: { a: played() } });
  await run.puppet('a');
  await run.state('a', 'ready');
  for (let round = 0; round < 5; round += 1) {
    const asking = Array.from({ length: 3 }, () => run.command('health'));
    await replace(run);
    for (const one of asking) expect(await one).toEqual({ code: 0, stdout: 'healthy\n', stderr: '' });
  }
  expect((await run.service('a')).run).toBe(1);
});

test('a request that is repeated with its key has one effect, even if the supervisor died in between', async () => {
  await using run = await up({ services: { a: played(), b: played() } });
  await run.puppet('a', 1);
  const b = await run.puppet('b');
  await b.trap('USR1');
  await run.state('b', 'ready');
  expect(await post(run, '/v1/services/a/restart', 'one')).toBe(202);
  expect(await post(run, '/v1/services/b/signal', 'two', { signal: 'USR1' })).toBe(202);
  await b.signalled('SIGUSR1');
  await run.puppet('a', 2);
  await run.state('a', 'ready');
  await replace(run);
  for (let times = 0; times < 2; times += 1) {
    expect(await post(run, '/v1/services/a/restart', 'one')).toBe(202);
    expect(await post(run, '/v1/services/b/signal', 'two', { signal: 'USR1' })).toBe(202);
  }
  expect(await post(run, '/v1/services/b/signal', 'three', { signal: 'USR1' })).toBe(202);
  await until('the second signal', async () => (await b.caught()).length >= 2);
  expect(await b.caught()).toEqual(['SIGUSR1', 'SIGUSR1']);
  expect((await run.service('a')).run).toBe(2);
  expect(await post(run, '/v1/services/a/restart', 'x'.repeat(65))).toBe(400);
});

test('restart has one effect whenever the supervisor dies', async () => {
  await using run = await up({ services: { a: played() } });
  await run.puppet('a', 1);
  await run.state('a', 'ready');
  // More in a row would make PID 1 pause for longer than a client waits.
  for (let round = 1; round <= 5; round += 1) {
    using restart = new Command(run, 'restart', 'a');
    await restart.connects();
    // At different times: before the request is read, while it is carried out, after the response.
    await Bun.sleep(round * 4);
    await replace(run);
    expect(await restart.result()).toEqual({ code: 0, stdout: 'requested restart: a\n', stderr: '' });
    await run.puppet('a', round + 1);
    expect((await run.state('a', 'ready')).run).toBe(round + 1);
  }
});

test('the latest 64 keys are stored', async () => {
  await using run = await up({ services: { a: played() } });
  await run.puppet('a', 1);
  await run.state('a', 'ready');
  const restart = (key: string) => post(run, '/v1/services/a/restart', key);
  expect(await restart('first')).toBe(202);
  await run.puppet('a', 2);
  await run.state('a', 'ready');
  for (let at = 1; at < 64; at += 1) expect(await post(run, '/v1/services/a/start', `${at}`)).toBe(202);
  expect(await restart('first')).toBe(202);
  expect((await run.service('a')).run).toBe(2);
  expect(await post(run, '/v1/services/a/start', '64')).toBe(202);
  expect(await restart('first')).toBe(202);
  await run.puppet('a', 3);
});

test('exec: the command ends with its supervisor, and exec reports that and exits with 69', async () => {
  await using run = await up({ services: { a: played() } });
  await run.puppet('a');
  await run.state('a', 'ready');
  using exec = new Command(run, 'exec', 'a', '--', '/bin/sh', '-c', 'echo $$; exec sleep 1000');
  await exec.sees(/\d+\n/);
  await replace(run);
  expect(await exec.ended).toBe(69);
  expect(exec.stderr).toMatch(
    /^svc-super: the supervisor ended, and the command with it: its output may be incomplete/,
  );
  await run.reaped(Number(exec.stdout));
});

test('no command hangs while the supervisor is stopped', async () => {
  await using run = await up({ services: { a: played({ ready: { notify: true } }) } });
  await run.puppet('a');
  await run.status();
  using waiting = new Command(run, 'wait', '--timeout', '1s');
  await waiting.sees(/waiting for a/, 'stderr');
  using watch = new Command(run, 'status', '--watch');
  await watch.sees(/SERVICE/);
  const stopped = await stop(run);
  const results = await Promise.all([
    run.command('status'),
    run.command('health'),
    run.command('restart', 'a'),
    run.command('wait'),
    run.command('exec', 'a', '--', 'true'),
  ]);
  expect(results.map(({ code }) => code)).toEqual([69, 1, 69, 69, 69]);
  const [status, health, restart] = results.map(({ stderr }) => stderr);
  const silent = `svc-super: no supervisor responds; searched\n  ${run.socket}: it has not responded within 5 s`;
  expect(status).toBe(`${silent}\n`);
  expect(health).toBe(`${silent}\n`);
  expect(restart).toBe(`${silent}; the request may still take effect\n`);
  expect(await waiting.ended).toBe(124);
  await watch.sees(/^svc-super: no supervisor responds at present: waiting for one$/m, 'stderr');
  const shown = watch.stdout.length;
  process.kill(stopped, 'SIGCONT');
  await until('the status to go on', () => watch.stdout.length > shown + 100);
  expect((await run.command('status')).code).toBe(3);
});

test('status, the API, the metrics and the events report restarts, and nothing without one', async () => {
  const port = await freePort();
  await using run = await up({ control: { http: { listen: port } }, services: { a: played() } });
  const a = await run.puppet('a');
  await run.state('a', 'ready');
  const metrics = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect((await run.status()).supervisor).toEqual({ restarts: 0, reasons: {}, last: null });
  expect((await run.command('status')).stdout).not.toContain('was restarted');
  expect(await metrics()).toContain('svc_super_supervisor_restarts_total{reason="SIGKILL"} 0\n');
  await replace(run);
  process.kill(run.supervisor.outer, 'SIGSEGV');
  await until('the successor', async () => (await run.status()).supervisor.restarts === 2);
  expect((await run.status()).supervisor).toEqual({
    restarts: 2,
    reasons: { SIGKILL: 1, SIGSEGV: 1 },
    last: { time: expect.stringMatching(/^\d{4}-.*Z$/), reason: 'was killed by SIGSEGV' },
  });
  expect((await run.command('status')).stdout).toMatch(
    /^the supervisor was restarted twice, last .* ago: it was killed by SIGSEGV$/m,
  );
  await a.print('after');
  await run.line(/a +\| after/);
  const text = await until('the metrics', () => metrics().catch(() => null));
  expect(text).toContain('svc_super_supervisor_restarts_total{reason="SIGSEGV"} 1\n');
  expect(text).toContain('svc_super_log_cuts_total{service="a",stream="stdout"} 1\n');
});

const TOKEN = 'the-right-token';
let page: Page;
if (chromium !== null) {
  beforeAll(async () => {
    page = await Page.open();
    await page.look({ width: 1280, height: 900, scheme: 'light' });
  });
  afterAll(() => page[Symbol.asyncDispose]());
}

test.skipIf(chromium === null)(
  'the dashboard continues: it reports the restart, and shows each line once',
  async () => {
    const port = await freePort();
    await using run = await up({ control: { http: { listen: port, token: TOKEN } }, services: { a: played() } });
    const a = await run.puppet('a', 1);
    await run.line(/the control API and the dashboard are at/);
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.sees('the question for the token', "document.querySelector('#login')?.open");
    await page.click('#token');
    await page.type(TOKEN);
    await page.press('Enter');
    const shown = '[...document.querySelectorAll("#logs p:not(.gap)")].map((one) => one.lastChild.textContent)';
    await a.print('before');
    await page.sees('the line', `${shown}.includes('before')`);
    await page.sees('the state', "document.querySelector('#count').textContent === '1 of 1 ready'");
    await replace(run);
    await page.sees(
      'the restart',
      "/the supervisor was restarted: it was killed/.test(document.querySelector('#news').textContent)",
    );
    await page.sees('the count', "/supervisor restarted: 1/.test(document.querySelector('#version').textContent)");
    await a.print('after');
    await page.sees('the next line', `${shown}.includes('after')`);
    await page.sees('the gap', "document.querySelectorAll('#logs .gap').length === 1");
    expect(await page.value<string[]>(`${shown}.filter((text) => text === 'before')`)).toEqual(['before']);
    await page.click('button[aria-label="Restart a"]');
    await page.sees('the question', "document.querySelector('#sure').open");
    // The click meets no supervisor, and its request is repeated until there is one.
    const stopped = await stop(run);
    await page.click('#sure-yes');
    process.kill(stopped, 'SIGKILL');
    await run.puppet('a', 2);
    expect((await run.service('a')).run).toBe(2);
  },
);
