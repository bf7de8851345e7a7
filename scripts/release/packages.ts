// Makes the system packages of a release with nfpm, from one description (nfpm/nfpm.yaml): a .deb for glibc, an .apk for musl.
// The version of nfpm and of all its modules is pinned by nfpm/go.mod and go.sum; Go compiles it at the first use.
import { join } from 'node:path';
import type { Platform, ReleaseRequest } from './platforms.ts';
import { stageOf } from './stage.ts';
import { runTool } from './tools.ts';

const NFPM = join(import.meta.dir, 'nfpm');

/** The file of a platform: `svc-super_0.2.0_amd64.deb`, `svc-super_0.2.0_x86_64.apk`. */
export function packageName({ libc, oci, native }: Platform, version: string): string {
  if (libc === 'glibc') return `svc-super_${version}_${oci}.deb`;
  return `svc-super_${version}_${native === 'x64' ? 'x86_64' : 'aarch64'}.apk`;
}

/** Writes a package for each platform into the folder of the release. */
export async function makePackages({ platforms, release, version, date }: ReleaseRequest): Promise<void> {
  for (const platform of platforms) {
    const target = join(release, packageName(platform, version));
    const format = platform.libc === 'glibc' ? 'deb' : 'apk';
    await runTool(
      ['go', '-C', NFPM, 'tool', 'nfpm', 'package', '--config', 'nfpm.yaml', '--packager', format, '--target', target],
      {
        PACKAGE_ARCH: platform.oci,
        PACKAGE_VERSION: version,
        PACKAGE_TREE: stageOf(platform, release),
        SOURCE_DATE_EPOCH: String(date),
      },
    );
  }
}
