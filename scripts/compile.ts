// Compiles the supervisor: one executable with a runtime, or one bundle for Node. The result depends on the sources and
// the runtime only, not on the folder of the checkout or on the machine: two builds are equal, byte for byte.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { BunPlugin } from 'bun';
import { readCommit } from './commit.ts';
import { bundleDashboard, dashboardPage } from './dashboard.ts';
import { pack } from './pack.ts';
import { yamlParser } from './yaml-parser.ts';

const root = join(import.meta.dir, '..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

/** Ink's connection to the debugger of React, an optional package: an empty module in its place. */
const noDebugger: BunPlugin = {
  name: 'no-debugger',
  setup(build) {
    build.onResolve({ filter: /^react-devtools-core$/ }, () => ({ path: 'debugger', namespace: 'empty' }));
    build.onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: 'export default {}', loader: 'js' }));
  },
};

const common = {
  entrypoints: [join(root, 'src/main.ts')],
  format: 'esm',
  minify: { syntax: true, whitespace: true },
  define: {
    SVC_SUPER_VERSION: JSON.stringify(version),
    SVC_SUPER_COMMIT: JSON.stringify(readCommit()),
    // CommonJS packages (pino) would get the folder of the checkout. Nothing that runs reads files there.
    __dirname: '"/"',
    __filename: '"/svc-super"',
    // React and Ink have a second half for their developers.
    'process.env.NODE_ENV': '"production"',
    'process.env.DEV': '"false"',
  },
  plugins: [yamlParser, noDebugger],
} as const;

/** Replaces a file atomically: a process that runs the old file keeps it. */
export function install(fresh: string, target: string): void {
  chmodSync(fresh, 0o755);
  renameSync(fresh, target);
}

/**
 * Compiles the supervisor with a runtime of `platform` (that of this machine by default) into `target`; `runtime` and
 * `target` are absolute paths. Returns its sources.
 */
export async function compileSupervisor(
  runtime: string,
  target: string,
  platform?: string,
): Promise<readonly string[]> {
  mkdirSync(dirname(target), { recursive: true });
  // The executable contains the paths of the sources, relative to the current folder, and the name of its file.
  process.chdir(root);
  const folder = mkdtempSync(join(dirname(target), '.compile-'));
  try {
    const dashboard = await bundleDashboard();
    const fresh = join(folder, 'svc-super-supervisor');
    const { metafile } = await Bun.build({
      ...common,
      entrypoints: [...common.entrypoints],
      plugins: [...common.plugins, dashboardPage(dashboard)],
      compile: {
        outfile: fresh,
        executablePath: runtime,
        // The compiler replaces `process.arch` by a constant: without this, that of this machine.
        ...(platform !== undefined && { target: `bun-${platform}` as Bun.Build.CompileTarget }),
        execArgv: ['--disallow-code-generation-from-strings=strict'],
        autoloadDotenv: false,
        autoloadBunfig: false,
        autoloadTsconfig: false,
        autoloadPackageJson: false,
      },
      bytecode: true,
      // A module that is imported dynamically is loaded only then.
      splitting: true,
      metafile: true,
    });
    install(fresh, target);
    return [...Object.keys(metafile?.inputs ?? {}), ...dashboard.inputs];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
        'export default globalThis.process; export const { platform, execPath, execArgv, hrtime, env, cwd } = globalThis.process;',
      loader: 'js',
    }));
  },
};

/** Bundles the supervisor for Node into `target`. */
export async function bundleForNode(target: string): Promise<void> {
  mkdirSync(dirname(target), { recursive: true });
  const plugins = [...common.plugins, globalProcess];
  const packed = await pack(root, { ...common, plugins });
  const { outputs } = await Bun.build({
    ...common,
    entrypoints: [...common.entrypoints],
    plugins: [packed, ...plugins, dashboardPage(await bundleDashboard())],
    target: 'node',
    banner: '#!/usr/bin/env node',
  });
  const [output] = outputs;
  if (output === undefined) throw new Error('the bundle for Node has no output');
  await Bun.write(`${target}.new`, output);
  install(`${target}.new`, target);
}
