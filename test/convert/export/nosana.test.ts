// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// `export nosana`: the job of the guide, and operations with groups, dependencies and addresses.
import { describe, expect, test } from 'bun:test';
import { validateJobDefinition } from '@nosana/types';
import { EXAMPLES, exportedText, IMAGE } from './rig.ts';

interface Operation {
  readonly id: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly execution?: { readonly group: string; readonly depends_on?: readonly string[] };
}

async function nosana(file: object | string, perService = false) {
  const source = typeof file === 'string' ? file : JSON.stringify(file);
  const { text, report } = await exportedText(source, { format: 'nosana', perService });
  const job = JSON.parse(text) as { version: string; type: string; ops: readonly Operation[] };
  expect(validateJobDefinition(job)).toMatchObject({ success: true });
  const find = (id: string) => job.ops.find((op) => op.id === id);
  return { job, find, report: report.join('\n') };
}

test('a probe with a method that a health check cannot have is reported, and no health check is made of it', async () => {
  const web = { command: 'web', ports: [80], ready: { http: { port: 80, method: 'HEAD' } } };
  for (const perService of [true, false]) {
    const { job, report } = await nosana({ services: { web } }, perService);
    expect(job.ops.map(({ args }) => args.expose)).toEqual([[80]]);
    if (perService) expect(report).toContain('the methods GET, POST, PUT, DELETE only, not HEAD');
  }
});

test.each([
  ['HTTPS', { http: { port: 80, scheme: 'https' } }],
  ['on a unix socket', { http: { socket: '/run/a.sock' } }],
  ['on port 81', { http: { port: 81 } }],
  ['this `tcp` probe', { tcp: 80 }],
])('a probe that is no health check is reported with the reason: not %s', async (what, ready) => {
  const { job, report } = await nosana({ services: { web: { command: 'web', ports: [80], ready } } }, true);
  expect(job.ops.map(({ args }) => args.expose)).toEqual([[80]]);
  expect(report).toContain(`for HTTP on the service's own ports only, not ${what}.`);
});

test('the example of vLLM and Open WebUI is the job of the guide', async () => {
  const [, text = ''] = EXAMPLES.find(([name]) => name === 'vllm-open-webui') ?? [];
  const { job } = await nosana(text);
  const check = (path: string) => ({ type: 'http', path, method: 'GET', expected_status: 200, continuous: false });
  expect(job).toEqual({
    version: '0.1',
    type: 'container',
    meta: { trigger: 'cli' },
    ops: [
      {
        type: 'container/run',
        id: 'chat',
        args: {
          image: IMAGE,
          gpu: true,
          // The guide has the bare ports; the checks are what `ready` says of them.
          expose: [
            { port: 9000, health_checks: [check('/health'), check('/v1/models')] },
            { port: 8000, health_checks: [check('/health')] },
          ],
        },
      },
    ],
  } as never);
});

test('with --per-service it is the guide’s job with two operations', async () => {
  const [, text = ''] = EXAMPLES.find(([name]) => name === 'vllm-open-webui') ?? [];
  const { find } = await nosana(text, true);
  expect(find('vllm')).toMatchObject({ args: { gpu: true }, execution: { group: 'chat' } });
  expect(find('open-webui')).toMatchObject({
    args: { env: { OPENAI_API_BASE_URL: 'http://vllm:9000/v1' } },
    execution: { group: 'chat', depends_on: ['vllm'] },
  });
});

describe('one container', () => {
  test('has ports of services that only a variable enables, and each port once', async () => {
    const { find } = await nosana({
      name: 'x',
      services: {
        a: { command: ['a'], port: 80 },
        b: { command: ['b'], ports: [81, 82], enabled: '${B:-}' },
        c: { command: ['c'], port: 83, enabled: false },
      },
    });
    expect(find('x')?.args.expose).toEqual([80, 81, 82]);
    const own = await nosana({
      name: 'x',
      defaults: { enabled: '${ON:-}' },
      services: {
        a: { command: ['a'], port: 80, enabled: true },
        b: { command: ['b'], port: 81, enabled: false },
        c: { command: ['c'], port: 82 },
      },
    });
    expect(own.find('x')?.args.expose).toEqual([80, 82]);
  });

  test('expects a status that the probe accepts', async () => {
    const status = async (value: unknown) => {
      const { find } = await nosana({
        name: 'x',
        services: { a: { command: ['a'], port: 80, ready: { http: { path: '/', status: value } } } },
      });
      return /"expected_status":(\d+)/.exec(JSON.stringify(find('x')?.args.expose))?.[1];
    };
    expect([await status(204), await status('300-399'), await status(['100-199', '200-299'])]).toEqual([
      '204',
      '300',
      '200',
    ]);
  });

  test('asks for GPUs only where a service does', async () => {
    expect((await nosana({ name: 'x', services: { a: { command: ['a'] } } })).find('x')?.args).not.toHaveProperty(
      'gpu',
    );
    expect(
      (await nosana({ name: 'x', services: { a: { command: ['a'], gpus: 0 } } })).find('x')?.args,
    ).not.toHaveProperty('gpu');
  });
});

describe('--per-service', () => {
  test('stages become groups, and dependencies stay within one', async () => {
    const { job, report } = await nosana(
      {
        groups: ['first', 'second'],
        services: {
          db: { command: ['d'], group: 'first' },
          cache: { command: ['c'], group: 'first', depends_on: ['db'] },
          api: { command: ['a'], group: 'second', depends_on: { db: 'started' } },
          free: { command: ['f'] },
          after: { command: ['g'], depends_on: ['api'] },
        },
      },
      true,
    );
    expect(Object.fromEntries(job.ops.map(({ id, execution }) => [id, execution]))).toEqual({
      db: { group: 'first' },
      cache: { group: 'first', depends_on: ['db'] },
      api: { group: 'second' },
      free: { group: 'first' },
      after: { group: 'second', depends_on: ['api'] },
    });
    expect(report).toContain('changed meaning: `depends_on` db of api: it becomes the order of the groups');
    for (const name of ['db', 'cache', 'free'])
      expect(report).toContain(`needs a look: the group of ${name}: the group \`second\` begins only when`);
    expect(report).not.toContain('the group of api');
  });

  test('a group after tasks begins when they have ended, as `completed` wants it', async () => {
    const { report } = await nosana(
      {
        groups: ['first', 'second'],
        services: {
          load: { command: ['l'], type: 'task', group: 'first' },
          api: { command: ['a'], group: 'second', depends_on: { load: 'completed' } },
        },
      },
      true,
    );
    expect(report).toContain('`depends_on` load of api: it becomes the order of the groups');
    expect(report).not.toContain('the group of load');
    expect(report).not.toContain('not until it is');
  });

  test('another service’s address becomes its name, its own stays', async () => {
    const { find } = await nosana(
      {
        services: {
          db: { command: ['d', '--listen', '127.0.0.1:5432'], port: 5432 },
          api: {
            command: 'api --db localhost:5432 --self 127.0.0.1:80 --other 127.0.0.1:54321',
            port: 80,
            env: { URL: 'http://[::1]:5432/x' },
          },
        },
      },
      true,
    );
    expect(find('db')?.args.cmd).toEqual(['--listen', '127.0.0.1:5432']);
    expect(find('api')?.args).toMatchObject({
      entrypoint: ['/bin/sh'],
      cmd: ['-c', 'exec api --db db:5432 --self 127.0.0.1:80 --other 127.0.0.1:54321'],
      env: { URL: 'http://db:5432/x', PORT: '80' },
    });
  });

  test('restart policies', async () => {
    const of = async (restart: unknown) =>
      (await nosana({ services: { a: { command: ['a'], restart } } }, true)).find('a')?.args.restart_policy;
    expect(await of('never')).toBeUndefined();
    expect(await of('always')).toBe('always');
    expect(await of('on-failure')).toBe('on-failure');
    expect(await of({ policy: 'on-failure', max: 3 })).toEqual({ policy: 'on-failure', restart_tries: 3 });
  });

  test('copies are operations of their own', async () => {
    const { job } = await nosana({ services: { a: { command: ['a'], port: 9000, replicas: 2 } } }, true);
    expect(job.ops.map(({ id, args }) => [id, args.env])).toEqual([
      ['a-0', { PORT: '9000', SVC_REPLICA: '0' }],
      ['a-1', { PORT: '9001', SVC_REPLICA: '1' }],
    ]);
  });
});
