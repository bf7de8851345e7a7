// The images of a release in the storage of this machine, and images built from them as a user's Dockerfile does: with
// `COPY --from`. All have the label of the container tests.
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { tagOf } from '../../scripts/release/image.ts';
import type { Platform } from '../../scripts/release/platforms.ts';
import { readVersion } from '../../scripts/release/version.ts';
import { buildah, limitOptions, must, podman, RUN_OPTIONS, run } from './container-tools.ts';
import type { Ran } from './ran.ts';

/** The name that documentation and examples use. */
export const PUBLISHED = 'ghcr.io/OWNER/svc-super:0.2';

const version = readVersion();
const localName = (libc: Platform['libc']) => `localhost/svc-super-test-release:${tagOf(version, libc)}-${process.pid}`;

/** Unpacks the OCI layout of a release into a folder below `parent`. Returns that folder. */
export async function unpackLayout(release: string, parent = release): Promise<string> {
  const layout = join(parent, `layout-${process.pid}`);
  mkdirSync(layout);
  await must(['tar', '-xf', join(release, `svc-super-${version}-oci.tar`), '-C', layout]);
  return layout;
}

/** Pulls the image for this machine out of a manifest list. Returns its name. */
export async function pullImage(layout: string, libc: Platform['libc']): Promise<string> {
  // Relative: buildah makes a name of the path, and a name must be lower case.
  const pull = ['buildah', 'pull', '--quiet', `oci:${basename(layout)}:${tagOf(version, libc)}`];
  const id = await must(['env', '-C', dirname(layout), ...pull]);
  await must(['buildah', 'tag', id, localName(libc)]);
  await must(['buildah', 'rmi', `localhost/${basename(layout)}`]);
  return localName(libc);
}

/** Options of buildah that put stored images in the place of other names. */
export const insteadOf = (named: Readonly<Record<string, string>>): string[] =>
  Object.entries(named).flatMap(([name, stored]) => ['--build-context', `${name}=container-image://${stored}`]);

/** Builds a Dockerfile. `image` stands for the published image, `contexts` for other names of images. */
export async function buildWith(
  image: string,
  dockerfile: string,
  tag: string,
  context: { readonly folder: string; readonly images?: Readonly<Record<string, string>> },
): Promise<Ran> {
  const file = join(context.folder, 'Dockerfile.test');
  writeFileSync(file, dockerfile);
  return run(
    buildah(
      '--layers=false',
      ...insteadOf({ [PUBLISHED]: image, ...context.images }),
      '--tag',
      tag,
      '--file',
      file,
      context.folder,
    ),
  );
}

/** Runs a container of an image to its end. */
export function runImage(tag: string, options: readonly string[] = [], args: readonly string[] = []): Promise<Ran> {
  return run(podman('run', '--rm', ...RUN_OPTIONS, ...limitOptions(), ...options, tag, ...args));
}

export async function removeImages(...names: readonly string[]): Promise<void> {
  for (const name of names) await run(podman('rmi', '--force', name));
}
