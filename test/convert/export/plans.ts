// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// Generated services.yaml with every field, in combinations that no example has.
import fc from 'fast-check';

const text = fc.constantFrom(
  'x',
  'two words',
  '$HOME',
  '$$(date)',
  "it's",
  'a: b',
  '# no',
  'no',
  '22:22',
  '1.10',
  '%h %',
  'ä\tb',
  '',
);
const argv = fc
  .tuple(fc.constantFrom('/usr/bin/run', 'python3'), fc.array(text, { maxLength: 3 }))
  .map(([one, rest]) => [one, ...rest]);
const command = fc.oneof(argv, fc.constantFrom('a && b', 'exec c "$X" $$', 'line\nother\n', 'x'));
const duration = fc.constantFrom('500ms', '1s', '90s', '2h');
const port = fc.integer({ min: 1, max: 65_000 });
const probe = fc.oneof(
  fc.record({
    http: fc.record(
      {
        path: fc.constantFrom('/', '/a b?x=[1]', "/it's"),
        port,
        status: fc.constantFrom(200, '200-299', [204, '300-399'] as unknown),
        method: fc.constantFrom('GET', 'POST'),
        headers: fc.constant({ 'X-A': "b'c" }),
        contains: text.filter((one) => one !== ''),
        matches: fc.constantFrom('a.b', '^x$'),
        scheme: fc.constantFrom('http', 'https'),
        json: fc.constant({ path: 'a.0', equals: 1 }),
      },
      { requiredKeys: ['port'] },
    ),
    interval: duration,
  }),
  fc.record({ tcp: fc.oneof(port, fc.constant({ socket: '/run/x.sock' })) }),
  fc.record({ exec: command, timeout: duration }),
  fc.record({ file: fc.constant('/run/up') }),
);
const ready = fc.oneof(
  probe,
  fc.array(probe, { minLength: 1, maxLength: 3 }),
  fc.constant({ log: 'up' }),
  fc.constant({ notify: true }),
);
const env = fc.dictionary(
  fc.constantFrom('A', 'B_C', 'PATH', 'PORT'),
  fc.oneof(text, fc.constant({ file: '/run/s' })),
  { maxKeys: 3 },
);

const service = (index: number, before: readonly string[]) =>
  fc.record(
    {
      command,
      type: fc.constant('service'),
      enabled: fc.constantFrom(true, '${NOTHING:-}', '${SOMETHING:-1}'),
      group: fc.constant('g'),
      ...(before.length === 0
        ? {}
        : {
            depends_on: fc.dictionary(fc.constantFrom(...before), fc.constantFrom('started', 'ready'), { maxKeys: 2 }),
          }),
      ready,
      live: probe,
      start_timeout: duration,
      restart: fc.constantFrom('always', 'on-failure', 'never', { policy: 'on-failure', max: 2, within: '1m' }),
      success_codes: fc.constant([]),
      essential: fc.boolean(),
      stop: fc.constantFrom('QUIT', { command: 'bye', to: 'group' }, { timeout: '1s', signal: 'RTMIN+3' }),
      env,
      env_file: fc.constantFrom('a.env', [{ path: '/etc/b.env', required: false }] as unknown),
      cwd: fc.constantFrom('/', '/srv/a b'),
      user: fc.constantFrom('1000', 'nobody', '1000:50', 'www-data:www-data'),
      umask: fc.constant('027'),
      nice: fc.integer({ min: -5, max: 5 }),
      cpus: fc.constant('0-1'),
      limits: fc.constant({ nofile: 1024, memlock: 'unlimited', as: '1GiB' }),
      ports: fc.constantFrom([20_000 + 10 * index], [20_000 + 10 * index, 30_000 + 10 * index]),
      gpus: fc.constantFrom<unknown>(0, 1, 'all', [0, 1], { share: 1 }, { count: 1, optional: true }),
      replicas: fc.constantFrom(1, 3),
      hooks: fc.constantFrom<unknown>(
        { before_start: "echo 'x'" },
        { before_stop: ['a', 'b'] },
        { before_stop: { wait_for: { tcp: 1 } } },
      ),
      venv: fc.constantFrom('/opt/venv', 'relative/venv'),
      log: fc.constant({ format: 'json', drop: 'x' }),
    },
    { requiredKeys: ['command'] },
  );

const NAMES = ['one', 'Two_2', 'three.x', 'four-4'];
/** The text of a file. Some combinations are refused by `check`. */
export const file = fc
  .record({
    count: fc.integer({ min: 1, max: 4 }),
    exit: fc.constantFrom('first', 'failure', 'all'),
    hosts: fc.boolean(),
    stop_timeout: fc.constantFrom('5s', '1m'),
    env,
  })
  .chain(({ count, ...top }) =>
    fc.tuple(...NAMES.slice(0, count).map((_, index) => service(index, NAMES.slice(0, index)))).map((services) =>
      JSON.stringify({
        name: 'Made up!',
        ...top,
        services: Object.fromEntries(services.map((one, index) => [NAMES[index], one])),
      }),
    ),
  );
