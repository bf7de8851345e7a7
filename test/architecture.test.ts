// Holds both tables of the design: which folder may import which, and where each effect has its home. Scans the text of
// src/ without its comments; executes nothing of it. Reports each breach with its file.
import { expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const ROOT = join(import.meta.dir, '../src');
const TESTS = import.meta.dir;

/** `type x`: only with `import type`. `main`, `context` and `up` connect the folders. */
const MAY_IMPORT: Readonly<Record<string, readonly string[] | 'everything'>> = {
  main: 'everything',
  up: 'everything',
  context: 'everything',
  check: ['config', 'plan', 'linux'],
  cli: ['check', 'config', 'control', 'convert', 'core', 'plan', 'messages'],
  control: ['core', 'plan', 'messages', 'type logs', 'type pid1', 'dashboard'],
  dashboard: ['type control', 'type core'],
  messages: ['type core', 'plan'],
  runtime: ['core', 'plan', 'ports', 'type pid1'],
  logs: ['ports', 'linux', 'platform'],
  pid1: ['ports', 'linux', 'platform', 'type plan'],
  linux: ['ports', 'type plan'],
  platform: ['ports'],
  convert: ['plan', 'config'],
  core: ['plan'],
  plan: ['config'],
  config: [],
  ports: [],
  text: [],
  bytes: [],
  paths: [],
};

const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.tsx?$/.test(path) && !path.endsWith('.d.ts'))
  .sort()
  .map((path) => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    return { path, text, code: text.replace(/\/\*[\s\S]*?\*\/|(?<![:'"`\\])\/\/.*$/gm, '') };
  });

const within =
  (...homes: readonly string[]) =>
  (path: string) =>
    homes.some((home) => path.startsWith(home));

const from = (modules: string) => new RegExp(`(from|import|import\\(|require\\()\\s*['"](${modules})['"/]`);
const EFFECTS: readonly { what: string; sign: RegExp; home: (path: string) => boolean }[] = [
  {
    what: 'FFI',
    sign: new RegExp(`${from('bun:ffi|ffi-napi|koffi').source}|\\bdlopen\\(`),
    home: () => false,
  },
  {
    what: 'what only one runtime has',
    sign: new RegExp(`\\bBun\\b|${from('bun(:\\w+)?').source}`),
    home: within('platform/'),
  },
  // Tools that report on the machine. PID 1 starts everything that belongs to a service.
  { what: 'execa', sign: from('execa'), home: within('linux/capture.ts') },
  { what: 'spawning', sign: from('(node:)?child_process'), home: () => false },
  // When PID 1 is gone; and Ctrl-Z, which stops the own process group.
  {
    what: 'killing',
    sign: /\bprocess\.kill\(/,
    home: within('pid1/children.ts', 'platform/runtime.ts', 'platform/screen.ts'),
  },
  { what: 'the clock', sign: /\b(Date\.now|new Date\(\)|performance\.|process\.hrtime)/, home: within('ports.ts') },
  {
    what: 'timers',
    sign: /\b(set(Timeout|Interval|Immediate)|Bun\.sleep|timers\/promises)\b/,
    home: within('ports.ts'),
  },
  { what: 'randomness', sign: /\b(Math\.random|crypto\.(getRandom|random))/, home: within('ports.ts') },
  {
    what: 'files',
    sign: new RegExp(`${from('(node:)?fs(/promises)?').source}|getBuiltinModule\\('node:fs|\\bBun\\.(file|write)\\b`),
    home: within('main.ts', 'linux/', 'platform/', 'logs/sinks'),
  },
  {
    what: 'sockets',
    sign: new RegExp(
      `${from('(node:)?(net|http|https|tls|dgram)').source}|\\bBun\\.(serve|listen|connect|udpSocket)\\b|\\bfetch\\(`,
    ),
    home: within('control/', 'platform/', 'runtime/probe'),
  },
  { what: 'yaml', sign: from('yaml'), home: within('config/yaml-thorough.ts', 'convert/') },
  { what: 'js-yaml', sign: from('js-yaml'), home: within('config/yaml-quick.ts') },
  { what: 'croner', sign: from('croner'), home: within('config/cron.ts') },
  { what: 'pino', sign: from('pino'), home: within('up/announcer.ts') },
  { what: 'ink', sign: from('ink|react'), home: within('cli/top/draw.ts') },
  { what: 'process.env', sign: /\b(process|Bun|import\.meta)\.env\b/, home: () => false },
  { what: 'process.exit', sign: /\bprocess\.(exit\(|exitCode|abort\()/, home: within('main.ts') },
  { what: 'console', sign: /\bconsole\.\w/, home: () => false },
];

/** Pure tables that every folder may use. */
const SHARED = ['text', 'bytes', 'paths'];
/** Tables of Linux that every folder may use; they import nothing. */
const TABLES = ['exit-codes', 'limits', 'signals'].map((name) => `linux/${name}.ts`);

/** Files that the page of the dashboard has in its bundle: beside types they import one another and shared tables only. */
const OF_PAGE = ['consequences', 'start-bars'].map((name) => `control/${name}.ts`);

/** `core` for core/step.ts, `main` for main.ts. */
const folderOf = (path: string) => path.split('/')[0]?.replace(/\.ts$/, '') ?? '';

test('no folder imports a folder that it may not import', () => {
  const breaches = files.flatMap(({ path, code }) => {
    const folder = folderOf(path);
    const may = MAY_IMPORT[folder];
    if (may === undefined) return [`${path}: the table has no folder ${folder}`];
    const imports = [...code.matchAll(/(?:^(import type|import|export)\b[^'";]*|import\()['"](\.[^'"]+)['"]/gm)];
    return imports.flatMap(([, how, target = '']) => {
      const file = relative(ROOT, join(ROOT, dirname(path), target));
      const other = folderOf(file);
      if (TABLES.includes(path)) return [`${path} imports ${target}: a table imports nothing`];
      const isOfPage = OF_PAGE.includes(file);
      if (OF_PAGE.includes(path) && how !== 'import type' && !isOfPage && !SHARED.includes(other))
        return [`${path} imports ${target}: the page of the dashboard has it in its bundle`];
      const isShared = SHARED.includes(other) || TABLES.includes(file) || (folder === 'dashboard' && isOfPage);
      const allowed = may === 'everything' || other === folder || other === '..' || isShared || may.includes(other);
      if (allowed || (how === 'import type' && may.includes(`type ${other}`))) return [];
      return [`${path} imports ${target}: ${folder} may import ${may.join(', ') || 'nothing'}`];
    });
  });
  expect(breaches).toEqual([]);
});

test('the table of folders in ARCHITECTURE.md has the same rules', () => {
  const document = readFileSync(join(TESTS, '../ARCHITECTURE.md'), 'utf8');
  const [, table = ''] = /^## Folders and import rules$([\s\S]*?)^`test\/arch/m.exec(document) ?? [];
  const cells = table.split('\n').map((line) => line.split(' | '));
  const rows = new Map(cells.map(([first = '', , last = '']) => [/^\| `(\w+)\/`/.exec(first)?.[1], last] as const));
  const names = (list: readonly string[]) => list.map((name) => name.replace(/^type /, '')).sort();
  const rooms = Object.entries(MAY_IMPORT).filter(([room]) => existsSync(join(ROOT, room)));
  const differing = rooms.filter(([room, may]) => {
    const shown = [...(rows.get(room) ?? 'no row').matchAll(/`(\w+)`/g)].map(([, name = '']) => name);
    return may !== 'everything' && (!rows.has(room) || names(shown).join() !== names(may).join());
  });
  expect(differing).toEqual([]);
});

test('every effect stays at home', () => {
  const breaches = files.flatMap(({ path, code }) =>
    EFFECTS.flatMap(({ what, sign, home }) => {
      // The dashboard runs in a browser, and has no other effects than those of a page.
      const found = home(path) || path.startsWith('dashboard/') ? null : sign.exec(code);
      return found === null ? [] : [`${path}: ${what} (${found[0]}) has its home elsewhere`];
    }),
  );
  expect(breaches).toEqual([]);
});

/** Only these files may import one another statically; all other files load them when they are needed. */
const LATE =
  /(?:^|\/)(?:device-files|gpus|gpus-amd|gpu-inventory|gpu-memory|gpu-use|writable|check\/(?:build|programs|runtime))\.ts$/;

test('nothing of GPUs is loaded before it is needed', () => {
  const breaches = files.flatMap(({ path, code }) => {
    const imports = [...code.matchAll(/^(?:import (?!type)|export)[^'";]*['"](\.[^'"]+)['"]/gm)];
    const targets = imports.map(([, target = '']) => relative(ROOT, join(ROOT, dirname(path), target)));
    return LATE.test(path)
      ? []
      : targets.filter((target) => LATE.test(target)).map((target) => `${path} loads ${target}`);
  });
  expect(breaches).toEqual([]);
});

/** What `up` loads before the first program starts: with these files, those that they import statically. */
const BEFORE_FIRST_PROGRAM = ['main', 'cli/run', 'cli/commands/up', 'up/configuration', 'up/supervise'];

test('before the first program starts, no library but a parser is loaded, and no module of Node but fs', () => {
  const loaded = new Set<string>();
  const packages: string[] = [];
  const follow = (path: string): void => {
    if (loaded.has(path)) return;
    loaded.add(path);
    const { code = '' } = files.find((file) => file.path === path) ?? {};
    for (const [, target = ''] of code.matchAll(/^(?:import|export) (?!type\b)(?:[^'";]* from )?'([^']+)';/gm)) {
      if (target.startsWith('.')) follow(join(dirname(path), target));
      else if (target !== 'node:fs' && target !== 'js-yaml') packages.push(`${path} loads ${target}`);
    }
  };
  for (const path of BEFORE_FIRST_PROGRAM) follow(`${path}.ts`);
  expect(packages).toEqual([]);
  expect(loaded).toContain('pid1/client.ts');
});

/** What `help` loads of other folders with the commands: small tables, so that help and completion stay quick. */
const EARLY =
  /^(?:cli\/|text|paths|control\/(?:selection|start-bars|table|wire)\.ts|core\/off\.ts|config\/(?:diagnostic|file|quantity)\.ts|linux\/signals\.ts|convert\/(?:findings|(?:im|ex)port\/table)\.ts)/;

test('a command is loaded by the table only, and loads what is large when it runs', () => {
  const breaches = files.flatMap(({ path, code }) => {
    const early = [...code.matchAll(/^(?:import (?!type)|export)[^'";(]*['"](\.[^'"]+)['"]/gm)];
    const targets = early.map(([, target = '']) => relative(ROOT, join(ROOT, dirname(path), target)));
    const isCommand = path.startsWith('cli/commands/');
    return targets
      .filter(
        (one) =>
          one.startsWith('cli/commands/') ||
          (isCommand && !EARLY.test(one)) ||
          (!isCommand && one.startsWith('convert/') && !path.startsWith('convert/')),
      )
      .map((one) => `${path} loads ${one}`);
  });
  expect(breaches).toEqual([]);
});

/** The files that a file imports, also by type or late. */
const importsOf = new Map(
  files.map(({ path, code }) => {
    const found = [...code.matchAll(/(?:from|import\(|require\()\s*'(\.[^']+)'/g)];
    return [path, found.map(([, to = '']) => join(dirname(path), to))] as const;
  }),
);

test('no file imports itself, directly or through other files', () => {
  const known = new Set<string>();
  const circles: string[] = [];
  const follow = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) circles.push([...way.slice(way.indexOf(path)), path].join(' > '));
    if (known.has(path)) return;
    known.add(path);
    for (const next of importsOf.get(path) ?? []) follow(next, [...way, path]);
  };
  for (const { path } of files) follow(path, []);
  expect(circles).toEqual([]);
});

/** The names that a file exports. What it only passes on from another file is that file's. */
function exportsOf(code: string): readonly string[] {
  const declared =
    /^export (?:declare )?(?:async )?(?:abstract )?(?:function\*?|const|let|class|interface|type|enum) +(\w+)/gm;
  return [...new Set([...code.matchAll(declared)].map(([, name = '']) => name))];
}

test('no two files export one name', () => {
  const homes = new Map<string, string[]>();
  for (const { path, code } of files)
    for (const name of exportsOf(code)) homes.set(name, [...(homes.get(name) ?? []), path]);
  const twice = [...homes]
    .filter(([, paths]) => paths.length > 1)
    .map(([name, paths]) => `${name}: ${paths.join(', ')}`);
  expect(twice).toEqual([]);
});

test('every file opens with a comment that says what it owns, and none is longer than 500 lines', () => {
  const breaches = files.flatMap(({ path, text }) => [
    ...(/^(#!.*\n)?(\/\/|\/\*)/.test(text) ? [] : [`${path} opens without a comment`]),
    ...(text.split('\n').length <= 501 ? [] : [`${path} has more than 500 lines`]),
  ]);
  expect(breaches).toEqual([]);
});

/** The files below a folder of test/, relative to test/; none if there is no such folder. */
function listTests(folder: string): string[] {
  if (!existsSync(join(TESTS, folder))) return [];
  return readdirSync(join(TESTS, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path));
}

/** Tests of the whole tree: the rules of files and documents. */
const OF_ALL = ['architecture', 'documents', 'glossary'];

test('a test in a folder of src/ is named after one file, or is in `scenarios`: behaviour that several files make', () => {
  const folders = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const tests = [
    ...readdirSync(TESTS).filter((name) => !OF_ALL.includes(name.replace('.test.ts', ''))),
    ...folders.flatMap(({ name }) => listTests(name)),
  ].filter((path) => path.endsWith('.test.ts') && !path.includes('/scenarios/'));
  expect(tests.length).toBeGreaterThan(60);
  const strays = tests.filter((path) => !existsSync(join(ROOT, path.replace(/\.test\.ts$/, '.ts'))));
  expect(strays).toEqual([]);
});
