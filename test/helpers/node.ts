// A Node for the tests of dist/node: the one on PATH if it is new enough, else that of test/node (`npm ci --prefix test/node`).
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addInterpreter, type Variant } from '../../scripts/release/variants.ts';

const ROOT = join(import.meta.dir, '../..');
export const BUNDLE = join(ROOT, 'dist/node');
const MAJOR = 22;
const INSTALLED = join(ROOT, `test/node/node_modules/node-linux-${process.arch}/bin/node`);

function isNewEnough(node: string): boolean {
  try {
    const { stdout } = Bun.spawnSync([node, '--version'], { stderr: 'ignore' });
    return Number(/^v(\d+)\./.exec(stdout.toString())?.[1]) >= MAJOR;
  } catch {
    return false;
  }
}

/** The path of a Node that can run the bundle; null if there is none. */
export function findNode(): string | null {
  return [Bun.which('node'), INSTALLED].find((node): node is string => node !== null && isNewEnough(node)) ?? null;
}

/** Why the bundle for Node cannot be tested here; null if it can. */
export function whyNoNode(): string | null {
  return findNode() === null ? `there is no Node ${MAJOR} or later: \`npm ci --prefix test/node\` installs one` : null;
}

/**
 * Creates a folder with the native file and the bundle as a variant of a release has it, with the path of the runtime, so that
 * tests may change PATH; returns the native file (SVC_SUPER_BINARY).
 */
export function installBundle(folder: string, runtime: string, variant: Variant = 'node'): string {
  mkdirSync(folder, { recursive: true });
  const [native, bundle] = ['svc-super', 'svc-super-supervisor'].map((name) => join(folder, name)) as [string, string];
  copyFileSync(join(BUNDLE, 'svc-super'), native);
  const text = readFileSync(join(BUNDLE, 'svc-super-supervisor'), 'utf8');
  writeFileSync(bundle, addInterpreter(text, variant, runtime));
  for (const file of [native, bundle]) chmodSync(file, 0o755);
  return native;
}
