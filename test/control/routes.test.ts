// The table of routes without sockets: the responses of each, its calls of the supervisor, and that invalid requests have no
// effect.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { findRoute, isFound, parseKey } from '../../src/control/api.ts';
import { ROUTES } from '../../src/control/routes.ts';
import { bodyOf, FakeSource, open, request, seen } from './fake.ts';

describe('the table', () => {
  test('each route has a summary, parameters and responses', () => {
    for (const { path, summary, responses, params = {} } of ROUTES) {
      expect(summary.length).toBeGreaterThan(10);
      expect(Object.keys(responses).length).toBeGreaterThan(0);
      for (const parameter of Object.values(params)) expect(parameter.summary).not.toBe('');
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(named).toEqual(named.filter((name) => params[name ?? '']?.in === 'path'));
    }
    const keys = ROUTES.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('an unknown path is 404, another method 405 with Allow, an invalid encoding 400', async () => {
    const source = new FakeSource();
    expect((await request(source, 'GET', '/v1/nothing')).status).toBe(404);
    expect((await request(source, 'GET', '/v1/status/')).status).toBe(404);
    expect(await request(source, 'DELETE', '/v1/status')).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD' },
    });
    expect(await request(source, 'GET', '/v1/services/db/stop')).toMatchObject({
      status: 405,
      headers: { allow: 'POST' },
    });
    expect((await request(source, 'GET', '/v1/%zz')).status).toBe(400);
    expect((await request(source, 'POST', '/v1/stop', '{')).status).toBe(400);
    expect((await request(source, 'POST', '/v1/stop', '[]')).status).toBe(400);
    expect(source.asked).toEqual([]);
  });
});

describe('reading', () => {
  test('the whole state, one service, groups, health', async () => {
    const source = new FakeSource();
    expect(bodyOf(await request(source, 'GET', '/v1/status'))).toMatchObject({
      version: '1.2.3',
      pid: 1,
      healthy: true,
      supervisor: { restarts: 0, reasons: {}, last: null },
    });
    source.history = { restarts: 2, reasons: { SIGKILL: 2 }, last: { at: 1_000, reason: 'was killed by SIGKILL' } };
    expect(bodyOf(await request(source, 'GET', '/v1/status'))).toMatchObject({
      supervisor: {
        restarts: 2,
        reasons: { SIGKILL: 2 },
        last: { time: '1970-01-01T00:00:01.000Z', reason: 'was killed by SIGKILL' },
      },
    });
    expect(bodyOf(await request(source, 'GET', '/v1/services/db'))).toMatchObject({
      name: 'db',
      usage: { processes: 3 },
    });
    expect((await request(source, 'GET', '/v1/services/dd')).status).toBe(404);
    expect(bodyOf(await request(source, 'GET', '/v1/groups'))).toEqual({
      groups: [
        { name: 'base', ready: true, services: ['db'] },
        { name: 'app', ready: true, services: ['api'] },
      ],
    });
    source.services = [seen('db', { state: 'starting', reason: 'HTTP 503' })];
    expect(await request(source, 'GET', '/v1/health')).toMatchObject({
      status: 503,
      body: { healthy: false, waiting: [{ name: 'db', state: 'starting', reason: 'HTTP 503' }] },
    });
    // A scheduled task that runs again is not the reason.
    const when = { cron: null, every_seconds: 60, time_zone: null, next_run: null };
    const schedule = { ...when, last_run: null, completed: 0, failed: 0, skipped: 0, missed: 0 };
    source.services.push(seen('backup', { type: 'task', state: 'starting', schedule }));
    expect(bodyOf(await request(source, 'GET', '/v1/health'))).toMatchObject({ waiting: [{ name: 'db' }] });
  });

  test('the dependency graph', async () => {
    const body = bodyOf(await request(new FakeSource(), 'GET', '/v1/graph'));
    expect(body).toMatchObject({
      services: [
        { name: 'db', needs: [] },
        { name: 'api', needs: [{ on: 'db', condition: 'ready', origin: 'declared' }] },
      ],
    });
  });
});

describe('operations', () => {
  test.each(['start', 'stop', 'restart'])('%s of one service, of several, of a group, of all', async (operation) => {
    const source = new FakeSource();
    expect(await request(source, 'POST', `/v1/services/db/${operation}`)).toEqual({
      status: 202,
      body: { operation, services: ['db'] },
    });
    await request(source, 'POST', `/v1/${operation}`, '{"services":["a*"]}');
    await request(source, 'POST', `/v1/${operation}`, '{"group":"base"}');
    await request(source, 'POST', `/v1/${operation}`, '{"all":true}');
    expect(source.asked).toEqual(['db', 'api', 'db', 'db api'].map((names) => `${operation} ${names}`));
  });

  test('an impossible request is refused, with the alternatives', async () => {
    const source = new FakeSource([seen('db'), seen('off', { state: 'skipped' })]);
    expect((await request(source, 'POST', '/v1/stop')).status).toBe(400);
    expect((await request(source, 'POST', '/v1/stop', '{"services":"db"}')).status).toBe(400);
    expect((await request(source, 'POST', '/v1/stop', '{"group":"nope"}')).status).toBe(404);
    const missing = await request(source, 'POST', '/v1/services/dd/stop');
    expect([missing.status, bodyOf(missing).error]).toEqual([
      404,
      'there is no service dd; the services are db, off; did you mean `db`?',
    ]);
    expect((await request(source, 'POST', '/v1/services/off/start')).status).toBe(409);
    source.phase = 'stopping';
    expect((await request(source, 'POST', '/v1/services/db/restart')).status).toBe(409);
    expect((await request(source, 'POST', '/v1/reload')).status).toBe(409);
    expect(source.asked).toEqual([]);
  });

  test('a signal: with or without SIG, and only an existing one', async () => {
    const source = new FakeSource([seen('db'), seen('gone', { state: 'stopped', pid: null })]);
    expect((await request(source, 'POST', '/v1/services/db/signal', '{"signal":"usr1"}')).status).toBe(202);
    expect((await request(source, 'POST', '/v1/services/db/signal', '{"signal":"SIGHUP"}')).status).toBe(202);
    expect((await request(source, 'POST', '/v1/services/db/signal', '{"signal":"NOPE"}')).status).toBe(400);
    expect((await request(source, 'POST', '/v1/services/db/signal', '{"signal":9}')).status).toBe(400);
    expect((await request(source, 'POST', '/v1/services/gone/signal', '{"signal":"HUP"}')).status).toBe(409);
    expect(source.asked).toEqual(['SIGUSR1 db', 'SIGHUP db']);
  });

  test('reload: the difference, a dry run, an invalid file', async () => {
    const source = new FakeSource();
    expect(await request(source, 'POST', '/v1/reload', '{"dry_run":true}')).toMatchObject({
      body: { applied: false, added: ['new'] },
    });
    expect(await request(source, 'POST', '/v1/reload')).toMatchObject({ status: 200, body: { applied: true } });
    source.wrong = true;
    expect(await request(source, 'POST', '/v1/reload')).toMatchObject({
      status: 422,
      body: { error: 'the configuration is invalid: nothing was changed', diagnostics: [{ line: 3 }] },
    });
    source.diagnostics = [];
    expect(await request(source, 'POST', '/v1/reload')).toMatchObject({
      status: 422,
      body: { error: 'the configuration cannot be applied: nothing was changed' },
    });
    expect(source.asked).toEqual(['reload dry-run', 'reload apply', 'reload apply', 'reload apply']);
  });

  test('scale: of a service by its name in the file; other changes of the file are refused', async () => {
    const source = new FakeSource([seen('web.0', { replica: { of: 'web', index: 0 } }), seen('db')]);
    const scale = async (name: string, body: object) => {
      const response = await request(source, 'POST', `/v1/services/${name}/scale`, JSON.stringify(body));
      return [response.status, bodyOf(response).error];
    };
    expect(await request(source, 'POST', '/v1/services/web/scale', '{"replicas":2,"dry_run":true}')).toMatchObject({
      body: { applied: false, added: ['web.1'] },
    });
    expect(await scale('db', { replicas: 3 })).toEqual([200, undefined]);
    expect(await scale('web.0', { replicas: 3 })).toEqual([404, 'web.0 is one replica of web: scale web']);
    expect((await scale('dd', { replicas: 3 }))[0]).toBe(404);
    for (const replicas of [0, -1, 1.5, '3', undefined]) expect((await scale('web', { replicas }))[0]).toBe(400);
    source.wrong = true;
    expect(await scale('web', { replicas: 4 })).toEqual([409, 'other changes']);
    source.phase = 'stopping';
    expect((await scale('web', { replicas: 5 }))[0]).toBe(409);
    expect(source.asked).toEqual(['scale web 2 dry-run', 'scale db 3 apply', 'scale web 4 apply']);
  });

  test('exec: output in lines, then the code', async () => {
    const source = new FakeSource();
    const { outlet } = open(await request(source, 'POST', '/v1/services/db/exec', '{"argv":["ls","-l"]}'));
    await Bun.sleep(0);
    expect(outlet.lines).toEqual([{ stream: 'stdout', data: Buffer.from('out').toString('base64') }, { exit: 5 }]);
    expect([outlet.ended, source.asked]).toEqual([true, ['exec db ls -l']]);
    for (const body of ['', '{"argv":[]}', '{"argv":"ls"}', '{"argv":[""]}', '{"argv":["a\\u0000"]}']) {
      expect((await request(source, 'POST', '/v1/services/db/exec', body)).status).toBe(400);
    }
  });

  test('exec: a command that cannot be run ends the stream with the reason', async () => {
    const source = new FakeSource();
    source.exec = () => Promise.reject(new Error('no room'));
    const { outlet } = open(await request(source, 'POST', '/v1/services/db/exec', '{"argv":["ls"]}'));
    await Bun.sleep(0);
    expect(outlet.lines).toEqual([{ exit: 1, error: 'the command was not run: no room' }]);
    expect(outlet.ended).toBe(true);
  });

  test('exec: the input is a terminal or the standard input of a local client, and nothing else', async () => {
    const source = new FakeSource();
    const ask = (streams: object) =>
      request(
        source,
        'POST',
        '/v1/services/db/exec',
        JSON.stringify({ argv: ['cat'], namespace: 'pid:[1]', ...streams }),
      );
    open(await ask({ stdin: '/proc/12/fd/0' }));
    open(await ask({ terminal: '/dev/pts/3', term: 'xterm' }));
    await Bun.sleep(0);
    expect(source.asked).toEqual(['exec db cat < /proc/12/fd/0', 'exec db cat < /dev/pts/3']);
    const refused = [
      { stdin: '/etc/shadow' },
      { stdin: '/proc/12/fd/1' },
      { stdin: '/proc/../etc/shadow/fd/0' },
      { terminal: '/dev/sda' },
      { terminal: '/dev/pts/../sda' },
      { stdin: 7 },
      { stdin: '/proc/12/fd/0', namespace: 'pid:[2]' },
      { terminal: '/dev/pts/3', namespace: undefined },
    ];
    for (const streams of refused) expect((await ask(streams)).status).toBe(400);
  });

  test('the paths of Nosana’s node: four states, groups and their operations', async () => {
    const states = [
      'pending',
      'starting',
      'backoff',
      'ready',
      'unready',
      'stopping',
      'failed',
      'stopped',
      'completed',
    ] as const;
    const source = new FakeSource(states.map((state) => seen(state, { state, group: 'g' })));
    expect(bodyOf(await request(source, 'GET', '/ops'))).toEqual({
      pending: 'pending',
      starting: 'pending',
      backoff: 'pending',
      ready: 'running',
      unready: 'running',
      stopping: 'running',
      failed: 'failed',
      stopped: 'completed',
      completed: 'completed',
    });
    expect((await request(source, 'POST', '/group/g/operation/ready/restart')).status).toBe(202);
    expect((await request(source, 'POST', '/group/h/operation/ready/stop')).status).toBe(404);
    expect((await request(source, 'POST', '/group/h/stop')).status).toBe(404);
    expect((await request(source, 'POST', '/group/g/stop')).status).toBe(202);
    expect(source.asked).toEqual(['restart ready', `stop ${states.join(' ')}`]);
  });
});

describe('events', () => {
  test('the latest ones, numbered, and new ones', async () => {
    const source = new FakeSource();
    const say = (text: string) => source.events.add({ level: 'info', service: 'db', event: 'x', text }, 0);
    for (const text of ['one', 'two', 'three']) say(text);
    const { outlet, stop } = open(await request(source, 'GET', '/v1/events?lines=2&follow=1'));
    say('four');
    expect(outlet.lines.map(({ seq, text }) => `${seq} ${text}`)).toEqual(['2 two', '3 three', '4 four']);
    outlet.queued = 1_000_000;
    say('five');
    outlet.queued = 0;
    say('six');
    expect(outlet.lines.at(-1)).toMatchObject({ seq: 6, text: 'six' });
    stop();
    say('seven');
    expect(outlet.lines.length).toBe(4);
  });

  test('a thousand are stored', async () => {
    const source = new FakeSource();
    for (let at = 0; at < 5_000; at += 1) source.events.add({ level: 'info', service: null, event: 'x', text: '' }, 0);
    const { outlet } = open(await request(source, 'GET', '/v1/events'));
    expect([outlet.lines.length, outlet.lines[0]?.seq, outlet.ended]).toEqual([1_000, 4_001, true]);
  });
});

describe('wait', () => {
  test('reports progress twice a second, and the result', async () => {
    const source = new FakeSource([seen('a', { state: 'starting', reason: 'HTTP 503' }), seen('b')]);
    source.past.set('a', [{ time: 0, stream: 'stdout', text: 'Loading 3/8' }]);
    const { outlet } = open(await request(source, 'GET', '/v1/wait'));
    source.tick();
    expect(outlet.lines.length).toBe(2);
    expect(outlet.lines[0]).toMatchObject({
      result: 'waiting',
      waiting: [{ name: 'a', state: 'starting', reason: 'HTTP 503', last_line: 'Loading 3/8' }],
    });
    source.services = [seen('a'), seen('b')];
    for (const watcher of source.watchers) watcher();
    expect(outlet.lines.at(-1)).toEqual({ result: 'reached', waiting: [], failed: [], failed_starts: [] });
    expect([outlet.ended, source.watchers.size, source.timers.length]).toEqual([true, 0, 0]);
  });

  test('fails when the condition cannot be met: failed, held down, blocked, ended, or all services are being stopped', async () => {
    for (const given of [
      { state: 'failed' },
      { state: 'stopped', wanted: 'down' },
      { state: 'pending', blocked: true },
      { state: 'completed' },
    ] as const) {
      const { outlet } = open(await request(new FakeSource([seen('a', given)]), 'GET', '/v1/wait'));
      expect(outlet.lines).toMatchObject([{ result: 'failed', failed: [{ name: 'a' }] }]);
    }
    const source = new FakeSource([seen('a', { state: 'starting' })]);
    source.phase = 'stopping';
    expect(open(await request(source, 'GET', '/v1/wait')).outlet.lines).toMatchObject([{ result: 'failed' }]);
  });

  test('names failed starts, also of what it depends on, and also those between two lines', async () => {
    const source = new FakeSource([seen('db', { state: 'starting' }), seen('api', { state: 'pending' }), seen('x')]);
    const { outlet, stop } = open(await request(source, 'GET', '/v1/wait?service=api'));
    expect(outlet.lines.at(-1)).toMatchObject({ result: 'waiting', failed_starts: [] });
    const [db = seen('db'), api = seen('api')] = source.services;
    const crashed = { state: 'backoff', reason: 'exited with code 3' } as const;
    source.services = [{ ...db, ...crashed }, api, seen('x', crashed)];
    for (const watcher of source.watchers) watcher();
    source.services = [db, api];
    source.tick();
    expect(outlet.lines.at(-1)).toMatchObject({
      result: 'waiting',
      failed_starts: [{ name: 'db', reason: 'exited with code 3' }],
    });
    stop();
  });

  test('a scheduled task whose runs follow each other without a pause is done after one of them', async () => {
    const schedule = {
      cron: null,
      ...{ every_seconds: 1, time_zone: null, next_run: null, last_run: null, skipped: 0, missed: 0 },
    };
    const after = async (completed: number, failed: number, restarts: number) => {
      const running = { type: 'task', state: 'running', ready: false } as const;
      const source = new FakeSource([seen('a', { ...running, schedule: { ...schedule, completed: 4, failed: 2 } })]);
      const { outlet, stop } = open(await request(source, 'GET', '/v1/wait'));
      source.services = [seen('a', { ...running, restarts, schedule: { ...schedule, completed, failed } })];
      for (const watcher of source.watchers) watcher();
      stop();
      return (outlet.lines.at(-1) as { readonly result: string }).result;
    };
    expect(await after(4, 2, 0)).toBe('waiting');
    expect(await after(5, 2, 0)).toBe('reached');
    expect(await after(4, 3, 0)).toBe('failed');
    // The restart policy repeats the run that has failed.
    expect(await after(4, 3, 1)).toBe('waiting');
    expect(await after(5, 3, 1)).toBe('reached');
  });

  test('a service that must stop first is not ready yet', async () => {
    const source = new FakeSource([seen('a', { wanted: 'again' })]);
    const { outlet, stop } = open(await request(source, 'GET', '/v1/wait'));
    expect(outlet.lines).toMatchObject([{ result: 'waiting' }]);
    stop();
    expect([source.watchers.size, source.timers.length]).toEqual([0, 0]);
  });

  test('for stopped, and with a timeout', async () => {
    const source = new FakeSource([seen('a'), seen('b', { state: 'stopped', wanted: 'down' })]);
    const { outlet } = open(await request(source, 'GET', '/v1/wait?for=stopped&service=b'));
    expect(outlet.lines).toMatchObject([{ result: 'reached' }]);
    const late = open(await request(source, 'GET', '/v1/wait?for=stopped&timeout=50'));
    source.timers.find(({ ms }) => ms === 50)?.fn();
    expect(late.outlet.lines.at(-1)).toMatchObject({ result: 'timeout', waiting: [{ name: 'a' }] });
    expect((await request(source, 'GET', '/v1/wait?for=nothing')).status).toBe(400);
    expect((await request(source, 'GET', '/v1/wait?timeout=1s')).status).toBe(400);
  });
});

test('any request gets a documented response, and only a valid one has an effect', async () => {
  const word = fc.oneof(
    fc.constantFrom(
      'v1',
      'services',
      'db',
      'stop',
      'group',
      'base',
      'operation',
      'logs',
      'exec',
      '..',
      '',
      '%00',
      'status',
    ),
    fc.string({ maxLength: 12 }).map(encodeURIComponent),
    fc.string({ maxLength: 6 }),
  );
  const target = fc
    .tuple(fc.array(word, { maxLength: 6 }), fc.string({ maxLength: 20 }))
    .map(([parts, rest]) => `/${parts.join('/')}${rest}`);
  const body = fc.oneof(
    fc.json(),
    fc.string(),
    fc.constantFrom('', '{}', '{"services":[1]}', '{"argv":[null]}', '{"signal":{}}'),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'POST', 'PUT', 'HEAD', '', 'get'),
      target,
      body,
      async (method, path, text) => {
        const source = new FakeSource();
        const { status } = await request(source, method, path, text);
        expect([200, 202, 400, 404, 405, 409, 422, 503]).toContain(status);
        const found = findRoute(method, path, ROUTES);
        if (source.asked.length > 0) expect(isFound(found) && found.route.method).toBe('POST');
      },
    ),
    { numRuns: 10_000 },
  );
}, 60_000);

describe('a repetition with the same key', () => {
  test.each([
    ['/v1/services/api/restart', '{}', 'restart api'],
    ['/v1/restart', '{"services":["api"]}', 'restart api'],
    ['/group/app/restart', '{}', 'restart api'],
    ['/group/app/operation/api/restart', '{}', 'restart api'],
    ['/v1/services/api/signal', '{"signal":"HUP"}', 'SIGHUP api'],
  ])('of %s gets the same response and has no effect', async (path, body, asked) => {
    const source = new FakeSource();
    const first = await request(source, 'POST', path, body, 'k');
    expect(first.status).toBe(202);
    // The effect of the first request is no reason to refuse.
    source.services = source.services.map((service) => ({ ...service, pid: null }));
    source.phase = 'stopping';
    expect(await request(source, 'POST', path, body, 'k')).toEqual(first);
    expect(source.asked).toEqual([asked]);
    expect((await request(source, 'POST', path, body, 'other')).status).toBe(409);
  });

  test('is identified by 1 to 64 characters', () => {
    expect([parseKey(undefined), parseKey('k'), parseKey('x'.repeat(64))]).toEqual([null, 'k', 'x'.repeat(64)]);
    for (const wrong of ['', 'x'.repeat(65), 'a b', 'ä', ['a', 'b']])
      expect(parseKey(wrong)).toMatchObject({ status: 400 });
  });
});

test('events: those after a number', async () => {
  const source = new FakeSource();
  for (const text of ['one', 'two', 'three']) source.events.add({ level: 'info', service: null, event: 'x', text }, 0);
  const seqs = async (query: string) =>
    open(await request(source, 'GET', `/v1/events?${query}`)).outlet.lines.map(({ seq }) => seq);
  expect(await seqs('after=1')).toEqual([2, 3]);
  expect(await seqs('after=3')).toEqual([]);
  expect(await seqs('after=1&lines=1')).toEqual([3]);
  expect((await request(source, 'GET', '/v1/events?after=x')).status).toBe(400);
});

describe('services that are started by hand', () => {
  const source = () =>
    new FakeSource([
      seen('web', { group: 'app' }),
      seen('debug', { group: 'app', state: 'idle', pid: null, run: 0 }),
      seen('shell', { state: 'idle', essential: true, pid: null, run: 0 }),
    ]);

  test('are named, or meant by a glob or a group, to be started; a restart of many leaves them alone', async () => {
    const servicesOf = async (operation: string, body: object) => {
      const response = await request(source(), 'POST', `/v1/${operation}`, JSON.stringify(body));
      return (bodyOf(response) as { services: readonly string[] }).services;
    };
    expect(await servicesOf('start', { services: ['debug'] })).toEqual(['debug']);
    expect(await servicesOf('start', { services: ['d*'] })).toEqual(['debug']);
    expect(await servicesOf('start', { group: 'app' })).toEqual(['web', 'debug']);
    expect(await servicesOf('start', { all: true })).toEqual(['web']);
    expect(await servicesOf('restart', { group: 'app' })).toEqual(['web']);
    expect(await servicesOf('restart', { services: ['*', 'debug'] })).toEqual(['web', 'debug']);
    expect(await servicesOf('stop', { all: true })).toEqual(['web', 'debug', 'shell']);
  });

  test('do not count for their group, and a wait for all does not wait for them', async () => {
    expect(bodyOf(await request(source(), 'GET', '/v1/groups'))).toMatchObject({
      groups: [{ name: 'base' }, { name: 'app', ready: true }],
    });
    const resultOf = async (path: string) => open(await request(source(), 'GET', path)).outlet.lines.at(-1)?.result;
    expect(await resultOf('/v1/wait')).toBe('reached');
    expect(await resultOf('/v1/wait?service=debug')).toBe('failed');
    expect(await resultOf('/v1/wait?service=debug&for=stopped')).toBe('reached');
  });
});
