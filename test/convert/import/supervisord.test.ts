// supervisord.conf as supervisord's own loader reads it (Debian's `supervisor`): the same programs with the same arguments,
// variables, codes and signals, for generated configurations and for the corpus.
import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import fc from 'fast-check';
import { signalNumber } from '../../../src/linux/signals.ts';
import type { ServicePlan } from '../../../src/plan/plan.ts';
import { planOf } from '../../config/rig.ts';
import { skipWhen } from '../../helpers/skip.ts';
import { ask, noSupervisor, SYSTEM_PYTHON } from '../oracle.ts';
import { importText, lines, yamlOf } from './rig.ts';

interface Process {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string | null;
  readonly umask: number | null;
  readonly autostart: boolean;
  readonly autorestart: boolean | string;
  readonly retries: number;
  readonly exitcodes: readonly number[];
  readonly stopsignal: number;
  readonly stopwaitsecs: number;
  readonly stopasgroup: boolean;
}
type Loaded =
  | { readonly ok: true; readonly processes: readonly Process[] }
  | { readonly ok: false; readonly error: string };

const ORACLE = join(import.meta.dir, '../oracles/supervisord.py');
const ENVIRONMENT = { PATH: '/usr/bin:/bin', MODEL: 'a/model', PORT: '9000' };

/** What supervisord makes of each text. */
const loadAll = (texts: readonly string[]) => ask<Loaded>([SYSTEM_PYTHON, ORACLE], texts, ENVIRONMENT);

/** The argument vector that reaches exec; a shell of svc-super runs the same text. */
function argvOf({ argv }: ServicePlan): readonly string[] {
  const [shell, flag, text = ''] = argv;
  return shell === '/bin/sh' && flag === '-c' ? ['sh', '-c', text.replace(/^exec /, '')] : argv;
}

const shellArgv = (argv: readonly string[]): readonly string[] =>
  /^(?:\/bin\/)?(?:sh|dash)$/.test(argv[0] ?? '') && argv[1] === '-c' && argv.length === 3
    ? ['sh', ...argv.slice(1)]
    : argv;

/** What of a service can be compared with a process. */
function comparable(service: ServicePlan, variables: readonly string[]) {
  return {
    argv: argvOf(service),
    env: Object.fromEntries(variables.map((name) => [name, service.env[name] ?? null])),
    start: service.start,
    codes: service.successCodes,
    signal: signalNumber(service.stop.signal),
    group: service.stop.to === 'group',
    restarts: service.restart.policy as string,
  };
}

function expected(process: Process, variables: readonly string[]) {
  const { autorestart, retries } = process;
  const restarts =
    autorestart === true || autorestart === 'RestartUnconditionally'
      ? 'always'
      : autorestart === false || retries === 0
        ? 'never'
        : 'on-failure';
  return {
    argv: shellArgv(process.argv),
    env: Object.fromEntries(variables.map((name) => [name, process.env[name] ?? null])),
    start: process.autostart ? ('auto' as const) : ('manual' as const),
    codes: process.exitcodes,
    signal: process.stopsignal,
    group: process.stopasgroup,
    restarts,
  };
}

async function compare(text: string, loaded: Extract<Loaded, { ok: true }>): Promise<void> {
  const yaml = await yamlOf('supervisord', text, { path: '/nowhere/supervisord.conf' });
  const { services } = planOf(yaml, { environment: ENVIRONMENT });
  const variables = [...new Set(loaded.processes.flatMap(({ env }) => Object.keys(env)))];
  const sorted = <T extends { readonly argv: readonly string[] }>(all: readonly T[]) =>
    [...all].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  const ours = sorted(services.map((one) => comparable(one, variables)));
  const theirs = sorted(loaded.processes.map((one) => expected(one, variables)));
  expect(ours, text).toEqual(theirs);
}

const word = fc.constantFrom(
  'a',
  'b1',
  '"c d"',
  "'e f'",
  '"g\\"h"',
  'i\\ j',
  '$X',
  `\${Y}`,
  'k;l',
  'm#n',
  '--o=p',
  '%%',
  '%(program_name)s',
  '%(ENV_MODEL)s',
  "'%(ENV_PORT)s'",
  '/x',
  'é',
  '*',
  '""',
);
const command = fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => `prog ${words.join(' ')}`);
const shell = fc.constantFrom("sh -c 'a && b'", '/bin/sh -c "x; y"', 'sh -c "$A"', "bash -c 'a'");
const pair = fc.tuple(
  fc.constantFrom('A', 'B', 'C_1'),
  fc.constantFrom(
    '"x y"',
    "'1,2'",
    'plain',
    '1',
    '"%%"',
    '"a=b"',
    'http://h:1/x',
    'a/b.c+d-e:f',
    '"#"',
    'q=r',
    '"%(program_name)s"',
    '%(ENV_MODEL)s',
    'x/%(ENV_PORT)s',
    '"%(ENV_MODEL)s:%(ENV_PORT)s"',
    '""',
  ),
);
const environment = fc
  .array(pair, { minLength: 1, maxLength: 3 })
  .map((pairs) => pairs.map(([key, value]) => `${key}=${value}`).join(','));
const key = fc.oneof(
  fc.tuple(fc.constant('environment'), environment),
  fc.tuple(fc.constant('autostart'), fc.constantFrom('true', 'false', 'On', '0')),
  fc.tuple(fc.constant('autorestart'), fc.constantFrom('true', 'false', 'unexpected', 'maybe')),
  fc.tuple(fc.constant('exitcodes'), fc.constantFrom('0', '0,2', '1', '3, 4')),
  fc.tuple(fc.constant('startretries'), fc.constantFrom('0', '1', '7', 'x')),
  fc.tuple(fc.constant('stopsignal'), fc.constantFrom('TERM', 'QUIT', 'SIGINT', '10', 'nonsense')),
  fc.tuple(fc.constant('stopwaitsecs'), fc.constantFrom('1', '20')),
  fc.tuple(fc.constant('stopasgroup'), fc.constantFrom('true', 'false')),
  fc.tuple(fc.constant('numprocs'), fc.constantFrom('1', '2', '3')),
  fc.tuple(fc.constant('numprocs_start'), fc.constantFrom('0', '5')),
  fc.tuple(
    fc.constant('process_name'),
    fc.constantFrom('%(program_name)s_%(process_num)02d', '%(program_name)s-%(process_num)d', 'one'),
  ),
  fc.tuple(fc.constant('unknown'), fc.constantFrom('x')),
);
const written = fc
  .tuple(
    key,
    fc.constantFrom('=', ' = ', ':'),
    fc.constantFrom('', ' ; comment', ' # comment', ' ;', '\n; between\n', '\n\n'),
  )
  .map(([[name, value], sign, end]) => `${name}${sign}${value}${end}`);
const program = fc
  .tuple(fc.constantFrom('one', 'two', 'three'), fc.oneof(command, shell), fc.array(written, { maxLength: 6 }))
  .map(([name, line, keys]) => `[program:${name}]\ncommand=${line}\n${keys.join('\n')}\n`);
const file = fc
  .tuple(
    fc.constantFrom('', 'environment=TOP="1",A=top\n', 'nodaemon=true\n'),
    fc.array(program, { minLength: 1, maxLength: 3 }),
  )
  .map(([top, programs]) => `[supervisord]\n${top}${programs.join('')}`);

describe.skipIf(skipWhen([noSupervisor], 'supervisord beside its import'))('supervisord.conf', () => {
  test('generated configurations are what supervisord makes of them', async () => {
    const texts = fc.sample(file, { numRuns: 400, seed: 11 });
    const loaded = loadAll(texts);
    let accepted = 0;
    for (const [index, one] of loaded.entries()) {
      if (!one.ok || one.processes.every(({ autostart }) => !autostart)) continue;
      accepted += 1;
      await compare(texts[index] ?? '', one);
    }
    expect(accepted).toBeGreaterThan(100);
  });

  test('what supervisord refuses in a value is reported', async () => {
    const wrong = [
      'autorestart=maybe',
      'startretries=x',
      'exitcodes=300',
      'environment=A=b c d',
      'environment=A="x",B',
      'process_name=50%',
      'directory=%(ENV_NOPE',
      'exitcodes=%(nope)s',
    ];
    const texts = wrong.map((one) => `[supervisord]\n[program:a]\ncommand=x\n${one}\n`);
    expect(loadAll(texts).map(({ ok }) => ok)).toEqual(texts.map(() => false));
    for (const text of texts) {
      const result = await importText('supervisord', text);
      expect(result.ok && lines(result.findings).some((line) => line.includes('needs a look')), text).toBe(true);
    }
  });

  test.each([
    ['no section', 'a=b\n'],
    ['a line without a sign', '[supervisord]\nnonsense\n'],
  ])('%s: neither reads the file', async (_, text) => {
    expect(loadAll([text])[0]?.ok).toBe(false);
    expect((await importText('supervisord', text)).ok).toBe(false);
  });
});

test('memmon of superlance: the report names the field that does the same', async () => {
  const text =
    '[supervisord]\n[program:web]\ncommand=web\n[eventlistener:memmon]\ncommand=memmon -p web=200MB -g all=2GB -a 1GB\nevents=TICK_60\n';
  const result = await importText('supervisord', text);
  expect(result.ok && lines(result.findings).join('\n')).toContain(
    'Write `max_memory: 200MiB` in web, `max_memory: 2GiB` in all, `max_memory: 1GiB` in each service',
  );
});

test('log files of both streams, and the level, are carried over with their rotation', async () => {
  const result = await importText(
    'supervisord',
    '[supervisord]\nloglevel=trace\n[program:a]\ncommand=/bin/a\nstdout_logfile=/l/a.log\n' +
      'stderr_logfile=/l/a.err\nstderr_logfile_maxbytes=2MB\nstderr_logfile_backups=3\n' +
      '[program:b]\ncommand=/bin/b\nnumprocs=2\nprocess_name=b_%(process_num)d\nstderr_logfile=/l/b.err\n',
  );
  const plan = planOf(result.ok ? result.text : '');
  expect(plan.log.level).toBe('debug');
  const logs = plan.services.map(({ log }) => [log.file, log.stderrFile]);
  const file = (path: string, maxSize: number, keep: number) => ({ path, maxSize, keep, compress: false });
  const usual = 50 * 2 ** 20;
  expect(logs).toEqual([
    [file('/l/a.log', usual, 10), file('/l/a.err', 2 * 2 ** 20, 3)],
    [null, file('/l/b.err.0', usual, 10)],
    [null, file('/l/b.err.1', usual, 10)],
  ]);
  const findings = lines(result.ok ? result.findings : []).join('\n');
  expect(findings).not.toContain('one log file');
  expect(findings).toContain('loglevel of [supervisord]: the nearest level of svc-super is `debug`');
});

test('a number of old log files that is none, or too large, is reported', async () => {
  const result = await importText(
    'supervisord',
    '[program:a]\ncommand=/bin/a\nstdout_logfile=/l/a.log\nstdout_logfile_backups=many\n' +
      'stderr_logfile=/l/a.err\nstderr_logfile_backups=5000\n',
  );
  expect(
    planOf(result.ok ? result.text : '').services.map(({ log }) => [log.file?.keep, log.stderrFile?.keep]),
  ).toEqual([[10, 1000]]);
  const findings = lines(result.ok ? result.findings : []).join('\n');
  expect(findings).toContain('stdout_logfile_backups of a: supervisord rejects it: it must be a whole number');
  expect(findings).toContain('stderr_logfile_backups of a: at most 1000 old files are kept');
});

test('a listener to every event ends the container at the first end', async () => {
  const yaml = (events: string) =>
    yamlOf('supervisord', `[program:a]\ncommand=a\n[eventlistener:k]\ncommand=kill -15 1\nevents=${events}\n`);
  expect(await yaml('EVENT')).not.toMatch(/exit:|essential: false/);
  expect(await yaml('TICK_5,EVENT')).not.toMatch(/exit:|essential: false/);
  expect(await yaml('PROCESS_STATE_FATAL')).toContain('exit: failure\n');
});

test('no retries: that svc-super does not restart after a run is reported', async () => {
  const result = await importText('supervisord', '[program:a]\ncommand=a\nstartretries=0\n');
  expect(result.ok && result.text).not.toContain('restart:');
  expect(result.ok && lines(result.findings).join('\n')).toContain('Write `restart: on-failure`');
});

test('a pattern of [include] may exclude characters', async () => {
  const read = (path: string) => (path.startsWith('d/') ? `[program:${path[2]}]\ncommand=x\n` : null);
  const list = (path: string) => (path === 'd' ? ['a.conf', 'b.conf'] : null);
  const yaml = await yamlOf('supervisord', '[include]\nfiles=d/[!a]*.conf\n', { path: 's.conf', read, list });
  expect(yaml).toContain('  b:\n');
  expect(yaml).not.toContain('  a:\n');
});

test('a variable that contains another one keeps its reference where it is expanded', async () => {
  const text =
    '[supervisord]\nenvironment=TOP="%(ENV_HOME)s/t"\n' +
    '[program:a]\nenvironment=A="%(ENV_HOME)s/x"\ndirectory=%(ENV_A)s\ncommand=run %(ENV_A)s %(ENV_TOP)s\n';
  const plan = planOf(await yamlOf('supervisord', text), { environment: { HOME: '/h' } });
  const [service] = plan.services;
  expect([service?.cwd, service?.argv]).toEqual(['/h/x', ['run', '/h/x', '/h/t']]);
});

test('a value without quotes that is cut at a second `=` is reported beside one with quotes', async () => {
  const report = async (environment: string) => {
    const result = await importText('supervisord', `[program:a]\ncommand=run\nenvironment=${environment}\n`);
    return lines(result.ok ? result.findings : []).join('\n');
  };
  expect(await report('A="x",B=y=C=z')).toContain('a value without quotes ends at the first character');
  expect(await report('A="x=y",B=\'y=z\'')).not.toContain('a value without quotes');
});

test('the variable of a stop signal keeps its case', async () => {
  const source = (signal: string) => `[program:a]\ncommand=run\nstopsignal=${signal}\n`;
  expect(await yamlOf('supervisord', source('%(ENV_sig)s'))).toContain(`stop: \${sig}`);
  expect(await yamlOf('supervisord', source('sigint'))).toContain('stop: INT');
});
