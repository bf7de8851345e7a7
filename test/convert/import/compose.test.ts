// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// Compose files as compose-go, the library of `docker compose`, reads them: the same program, arguments and variables of each
// service, for the corpus and for generated texts.
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { parse } from 'yaml';
import { importSource } from '../../../src/convert/import/import.ts';
import type { ServicePlan } from '../../../src/plan/plan.ts';
import { planOf } from '../../config/rig.ts';
import { skipWhen } from '../../helpers/skip.ts';
import { COMPOSE, noOracles } from '../oracle.ts';
import { CORPUS, importText, inputOf, lines, yamlOf } from './rig.ts';

interface Loaded {
  readonly error: string;
  readonly services: Readonly<
    Record<
      string,
      {
        readonly entrypoint: readonly string[] | null;
        readonly command: readonly string[] | null;
        readonly environment: Readonly<Record<string, string | null>> | null;
      }
    >
  > | null;
}

const ENVIRONMENT = { SET: 'value', EMPTY: '', SECRET: 's', LOG_STATEMENT: 'all' };
const folder = mkdtempSync(join(tmpdir(), 'svc-super-compose-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function loadAll(files: readonly string[]): readonly Loaded[] {
  const { stdout, stderr, exitCode } = Bun.spawnSync([COMPOSE, ...files], { env: ENVIRONMENT });
  if (exitCode !== 0) throw new Error(stderr.toString());
  return stdout
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Loaded);
}

/** The program and its arguments; the shell of a text is left out on both sides. */
function wordsOf(argv: readonly string[]): readonly string[] {
  const [shell = '', flag, text = '', ...more] = argv;
  return /^(?:\/bin\/)?(?:sh|dash|ash)$/.test(shell) && flag === '-c' && more.length === 0
    ? ['sh', text.replace(/^exec /, '')]
    : argv;
}

const ownOf = (service: ServicePlan, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, service.env[name] ?? null]));

describe.skipIf(skipWhen([noOracles], 'compose-go beside its import'))('a Compose file', () => {
  test.each(['chat', 'blog', 'pipeline', 'extends', 'gpus'])(
    '%s.yaml of the corpus is what compose-go makes of it',
    async (name) => {
      const path = join(CORPUS, `compose/${name}.yaml`);
      const copy = join(CORPUS, 'compose', `${name}.yaml`);
      const [loaded] = loadAll([copy]);
      expect(loaded?.error, path).toBe('');
      const result = await importSource('compose', inputOf(`compose/${name}.yaml`));
      if (!result.ok) throw new Error(result.message);
      const files = { '/app/app.env': '' };
      const plan = planOf(result.text.replaceAll(/^ +(?:user|env_file): .*$/gm, ''), {
        environment: ENVIRONMENT,
        files,
      });
      for (const [key, { entrypoint, command, environment }] of Object.entries(loaded?.services ?? {})) {
        const service = plan.services.find(({ name: own }) => own === key || own === `${key}.0`);
        if (service === undefined) throw new Error(`${key} is missing`);
        const argv = [...(entrypoint ?? []), ...(command ?? [])];
        // Compose replaces variables of a text for a shell, which svc-super leaves to the shell.
        const ours = wordsOf(service.argv).map((word) => word.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1'));
        if (argv.length > 0) expect(ours, key).toEqual([...wordsOf(argv)]);
        const given = Object.entries(environment ?? {}).filter(
          ([one, value]) => value !== null && one !== 'NVIDIA_VISIBLE_DEVICES',
        );
        // A port of the service is exported as PORT; a value of the file's own stays.
        expect(
          ownOf(
            service,
            given.map(([one]) => one),
          ),
          key,
        ).toEqual(Object.fromEntries(given));
      }
    },
  );

  const piece = fc.constantFrom(
    'a',
    ' ',
    'b c',
    '"x y"',
    "'z'",
    '\\ ',
    '$$',
    '$SET',
    `\${SET}`,
    `\${NONE}`,
    `\${NONE:-d}`,
    `\${NONE-e f}`,
    `\${SET:+g}`,
    `\${EMPTY:-h}`,
    `\${NONE:-\${SET}}`,
    '--o=1',
    '#n',
    `$\${X}`,
    '"$SET"',
    '*',
    'é',
    '&&',
    ';',
  );
  const text = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(''));
  const list = fc.array(text, { minLength: 1, maxLength: 3 });
  const value = fc.oneof(text, fc.constantFrom(1, 0, 1.5, true, 'true', '010', 'x=y', ''));
  const service = fc.record({
    image: fc.constant('x'),
    entrypoint: fc.oneof(list, text),
    command: fc.option(fc.oneof(list, text), { nil: undefined }),
    environment: fc.oneof(
      fc.dictionary(fc.constantFrom('A', 'B', 'C'), value),
      fc.array(
        fc.tuple(fc.constantFrom('A', 'B'), text).map(([key, one]) => `${key}=${one}`),
        { maxLength: 2 },
      ),
    ),
  });

  test('generated commands and variables are what compose-go makes of them', async () => {
    const samples = fc.sample(service, { numRuns: 300, seed: 3 });
    const files = samples.map((sample, index) => {
      const path = join(folder, `${index}.yaml`);
      writeFileSync(path, JSON.stringify({ services: { a: sample } }));
      return path;
    });
    const loaded = loadAll(files);
    let compared = 0;
    for (const [index, one] of loaded.entries()) {
      const source = JSON.stringify({ services: { a: samples[index] } });
      const theirs = one.services?.a;
      const argv = [...(theirs?.entrypoint ?? []), ...(theirs?.command ?? [])];
      if (theirs === undefined || argv.length === 0 || argv[0] === '') continue;
      const result = await importText('compose', source);
      // A variable outside of quotes is one argument here: reported, and not compared.
      if (result.ok && lines(result.findings).some((line) => line.includes('one argument'))) continue;
      compared += 1;
      const plan = planOf(await yamlOf('compose', source), { environment: ENVIRONMENT });
      const [own] = plan.services;
      if (own === undefined) throw new Error('there is no service');
      expect(wordsOf(own.argv), source).toEqual(wordsOf(argv));
      const given = Object.entries(theirs.environment ?? {}).filter(([, text2]) => text2 !== null);
      expect(
        ownOf(
          own,
          given.map(([key]) => key),
        ),
        source,
      ).toEqual(Object.fromEntries(given));
    }
    expect(compared).toBeGreaterThan(80);
  });
});

describe.skipIf(skipWhen([noOracles], 'compose-go beside its import'))('several Compose files', () => {
  const text = fc.constantFrom('x', 'y z', '--o', '$SET', 'é');
  const services = fc.record(
    {
      entrypoint: fc.array(text, { minLength: 1, maxLength: 2 }).map((all) => ['run', ...all]),
      command: fc.oneof(fc.array(text, { minLength: 1, maxLength: 2 }), fc.constant('a "b c"')),
      environment: fc.oneof(
        fc.dictionary(fc.constantFrom('A', 'B', 'C'), text),
        fc.array(
          fc.tuple(fc.constantFrom('A', 'B', 'D'), text).map(([key, one]) => `${key}=${one}`),
          { maxLength: 2 },
        ),
      ),
      depends_on: fc.constantFrom<unknown>(['b'], { b: { condition: 'service_started' } }),
    },
    { requiredKeys: [] },
  );
  const bottom = { image: 'x', entrypoint: ['b'] };

  test('are merged as compose-go merges them', async () => {
    const samples = fc.sample(fc.tuple(services, services, services), { numRuns: 40, seed: 5 });
    for (const [index, sample] of samples.entries()) {
      const contents = sample.map((own, at) =>
        JSON.stringify({ services: { a: { ...(at === 0 && { image: 'x', entrypoint: ['a'] }), ...own }, b: bottom } }),
      );
      const paths = contents.map((content, at) => {
        const path = join(folder, `merge-${index}-${at}.yaml`);
        writeFileSync(path, content);
        return path;
      });
      const [loaded] = loadAll(['--merge', ...paths]);
      const theirs = loaded?.services?.a;
      expect(loaded?.error, contents.join('\n')).toBe('');
      const [first = '', ...rest] = contents;
      const more = rest.map((content, at) => ({ path: `${at}.yaml`, text: content }));
      const plan = planOf(await yamlOf('compose', first, { more }), { environment: ENVIRONMENT });
      const own = plan.services.find(({ name }) => name === 'a');
      if (own === undefined || theirs === undefined) throw new Error('there is no service');
      expect(wordsOf(own.argv), contents.join('\n')).toEqual(
        wordsOf([...(theirs.entrypoint ?? []), ...(theirs.command ?? [])]),
      );
      const given = theirs.environment ?? {};
      expect(ownOf(own, Object.keys(given)), contents.join('\n')).toEqual(given);
    }
  });

  test('lists are added, volumes of one target replaced, and services of the second file follow', async () => {
    const base = {
      services: { a: { image: 'x', entrypoint: ['a'], ports: ['80'], volumes: ['./one:/data', './c:/c'] } },
    };
    const own = {
      services: {
        a: {
          ports: ['81'],
          depends_on: ['more'],
          volumes: ['./two:/data'],
          healthcheck: { test: 'curl localhost:80/' },
        },
        more: { image: 'y', entrypoint: ['more'] },
      },
    };
    const more = [{ path: 'prod.yaml', text: JSON.stringify(own) }];
    const result = await importText('compose', JSON.stringify(base), { more });
    if (!result.ok) throw new Error(result.message);
    expect(result.text).toContain('ports: [80, 81]');
    expect(result.text).toContain('depends_on: { more: started }');
    expect(result.text).toContain('ready: { http: /');
    const report = lines(result.findings).join('\n');
    expect(report).toContain('-v ./c:/c -v ./two:/data');
    expect(report).toContain('prod.yaml:1:1: changed meaning: prod.yaml: its values are merged in');
  });
});

describe('a Compose file with a mistake', () => {
  const report = async (source: object) => {
    const result = await importText('compose', JSON.stringify({ services: source }));
    return result.ok ? lines(result.findings).join('\n') : result.message;
  };

  test.each([
    [
      'two programs that listen on one port',
      { a: { image: 'x', command: 'run --port 8000' }, b: { image: 'y', command: ['g', '--bind=0.0.0.0:8000'] } },
      'port 8000 of b: a (source:1) also listens on it',
    ],
    [
      'a variable without a default',
      { a: { image: 'x:$TAG', environment: { PASSWORD: '$ecret' } } },
      'ecret}: it has no default, so it is empty',
    ],
    [
      'a name that no variable can have',
      { a: { image: 'x', environment: { 'A=B': 'c' } } },
      'the name A=B contains `=`',
    ],
    ['an image with a variable', { a: { image: '$REG/x' } }, '`docker image inspect IMAGE > image.json`'],
    [
      'a key of services.yaml',
      { a: { image: 'x', ready: 'y' } },
      'ready of a: y: it is a key of services.yaml and not',
    ],
    ['an open `$(`', { a: { image: 'x', command: 'echo $$(date' } }, 'a quote or a `$(` is never closed'],
    ['a last backslash', { a: { image: 'x', command: 'echo \\' } }, 'nothing follows the last `\\`'],
    ['a name that is taken', { 'a b': { image: 'x' }, 'a-b': { image: 'x' } }, 'it is called a-b-2: the name is taken'],
    [
      'a name that is none, and then taken',
      { 'a-b': { image: 'x' }, 'a b': { image: 'x' } },
      'beginning with a letter or digit, and a-b is taken',
    ],
    ['a name that is none', { 'a b': { image: 'x' } }, 'it is called a-b: a name is letters, digits'],
    [
      'a misspelt key',
      { a: { image: 'x', helthcheck: {} } },
      'helthcheck of a: {}: services.yaml has nothing like it. Did you mean `healthcheck`?',
    ],
  ])('%s is reported', async (_, services, words) => {
    expect(await report(services)).toContain(words);
  });

  test('a client of a port listens on none', async () => {
    const services = { a: { image: 'x', command: 'run --port 5432' }, b: { image: 'y', command: 'psql --port 5432' } };
    expect(await report(services)).not.toContain('also listens');
  });
});

describe('a service of a Compose file', () => {
  const imported = async (fields: object) => {
    const result = await importText(
      'compose',
      JSON.stringify({ services: { a: { image: 'x', ...fields }, b: { command: ['b'] } } }),
    );
    if (!result.ok) throw new Error(result.message);
    return { text: result.text, report: lines(result.findings).join('\n') };
  };

  test.each<[string, object, string]>([
    ['restarts by a policy without a condition', { deploy: { restart_policy: { delay: '5s' } } }, 'restart: always'],
    [
      'restarts always, so often',
      { deploy: { restart_policy: { max_attempts: 3 } } },
      'restart: { policy: always, max: 3 }',
    ],
    [
      'restarts so often as a variable says by default',
      { deploy: { restart_policy: { condition: '${WHEN:-on-failure}', max_attempts: '${N:-3}' } } },
      'restart: { policy: on-failure, max: 3 }',
    ],
    ['has the signal of a variable', { stop_signal: '${sig:-SIGINT}' }, 'stop: ${sig:-SIGINT}'],
    [
      'has a hook with a variable',
      { pre_stop: [{ command: 'drain "${n:-a b}"' }] },
      'before_stop: [drain, "${n:-a b}"]',
    ],
    ['keeps the other limits', { ulimits: { nofile: 9, locks: 8, nproc: 7 } }, 'limits: { nofile: 9, nproc: 7 }'],
    ['keeps the other part of its stop', { stop_signal: 'SIGFOO', stop_grace_period: '1m' }, 'stop: { timeout: 1m }'],
    ['has copies by `scale`', { scale: 3 }, 'replicas: 3'],
    ['without a copy is started by hand', { scale: 0 }, 'start: manual'],
    [
      'runs its command if its entrypoint is cleared',
      { entrypoint: [''], command: ['run', '1'] },
      'command: [run, "1"]',
    ],
  ])('%s', async (_, fields, wanted) => {
    expect((await imported({ command: ['run'], ...fields })).text).toContain(wanted);
  });

  test('runs several hooks in turn', async () => {
    const { text } = await imported({
      command: ['run'],
      post_start: [
        { command: ['sh', '-c', 'a || b # c'] },
        { command: 'warm "x y" ${n:-d"e} $HOST' },
        { command: ['p', "it's X", ''] },
      ],
    });
    expect(parse(text).services.a.hooks.after_ready).toBe(
      `sh -c 'a || b # c' && warm 'x y' "\${n:-d\\"e}" "\${HOST}" && p 'it'\\''s X' ''`,
    );
  });

  test('whose number of restarts is none is reported', async () => {
    const { text, report } = await imported({
      command: ['run'],
      deploy: { restart_policy: { max_attempts: 'x' } },
    });
    expect(text).toContain('restart: always');
    expect(report).toContain('max_attempts of a: x is not a number');
  });

  test('with an optional dependency that is left out does not require it', async () => {
    const text = (name: string) =>
      `services:\n  a: { image: a, command: [a], depends_on: { ${name}: { condition: service_started, required: false } } }\n  b: { image: b, command: [b] }\n`;
    const findings = async (name: string) => {
      const result = await importText('compose', text(name));
      return result.ok ? lines(result.findings).join('\n') : result.message;
    };
    expect(await findings('b')).toContain('depends_on b of a: it is required here');
    expect(await findings('gone')).toContain('depends_on gone: no service has that name');
    expect(await findings('gone')).not.toContain('required');
  });

  test('whose limit is unknown says which', async () => {
    const { report } = await imported({ command: ['run'], ulimits: { nofile: 9, locks: 8 } });
    expect(report).toContain('`limits.locks` of a: it is left out');
    expect(report).not.toContain('limits.nofile');
  });

  test.each(['command', 'entrypoint'])('whose %s cannot be split is not asked for that of its image', async (key) => {
    const { text, report } = await imported({ [key]: 'run "' });
    expect(text).toContain('# TODO: its command in the source cannot be split into words (see the report)');
    expect(report).toContain(`${key} of a: it cannot be split into words`);
    expect(report).not.toContain('of a: the command');
  });

  test('whose hook has an operator of a shell says what Compose drops', async () => {
    const { text, report } = await imported({ command: ['run'], pre_stop: [{ command: 'a || b' }] });
    expect(text).toContain('before_stop: [a]');
    expect(report).toContain('pre_stop of a: Compose has no shell and drops what follows: || b');
  });

  test('whose program has an empty name is reported', async () => {
    expect((await imported({ entrypoint: ['', 'x'] })).report).toContain('there is no program to run');
  });

  test('names the key that its number of copies comes from', async () => {
    expect((await imported({ command: ['run'], scale: 3, deploy: { replicas: 3 } })).report).not.toContain('scale');
  });

  test.each(['-w', '--write-out'])('keeps a health check whose curl has %s', async (option) => {
    const test = ['CMD', 'curl', '-f', option, 'x', 'http://localhost:80/'];
    expect((await imported({ command: ['run'], healthcheck: { test } })).text).toContain('exec: ');
  });
});

test.each([
  ['$APP-prod', '${APP:-}-prod'],
  ['${APP}-prod', '${APP:-}-prod'],
  ['${APP:-shop}', '${APP:-shop}'],
  ['$APP', 'APP'],
  ['shop', 'shop'],
])('the name %s becomes %s', async (name, expected) => {
  const source = `name: ${name}\nservices: {a: {image: x, entrypoint: [run]}}`;
  expect(parse(await yamlOf('compose', source)).name).toBe(expected);
});

test('braces in a default are in pairs, and for a shell the closing ones are escaped', async () => {
  const text = '${A:-{"a": {"b": 1}}}';
  const fields = { image: 'x', entrypoint: ['run', text], environment: { B: text, C: '${A:-$${X}}' } };
  const { a } = parse(await yamlOf('compose', JSON.stringify({ services: { a: fields } }))).services;
  expect(a).toMatchObject({ command: ['run', text], env: { B: text, C: '${A:-$${X}}' } });
  const shell = { ...fields, entrypoint: ['sh', '-c', `run "${text}"; exit`] };
  const made = parse(await yamlOf('compose', JSON.stringify({ services: { a: shell } }))).services.a;
  expect(made.command).toBe('run "${A:-{"a": {"b": 1\\}\\}}"; exit');
});
