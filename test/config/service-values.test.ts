// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// Every field of a service except its probes (probe-values.test.ts): valid values, the resulting Plan, rejected values.
import { describe, expect, test } from 'bun:test';
import type { ServicePlan } from '../../src/plan/plan.ts';
import type { ProcessAttributes } from '../../src/plan/process.ts';
import { INHERITED } from '../helpers/plans.ts';
import { type Around, load, messages, oneService, planOf, serviceOf } from './rig.ts';

interface Right {
  readonly write: string;
  readonly gives: Partial<{ [K in keyof ServicePlan]: unknown }>;
  /** Attributes of the process. */
  readonly sets?: Partial<ProcessAttributes>;
  readonly environment?: Readonly<Record<string, string>>;
}

const LOG = {
  prefix: true,
  format: 'text',
  time: false,
  whenFull: 'block',
  ansi: 'keep',
  merge: true,
  drop: [],
  file: null,
  stderrFile: null,
} as const;

const RIGHT: readonly Right[] = [
  { write: 'type: task', gives: { type: 'task' } },
  { write: 'enabled: true', gives: { enabled: true } },
  { write: 'start: auto', gives: { start: 'auto' } },
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
  { write: 'umask: "022"', gives: {}, sets: { umask: 0o22 } },
  { write: 'umask: "0077"', gives: {}, sets: { umask: 0o77 } },
  { write: 'nice: -20', gives: {}, sets: { nice: -20 } },
  { write: 'oom_score_adj: -1000', gives: {}, sets: { oomScoreAdj: -1000 } },
  { write: 'cpus: "0-3,8"', gives: {}, sets: { cpus: [0, 1, 2, 3, 8] } },
  { write: 'cpus: 5,1-2,1', gives: {}, sets: { cpus: [1, 2, 5] } },
  { write: 'cpus: "3"', gives: {}, sets: { cpus: [3] } },
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
    gives: {},
    sets: {
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
        time: false,
        whenFull: 'drop',
        ansi: 'strip',
        merge: false,
        drop: ['GET /health'],
        file: null,
        stderrFile: null,
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
  {
    write: 'log: { time: true, file: { path: a.log }, stderr_file: { path: /var/a.err, keep: 0 } }',
    gives: {
      log: {
        ...LOG,
        time: true,
        file: { path: '/app/a.log', maxSize: 10_485_760, keep: 5, compress: false },
        stderrFile: { path: '/var/a.err', maxSize: 10_485_760, keep: 0, compress: false },
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
  schedule: null,
  enabled: true,
  start: 'auto',
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
  attributes: INHERITED,
  memoryWatch: null,
  ports: [],
  log: LOG,
  hooks: { beforeStart: null, afterReady: null, beforeStop: null, afterExit: null },
  gpus: null,
  replica: null,
};

describe('a service', () => {
  for (const { write, gives, sets, environment } of RIGHT) {
    test(write, () => {
      const { env: _env, ...service } = serviceOf(oneService('command: run', write), {
        environment: environment ?? {},
      });
      expect(service as unknown).toEqual({ ...DEFAULTS, ...gives, attributes: { ...INHERITED, ...sets } });
    });
  }

  test('with only a command has every default', () => {
    const { env: _env, ...service } = serviceOf(oneService('command: run'));
    expect(service).toEqual(DEFAULTS);
  });

  test('is frozen recursively', () => {
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
  test('as a text is left to the shell, with its variables', () => {
    const text = 'run "$A" ${B:-c} $$ ${UNSET';
    expect(serviceOf(`services:\n  a:\n    command: '${text}'\n`).argv).toEqual(['/bin/sh', '-c', text]);
  });

  test('as a list is interpolated item by item', () => {
    const service = serviceOf(oneService('command: [run, "${A}", "$A", "$${A}", "${B}"]'), {
      environment: { A: 'one two', B: '' },
    });
    expect(service.argv).toEqual(['run', 'one two', '$A', '${A}', '']);
  });

  test('as a list accepts numbers and switches as written', () => {
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
      'the command of `a` contains a text of 128 KiB or more, which Linux cannot execute',
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

  test('accepts no other word', () => {
    expect(messages(oneService('command: run', 'enabled: maybe')).length).toBe(1);
    expect(messages(oneService('command: run', 'enabled: 2')).length).toBe(1);
    expect(messages(oneService('command: run', 'enabled:')).length).toBe(1);
  });

  test('does not show the value of a variable, which may be a password', () => {
    const text = oneService('command: run', 'enabled: ${PASSWORD:-}');
    const [message = ''] = messages(text, { environment: { PASSWORD: 'hunter2' } });
    expect(message).toContain('but the value of PASSWORD is neither');
    expect(message).not.toContain('hunter2');
    const better = text.replace(':-', ':+true');
    expect(serviceOf(better, { environment: { PASSWORD: 'no' } }).enabled).toBe(true);
  });

  test('blames the default if the variable is empty', () => {
    const text = oneService('command: run', 'enabled: "${MAYBE:-perhaps}"');
    for (const environment of [{}, { MAYBE: '' }]) {
      const [message = ''] = messages(text, { environment });
      expect(message).toEndWith(', but the default of MAYBE is neither');
    }
  });

  test('blames no variable if there are several, or if the text instead of its value is wrong', () => {
    const blame = (value: string) =>
      messages(oneService('command: run', `enabled: "${value}"`), { environment: { A: 'x', B: 'y' } })[0];
    expect(blame('${A}${B}')).toEndWith(', but what its variables give is neither');
    expect(blame('${A:+perhaps}')).toEndWith(', but the text after its `:+` is neither');
  });

  test('a file without an enabled service is refused', () => {
    expect(messages(oneService('command: run', 'enabled: no'))).toEqual([
      'no service is enabled: there is nothing to run',
    ]);
  });
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
    'limits: { nofile: { soft: 2, hard: 1 } }': 'the soft value of `limits.nofile` is greater than its hard value',
    'limits: { rtprio: 100 }': '`limits.rtprio` must be a whole number up to 99 or `unlimited`, not 100',
    'limits: { files: 1 }': 'there is no limit `files`',
    'restart: sometimes': '`restart` must be `never`, `on-failure` or `always`, not "sometimes"',
    'restart: { max: 3 }': '`max` counts restarts, but the policy is `never`',
    'restart: { max: 3 }\n    max_memory: 1GiB\n    on_exceed: fail':
      '`max` counts restarts, but the policy is `never`',
    'restart: { policy: always, within: 1m }': '`within` is the time window of `max`, but there is no `max`',
    'restart: { policy: always, backoff: { initial: 1m } }':
      '`backoff.initial` (1m) is longer than `backoff.max` (30s)',
    'restart: { policy: always, backoff: { factor: 0.5 } }': '`factor` must be a number from 1 to 100, not 0.5',
    'stop: { signal: TREM }': 'there is no signal `TREM`',
    'stop: { to: all }': '`to` must be `main` or `group`, not "all"',
    'stop: 0': '`0` is not a signal number: signals have the numbers 1 to 64',
    'forward: HUP': '`forward` must be a list of signals, or a map of signals, not "HUP"',
    'forward: [HUP, SIGHUP]': '`forward` names SIGHUP twice',
    'forward: { HUP: 0 }': '`0` is not a signal number',
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

  test('what other systems write has the words to write here', () => {
    const advice = (line: string) => {
      const loaded = load(oneService('command: run', line));
      return loaded.ok ? [] : loaded.error.diagnostics.map(({ suggestion }) => suggestion);
    };
    expect(advice('limits: { memory: 1g }')).toEqual(['write `memory_limit: …` in the service']);
    expect(advice('memory_limit: 512m')).toEqual(['write `512MiB`']);
    expect(advice('restart: { policy: always, backoff: 5s }')).toEqual([
      'write `{initial: 5s}`, and `max: 5s` too if it must not grow',
    ]);
  });

  test('a limit of restarts needs no policy if `max_memory` restarts the service', () => {
    expect(messages(oneService('command: run', 'restart: { max: 3 }', 'max_memory: 1GiB'))).toEqual([]);
  });

  test('port and ports together are refused', () => {
    expect(messages(oneService('command: run', 'port: 1', 'ports: [2]'))).toEqual([
      '`port` and `ports` are alternatives',
    ]);
  });

  test('a dependency that is named twice is refused', () => {
    expect(messages(`${oneService('command: run', 'depends_on: [b, b]')}  b: { command: run }\n`)).toEqual([
      '`depends_on` names `b` twice',
    ]);
  });

  const names = ['svc-super', '-a', '.a', 'a b', 'ä', 'a/b', 'a'.repeat(64)];
  for (const name of names) {
    test(`${name.slice(0, 20)} is not a name of a service`, () => {
      expect(messages(`services: { "${name}": { command: run } }\n`).length).toBe(1);
    });
  }
  test('names may contain what is safe in URLs and prefixes', () => {
    const text = `services: { A.b_c-1: { command: run }, ${'a'.repeat(63)}: { command: run } }\n`;
    expect(planOf(text).services.length).toBe(2);
  });
});

describe('defaults', () => {
  const around: Around = {};

  test('apply to every service that does not override them', () => {
    const text = `
defaults: { restart: always, nice: 5, success_codes: [0, 1], ready: { tcp: 1 } }
services:
  a: { command: run }
  b: { command: run, restart: never, success_codes: [2], ready: { tcp: 2 } }
`;
    const [a, b] = planOf(text, around).services;
    expect([a?.restart.policy, a?.attributes.nice, a?.successCodes, a?.ready.length]).toEqual(['always', 5, [0, 1], 1]);
    expect([b?.restart.policy, b?.attributes.nice, b?.successCodes, b?.ready.length]).toEqual(['never', 5, [2], 1]);
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
    expect(Object.keys(service.attributes.limits)).toEqual(['nofile', 'nproc']);
    expect(service.log).toEqual({ ...LOG, prefix: false, format: 'json' });
    expect(service.restart).toEqual({
      policy: 'always',
      max: 3,
      within: null,
      backoff: { initial: 1000, max: 30_000, factor: 3 },
    });
    expect(service.stop).toEqual(stop({ signal: 'SIGINT', timeout: 5000 }));
  });

  test('have a liveness probe for services, which a task does not take', () => {
    const text = 'defaults: { live: { tcp: 1 } }\nservices: { a: { command: run }, b: { command: run, type: task } }\n';
    expect(planOf(text).services.map(({ live }) => live.length)).toEqual([1, 0]);
  });

  test("a service's own `port` replaces `ports`, and the reverse", () => {
    const text = 'defaults: { port: 1 }\nservices:\n  a: { command: run, ports: [2, 3] }\n';
    expect(serviceOf(text).ports).toEqual([2, 3]);
  });

  test('may contain the command', () => {
    expect(serviceOf('defaults: { command: run }\nservices:\n  a: {}\n').argv[2]).toBe('exec run');
  });

  test("set the format and the time of the supervisor's own lines", () => {
    expect(planOf('defaults: { log: { format: json } }\nservices: { a: { command: run } }\n').log.format).toBe('json');
    expect(planOf('services: { a: { command: run, log: { format: json, time: true } } }\n').log).toEqual({
      level: 'info',
      format: 'text',
      time: false,
    });
    const text = 'log: { level: warn }\ndefaults: { log: { time: true } }\nservices: { a: { command: run } }\n';
    expect(planOf(text).log).toEqual({ level: 'warn', format: 'text', time: true });
  });

  test('that are invalid are reported once', () => {
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
      log: { level: 'info', format: 'text', time: false },
    });
  });

  test('may be set', () => {
    const plan = planOf(
      'name: ${N:-x}\nexit: all\nstop_timeout: 1m\nhosts: false\nservices: { a: { command: run } }\n',
    );
    expect(plan).toMatchObject({ name: 'x', exit: 'all', stopTimeout: 60_000 });
  });
});
