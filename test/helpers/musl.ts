// Runs the build for musl on this machine, with all tools of this machine: in a mount namespace, musl and its libraries are laid
// over /usr/lib. Nothing outside of the namespace changes.
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { findPlatform } from '../../scripts/release/platforms.ts';
import { noRoot, noX64 } from './skip.ts';

const ROOT = join(import.meta.dir, '../..');
const PLATFORM = findPlatform('linux-x64-musl');
const PREPARE = join(import.meta.dir, 'musl-prepare.ts');

export function whyNoMusl(): string | null {
  return noX64 ?? noRoot;
}

/** Compiles the build into a folder and downloads musl. Returns the native program (SVC_SUPER_BINARY). */
export function installMusl(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, PREPARE, join(folder, 'tree')], { cwd: ROOT });
  if (exitCode !== 0) throw new Error(`the build for musl failed:\n${stderr}`);
  for (const name of ['svc-super', 'svc-super-supervisor'])
    copyFileSync(join(folder, 'tree/usr/local/bin', name), join(folder, name));
  return join(folder, 'svc-super');
}

/** The command, in a namespace that has musl. */
export function withMusl(command: readonly string[]): readonly string[] {
  const libraries = join(ROOT, '.cache/roots', PLATFORM.name, 'usr/lib');
  if (existsSync('/lib/ld-musl-x86_64.so.1')) return command;
  const script = 'mount -t overlay overlay -o "lowerdir=$1:/usr/lib" /usr/lib && shift && exec "$@"';
  return ['unshare', '--mount', 'sh', '-c', script, 'sh', libraries, ...command];
}
