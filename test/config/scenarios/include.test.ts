// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// Configurations of several files: which files are read, and in which order; how they are merged; what is refused.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { render, renderDiagnostics } from '../../../src/config/diagnostic.ts';
import { loadDraft } from '../../../src/config/load.ts';
import { SERVICE } from '../../../src/config/schema.ts';
import { loadPlan } from '../../../src/plan/expand.ts';
import type { ServicePlan } from '../../../src/plan/plan.ts';
import { file } from '../../convert/export/plans.ts';
import { type Around, memoryFiles, PATH, planOf, printed } from '../rig.ts';

const MAIN = 'include: conf.d/*.yaml\nservices:\n  web:\n    command: run\n';

/** A plan of services.yaml and the other files of its folder. */
const withFiles = (main: string, files: Readonly<Record<string, string>>, around: Around = {}) =>
  planOf(main, { ...around, files: inFolder(files) });
const inFolder = (files: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(files).map(([path, text]) => [`/app/${path}`, text]));
const complaint = (main: string, files: Readonly<Record<string, string>> = {}) =>
  printed(main, { files: inFolder(files) });

/** What is printed for several files of the command line; `ok` if there is nothing. */
function together(files: Readonly<Record<string, string>>) {
  const [first = '', ...more] = Object.keys(files).map((path) => `/app/${path}`);
  const loaded = loadPlan({ path: first, more, files: memoryFiles(inFolder(files)), environment: {} });
  if (!loaded.ok) throw new Error(renderDiagnostics(loaded.error).replaceAll('/app/', ''));
  expect(render(loaded.value.warnings, loaded.value.sources)).toBe('');
  return loaded.value.plan;
}

/** The first service of two files of the command line, which have these fields. */
function merged(first: string, second: string): ServicePlan {
  const services = (fields: string) => `services:\n  web:\n    ${fields.replaceAll('\n', '\n    ')}\n`;
  const base = /^command:/m.test(first) ? first : `command: run\n${first}`;
  const [service] = together({ 'a.yaml': services(base), 'b.yaml': services(second) }).services;
  if (service === undefined) throw new Error('there is no service');
  return service;
}

describe('the files that are read', () => {
  const command = (text: string) => `services: { ${text}: { command: ${text} } }\n`;

  test('are those of the command line in order, each followed by the files that it includes', () => {
    const plan = withFiles(`include: [b.yaml, c.yaml]\n${command('a')}`, {
      'b.yaml': `include: d.yaml\n${command('b')}`,
      'c.yaml': command('c'),
      'd.yaml': command('d'),
    });
    expect(plan.services.map(({ name }) => name)).toEqual(['a', 'b', 'd', 'c']);
    const both = together({ 'x.yaml': command('x'), 'sub/y.yaml': command('y') });
    expect(both.services.map(({ name }) => name)).toEqual(['x', 'y']);
    expect(both.file).toBe('/app/x.yaml');
  });

  test('of a pattern are sorted, without hidden files, folders and other names', () => {
    const files = Object.fromEntries(
      ['20-b', '10-a', '.hidden', '3'].map((name) => [`conf.d/${name}.yaml`, command(`s${name.replace('.', '')}`)]),
    );
    const plan = withFiles(`include: "conf.d/*.yaml"\n${command('main')}`, {
      ...files,
      'conf.d/note.txt': 'not: { yaml',
      'conf.d/sub.yaml/x': 'not: { yaml',
    });
    expect(plan.services.map(({ name }) => name)).toEqual(['main', 's10-a', 's20-b', 's3']);
    const some = withFiles(`include: "conf.d/[12]?-*.yaml"\n${command('main')}`, files);
    expect(some.services.map(({ name }) => name)).toEqual(['main', 's10-a', 's20-b']);
  });

  test('of a pattern may be none, and a file that is not required may be missing', () => {
    const main = `include: ["conf.d/*.yaml", { path: extra.yaml, required: false }]\n${command('a')}`;
    expect(withFiles(main, {}).services.map(({ name }) => name)).toEqual(['a']);
    expect(withFiles(main, { 'extra.yaml': command('b') }).services.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  test('of the command line may have nothing but comments, if another has a service', () => {
    const both = together({ 'a.yaml': '# nothing\n', 'b.yaml': command('b') });
    expect(both.services.map(({ name }) => name)).toEqual(['b']);
    expect(() => together({ 'a.yaml': '', 'b.yaml': '# nothing\n' })).toThrow(
      'a.yaml:1:1: error: the file has no `services`',
    );
  });

  test.each(['', '\n', '# services:\r\n#   b: { command: b }\n\n'])('may have nothing but comments: %j', (text) => {
    const plan = withFiles(`include: "conf.d/*.yaml"\n${command('a')}`, { 'conf.d/b.yaml': text });
    expect(plan.services.map(({ name }) => name)).toEqual(['a']);
  });

  test('are read once, where they are named first', () => {
    const plan = withFiles(`include: [z.yaml, "*.yaml"]\n${command('a')}`, {
      'b.yaml': command('b'),
      'z.yaml': command('z'),
    });
    // services.yaml matches the pattern too, and is not included in itself.
    expect(plan.services.map(({ name }) => name)).toEqual(['a', 'z', 'b']);
  });

  test('can be named with variables', () => {
    const around = { environment: { SITE: 'berlin' } };
    const plan = withFiles(`include: "\${SITE}.yaml"\n${command('a')}`, { 'berlin.yaml': command('b') }, around);
    expect(plan.services.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  test('must exist, unless the entry says otherwise', () => {
    expect(complaint(`include:\n  - extra.yaml\n${command('a')}`)).toBe(
      `services.yaml:2:5: error: cannot read extra.yaml: there is no such file
   2 |   - extra.yaml
     |     ~~~~~~~~~~
     help: create the file, or write \`{path: …, required: false}\` if it may be missing
`,
    );
    expect(complaint(`include: { path: "x/*.yaml", required: true }\n${command('a')}`)).toContain(
      'services.yaml:1:18: error: no file matches `x/*.yaml`',
    );
  });

  test('must not include each other', () => {
    const files = { 'b.yaml': 'include: c.yaml\n', 'c.yaml': 'x-a: 1\ninclude: [b.yaml]\n' };
    expect(complaint(`include: b.yaml\n${command('a')}`, files)).toBe(
      `c.yaml:2:11: error: b.yaml includes itself: b.yaml → c.yaml → b.yaml
   2 | include: [b.yaml]
     |           ~~~~~~
     help: remove one of these entries of \`include\`
b.yaml:1:10: note: c.yaml is included here
   1 | include: c.yaml
     |          ~~~~~~
`,
    );
  });

  test('may be five hundred', () => {
    const names = Array.from({ length: 500 }, (_, index) => `conf.d/${index}.yaml`);
    const files = Object.fromEntries(names.map((name) => [name, 'x-a: 1\n']));
    expect(complaint(MAIN, files)).toContain('services.yaml:1:10: error: the configuration has more than 500 files');
    const { [names[0] ?? '']: _, ...fewer } = files;
    expect(complaint(MAIN, fewer)).toBe('');
  });
});

describe('a relative path starts at the folder of its file', () => {
  test('for env files, secrets, log files, virtual environments and tokens', () => {
    const part = `
services:
  web:
    env_file: web.env
    env: { SECRET: { file: secret }, MORE: { file: /run/more } }
    log: { file: { path: "\${LOGS:-logs}/web.log" } }
    venv: venv
control: { http: { token: { file: token } } }
`;
    const around = {
      files: {
        '/etc/more/x.yaml': part,
        '/etc/more/web.env': 'A=1\n',
        '/etc/more/secret': 'hidden\n',
        '/run/more': 'more\n',
        '/etc/more/token': 'abc\n',
        '/etc/more/venv': null,
        '/etc/more/venv/pyvenv.cfg': 'home = /usr\n',
        '/etc/more/venv/bin': null,
        '/etc/more/venv/bin/python': '',
      },
    };
    const plan = planOf('include: /etc/more/x.yaml\nservices: { web: { command: run } }\n', around);
    const [web] = plan.services;
    expect(web?.env).toMatchObject({ A: '1', SECRET: 'hidden', MORE: 'more', VIRTUAL_ENV: '/etc/more/venv' });
    expect(web?.log.file?.path).toBe('/etc/more/logs/web.log');
    expect(plan.control?.token).toBe('abc');
  });

  test('and anchors belong to their file', () => {
    const main = 'include: b.yaml\nx-a: &env { A: 1 }\nservices: { web: { command: run, env: *env } }\n';
    expect(complaint(main, { 'b.yaml': 'services:\n  other: { command: run, env: *env }\n' })).toContain(
      'b.yaml:2:31: error: there is no anchor `&env` before this alias',
    );
    expect(
      withFiles(main, { 'b.yaml': 'x-a: &env { B: 2 }\nservices: { web: { env: *env } }\n' }).services[0]?.env,
    ).toMatchObject({
      A: '1',
      B: '2',
    });
  });
});

describe('a later file', () => {
  const cases: readonly (readonly [
    title: string,
    first: string,
    second: string,
    found: (service: ServicePlan) => unknown,
    expected: unknown,
  ])[] = [
    ['replaces a value', 'cwd: /a', 'cwd: /b', ({ cwd }) => cwd, '/b'],
    ['replaces a command', 'command: [a, b]', 'command: [c]', ({ argv }) => argv, ['c']],
    [
      'replaces a stop command',
      'stop: { command: [a], timeout: 1s }',
      'stop: { command: [b] }',
      ({ stop }) => [stop.argv, stop.timeout],
      [['b'], 1000],
    ],
    [
      'replaces a hook of words',
      'hooks: { after_exit: [a, b] }',
      'hooks: { after_exit: [c] }',
      ({ hooks }) => hooks.afterExit?.argv,
      ['c'],
    ],
    ['merges maps', 'env: { A: 1, B: 2 }', 'env: { B: 3, C: 4 }', ({ env }) => [env.A, env.B, env.C], ['1', '3', '4']],
    [
      'appends to a list',
      'success_codes: [0, 3]',
      'success_codes: [3, 4]',
      ({ successCodes }) => successCodes,
      [0, 3, 4],
    ],
    ['replaces a port by ports', 'port: 80', 'ports: [81, 82]', ({ ports }) => ports, [81, 82]],
    [
      'replaces a schedule by an interval',
      'type: task\nschedule: "@daily"',
      'every: 5m',
      ({ schedule }) => schedule?.when.kind,
      'every',
    ],
    ['appends ports', 'ports: [80]', 'ports: [80, 81]', ({ ports }) => ports, [80, 81]],
    [
      'completes a short form',
      'restart: on-failure',
      'restart: { max: 3 }',
      ({ restart }) => [restart.policy, restart.max],
      ['on-failure', 3],
    ],
    [
      'changes the policy of a long form',
      'restart: { policy: always, max: 3 }',
      'restart: on-failure',
      ({ restart }) => [restart.policy, restart.max],
      ['on-failure', 3],
    ],
    [
      'changes a stop signal',
      'stop: { timeout: 2s }',
      'stop: INT',
      ({ stop }) => [stop.signal, stop.timeout],
      ['SIGINT', 2000],
    ],
    [
      'completes a probe',
      'ready: { http: "http://127.0.0.1:1/" }',
      'ready: { timeout: 9s }',
      ({ ready }) => ready.map((one) => [one.kind, one.timeout]),
      [['http', 9000]],
    ],
    [
      'gives a probe another kind',
      'ready: { http: "http://127.0.0.1:1/", timeout: 9s }',
      'ready: { file: /x }',
      ({ ready }) => ready.map((one) => [one.kind, one.timeout]),
      [['file', 9000]],
    ],
    ['adds a probe to a list', 'ready: [{ file: /a }]', 'ready: { file: /b }', ({ ready }) => ready.length, 2],
    [
      'adds forwarded signals',
      'forward: [HUP]',
      'forward: { USR1: USR2 }',
      ({ forward }) => forward,
      { SIGHUP: 'SIGHUP', SIGUSR1: 'SIGUSR2' },
    ],
    [
      'adds patterns',
      'log: { drop: a }',
      'log: { drop: [b], prefix: false }',
      ({ log }) => [log.drop, log.prefix],
      [['a', 'b'], false],
    ],
    ['changes nothing with an empty map', 'env: { A: 1 }', 'env:', ({ env }) => env.A, '1'],
    [
      'removes with !reset',
      'user: "7"\nenv: { A: 1, B: 2 }',
      'user: !reset null\nenv: { A: !reset }',
      ({ attributes, env }) => [attributes.user, env.A, env.B],
      [null, undefined, '2'],
    ],
    [
      'replaces with !override',
      'env: { A: 1 }\nports: [80, 81]',
      'env: !override { B: 2 }\nports: !override\n  - 82',
      ({ env, ports }) => [env.A, env.B, ports],
      [undefined, '2', [82]],
    ],
    ['keeps the type after !override', 'nice: 1', 'nice: !override 5', ({ attributes }) => attributes.nice, 5],
  ];
  for (const [title, first, second, found, expected] of cases) {
    test(title, () => expect(found(merged(first, second))).toEqual(expected));
  }

  test('adds dependencies, in either form', () => {
    const services = (rest: string) =>
      `services:\n  a: { command: run }\n  b: { command: run }\n  web: { command: run, ${rest} }\n`;
    const edges = (first: string, second: string) =>
      together({ 'a.yaml': services(first), 'b.yaml': `services: { web: { ${second} } }\n` }).services[2]?.edges.map(
        ({ on, condition, restarts }) => [on, condition, restarts === true],
      );
    expect(edges('depends_on: [a]', 'depends_on: [a, b]')).toEqual([
      ['a', 'started', false],
      ['b', 'started', false],
    ]);
    expect(edges('depends_on: [a]', 'depends_on: { b: exited }')).toEqual([
      ['a', 'started', false],
      ['b', 'exited', false],
    ]);
    expect(edges('depends_on: { a: exited }', 'depends_on: { a: { restart: true } }')).toEqual([['a', 'exited', true]]);
  });

  test('has env files that win over those of earlier files, named again or not', () => {
    const files = { '/app/a.env': 'X=a\n', '/app/b.env': 'X=b\n' };
    const main = 'include: z.yaml\nservices: { web: { command: run, env_file: [a.env, b.env] } }\n';
    const x = (text: string) => planOf(main, { files: { ...files, '/app/z.yaml': text } }).services[0]?.env.X;
    expect(x('services: { web: { env_file: a.env } }')).toBe('a');
    expect(x('services: { web: { env_file: [] } }')).toBe('b');
  });

  test('replaces GPUs as a whole, and keeps their other settings', () => {
    const wish = (first: string, second: string) => {
      const text = (gpus: string) => `services: { web: { command: run, gpus: ${gpus} } }\n`;
      const files = memoryFiles({ '/a.yaml': text(first), '/b.yaml': text(second) });
      const gpus = loadDraft(['/a.yaml', '/b.yaml'], files, {}).config?.services[0]?.gpus;
      return [gpus?.wish, gpus?.shared, gpus?.optional];
    };
    expect(wish('[0, 1]', '[2]')).toEqual([['2'], false, false]);
    expect(wish('{ count: 1, optional: true }', '{ share: all }')).toEqual(['all', true, true]);
    expect(wish('2', 'all')).toEqual(['all', false, false]);
  });

  test('changes defaults, and replicas get their numbers', () => {
    const plan = together({
      'a.yaml': 'defaults: { nice: 1, cwd: /x }\nservices: { web: { command: run, replicas: 2 } }\n',
      'b.yaml': 'defaults: { nice: 2 }\nservices: { web: { env: { N: "${SVC_REPLICA}" } } }\n',
    });
    expect(plan.services.map(({ attributes, cwd, env }) => [attributes.nice, cwd, env.N])).toEqual([
      [2, '/x', '0'],
      [2, '/x', '1'],
    ]);
  });
});

describe('a conflict', () => {
  test('is one field with two values, in files of which neither includes the other', () => {
    const files = {
      'conf.d/a.yaml': 'services:\n  web:\n    cwd: /a\n',
      'conf.d/b.yaml': 'services:\n  web:\n    cwd: /b\n',
    };
    expect(complaint(MAIN, files)).toBe(
      `conf.d/b.yaml:3:5: error: \`cwd\` has another value in conf.d/a.yaml, and neither file includes the other
   3 |     cwd: /b
     |     ~~~
     help: remove one of the two; if this one is meant to win, write \`cwd: !override …\`
conf.d/a.yaml:3:5: note: the earlier value
   3 |     cwd: /a
     |     ~~~
`,
    );
    const meant = { ...files, 'conf.d/b.yaml': 'services: { web: { cwd: !override /b } }\n' };
    expect(withFiles(MAIN, meant).services[0]?.cwd).toBe('/b');
    const same = { ...files, 'conf.d/b.yaml': 'services: { web: { cwd: /a } }\n' };
    expect(withFiles(MAIN, same).services[0]?.cwd).toBe('/a');
  });

  test('is also two alternatives, and a service that two files define', () => {
    const port = (field: string) => `services: { web: { ${field} } }\n`;
    expect(complaint(MAIN, { 'conf.d/a.yaml': port('port: 1'), 'conf.d/b.yaml': port('ports: [2]') })).toContain(
      'conf.d/b.yaml:1:20: error: `ports` contradicts `port` in conf.d/a.yaml, and neither file includes the other',
    );
    const meant = { 'conf.d/a.yaml': port('port: 1'), 'conf.d/b.yaml': port('ports: !override [2]') };
    expect(withFiles(MAIN, meant).services[0]?.ports).toEqual([2]);
    const two = {
      'conf.d/a.yaml': 'services: { x: { command: a } }\n',
      'conf.d/b.yaml': 'services: { x: { command: b } }\n',
    };
    expect(complaint(MAIN, two)).toContain('conf.d/b.yaml:1:18: error: `command` has another value in conf.d/a.yaml');
  });

  test('is not what the including file has, nor a later file of the command line', () => {
    expect(withFiles(MAIN, { 'conf.d/a.yaml': 'services: { web: { command: other } }\n' }).services[0]?.argv).toContain(
      'exec other',
    );
    expect(merged('cwd: /a', 'cwd: /b').cwd).toBe('/b');
  });

  test('is a map in one file and something else in the other', () => {
    expect(complaint(MAIN, { 'conf.d/a.yaml': 'services: [web]\n' })).toContain(
      'conf.d/a.yaml:1:1: error: `services` must be a map here and in the file that it is merged with',
    );
  });

  test('`!reset` needs something to remove, and tags stand before values only', () => {
    expect(complaint(MAIN, { 'conf.d/a.yaml': 'services:\n  web:\n    cdw: !reset\n' })).toContain(
      'conf.d/a.yaml:3:5: error: there is no earlier `cdw` to reset',
    );
    expect(complaint('services: { web: { command: [!reset x] } }\n')).toContain('error: `!reset` has no meaning here');
    expect(complaint('!override\nservices: { web: { command: run } }\n')).toContain(
      'services.yaml:2:1: error: `!override` has no meaning here',
    );
    expect(complaint('services: { web: { command: run, cwd: !reset } }\n')).toContain(
      'error: there is no earlier `cwd` to reset',
    );
  });
});

describe('a mistake', () => {
  test('is reported in its file, with all others', () => {
    const files = {
      'conf.d/a.yaml': 'services:\n  web:\n    prot: 80\n',
      'conf.d/b.yaml': '# a comment\nservices:\n  db: { command: run, depends_on: [wbe] }\n',
    };
    expect(complaint(MAIN, files)).toBe(
      `conf.d/a.yaml:3:5: error: unknown key \`prot\` in a service
   3 |     prot: 80
     |     ~~~~
     help: did you mean \`port\`?
conf.d/b.yaml:3:36: error: \`db\` depends on \`wbe\`, which does not exist
   3 |   db: { command: run, depends_on: [wbe] }
     |                                    ~~~
     help: did you mean \`web\`?
`,
    );
  });

  test('of the syntax of one file is all that is reported', () => {
    const files = {
      'conf.d/a.yaml': 'services: { web: [\n',
      'conf.d/b.yaml': 'services: { x: { depends_on: [y] } }\n',
    };
    const text = complaint(MAIN, files);
    expect(text).toMatch(/^conf\.d\/a\.yaml:\d+:\d+: error: YAML: /);
    expect(text).not.toContain('b.yaml');
  });

  test('shows an unset variable where it stands', () => {
    expect(complaint(MAIN, { 'conf.d/a.yaml': 'services:\n  web:\n    cwd: "/x/${NOT_SET}"\n' })).toContain(
      'conf.d/a.yaml:3:14: error: NOT_SET is not set',
    );
  });
});

/** Fields of the services of `file`, with values of all kinds and tags. */
const VALUES = [
  'x',
  '[a, b]',
  '{ a: b }',
  '!reset',
  '!override [1]',
  '!override { x: y }',
  '',
  '3',
  '*x',
  '&x y',
  '[{ file: /x }]',
];
const written = fc
  .dictionary(fc.constantFrom(...Object.keys(SERVICE)), fc.constantFrom(...VALUES), { maxKeys: 6 })
  .map((fields) => Object.entries(fields).map(([key, value]) => `    ${key}: ${value}\n`));
const nonsense = fc
  .tuple(
    fc.constantFrom('services:', 'services: !override', 'services: !reset', '- a'),
    fc.constantFrom('one', 'Two_2', 'new'),
    written,
  )
  .map(([head, name, lines]) => `${head}\n  ${name}:\n${lines.join('')}`);

describe('any file', () => {
  const plan = (files: Readonly<Record<string, string>>) => {
    const [first = '', ...more] = Object.keys(files);
    const contents = memoryFiles({
      ...files,
      '/etc/passwd': 'nobody:x:9:9::/:\nwww-data:x:8:8::/:\n',
      '/etc/group': 'www-data:x:8:\n',
    });
    const loaded = loadPlan({ path: first, more, files: contents, environment: {} });
    if (!loaded.ok) return null;
    const { more: _, ...rest } = loaded.value.plan;
    return rest;
  };

  test('is not changed by a copy of itself, nor by a part of itself with !override', () => {
    let compared = 0;
    fc.assert(
      fc.property(file, fc.boolean(), (text, isWhole) => {
        // What the files of the environment would add is not what is compared.
        const { services, ...top } = JSON.parse(
          text.replaceAll(/"(?:env_file|venv)":(?:"[^"]*"|\[[^\]]*\]),?/g, '').replaceAll(',}', '}'),
        );
        const alone = JSON.stringify({ ...top, services });
        const second = isWhole ? alone : `services: !override ${JSON.stringify(services)}`;
        const wanted = plan({ '/app/a.yaml': alone });
        if (wanted === null) return;
        compared += 1;
        expect([alone, plan({ '/app/a.yaml': alone, '/app/b.yaml': second })]).toEqual([alone, wanted]);
      }),
      { numRuns: 150 },
    );
    expect(compared).toBeGreaterThan(20);
  });

  test('merged with any other gives a plan, or mistakes at places that exist', () => {
    fc.assert(
      fc.property(file, nonsense, fc.boolean(), (text, other, isIncluded) => {
        const main = isIncluded ? text.replace('{', '{"include":"b.yaml",') : text;
        const files = memoryFiles({ '/app/a.yaml': main, '/app/b.yaml': other });
        const { diagnostics, sources } = loadDraft(
          isIncluded ? ['/app/a.yaml'] : ['/app/a.yaml', '/app/b.yaml'],
          files,
          {},
        );
        for (const { file: path, range } of diagnostics) {
          const lines = (sources.get(path) ?? '').split('\n');
          expect([path, sources.has(path), range.line <= lines.length]).toEqual([path, true, true]);
        }
      }),
      { numRuns: 300 },
    );
  });
});

test('services.yaml of a plan is the first file', () => {
  expect(withFiles(MAIN, { 'conf.d/a.yaml': 'x-a: 1\n' }).file).toBe(PATH);
});
