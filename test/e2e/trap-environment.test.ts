// The container's environment and the working directory are meant for the services. A runtime that is compiled into a program
// still obeys both: it would load other code into the supervisor, become a debugger or a package manager, write files as root, or
// refuse to start. So PID 1 gives the supervisor its own environment (native/handover.c), and every variable of the container
// must reach the services unchanged.
import { describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { binary, command, isNode, played, type Run, start, up, useRig } from '../helpers/rig.ts';
import { ConfigFolder } from '../helpers/trap-config.ts';

useRig();

/** Leaves a file when it is loaded. */
const EVIL = `require('node:fs').writeFileSync(process.env.EVIL_LEAVES ?? 'EVIL', process.argv.join(' '))\n`;

/** Files that a runtime might read in its working directory. */
const FOLDER: Readonly<Record<string, string>> = {
  'evil.js': EVIL,
  'evil.ts': EVIL,
  'index.js': EVIL,
  '.env': 'FROM_DOTENV=yes\nBUN_OPTIONS=--preload=./evil.js\nNODE_OPTIONS=--require=./evil.js\n',
  '.env.local': 'FROM_DOTENV=yes\n',
  '.env.production': 'FROM_DOTENV=yes\n',
  'bunfig.toml': 'preload = ["./evil.ts"]\nlogLevel = "debug"\n[run]\nbun = true\n',
  'package.json': '{"name": "evil", "main": "evil.js", "scripts": {"up": "node evil.js"}, "type": "commonjs"}',
  'tsconfig.json': '{"compilerOptions": {"paths": {"*": ["./evil.ts"]}, "jsx": "react"}}',
  'jsconfig.json': '{ this is no JSON',
};

/** Each alone could change the runtime; the runtime's manual describes the effects. */
const VARIABLES: Readonly<Record<string, string>> = {
  BUN_BE_BUN: '1',
  BUN_OPTIONS: '--preload=./evil.js',
  BUN_INSPECT: '127.0.0.1:1/evil',
  BUN_INSPECT_PRELOAD: './evil.js',
  BUN_INSPECT_NOTIFY: 'unix:/nowhere',
  BUN_INSPECT_CONNECT_TO: 'unix:/nowhere',
  BUN_BYTECODE_ORDER_OUT: 'EVIL',
  BUN_BYTECODE_ORDER_NAMES_OUT: 'EVIL',
  BUN_BYTECODE_DIGEST_OUT: 'EVIL',
  BUN_CONFIG_VERBOSE_FETCH: 'curl',
  BUN_DEBUG: 'EVIL',
  BUN_GARBAGE_COLLECTOR_LEVEL: '2',
  BUN_RUNTIME_TRANSPILER_CACHE_PATH: 'EVIL',
  BUN_TMPDIR: 'EVIL',
  BUN_JSC_useJIT: '0',
  BUN_JSC_useWasm: '0',
  BUN_JSC_useConcurrentGC: '1',
  BUN_JSC_numberOfGCMarkers: '8',
  JSC_dumpOptions: '2',
  JSC_SIGNAL_FOR_GC: '12',
  MIMALLOC_PURGE_DELAY: '-1',
  mimalloc_verbose: '1',
  MALLOC_ARENA_MAX: '2',
  UV_THREADPOOL_SIZE: '64',
  NODE_OPTIONS: '--require=./evil.js',
  NODE_DEBUG: 'net,http',
  NODE_ENV: 'production',
  NODE_V8_COVERAGE: 'EVIL',
  NODE_EXTRA_CA_CERTS: '/nowhere',
  JEST_WORKER_ID: '1',
  UNDICI_NO_WASM_SIMD: '1',
  LOG_TOKENS: '1',
  LOG_STREAM: '1',
};

const BASE = { PATH: '/usr/bin:/bin', TERM: 'dumb' };

/** The variables that a command printed with env(1), one per line. */
function parse(text: string): Readonly<Record<string, string>> {
  const pairs = text.trimEnd().split('\n');
  return Object.fromEntries(pairs.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

const environOf = (pid: number) => readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').slice(0, -1);

/** The variables that PID 1 sets for the supervisor: the table `settings` of its source. */
const SETTINGS = (() => {
  const source = readFileSync(join(import.meta.dir, '../../native/handover.c'), 'utf8');
  const table = /settings\[.* = \{\n([\s\S]*?)\n\};/.exec(source)?.[1] ?? '';
  return [...table.matchAll(/^ +"(.*)",$/gm)].map(([, setting = '']) => setting);
})();
/** The signal of the garbage collector. Bun handles it; Node has no such signal. */
const COLLECTOR = Number(SETTINGS.find((setting) => setting.startsWith('JSC_SIGNAL_FOR_GC='))?.split('=')[1]);

/** The environment that `init` gives its command when it is started with exactly these variables, sorted by perl. */
async function environmentOf(variables: readonly string[]): Promise<string[]> {
  const program = `%ENV = map { split /=/, $_, 2 } split /\\0/, do { local $/; <STDIN> // '' }; exec @ARGV or die`;
  const child = Bun.spawn(['perl', '-e', program, binary, 'init', '--', '/usr/bin/env', '-0'], {
    stdin: Buffer.from(variables.join('\0')),
    stderr: 'ignore',
  });
  const text = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  return text.split('\0').slice(0, -1);
}

const ENV = { services: { a: { command: ['/usr/bin/env'], log: { prefix: false } } } };

/** The supervisor's own output, without times and pids. */
const said = (run: Run) =>
  run.lines.filter((line) => line.startsWith('svc-super')).map((line) => line.replace(/pid \d+|\d+ ms/g, '#'));

const SAID = [
  'svc-super | a started (#)',
  'svc-super | a exited with code 0 after #',
  'svc-super | stopping everything: a ended, and it is essential',
];

for (const [name, value] of Object.entries(VARIABLES)) {
  test(`${name}=${value} changes nothing in the supervisor and reaches the services unchanged`, async () => {
    const env = { ...BASE, [name]: value };
    await using run = await up(ENV, { env, files: FOLDER });
    await run.ends(0);
    const found = parse(run.output.bytes('stdout').toString());
    expect(Object.entries(found)).toContainEqual([name, value]);
    expect(found).not.toHaveProperty('FROM_DOTENV');
    expect(run.output.bytes('stderr').toString().split('\n')).toHaveLength(SAID.length + 1);
    expect(said(run)).toEqual(SAID);
    expect(existsSync(join(run.folder, 'EVIL'))).toBe(false);
  });
}

const ALL = { ...BASE, ...VARIABLES };

test('all of them together: the supervisor runs with its own settings and PATH only, and PID 1 keeps the container’s own', async () => {
  const env = { ...ALL, GLIBC_TUNABLES: 'glibc.malloc.arena_max=2' };
  await using run = await up({ services: { a: played() } }, { env, files: FOLDER });
  const a = await run.puppet('a');
  const { outer } = run.supervisor;
  expect(SETTINGS.length).toBeGreaterThan(10);
  expect(environOf(outer)).toEqual([...SETTINGS, `PATH=${env.PATH}`]);
  const [, caught = ''] = /^SigCgt:\s*(\w+)$/m.exec(readFileSync(`/proc/${outer}/status`, 'utf8')) ?? [];
  if (!isNode) expect((BigInt(`0x${caught}`) >> BigInt(COLLECTOR - 1)) & 1n).toBe(1n);
  // The container's environment can be read there (`xargs -0 < /proc/1/environ`).
  expect(environOf(run.outerPid)).toEqual(
    expect.arrayContaining(Object.entries(env).map(([name, value]) => `${name}=${value}`)),
  );
  expect((await a.facts()).env).toMatchObject(env);
  expect(existsSync(join(run.folder, 'EVIL'))).toBe(false);
  await a.exit(3);
  await run.ends(3);
});

test('without PATH the supervisor has its settings only', async () => {
  await using run = await up(
    { services: { a: played() } },
    { before: 'exec env -u PATH "$0" "$@"', env: { ...BASE, BUN_OPTIONS: '--smol' } },
  );
  const a = await run.puppet('a');
  expect(environOf(run.supervisor.outer)).toEqual(SETTINGS);
  await a.exit(3);
  await run.ends(3);
});

describe('settings of the supervisor do not reach a child', () => {
  /** Names of the supervisor and the runtime, and two that the rig sets. */
  const ours = (env: object) =>
    Object.keys(env).filter((name) => /^(BUN|JSC|MIMALLOC|UV|NODE|SVC_SUPER)_/.test(name) && !GIVEN.has(name));
  const GIVEN = new Set(['SVC_SUPER_SOCKET', 'SVC_SUPER_CONFIG']);

  test('neither a service, a service of another user, an exec probe nor a stop command', async () => {
    const print = (name: string) => ['/bin/sh', '-c', `/usr/bin/env > ${name}.new && mv ${name}.new ${name}`];
    await using run = await up(
      {
        services: {
          plain: played({ ready: { exec: print('probe') }, stop: { command: print('stop'), timeout: '1s' } }),
          prepared: played({ umask: '022' }),
        },
      },
      { leaves: ['probe', 'stop'] },
    );
    for (const name of ['plain', 'prepared']) {
      const { env } = await (await run.puppet(name)).facts();
      expect(ours(env)).toEqual([]);
    }
    await run.state('plain', 'ready');
    run.signal('SIGTERM');
    await run.ends(137);
    for (const name of ['probe', 'stop']) {
      const env = parse(readFileSync(join(run.folder, name), 'utf8'));
      expect(env).toHaveProperty('SVC_NAME', 'plain');
      expect(ours(env)).toEqual([]);
    }
  });

  test('init: the command has exactly the environment of the container', async () => {
    const env = {
      ...ALL,
      HOME: undefined,
      TMPDIR: undefined,
      SVC_SUPER_SOCKET: undefined,
      SVC_SUPER_CONFIG: undefined,
    };
    for (const pid1 of [true, false]) {
      await using run = await start(['init', '--', '/usr/bin/env'], { env, files: FOLDER, pid1 });
      await run.ends(0);
      expect(parse(run.output.bytes('stdout').toString())).toEqual(ALL);
      expect(run.output.bytes('stderr').toString()).toBe('');
      expect(existsSync(join(run.folder, 'EVIL'))).toBe(false);
    }
  });
});

test('init: each of them alone reaches the command and changes nothing', async () => {
  using folder = new ConfigFolder(FOLDER);
  for (const [name, value] of Object.entries(VARIABLES)) {
    const { code, stdout, stderr } = await command(['init', '--', '/usr/bin/env'], { [name]: value }, folder.path);
    expect({ name, code, stderr }).toEqual({ name, code: 0, stderr: '' });
    expect(Object.entries(parse(stdout))).toContainEqual([name, value]);
  }
  expect(existsSync(folder.in('EVIL'))).toBe(false);
});

test('the short commands are not changed either', async () => {
  using folder = new ConfigFolder({ ...FOLDER, 'services.yaml': 'services: {a: {command: touch ran}}\n' });
  const run = (env: Readonly<Record<string, string>>) =>
    Promise.all(
      [['check'], ['version'], ['schema'], ['help'], ['status'], ['health']].map((args) => folder.run(args, { env })),
    );
  const without = await run({});
  expect(without.map(({ code }) => code)).toEqual([0, 0, 0, 0, 69, 1]);
  for (const [name, value] of Object.entries(VARIABLES)) expect(await run({ [name]: value })).toEqual(without);
  expect(await run(ALL)).toEqual(without);
  expect(existsSync(folder.in('EVIL'))).toBe(false);
});

/** Prefixes of variables that a dynamic linker, an allocator or a runtime would obey. */
const OBEYED = ['LD_PRELOAD=', 'LD_AUDIT=', 'GLIBC_TUNABLES=', 'BUN_', 'NODE_', 'JSC_', 'MIMALLOC_', 'MALLOC_', 'UV_'];

test('init: the command has the environment byte for byte', async () => {
  const beginning = fc.constantFrom(...OBEYED, 'PATH=', 'A=', '=', '');
  const variable = fc
    .tuple(beginning, fc.string({ unit: 'binary-ascii' }), fc.constantFrom('', '=', '=x'))
    .map((parts) => parts.join('').replaceAll('\0', ''))
    .filter((text) => text.includes('=') && !text.startsWith('='));
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(variable, { selector: (text) => text.split('=', 1)[0] }), async (variables) => {
      const found = await environmentOf(variables);
      expect(found.toSorted()).toEqual(variables.toSorted());
    }),
    { numRuns: 40 },
  );
});

test('init: an environment of any size', async () => {
  // A string may be 131,071 bytes long (MAX_ARG_STRLEN), and all of them a quarter of the stack limit.
  const variables = [`BUN_LONG=${'x'.repeat(131_000)}`, `LONG=${'x'.repeat(131_000)}`];
  for (let at = 0; at < 9; at += 1) variables.push(`NODE_${at}=${'y'.repeat(100_000)}`);
  expect((await environmentOf(variables)).toSorted()).toEqual(variables.toSorted());
});

test('a missing preloaded library reaches the services, and svc-super runs', async () => {
  const env = { LD_PRELOAD: '/nowhere/evil.so' };
  await using run = await up(ENV, { env });
  await run.ends(0);
  expect(said(run)).toEqual(SAID);
  expect(parse(run.output.bytes('stdout').toString())).toMatchObject(env);
});

test('an unprotected runtime obeys them: the proof that this test can fail', async () => {
  const leaves = async (env: Readonly<Record<string, string>>) => {
    using folder = new ConfigFolder({ 'evil.js': EVIL, 'program.js': '' });
    const child = Bun.spawn([process.execPath, 'program.js'], {
      cwd: folder.path,
      env,
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    await child.exited;
    return existsSync(folder.in('EVIL'));
  };
  expect(await leaves({})).toBe(false);
  expect(await leaves({ BUN_OPTIONS: '--preload=./evil.js' })).toBe(true);
});
