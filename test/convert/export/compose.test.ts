// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// `export compose`: what each field becomes, and that the commands of health checks do what the probes do.
import { describe, expect, test } from 'bun:test';
import { parse } from 'yaml';
import { exportedText } from './rig.ts';

interface ComposeService {
  readonly entrypoint: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[]; readonly start_period: string };
  readonly [key: string]: unknown;
}

async function compose(services: object, top: object = {}) {
  const { text, report } = await exportedText(JSON.stringify({ ...top, services }), { format: 'compose' });
  const parsed = parse(text) as { name: string; services: Record<string, ComposeService> };
  return { ...parsed, text, report };
}

/** As Compose reads a text: `$$` is `$`, and anything else with `$` is a variable. */
const undoubled = (text: string): string => {
  expect(text.replaceAll('$$', '')).not.toContain('$');
  return text.replaceAll('$$', '$');
};

describe('services', () => {
  test('share one network, published by a container that does not end', async () => {
    const { services } = await compose({ a: { command: ['a'], port: 1000 }, b: { command: ['b'], port: 2000 } });
    expect(Object.keys(services)).toEqual(['network', 'a', 'b']);
    expect(services.network).toMatchObject({ entrypoint: ['sleep', 'infinity'], ports: ['1000:1000', '2000:2000'] });
    expect(services.a).toMatchObject({
      network_mode: 'service:network',
      entrypoint: ['a'],
      environment: { PORT: '1000' },
    });
    expect(services.a).not.toHaveProperty('ports');
  });

  test('one alone publishes its own ports', async () => {
    const { services } = await compose({ a: { command: ['a'], port: 1000 } });
    expect(Object.keys(services)).toEqual(['a']);
    expect(services.a).toMatchObject({ ports: ['1000:1000'] });
  });

  test('a variable that only svc-super sets is reported, wherever a command uses it', async () => {
    const uses = [
      { command: 'a $SVC_RUN' },
      { command: ['a'], ready: { exec: 'test -e /run/$SVC_NAME' } },
      { command: ['a'], stop: { command: 'kill -USR1 $MAINPID' } },
      { command: ['a'], hooks: { before_stop: 'kill -USR2 $MAINPID' } },
    ];
    for (const a of uses) {
      const { report } = await compose({ a });
      expect(report.join('\n')).toMatch(
        /environment of a: svc-super sets (?:SVC_RUN|SVC_NAME|MAINPID), and the engine/,
      );
    }
  });

  test('a PORT in the environment file of the top is not one of the service', async () => {
    const { report } = await compose({ a: { command: ['a'], port: 1 } }, { env_file: 'a.env' });
    expect(report.join('\n')).toContain('`env_file`: a PORT in it does not win over the port');
  });

  test('a variable keeps its reference although one whose name begins the same is refused', async () => {
    const { services } = await compose({ a: { command: ['a', '${PORT}'], port: '${PORT_B}' } });
    expect(services.a?.entrypoint).toEqual(['a', '${PORT:?}']);
  });

  test('one that is called network keeps its name apart from the container of the network', async () => {
    const { services } = await compose({ network: { command: ['n'] }, b: { command: ['b'] } });
    expect(services.b?.network_mode).toMatch(/^service:network/);
    expect(Object.keys(services)).toHaveLength(3);
  });

  test('a `$` of a command or of a value is no variable of Compose', async () => {
    const command = 'echo "$HOME" $$ $(date) ${X:-y} > /tmp/x';
    const { services } = await compose({ a: { command, env: { PRICE: '$5' } } });
    expect(undoubled(services.a?.entrypoint[2] ?? '')).toBe(command);
    expect(services.a?.environment).toEqual({ PRICE: '$$5' });
  });

  test('a variable without a default stays one, for Compose to fill in', async () => {
    const { services, report } = await compose({
      a: { command: ['a', '${MODEL}'], env: { M: 'x-${MODEL:?say which}' } },
    });
    expect(services.a).toMatchObject({ entrypoint: ['a', '${MODEL:?}'], environment: { M: 'x-${MODEL:?}' } });
    expect(report.join('\n')).toContain('needs a look: `${MODEL}`');
  });

  test('the shell’s own variables of the same form are left to the shell', async () => {
    const { services } = await compose({
      a: { command: 'echo "${M:-x}" "${R}"; true', env: { A: '${M:-x}', B: '${R}' } },
    });
    expect(undoubled(services.a?.entrypoint[2] ?? '')).toBe('echo "${M:-x}" "${R}"; true');
    expect(services.a?.environment).toEqual({ A: '${M:-x}', B: '${R:?}' });
  });

  test('a report shows references as they are written', async () => {
    const { report } = await compose({ a: { command: ['a'], env: { T: { file: '${DIR:-/run}/${NAME}' } } } });
    expect(report.join('\n')).toContain('its value is in ${DIR:-/run}/${NAME}, which');
    expect(report.join('\n')).not.toMatch(/[\uE000\uE001]/);
  });

  test('a variable with a default stays one where nothing reads a part of the value', async () => {
    const { services, report } = await compose(
      {
        a: {
          command: ['a', '--model=${MODEL:-m/x}'],
          env: { URL: 'http://h:${P:-80}/', B: '${MODEL:-m/x}' },
          cwd: '${DIR:-/srv}',
        },
        b: { command: ['b', '${Q:-1}', '${Q:-2}', '${R:+x}', '${S:-${T:-y}}'], port: '${P:-80}', gpus: '${G:-1}' },
      },
      { env: { TOP: '$5 ${TOP:-x}' } },
    );
    expect(services.a).toMatchObject({
      entrypoint: ['a', '--model=${MODEL:-m/x}'],
      environment: { TOP: '$$5 ${TOP:-x}', URL: 'http://h:80/', B: '${MODEL:-m/x}' },
      working_dir: '${DIR:-/srv}',
    });
    expect(services.b).toMatchObject({ entrypoint: ['b', '1', '2', '', '${T:-y}'], environment: { PORT: '80' } });
    for (const kept of ['MODEL', 'TOP', 'DIR']) expect(report.join('\n')).not.toContain(kept);
    for (const fixed of ['P', 'Q', 'R', 'S', 'G'])
      expect(report.join('\n')).toContain(`changed meaning: \`\${${fixed}:`);
  });

  test('one that is not enabled has a profile', async () => {
    const { services } = await compose({
      a: { command: ['a'], enabled: false },
      b: { command: ['b'], depends_on: ['a'] },
    });
    expect(services.a).toMatchObject({ profiles: ['a'] });
    expect(services.b?.depends_on).toEqual({ a: { condition: 'service_started', required: false } });
  });

  test('one that is started by hand keeps its profiles, or has one of its name; what a service needs has none', async () => {
    const { services } = await compose({
      web: { command: ['web'], depends_on: ['store'] },
      store: { command: ['store'], start: 'manual' },
      shell: { command: ['shell'], start: 'manual' },
      tool: { command: ['tool'], profiles: ['tools', 'all'], depends_on: ['other'] },
      other: { command: ['other'], profiles: ['tools', 'all'] },
    });
    const profiles = ['web', 'store', 'shell', 'tool'].map((name) => services[name]?.profiles ?? null);
    expect(profiles).toEqual([null, null, ['shell'], ['tools', 'all']]);
    expect(services.tool?.depends_on).toEqual({ other: { condition: 'service_started' } });
  });

  test('conditions and stages become conditions', async () => {
    const ready = { ready: { exec: 'true' } };
    const { services, report } = await compose(
      {
        db: { command: ['db'], group: 'one', ...ready },
        migrate: { type: 'task', command: ['m'], group: 'one', depends_on: { db: 'ready' } },
        web: { command: ['w'], group: 'two' },
        late: { command: ['l'], depends_on: { migrate: 'exited', web: 'started' } },
        deaf: { command: ['d'], ready: { log: 'up' } },
        last: { command: ['z'], depends_on: { deaf: 'ready' } },
      },
      { groups: ['one', 'two'] },
    );
    const condition = (word: string) => ({ condition: word });
    expect(services.migrate?.depends_on).toEqual({ db: condition('service_healthy') });
    expect(services.web?.depends_on).toEqual({
      db: condition('service_healthy'),
      migrate: condition('service_completed_successfully'),
    });
    expect(services.late?.depends_on).toEqual({
      migrate: condition('service_completed_successfully'),
      web: condition('service_started'),
    });
    expect(services.last?.depends_on).toEqual({ deaf: condition('service_started') });
    expect(report.join('\n')).toContain(
      'changed meaning: `depends_on` deaf of last: deaf has no health check, so Compose waits only until it has started',
    );
    expect(report.join('\n')).toContain('changed meaning: `depends_on` migrate of late');
  });

  test('GPUs are named where several services have their own', async () => {
    const { services, report } = await compose({
      a: { command: ['a'], gpus: 2 },
      b: { command: ['b'], gpus: 1 },
      c: { command: ['c'], gpus: { share: 1 } },
      d: { command: ['d'], gpus: 0 },
    });
    expect(services.a?.gpus).toEqual([{ driver: 'nvidia', device_ids: ['0', '1'] }]);
    expect(services.b?.gpus).toEqual([{ driver: 'nvidia', device_ids: ['2'] }]);
    expect(services.c?.gpus).toEqual([{ driver: 'nvidia', count: 1 }]);
    expect(report.join('\n')).toContain(
      'changed meaning: `gpus` of c: Docker gives it the first devices, which others may have',
    );
    expect(services.d).not.toHaveProperty('gpus');
  });

  test('a device that one service names is not counted for another', async () => {
    const { services } = await compose({
      a: { command: ['a'], gpus: 2 },
      b: { command: ['b'], gpus: ['1'] },
      c: { command: ['c'], gpus: 1 },
    });
    expect(services.a?.gpus).toEqual([{ driver: 'nvidia', device_ids: ['0', '2'] }]);
    expect(services.b?.gpus).toEqual([{ driver: 'nvidia', device_ids: ['1'] }]);
    expect(services.c?.gpus).toEqual([{ driver: 'nvidia', device_ids: ['3'] }]);
  });

  test('process settings have their counterparts', async () => {
    const { services } = await compose({
      a: {
        command: ['a'],
        user: '1000:50',
        cwd: '/srv',
        cpus: '0-1,4',
        oom_score_adj: 10,
        limits: { nofile: 4096, memlock: 'unlimited' },
        stop: { signal: 'QUIT', timeout: '3s', command: 'drain' },
        restart: { policy: 'on-failure', max: 4 },
        hooks: { before_stop: ['bye', '1'] },
        env_file: ['/etc/a.env', { path: 'b.env', required: false }],
      },
    });
    expect(services.a).toMatchObject({
      user: '1000:50',
      working_dir: '/srv',
      cpuset: '0,1,4',
      oom_score_adj: 10,
      ulimits: { nofile: { soft: 4096, hard: 4096 }, memlock: { soft: -1, hard: -1 } },
      stop_signal: 'SIGQUIT',
      stop_grace_period: '3s',
      restart: 'on-failure:4',
      pre_stop: [{ command: ['bye', '1'] }, { command: ['/bin/sh', '-c', 'drain'] }],
      env_file: [
        { path: '/etc/a.env', required: true },
        { path: 'b.env', required: false },
      ],
    });
  });
});

describe('the command of a health check', () => {
  const answers: Readonly<Record<string, (request: Request) => Response | Promise<Response>>> = {
    '/echo': async (request) => new Response(`${request.method} ${await request.text()}`),
    '/ok': () => new Response('{"status": true}'),
    '/created': () => new Response('made', { status: 201 }),
    '/moved': () => new Response('', { status: 302 }),
    '/busy': () => new Response('loading', { status: 503 }),
  };

  /** The exit code of the check that Compose would run for a probe. */
  async function check(http: object): Promise<number | null> {
    using server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: (request) => answers[new URL(request.url).pathname]?.(request) ?? new Response('', { status: 404 }),
    });
    const ready = { http: { port: server.port, ...http } };
    const { services } = await compose({ a: { command: ['a'], ready } });
    const [kind, text = ''] = services.a?.healthcheck?.test ?? [];
    expect(kind).toBe('CMD-SHELL');
    const child = Bun.spawn(['sh', '-c', undoubled(text)], { stdout: 'ignore', stderr: 'ignore' });
    return await child.exited;
  }

  test.each([
    [0, { path: '/ok' }],
    [0, { path: '/moved' }],
    [22, { path: '/busy' }],
    [0, { path: '/created', status: 201 }],
    [1, { path: '/ok', status: 201 }],
    [0, { path: '/busy', status: ['200-299', 503] }],
    [1, { path: '/moved', status: ['200-299', 503] }],
    [0, { path: '/ok', contains: '"status": true' }],
    [1, { path: '/ok', contains: "it's" }],
    [0, { path: '/ok', matches: 'stat.s' }],
    [1, { path: '/ok', matches: 'stat.s', not_matches: 'true' }],
    [22, { path: '/busy', not_matches: 'x' }],
    [0, { path: '/ok', method: 'HEAD' }],
    [0, { path: '/echo', method: 'POST', body: '@/etc/hostname', contains: 'POST @/etc/hostname' }],
    [0, { path: '/echo', method: 'GET', body: 'x', contains: 'GET' }],
  ])('gives %d for %j', async (code, http) => {
    expect(await check(http)).toBe(code);
  });
});
