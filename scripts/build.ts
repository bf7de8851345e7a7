// Builds dist/svc-super, the native program; dist/svc-super-supervisor, the supervisor compiled with its runtime; and
// dist/node, the same for an installed Node. With --if-stale it builds only if a source is newer; with --runtime FILE it
// compiles with that Bun, whatever its digest, for example one with a changed JavaScriptCore. Compiles no C: the native
// program is committed (native/prebuilt).
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { bundleForNode, compileSupervisor, install } from './compile.ts';
import { checkPrebuilt } from './native.ts';
import { hostRuntime } from './runtime.ts';

const root = join(import.meta.dir, '..');
const dist = join(root, 'dist');

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

/** FILE of --runtime FILE; null without that option. */
function chosenRuntime(): string | null {
  const index = process.argv.indexOf('--runtime');
  if (index < 0) return null;
  const file = process.argv[index + 1];
  if (file === undefined) throw new Error('--runtime needs the path of a Bun executable');
  return resolve(file);
}

if (process.argv.includes('--if-stale') && !isStale()) process.exit(0);
mkdirSync(dist, { recursive: true });
copyFileSync(checkPrebuilt(process.arch), `${NATIVE}.new`);
install(`${NATIVE}.new`, NATIVE);
await compileSupervisor(chosenRuntime() ?? hostRuntime(), SUPERVISOR);
await bundleForNode(BUNDLE);
copyFileSync(NATIVE, join(dist, 'node', 'svc-super'));
