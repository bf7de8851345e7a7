// Builds dist/svc-super, the native program; dist/svc-super-supervisor, the supervisor compiled with its runtime; and
// dist/node, the same for an installed Node. With --if-stale it builds only if a source is newer. The runtime is the
// file of the registry's package, unchanged: its digest is compared. Compiles no C: the native program is committed
// (native/prebuilt).
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
import { readCommit } from './commit.ts';
import { checkPrebuilt } from './native.ts';
import { yamlParser } from './yaml-parser.ts';

const root = join(import.meta.dir, '..');
const dist = join(root, 'dist');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

/** The outputs of a build. */
const NATIVE = join(dist, 'svc-super');
const SUPERVISOR = join(dist, 'svc-super-supervisor');
/** The same supervisor as one file, for an image that already has Node. */
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

/**
 * The runtime of the registry's package (scripts/runtime.json: SHA-256 by version and platform). Throws if the digest
 * differs.
 */
function registryRuntime(): string {
  const digests = JSON.parse(readFileSync(join(import.meta.dir, 'runtime.json'), 'utf8')) as Record<string, string[]>;
  const digest = createHash('sha256').update(readFileSync(process.execPath)).digest('hex');
  if (digests[Bun.version]?.includes(digest) === true) return process.execPath;
  throw new Error(`${process.execPath} is not the file of the registry's package: run \`npm ci\` again`);
}

/** Replaces a file atomically: a process that runs the old file keeps it. */
function install(fresh: string, target: string): void {
  chmodSync(fresh, 0o755);
  renameSync(fresh, target);
}

const common = {
  entrypoints: [join(root, 'src/main.ts')],
  format: 'esm',
  minify: { syntax: true, whitespace: true },
  define: { SVC_SUPER_VERSION: JSON.stringify(version), SVC_SUPER_COMMIT: JSON.stringify(readCommit()) },
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
    // A module that is imported dynamically is loaded only then.
    splitting: true,
  });
  install(fresh, SUPERVISOR);
}

/**
 * An import of `node:process` makes Node read every property of it. To read `process.stdout` opens that stream, which
 * leaves O_NONBLOCK on a pipe that other processes share. The global `process` has no such effect.
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
