// Makes releases for tests with scripts/release/main.ts, in folders of their own and with little compression, and serves them
// over HTTP. Never writes to dist/release.
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { must } from './container-tools.ts';

export const ROOT = join(import.meta.dir, '../..');
const MINUTES = 600_000;
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
): { readonly url: string; stop(): void } {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const path = decodeURIComponent(new URL(request.url).pathname).slice(1);
      const file = Bun.file(join(folder, path));
      if (!(await file.exists())) return new Response('not found', { status: 404 });
      const bytes = change(path, await file.bytes());
      return bytes === null ? new Response('not found', { status: 404 }) : new Response(bytes.slice());
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, stop: () => void server.stop(true) };
}
