// The packages of a release, made from dist/ for tests: complete for this machine's platform; those of other platforms have
// an empty file in place of the supervisor, because no test of this machine may install them.
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeLauncherPackage, makePlatformPackage, type Packing } from '../../scripts/release/npm.ts';
import { PLATFORMS, type Platform } from '../../scripts/release/platforms.ts';
import { makeTree, writeShared } from '../../scripts/release/stage.ts';
import { readVersion } from '../../scripts/release/version.ts';
import { makeWheel } from '../../scripts/release/wheels.ts';
import { readLibc } from '../../src/linux/libc.ts';

const ROOT = join(import.meta.dir, '../..');

/** The platform of this machine. */
export const HOST = PLATFORMS.find(({ native, libc }) => native === process.arch && libc === readLibc()) as Platform;

/** 2000-01-01. */
const SECONDS = 946_684_800;

function fillTree(platform: Platform, tree: string): void {
  const { native, supervisor } = makeTree(tree);
  writeShared(tree, 'none\n');
  copyFileSync(join(ROOT, `native/prebuilt/svc-super-${platform.native}`), native);
  if (platform === HOST) copyFileSync(join(ROOT, 'dist/svc-super-supervisor'), supervisor);
  else writeFileSync(supervisor, '');
  for (const program of [native, supervisor]) chmodSync(program, 0o755);
}

/** Trees and packages in a folder of their own. */
export class TestPackages {
  readonly folder = mkdtempSync(join(tmpdir(), 'svc-super-packages-'));
  readonly version = readVersion();
  readonly packing: Packing = {
    treeOf: (platform) => join(this.folder, 'stage', platform.name),
    output: join(this.folder, 'packages'),
    version: this.version,
    seconds: SECONDS,
    level: 1,
  };

  constructor() {
    for (const platform of PLATFORMS) fillTree(platform, this.packing.treeOf(platform));
  }

  /** The npm packages of all platforms, and `svc-super`. */
  npm(): readonly string[] {
    return [
      makeLauncherPackage(this.packing),
      ...PLATFORMS.map((platform) => makePlatformPackage(platform, this.packing)),
    ];
  }

  wheels(): readonly string[] {
    return PLATFORMS.map((platform) => makeWheel(platform, this.packing));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
