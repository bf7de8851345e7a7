// Makes releases for tests with scripts/release/main.ts, in folders of their own and with little compression, and serves them
// over HTTP. Never writes to dist/release.
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { must } from './container-tools.ts';
import { type Served, serveLocally } from './serve.ts';

export const ROOT = join(import.meta.dir, '../..');
const MINUTES = 600_000;
/** Whether tests make the files of all platforms, and not only those of this machine. */
export const isFull = process.env.SVC_SUPER_TEST_RELEASE === 'full';
/** The platform of this machine. */
export const HERE = `linux-${process.arch}`;

/** A folder for files of a test; `remove` deletes it. */
export function makeFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'svc-super-release-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Makes a release of the sources in `source`; `options` go to scripts/release/main.ts. */
export async function makeRelease(to: string, options: readonly string[] = [], source = ROOT): Promise<void> {
  const script = join(source, 'scripts/release/main.ts');
  await must([process.execPath, script, '--quick', '--to', to, ...options], MINUTES);
}

/** A clone of this repository with the files as they are now, and a copy of the installed packages. */
export async function cloneSources(to: string): Promise<void> {
  await must(['git', 'clone', '--quiet', '--no-hardlinks', ROOT, to]);
  const tracked = await must(['git', '-C', ROOT, 'ls-files', '--cached', '--others', '--exclude-standard']);
  for (const file of tracked.split('\n')) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    cpSync(join(ROOT, file), join(to, file), { preserveTimestamps: true });
  }
  await must(['cp', '-a', join(ROOT, 'node_modules'), join(to, 'node_modules')]);
}

/** Serves a folder on the loopback interface; `change` may replace a file's bytes, or return null for 404. */
export function serveFolder(
  folder: string,
  change: (path: string, bytes: Uint8Array) => Uint8Array | null = (_, bytes) => bytes,
): Served {
  return serveLocally(async (asked) => {
    const path = asked.slice(1);
    const file = Bun.file(join(folder, path));
    const bytes = (await file.exists()) ? change(path, await file.bytes()) : null;
    return bytes === null ? null : new Response(bytes.slice());
  });
}
