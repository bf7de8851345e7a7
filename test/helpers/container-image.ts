// The image of the container tests: a minimal Debian made by mmdebstrap, and on top of it test/containers/Dockerfile, built by
// buildah. The Debian is cached for a month; the image is removed after the tests.
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buildah, must, podman, run } from './container-tools.ts';
import type { Ran } from './ran.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const CONTEXT = join(ROOT, 'test/containers/image');
const BINARY = process.env.SVC_SUPER_BINARY ?? join(ROOT, 'dist/svc-super');
/** svc-super looks for its supervisor in its own folder. */
const SUPERVISOR = join(dirname(BINARY), 'svc-super-supervisor');

const SUITE = 'bookworm';
const BASE = 'localhost/svc-super-test-base';
const baseImage = `${BASE}:${SUITE}-${process.arch}-${new Date().toISOString().slice(0, 7)}`;
const image = `localhost/svc-super-test:${process.pid}`;

/** Uses this machine's sources of Debian packages if it runs the same Debian. */
const SOURCES = ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list'];

/** Minutes, in milliseconds: packages are fetched. */
const FETCHING = 600_000;

/** The minimal Debian; returns the image's name. */
export async function haveBase(): Promise<string> {
  if ((await run(podman('image', 'exists', baseImage))).code === 0) return baseImage;
  const older = await must(podman('images', '--quiet', '--filter', `reference=${BASE}`));
  for (const id of new Set(older.split('\n').filter(Boolean))) await run(podman('rmi', id));
  const folder = mkdtempSync(join(tmpdir(), 'svc-super-base-'));
  try {
    const sources = SOURCES.find((file) => existsSync(file) && readFileSync(file, 'utf8').includes(SUITE));
    const tarball = join(folder, 'rootfs.tar');
    await must(
      ['mmdebstrap', '--variant=minbase', SUITE, tarball, ...(sources === undefined ? [] : [sources])],
      FETCHING,
    );
    await must(podman('import', '--quiet', tarball, baseImage));
    return baseImage;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `buildah bud` of the Dockerfile with another services.yaml. */
export async function buildFrom(services: string | null, tag: string): Promise<Ran> {
  await haveBase();
  const folder = mkdtempSync(join(tmpdir(), 'svc-super-image-'));
  try {
    cpSync(CONTEXT, folder, { recursive: true });
    copyFileSync(BINARY, join(folder, 'svc-super'));
    copyFileSync(SUPERVISOR, join(folder, 'svc-super-supervisor'));
    if (services !== null) await Bun.write(join(folder, 'services.yaml'), services);
    return await run(buildah('--build-arg', `BASE=${baseImage}`, '--tag', tag, folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

let built: Promise<string> | undefined;

/** The image's name; the image is built at the first call. */
export function haveImage(): Promise<string> {
  built ??= buildFrom(null, image).then(({ code, stdout, stderr }) => {
    if (code !== 0) throw new Error(`the image cannot be built:\n${stdout}${stderr}`);
    return image;
  });
  return built;
}

export async function dropImage(): Promise<void> {
  built = undefined;
  await run(podman('rmi', '--force', image));
}
