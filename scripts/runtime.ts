// The runtimes that a supervisor is compiled with: the files of the npm registry's packages, unchanged. Their SHA-256 is
// pinned in runtime.json; no file with another one is ever returned.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const CACHE = join(import.meta.dir, '../.cache/runtimes');

/** SHA-256 of `bin/bun` by package, of the version that runs this script. */
function pinned(): Readonly<Record<string, string>> {
  const versions = JSON.parse(readFileSync(join(import.meta.dir, 'runtime.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >;
  const digests = versions[Bun.version];
  if (digests === undefined) throw new Error(`scripts/runtime.json has no digests of Bun ${Bun.version}: add them`);
  return digests;
}

/** The SHA-256 of a file, in hexadecimal. */
export const digestOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/** The package of the runtime that runs this script. Throws if it is not the file of a package. */
export function hostPackage(): string {
  const digest = digestOf(process.execPath);
  const found = Object.entries(pinned()).find(([, known]) => known === digest);
  if (found !== undefined) return found[0];
  throw new Error(`${process.execPath} is not the file of the registry's package: run \`npm ci\` again`);
}

/** The runtime that runs this script. Throws as `hostPackage`. */
export function hostRuntime(): string {
  hostPackage();
  return process.execPath;
}

function runTool(command: readonly string[], folder: string): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd: folder });
  if (exitCode !== 0) throw new Error(`${command.join(' ')} failed:\n${stderr}`);
  return stdout.toString();
}

/** The runtime of a package, for any architecture: from the cache, else from the registry by `npm pack`. */
export function fetchRuntime(name: string): string {
  const digest = pinned()[name];
  if (digest === undefined) throw new Error(`scripts/runtime.json has no digest of ${name}: add it`);
  if (digestOf(process.execPath) === digest) return process.execPath;
  const kept = join(CACHE, digest, 'bun');
  if (existsSync(kept) && digestOf(kept) === digest) return kept;
  mkdirSync(join(CACHE, digest), { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'fetch-'));
  try {
    // In a folder without a package.json: a configuration of this project has no part in it.
    runTool(['npm', 'pack', '--silent', '--pack-destination', folder, `${name}@${Bun.version}`], folder);
    const tarball = [...new Bun.Glob('*.tgz').scanSync({ cwd: folder })][0] ?? '';
    runTool(['tar', '-xzf', tarball, 'package/bin/bun'], folder);
    const fresh = join(folder, 'package/bin/bun');
    const found = digestOf(fresh);
    if (found !== digest) throw new Error(`${name} ${Bun.version}: SHA-256 is ${found}, runtime.json has ${digest}`);
    renameSync(fresh, kept);
    return kept;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
