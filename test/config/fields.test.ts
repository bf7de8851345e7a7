// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// Every field of a service: what can be written, what comes of it in the Plan, and what is refused.
import { describe, expect, test } from 'bun:test';
import type { Probe, ServicePlan } from '../../src/plan/plan.ts';
import { type Around, messages, oneService, planOf, serviceOf } from './rig.ts';

interface Right {
  readonly write: string;
  readonly gives: Partial<{ [K in keyof ServicePlan]: unknown }>;
  readonly environment?: Readonly<Record<string, string>>;
}

const LOG = {
  prefix: true,
  format: 'text',
  whenFull: 'block',
  ansi: 'keep',
  merge: true,
  drop: [],
  file: null,
} as const;

const RIGHT: readonly Right[] = [
  { write: 'type: task', gives: { type: 'task' } },
  { write: 'enabled: true', gives: { enabled: true } },
  { write: 'start_timeout: 1h30m', gives: { startTimeout: 5_400_000 } },
  { write: 'start_timeout: ${T:-90s}', gives: { startTimeout: 90_000 } },
  { write: 'start_stall: 2m', gives: { startStall: 120_000 } },
  { write: 'start_stall: off', gives: { startStall: null } },
  { write: 'success_codes: [0, 143]', gives: { successCodes: [0, 143] } },
  { write: 'success_codes: []', gives: { successCodes: [] } },
  { write: 'essential: false', gives: { essential: false } },
  { write: 'essential: ${E}', environment: { E: 'false' }, gives: { essential: false } },
  { write: 'cwd: /srv', gives: { cwd: '/srv' } },
  { write: 'cwd: ${HOME}/x', environment: { HOME: '/root' }, gives: { cwd: '/root/x' } },
  { write: 'umask: "022"', gives: { umask: 0o22 } },
  { write: 'umask: "0077"', gives: { umask: 0o77 } },
  { write: 'nice: -20', gives: { nice: -20 } },
  { write: 'oom_score_adj: -1000', gives: { oomScoreAdj: -1000 } },
  { write: 'cpus: "0-3,8"', gives: { cpus: [0, 1, 2, 3, 8] } },
  { write: 'cpus: 5,1-2,1', gives: { cpus: [1, 2, 5] } },
  { write: 'cpus: "3"', gives: { cpus: [3] } },
  { write: 'port: 8000', gives: { ports: [8000] } },
  { write: 'port: ${PORT:-8000}', gives: { ports: [8000] } },
  { write: 'port: "${PORT:-8000}"', gives: { ports: [8000] } },
  { write: 'ports: [80, 443]', gives: { ports: [80, 443] } },
  { write: 'restart: always', gives: { restart: restart({ policy: 'always' }) } },
  { write: 'restart: on-failure', gives: { restart: restart({ policy: 'on-failure' }) } },
  {
    write: 'restart: { policy: always, max: 5, within: 1m, backoff: { initial: 1s, max: 1m, factor: 1.5 } }',
    gives: {
      restart: { policy: 'always', max: 5, within: 60_000, backoff: { initial: 1000, max: 60_000, factor: 1.5 } },
    },
  },
  { write: 'stop: INT', gives: { stop: stop({ signal: 'SIGINT' }) } },
  { write: 'stop: 15', gives: { stop: stop({ signal: 'SIGTERM' }) } },
  {
    write: 'stop: { signal: SIGRTMIN+3, timeout: 5s, to: group }',
    gives: { stop: stop({ signal: 'SIGRTMIN+3', timeout: 5000, to: 'group' }) },
  },
  {
    write: 'stop: { command: nginx -s quit }',
    gives: { stop: stop({ argv: ['/bin/sh', '-c', 'exec nginx -s quit'] }) },
  },
  { write: 'stop: { leftover_timeout: 10s }', gives: { stop: stop({ leftoverTimeout: 10_000 }) } },
  { write: 'stop: { command: [pg_ctl, stop] }', gives: { stop: stop({ argv: ['pg_ctl', 'stop'] }) } },
  {
    write: 'forward: [hup, SIGUSR1, 12]',
    gives: { forward: { SIGHUP: 'SIGHUP', SIGUSR1: 'SIGUSR1', SIGUSR2: 'SIGUSR2' } },
  },
  {
    write: 'forward: { HUP: QUIT, WINCH: RTMIN+1 }',
    gives: { forward: { SIGHUP: 'SIGQUIT', SIGWINCH: 'SIGRTMIN+1' } },
  },
  {
    write: 'limits: { nofile: 65536, memlock: unlimited, core: 0, stack: { soft: 8MiB, hard: unlimited } }',
    gives: {
      limits: {
        nofile: { soft: 65_536, hard: 65_536 },
        memlock: { soft: null, hard: null },
        core: { soft: 0, hard: 0 },
        stack: { soft: 8_388_608, hard: null },
      },
    },
  },
  {
    write: 'log: { prefix: false, format: json, when_full: drop, ansi: strip, merge: false, drop: "GET /health" }',
    gives: {
      log: {
        prefix: false,
        format: 'json',
        whenFull: 'drop',
        ansi: 'strip',
        merge: false,
        drop: ['GET /health'],
        file: null,
      },
    },
  },
  {
    write: 'log: { drop: [a, "b+"], file: { path: logs/a.log, max_size: 1MB, keep: 2, compress: true } }',
    gives: {
      log: {
        ...LOG,
        drop: ['a', 'b+'],
        file: { path: '/app/logs/a.log', maxSize: 1_000_000, keep: 2, compress: true },
      },
    },
  },
  { write: 'replicas: 1', gives: {} },
  { write: 'x-note: { anything: goes }', gives: {} },
];

function restart(own: Partial<ServicePlan['restart']>): ServicePlan['restart'] {
  return { policy: 'never', max: null, within: null, backoff: { initial: 500, max: 30_000, factor: 2 }, ...own };
}
function stop(own: Partial<ServicePlan['stop']>): ServicePlan['stop'] {
  return { signal: 'SIGTERM', timeout: null, to: 'main', leftoverTimeout: null, argv: null, ...own };
}

const DEFAULTS: Omit<ServicePlan, 'env'> = {
  name: 'a',
  type: 'service',
  enabled: true,
  group: null,
  argv: ['/bin/sh', '-c', 'exec run'],
  edges: [],
  stageEdges: [],
  ready: [],
  live: [],
  startTimeout: 1_800_000,
  startStall: null,
  restart: restart({}),
  successCodes: [0],
  essential: true,
  stop: stop({}),
  forward: {},
  secrets: [],
  cwd: null,
  user: null,
  umask: null,
  nice: null,
  oomScoreAdj: null,
  cpus: null,
  limits: {},
  ports: [],
  log: LOG,
  hooks: { beforeStart: null, afterReady: null, beforeStop: null, afterExit: null },
  gpus: null,
  replica: null,
};

describe('a service', () => {
  for (const { write, gives, environment } of RIGHT) {
    test(write, () => {
      const { env: _env, ...service } = serviceOf(oneService('command: run', write), {
        environment: environment ?? {},
      });
      expect(service as unknown).toEqual({ ...DEFAULTS, ...gives });
    });
  }

  test('with nothing but its command has every default', () => {
    const { env: _env, ...service } = serviceOf(oneService('command: run'));
    expect(service).toEqual(DEFAULTS);
  });

  test('is frozen all through', () => {
    const plan = planOf(oneService('command: [run]', 'ports: [1]', 'ready: { http: /x }', 'limits: { nofile: 1 }'));
    const check = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      expect(Object.isFrozen(value)).toBe(true);
      Object.values(value).forEach(check);
    };
    check(plan);
  });
});

describe('a command', () => {
  test('as a text is left to the shell, variables and all', () => {
    const text = 'run "$A" ${B:-c} $$ ${UNSET';
    expect(serviceOf(`services:\n  a:\n    command: '${text}'\n`).argv).toEqual(['/bin/sh', '-c', text]);
  });

  test('as a list has its variables put in, item by item', () => {
    const service = serviceOf(oneService('command: [run, "${A}", "$A", "$${A}", "${B}"]'), {
      environment: { A: 'one two', B: '' },
    });
    expect(service.argv).toEqual(['run', 'one two', '$A', '${A}', '']);
  });

  test('as a list takes numbers and switches as they are written', () => {
    expect(serviceOf(oneService('command: [run, 8000, 1.10, 0x1f, true, -1e3]')).argv).toEqual([
      'run',
      '8000',
      '1.10',
      '0x1f',
      'true',
      '-1e3',
    ]);
  });

  const wrong: Readonly<Record<string, string>> = {
    'command: ""': '`command` is empty',
    'command: "  "': '`command` is empty',
    'command: []': '`command` is an empty list',
    'command: [""]': '`command` begins with an empty text',
    'command: 5': '`command` must be a command line, or a list of a program and its arguments, not 5',
    'command: { a: b }': '`command` must be a command line, or a list of a program and its arguments, not a map',
    'command: [run, [x]]': 'an item of `command` must be a text, not a list',
    'command: [run, null]': 'an item of `command` is empty',
    'command:': '`command` is empty',
  };
  for (const [line, message] of Object.entries(wrong)) {
    test(`${line} is refused`, () => {
      const found = messages(oneService(line));
      expect(found.length).toBe(1);
      expect(found[0]).toStartWith(message);
    });
  }

  test('longer than Linux can execute is refused', () => {
    expect(messages(oneService(`command: "${'x'.repeat(131_072)}"`))).toEqual([
      'the command of `a` holds a text of 128 KiB or more, which Linux cannot execute',
    ]);
    expect(messages(oneService(`command: "${'x'.repeat(131_066)}"`))).toEqual([]);
  });
});

describe('enabled', () => {
  const answers: Readonly<Record<string, boolean>> = {
    true: true,
    '1': true,
    yes: true,
    ON: true,
    false: false,
    False: false,
    '0': false,
    no: false,
    NO: false,
    off: false,
    '': false,
    ' ': false,
  };
  for (const [value, expected] of Object.entries(answers)) {
    test(`${JSON.stringify(value)} in a variable means ${expected}`, () => {
      const text = `${oneService('command: run', 'enabled: ${ON}')}  b: { command: run }\n`;
      expect(serviceOf(text, { environment: { ON: value } }).enabled).toBe(expected);
    });
  }

  test('takes no other word', () => {
    expect(messages(oneService('command: run', 'enabled: maybe')).length).toBe(1);
    expect(messages(oneService('command: run', 'enabled: 2')).length).toBe(1);
    expect(messages(oneService('command: run', 'enabled:')).length).toBe(1);
  });

  test('says nothing of what a variable holds: it may be the password that the service is for', () => {
    const text = oneService('command: run', 'enabled: ${PASSWORD:-}');
    const [message = ''] = messages(text, { environment: { PASSWORD: 'hunter2' } });
    expect(message).toContain('PASSWORD holds neither');
    expect(message).not.toContain('hunter2');
    const better = text.replace(':-', ':+true');
    expect(serviceOf(better, { environment: { PASSWORD: 'no' } }).enabled).toBe(true);
  });

  test('says nothing of a variable that holds nothing: it is the default that is wrong', () => {
    const text = oneService('command: run', 'enabled: "${MAYBE:-perhaps}"');
    for (const environment of [{}, { MAYBE: '' }]) {
      const [message = ''] = messages(text, { environment });
      expect(message).toEndWith(', and the default of MAYBE is neither');
    }
  });

  test('a file in which nothing is enabled is refused', () => {
    expect(messages(oneService('command: run', 'enabled: no'))).toEqual([
      'no service is enabled: there is nothing to run',
    ]);
  });
});

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

  test('takes the first port of its service', () => {
    expect(probeOf('{ http: /health }', 'port: 9000')).toMatchObject({ port: 9000, path: '/health' });
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
    'ready: { tcp: 1, file: /x }': 'a probe has one kind: this one has `tcp` already',
    'ready: { tcp: 1, failures: 3 }': '`failures` is for `live` probes only',
    'ready: { log: x, continuous: true }': '`log` cannot be `continuous`: what a `log` probe has seen once stays true',
    'ready: { notify: true, continuous: true }': '`notify` cannot be `continuous`',
    'live: { log: x }':
      '`log` cannot be a `live` probe: what a `log` probe has seen once stays true, so it could never fail',
    'live: { notify: true }': '`notify` cannot be a `live` probe',
    'live: { tcp: 1, continuous: true }': '`continuous` is for `ready`: a `live` probe always goes on',
    'ready: { http: health }':
      '`http` must be a URL (`http://127.0.0.1:8000/health`) or a path (`/health`), not "health"',
    'ready: { http: "ftp://127.0.0.1/" }': '`http` must be a URL',
    'ready: { http: "http://u:p@127.0.0.1/" }': '`http` cannot hold a user name or password',
    'ready: { http: "http://127.0.0.1:0/" }': '`http` names port 0',
    'ready: { http: { url: "http://127.0.0.1/", port: 5 } }': '`url` already says the port',
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
      '`start_interval` has no effect: a `log` probe waits and makes no attempts',
    'ready: { tcp: 1, start_interval: 5ms }': '`start_interval` must be a duration of at least 10ms, not "5ms"',
    'ready: { tcp: true }': 'this probe names no port, and `a` has none either',
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

describe('an impossible value', () => {
  const wrong: Readonly<Record<string, string>> = {
    'port: 0': '`port` must be a port from 1 to 65535, not 0',
    'port: "80"': '`port` must be a port from 1 to 65535, not "80"',
    'port: 80.5': '`port` must be a port',
    'ports: 80': '`ports` must be a list of ports, not 80',
    'ports: ["8080:80"]': 'an item of `ports` must be a port',
    'ports: [80, 80]': '`ports` of `a` names a port twice',
    'ports: []': '`ports` is an empty list',
    'success_codes: [256]': 'an item of `success_codes` must be an exit code from 0 to 255, not 256',
    'success_codes: 0': '`success_codes` must be a list of exit codes, not 0',
    'nice: 20': '`nice` must be a whole number from -20 to 19, not 20',
    'oom_score_adj: 1001': '`oom_score_adj` must be a whole number from -1000 to 1000, not 1001',
    'umask: "8"': '`umask` must be three or four octal digits',
    'umask: 0o22': '`umask` must be three or four octal digits',
    'cpus: 0.5': '`cpus` must be processor numbers as a text (`"0-3,8"`), not 0.5',
    'cpus: "3-1"': '`cpus` must be processor numbers',
    'cpus: "0-99999"': '`cpus` must be processor numbers',
    'limits: { nofile: -1 }': '`limits.nofile` must be a whole number or `unlimited`, not -1',
    'limits: { stack: 8192 }': '`limits.stack` must be a size (`64MiB`), `0` or `unlimited`, not 8192',
    'limits: { nofile: { soft: 1 } }': '`limits.nofile` needs both `soft` and `hard`',
    'limits: { nofile: { soft: 2, hard: 1 } }': 'the soft value of `limits.nofile` is above its hard one',
    'limits: { rtprio: 100 }': '`limits.rtprio` must be a whole number up to 99 or `unlimited`, not 100',
    'limits: { files: 1 }': 'there is no limit `files`',
    'restart: sometimes': '`restart` must be `never`, `on-failure` or `always`, not "sometimes"',
    'restart: { max: 3 }': '`max` counts restarts, but the policy is `never`',
    'restart: { policy: always, within: 1m }': '`within` says in which time `max` counts, but there is no `max`',
    'restart: { policy: always, backoff: { initial: 1m } }':
      '`backoff.initial` (1m) is longer than `backoff.max` (30s)',
    'restart: { policy: always, backoff: { factor: 0.5 } }': '`factor` must be a number from 1 to 100, not 0.5',
    'stop: { signal: TREM }': 'there is no signal `TREM`',
    'stop: { to: all }': '`to` must be `main` or `group`, not "all"',
    'stop: 0': '`0` is no signal number: they go from 1 to 64',
    'forward: HUP': '`forward` must be a list of signals, or a map of signals, not "HUP"',
    'forward: [HUP, SIGHUP]': '`forward` names SIGHUP twice',
    'forward: { HUP: 0 }': '`0` is no signal number',
    'start_stall: 0s': '`start_stall` must be a duration above zero',
    'user: "a b"': '`user` must be a user',
    'user: ""': '`user` is empty',
    'cwd: ""': '`cwd` is empty',
    'env_inherit: PATH': '`env_inherit` must be `all`, `none`, or a list',
    'env_inherit: ["A=B"]': 'an item of `env_inherit` must be a name or a pattern, not "A=B"',
    'env: { "A=B": c }': '"A=B" is not a name of a variable',
    'env: [A=b]': '`env` must be a map of variables, not a list',
    'env: { A: [b] }': '`env.A` must be a text, a number, `true`, `false`, or `{file: path}`, not a list',
    'env: { A: }': '`env.A` is empty',
    'env: { SVC_NAME: x }': '`SVC_NAME` is set by svc-super',
    'depends_on: b': '`depends_on` must be a list of services, or a map of services and conditions, not "b"',
    'depends_on: [a]': '`a` depends on itself',
    'group: "a b"': '`group` must be a name',
    'type: job': '`type` must be `service` or `task`, not "job"',
  };
  for (const [line, message] of Object.entries(wrong)) {
    test(`${line} is refused`, () => {
      const found = messages(oneService('command: run', line));
      expect(found.length).toBe(1);
      expect(found[0]).toStartWith(message);
    });
  }

  test('port and ports at once are refused', () => {
    expect(messages(oneService('command: run', 'port: 1', 'ports: [2]'))).toEqual([
      '`port` and `ports` are two ways to say the same',
    ]);
  });

  test('a dependency that is named twice is refused', () => {
    expect(messages(`${oneService('command: run', 'depends_on: [b, b]')}  b: { command: run }\n`)).toEqual([
      '`depends_on` names `b` twice',
    ]);
  });

  const names = ['svc-super', '-a', '.a', 'a b', 'ä', 'a/b', 'a'.repeat(64)];
  for (const name of names) {
    test(`${name.slice(0, 20)} is no name of a service`, () => {
      expect(messages(`services: { "${name}": { command: run } }\n`).length).toBe(1);
    });
  }
  test('names may hold what is safe in URLs and prefixes', () => {
    const text = `services: { A.b_c-1: { command: run }, ${'a'.repeat(63)}: { command: run } }\n`;
    expect(planOf(text).services.length).toBe(2);
  });
});

describe('defaults', () => {
  const around: Around = {};

  test('are taken by every service that does not say otherwise', () => {
    const text = `
defaults: { restart: always, nice: 5, success_codes: [0, 1], ready: { tcp: 1 } }
services:
  a: { command: run }
  b: { command: run, restart: never, success_codes: [2], ready: { tcp: 2 } }
`;
    const [a, b] = planOf(text, around).services;
    expect([a?.restart.policy, a?.nice, a?.successCodes, a?.ready.length]).toEqual(['always', 5, [0, 1], 1]);
    expect([b?.restart.policy, b?.nice, b?.successCodes, b?.ready.length]).toEqual(['never', 5, [2], 1]);
  });

  test('are merged key by key in env, limits, log, restart and stop', () => {
    const text = `
defaults:
  env: { A: 1, B: 1 }
  limits: { nofile: 1 }
  log: { format: json }
  restart: { policy: always, backoff: { initial: 1s } }
  stop: { timeout: 5s }
services:
  a:
    command: run
    env: { B: 2 }
    limits: { nproc: 2 }
    log: { prefix: false }
    restart: { max: 3, backoff: { factor: 3 } }
    stop: INT
`;
    const service = serviceOf(text);
    expect([service.env.A, service.env.B]).toEqual(['1', '2']);
    expect(Object.keys(service.limits)).toEqual(['nofile', 'nproc']);
    expect(service.log).toEqual({ ...LOG, prefix: false, format: 'json' });
    expect(service.restart).toEqual({
      policy: 'always',
      max: 3,
      within: null,
      backoff: { initial: 1000, max: 30_000, factor: 3 },
    });
    expect(service.stop).toEqual(stop({ signal: 'SIGINT', timeout: 5000 }));
  });

  test("a service's own way to name ports replaces the other way", () => {
    const text = 'defaults: { port: 1 }\nservices:\n  a: { command: run, ports: [2, 3] }\n';
    expect(serviceOf(text).ports).toEqual([2, 3]);
  });

  test('can give the command', () => {
    expect(serviceOf('defaults: { command: run }\nservices:\n  a: {}\n').argv[2]).toBe('exec run');
  });

  test('set the format of the supervisor itself', () => {
    expect(planOf('defaults: { log: { format: json } }\nservices: { a: { command: run } }\n').format).toBe('json');
    expect(planOf('services: { a: { command: run, log: { format: json } } }\n').format).toBe('text');
  });

  test('that are wrong are reported once', () => {
    const text = 'defaults: { nice: 99 }\nservices: { a: { command: run }, b: { command: run } }\n';
    expect(messages(text)).toEqual(['`nice` must be a whole number from -20 to 19, not 99']);
  });
});

describe('the top level', () => {
  test('has its defaults', () => {
    const plan = planOf('services: { a: { command: run } }\n');
    expect(plan).toMatchObject({
      name: 'app',
      file: '/app/services.yaml',
      exit: 'first',
      stopTimeout: 9000,
      format: 'text',
    });
  });

  test('can be said', () => {
    const plan = planOf(
      'name: ${N:-x}\nexit: all\nstop_timeout: 1m\nhosts: false\nservices: { a: { command: run } }\n',
    );
    expect(plan).toMatchObject({ name: 'x', exit: 'all', stopTimeout: 60_000 });
  });
});
