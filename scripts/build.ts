// Builds dist/svc-super: one file that needs nothing but libc. With --if-stale only when a source is newer. Before the
// runtime is compiled in, a few names in it are changed to others of the same length, so that the container's
// environment cannot reach it (research by experiment; every change is checked to be there), and its entry becomes ours.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { installEntry } from './entry/install.ts';
import { yamlParser } from './yaml-parser.ts';

const root = join(import.meta.dir, '..');
const target = join(root, 'dist/svc-super');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

/** Names in the runtime -> what stands there instead. Each must occur, or the runtime has changed and needs a look. */
const RENAMED: readonly (readonly [from: string, to: string])[] = [
  // With one of these set, the file would be a whole Bun, run a script or a debugger, or write files, as PID 1.
  ['BUN_BE_BUN', 'SVC_BE_BUN'],
  ['BUN_OPTIONS', 'SVC-OPTIONS'],
  ['BUN_INSPECT', 'SVC-INSPECT'],
  ['BUN_BYTECODE_ORDER_OUT', 'SVC-BYTECODE-ORDER-OUT'],
  ['BUN_BYTECODE_ORDER_NAMES_OUT', 'SVC-BYTECODE-ORDER-NAMES-OUT'],
  ['BUN_BYTECODE_DIGEST_OUT', 'SVC-BYTECODE-DIGEST-OUT'],
  // The runtime raises its soft NOFILE limit before any of our code runs, and the value it found is lost. It imports
  // setrlimit for nothing else; getrlimit takes the same arguments and changes nothing. sys/children.ts raises the limit.
  ['\0setrlimit\0', '\0getrlimit\0'],
];

function patchRuntime(from: string, to: string): void {
  const bytes = readFileSync(from);
  for (const [name, other] of RENAMED) {
    const [old, fresh] = [Buffer.from(name, 'latin1'), Buffer.from(other, 'latin1')];
    if (old.length !== fresh.length) throw new Error(`${name} and its replacement differ in length`);
    let count = 0;
    for (let at = bytes.indexOf(old); at >= 0; at = bytes.indexOf(old, at + 1)) {
      fresh.copy(bytes, at);
      count += 1;
    }
    if (count === 0) throw new Error(`the runtime no longer contains ${JSON.stringify(name)}: check what replaced it`);
  }
  installEntry(bytes);
  writeFileSync(to, bytes);
  chmodSync(to, 0o755);
}

function newest(folder: string): number {
  return Math.max(
    ...readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  );
}

function isStale(): boolean {
  if (!existsSync(target)) return true;
  const built = statSync(target).mtimeMs;
  return [
    newest(join(root, 'src')),
    newest(join(root, 'scripts')),
    ...['package.json', 'package-lock.json'].map((file) => statSync(join(root, file)).mtimeMs),
  ].some((time) => time > built);
}

if (process.argv.includes('--if-stale') && !isStale()) process.exit(0);
mkdirSync(join(root, 'dist'), { recursive: true });
const runtime = join(root, 'node_modules/.cache/runtime');
mkdirSync(join(root, 'node_modules/.cache'), { recursive: true });
patchRuntime(process.execPath, runtime);
const fresh = `${target}.new`;
await Bun.build({
  entrypoints: [join(root, 'src/main.ts')],
  compile: {
    outfile: fresh,
    executablePath: runtime,
    execArgv: ['--disallow-code-generation-from-strings=strict'],
    autoloadDotenv: false,
    autoloadBunfig: false,
    autoloadTsconfig: false,
    autoloadPackageJson: false,
  },
  bytecode: true,
  format: 'esm',
  // What is imported late is loaded late.
  splitting: true,
  minify: { syntax: true, whitespace: true },
  define: { SVC_SUPER_VERSION: JSON.stringify(version) },
  plugins: [yamlParser],
});
renameSync(fresh, target);
