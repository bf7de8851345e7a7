// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// A resolved configuration: one text of all files that gives the same plan, with the place of each value, and without secrets.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { renderDiagnostics } from '../../src/config/diagnostic.ts';
import type { FileReader } from '../../src/config/file.ts';
import { loadDraft } from '../../src/config/load.ts';
import { type ResolvedInput, writeResolved } from '../../src/convert/resolved.ts';
import { loadPlan } from '../../src/plan/expand.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { memoryFiles } from '../config/rig.ts';
import { file } from './export/plans.ts';
import { EXAMPLES } from './export/rig.ts';

type Texts = Readonly<Record<string, string>>;
const ENVIRONMENT = { PORT: '8080', FOLDER: '/srv', HF_TOKEN: 'hidden', WORD: '007', EMPTY: '', DOLLAR: '${x}' };

/** The text of the files together. */
function resolved(texts: Texts, how: ResolvedInput['how'] = 'values', environment: Texts = ENVIRONMENT) {
  const [path = ''] = Object.keys(texts);
  const { config, root, diagnostics, sources } = loadDraft([path], memoryFiles(texts), environment);
  if (config === null || root === undefined) throw new Error(renderDiagnostics({ diagnostics, sources }));
  return writeResolved({ root, config, environment, how }, 'app');
}

/** Files of an image that has everything: users, virtual environments, and a token or variables at each other path. */
function imageWith(texts: Texts): FileReader {
  const users = [
    ...Object.values(texts)
      .join('\n')
      .matchAll(/user"?: ?"?([a-z][\w-]*)/g),
  ].map(([, name = '']) => name);
  const passwd = [...new Set(users)].map((name, at) => `${name}:x:${at + 100}:${at + 100}::/home:/bin/sh\n`).join('');
  const all: Texts = { ...texts, '/etc/passwd': passwd, '/etc/group': passwd.replace(/:[^:]*:[^:]*$/gm, ':') };
  const contents = memoryFiles(all);
  const isKnown = (path: string) => Object.hasOwn(all, path) || path.endsWith('.yaml');
  const isFolder = (path: string) => /^\/opt\/[\w.-]+$|\/s?bin$|venv$/.test(path);
  return {
    read: (path) =>
      isKnown(path) ? contents.read(path) : new TextEncoder().encode(path.endsWith('token') ? 'secret\n' : 'A=1\n'),
    stat: (path) =>
      isKnown(path) ? contents.stat(path) : { size: 4, isFile: !isFolder(path), isDirectory: isFolder(path) },
    list: (folder) => contents.list(folder),
  };
}

/** The plan without what depends on the place of the file. */
function planFrom(path: string, texts: Texts, environment: Texts): Omit<Plan, 'file'> {
  const loaded = loadPlan({ path, files: imageWith(texts), environment });
  if (!loaded.ok) throw new Error(`${renderDiagnostics(loaded.error)}\n${texts[path]}`);
  const { file: _, ...rest } = loaded.value.plan;
  return rest;
}

/** The text is read elsewhere, beside the same other files. */
function expectSame(texts: Texts, environment: Texts = ENVIRONMENT): void {
  const [path = ''] = Object.keys(texts);
  const { text } = resolved(texts, 'values', environment);
  const moved = planFrom('/elsewhere/x.yaml', { ...texts, '/elsewhere/x.yaml': text }, environment);
  expect([text, moved]).toEqual([text, planFrom(path, texts, environment)]);
}

const SEVERAL: Texts = {
  '/app/services.yaml': `include: conf.d/*.yaml
env: &env { A: "1", LONG: "a\\nb" }
defaults: { nice: 1, env: { <<: *env, B: 1.10 } }
services:
  web:
    command: |
      set -e
      exec serve "\${PORT}"
    port: \${PORT}
    env_file: [web.env]
    env: { TOKEN: { file: token }, HF: "\${HF_TOKEN}", W: "\${WORD}", D: "\${DOLLAR}", PLAIN: "$\${x}", E: "\${EMPTY}" }
    depends_on: [db]
  db:
    command: [db, --data, "\${FOLDER}/x"]
    replicas: 2
    log: { file: { path: "logs/\${SVC_REPLICA}.log" } }
`,
  '/app/conf.d/a.yaml': `services:
  web:
    env_file: own.env
    depends_on: { db: exited }
    ready:
      - http: { path: /x, status: [200, 204] }
      - exec: [check, "# no comment"]
`,
  '/app/web.env': 'X=1\n',
  '/app/token': 'secret\n',
  '/app/conf.d/own.env': 'Y=2\n',
};

describe('a resolved configuration', () => {
  test('has each value with its place', () => {
    expect(resolved(SEVERAL).text).toBe(`name: app  # the file's folder
env:
  A: "1"  # services.yaml:2
  LONG: |-  # services.yaml:2
    a
    b
defaults:
  nice: 1  # services.yaml:3
  env:
    B: 1.10  # services.yaml:3
    A: "1"  # services.yaml:2
    LONG: |-  # services.yaml:2
      a
      b
services:
  web:
    command: |  # services.yaml:6
      set -e
      exec serve "\${PORT}"
    port: 8080  # services.yaml:9
    env_file:
      - /app/web.env  # services.yaml:10
      - /app/conf.d/own.env  # conf.d/a.yaml:3
    env:
      TOKEN:
        file: /app/token  # services.yaml:11
      HF: \${HF_TOKEN}  # services.yaml:11
      W: "007"  # services.yaml:11
      D: $\${x}  # services.yaml:11
      PLAIN: $\${x}  # services.yaml:11
      E: ""  # services.yaml:11
    depends_on:
      db:
        condition: exited  # conf.d/a.yaml:4
    ready:
      - http:
          path: /x  # conf.d/a.yaml:6
          status: [200, 204]  # conf.d/a.yaml:6
      - exec: [check, "# no comment"]  # conf.d/a.yaml:7
  db:
    command: [db, --data, /srv/x]  # services.yaml:14
    replicas: 2  # services.yaml:15
    log:
      file:
        path: /app/logs/\${SVC_REPLICA}.log  # services.yaml:16
`);
  });

  test('keeps variables of a secret: by the key, or by the text that they make', () => {
    const values = { CTOK: 'hunter2', DSN: 'postgres://joe:hunter2@h/x', PLAIN: 'ok' };
    const { text } = resolved(
      {
        '/app/services.yaml': `control: { http: { token: "\${CTOK}" } }
services:
  web:
    command: [serve, "--api-key=\${CTOK}", "\${PLAIN}"]
    env: { API_TOKEN: "\${CTOK}", DATABASE: "\${DSN}", MYSQL: "\${PLAIN}" }
    ready: { http: { port: 1, headers: { Authorization: "Bearer \${CTOK}" } } }
`,
      },
      'values',
      values,
    );
    expect(text).not.toContain('hunter2');
    expect(text).toContain('      MYSQL: ok  #');
  });

  test('gives the same plan, wherever it is read', () => expectSame(SEVERAL));

  test('keeps references where asked to, and paths from the folder of the first file', () => {
    const { text, places } = resolved(SEVERAL, 'references', {});
    expect(text).toContain('    port: ${PORT}  # services.yaml:9\n');
    expect(text).toContain('      - conf.d/own.env  # conf.d/a.yaml:3\n');
    const line = text.split('\n').findIndex((one) => one.includes('own.env'));
    expect(places[line]).toMatchObject({ file: '/app/conf.d/a.yaml', range: { line: 3 } });
    expect(places).toHaveLength(text.split('\n').length - 1);
  });

  test('keeps references to variables that are not set, also in paths of included files', () => {
    const texts = {
      '/app/services.yaml': 'include: sub/a.yaml\nservices: { web: { command: x } }\n',
      '/app/sub/a.yaml': 'services: { web: { env_file: "x/${NOT_SET}.env", cwd: "${NOT_SET}" } }\n',
    };
    const { text } = resolved(texts, 'values', {});
    expect(text).toContain('    env_file: /app/sub/x/${NOT_SET}.env  # sub/a.yaml:1\n');
    expect(text).toContain('    cwd: ${NOT_SET}  # sub/a.yaml:1\n');
  });

  for (const [name, text] of EXAMPLES) {
    test(`of the example ${name} gives the same plan`, () => {
      const names = [...text.matchAll(/\$\{(\w+):\?/g)].map(([, variable = '']): [string, string] => [variable, '1']);
      expectSame({ [`/${name}/services.yaml`]: text }, { ...Object.fromEntries(names), HOME: '/root' });
    });
  }

  test('of any file gives the same plan', () => {
    let accepted = 0;
    const path = '/any/services.yaml';
    fc.assert(
      fc.property(file, (text) => {
        const isValid = loadPlan({ path, files: imageWith({ [path]: text }), environment: ENVIRONMENT }).ok;
        if (isValid) expectSame({ [path]: text });
        accepted += isValid ? 1 : 0;
      }),
      { numRuns: 100 },
    );
    expect(accepted).toBeGreaterThan(20);
  });
});
