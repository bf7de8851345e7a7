// Makes the container images of a release with buildah: one for each platform, from scratch, and for each C library a manifest
// list of both architectures. The result is one OCI layout in a tar file. Uses a storage of its own: no other image is touched.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Platform, ReleaseRequest } from './platforms.ts';
import { stageOf } from './stage.ts';
import { REPRODUCIBLE } from './tar.ts';
import { runTool } from './tools.ts';
import { setTimes } from './tree.ts';

const CONTAINERFILE = join(import.meta.dir, 'Containerfile');

/** The tag of a C library's manifest list: `0.2.0`, `0.2.0-musl`. */
export const tagOf = (version: string, libc: Platform['libc']): string =>
  libc === 'musl' ? `${version}-musl` : version;

/** Builds the image of one platform and adds it to its manifest list. */
async function addImage(
  buildah: Buildah,
  { release, version, date }: ReleaseRequest,
  platform: Platform,
): Promise<void> {
  const annotations = {
    'org.opencontainers.image.title': 'svc-super',
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.licenses': 'MIT AND LGPL-2.0-or-later',
    'org.opencontainers.image.source': 'https://github.com/OWNER/svc-super',
  };
  await buildah(
    'bud',
    ...['--quiet', '--isolation', 'chroot', '--format', 'oci', '--identity-label=false', '--omit-history'],
    ...['--platform', `linux/${platform.oci}`, '--timestamp', String(date)],
    ...Object.entries(annotations).flatMap(([name, value]) => [
      ...['--annotation', `${name}=${value}`],
      ...['--label', `${name}=${value}`],
    ]),
    ...['--manifest', tagOf(version, platform.libc), '--file', CONTAINERFILE, stageOf(platform, release)],
  );
}

type Buildah = (...args: string[]) => Promise<string>;

/** buildah with all its data in a folder. */
const buildahIn =
  (folder: string): Buildah =>
  (...args) =>
    runTool(['buildah', '--root', join(folder, 'root'), '--runroot', join(folder, 'run'), ...args], {
      STORAGE_DRIVER: 'vfs',
    });

/** Writes `svc-super-VERSION-oci.tar`, an OCI layout with a manifest list for each C library. */
export async function makeImages(request: ReleaseRequest): Promise<void> {
  const { platforms, release, version, date } = request;
  const folder = mkdtempSync(join(tmpdir(), 'svc-super-images-'));
  const buildah = buildahIn(folder);
  const layout = join(folder, 'layout');
  try {
    for (const platform of platforms) await addImage(buildah, request, platform);
    for (const tag of new Set(platforms.map(({ libc }) => tagOf(version, libc))))
      await buildah('manifest', 'push', '--quiet', '--all', tag, `oci:${layout}:${tag}`);
    setTimes(layout, date);
    const options = [...REPRODUCIBLE, '--sort=name', '-C', layout];
    await runTool(['tar', ...options, '-cf', join(release, `svc-super-${version}-oci.tar`), '.']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
