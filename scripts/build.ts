// Builds dist/svc-super, the native program, and dist/svc-super-supervisor, the supervisor compiled with its runtime. With
// --if-stale only when a source is newer. The runtime is the one that the registry's package holds, unchanged: its digest is
// compared. The native program was compiled before and is committed (native/prebuilt), so that a build needs no compiler.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import type { BunPlugin } from 'bun';
import { checkPrebuilt } from './native.ts';
import { yamlParser } from './yaml-parser.ts';

const root = join(import.meta.dir, '..');
const dist = join(root, 'dist');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

/** What a build makes. */
const NATIVE = join(dist, 'svc-super');
const SUPERVISOR = join(dist, 'svc-super-supervisor');
/** The same supervisor as one file for a Node that an image has already. */
const BUNDLE = join(dist, 'node', 'svc-super-supervisor');

function newest(folder: string): number {
  return Math.max(
    ...readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  );
}

function isStale(): boolean {
  const made = [NATIVE, SUPERVISOR, BUNDLE];
  if (!made.every(existsSync)) return true;
  const built = Math.min(...made.map((file) => statSync(file).mtimeMs));
  return [
    ...['src', 'scripts', 'native'].map((folder) => newest(join(root, folder))),
    ...['package.json', 'package-lock.json'].map((file) => statSync(join(root, file)).mtimeMs),
  ].some((time) => time > built);
}

/** The runtime as its package has it (scripts/runtime.json: SHA-256 by version and platform). Throws where it is another. */
function registryRuntime(): string {
  const digests = JSON.parse(readFileSync(join(import.meta.dir, 'runtime.json'), 'utf8')) as Record<string, string[]>;
  const digest = createHash('sha256').update(readFileSync(process.execPath)).digest('hex');
  if (digests[Bun.version]?.includes(digest) === true) return process.execPath;
  throw new Error(`${process.execPath} is not the file of the registry's package: run \`npm ci\` again`);
}

/** Moves a file to its place whole: what runs from there now keeps what it has. */
function install(fresh: string, target: string): void {
  chmodSync(fresh, 0o755);
  renameSync(fresh, target);
}

const common = {
  entrypoints: [join(root, 'src/main.ts')],
  format: 'esm',
  minify: { syntax: true, whitespace: true },
  define: { SVC_SUPER_VERSION: JSON.stringify(version) },
  plugins: [yamlParser],
} as const;

async function buildSupervisor(): Promise<void> {
  const fresh = `${SUPERVISOR}.new`;
  await Bun.build({
    ...common,
    entrypoints: [...common.entrypoints],
    plugins: [...common.plugins],
    compile: {
      outfile: fresh,
      executablePath: registryRuntime(),
      execArgv: ['--disallow-code-generation-from-strings=strict'],
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
    bytecode: true,
    // What is imported late is loaded late.
    splitting: true,
  });
  install(fresh, SUPERVISOR);
}

/**
 * Node looks at every property of a module of its own that is imported, and to look at `process.stdout` opens it: that leaves
 * O_NONBLOCK on a pipe that others share. The global object has no such effect.
 */
const globalProcess: BunPlugin = {
  name: 'global-process',
  setup(build) {
    build.onResolve({ filter: /^(?:node:)?process$/ }, () => ({ path: 'process', namespace: 'global' }));
    build.onLoad({ filter: /.*/, namespace: 'global' }, () => ({
      contents:
        'export default globalThis.process; export const { platform, execPath, execArgv, hrtime } = globalThis.process;',
      loader: 'js',
    }));
  },
};

async function buildBundle(): Promise<void> {
  mkdirSync(join(dist, 'node'), { recursive: true });
  const { outputs } = await Bun.build({
    ...common,
    entrypoints: [...common.entrypoints],
    plugins: [...common.plugins, globalProcess],
    target: 'node',
    banner: '#!/usr/bin/env node',
  });
  const [output] = outputs;
  if (output === undefined) throw new Error('the bundle for Node has no output');
  await Bun.write(`${BUNDLE}.new`, output);
  install(`${BUNDLE}.new`, BUNDLE);
  copyFileSync(NATIVE, join(dist, 'node', 'svc-super'));
}

if (process.argv.includes('--if-stale') && !isStale()) process.exit(0);
mkdirSync(dist, { recursive: true });
copyFileSync(checkPrebuilt(process.arch), `${NATIVE}.new`);
install(`${NATIVE}.new`, NATIVE);
await buildSupervisor();
await buildBundle();
