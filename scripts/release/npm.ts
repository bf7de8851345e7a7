// Makes the npm packages of a release: `@svc-super/PLATFORM` with the programs of one platform, and `svc-super` with the
// launcher, which has the others as optional dependencies, so that npm installs one of them. Publishes nothing.
import {
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { PLATFORMS, type Platform } from './platforms.ts';
import { BIN, SHARE } from './stage.ts';
import { gzip, tar } from './tar.ts';
import type { Level } from './zip.ts';

const ROOT = join(import.meta.dir, '../..');
const TEMPLATES = join(import.meta.dir, 'npm');
const PROGRAMS = ['svc-super', 'svc-super-supervisor'] as const;

/** What packages are made with. */
export interface Packing {
  /** The staged tree of a platform. */
  readonly treeOf: (platform: Platform) => string;
  /** The folder of the packages. */
  readonly output: string;
  readonly version: string;
  /** Time of every file, seconds since 1970. */
  readonly seconds: number;
  /** Level of libdeflate: 12 in a release, 1 in tests. */
  readonly level: Level;
}

/** The npm package of a platform. */
export const npmNameOf = (platform: Platform): string => `@svc-super/${platform.name}`;

/** Its file in a release, named as `npm pack` does. */
export const npmFileOf = (name: string, version: string): string =>
  `${name.replace('@', '').replace('/', '-')}-${version}.tgz`;

const { description, repository } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  description: string;
  repository: unknown;
};

function describePlatform(platform: Platform, version: string): object {
  return {
    name: npmNameOf(platform),
    version,
    description: `The programs of svc-super for ${platform.name}`,
    license: 'MIT AND LGPL-2.0-or-later AND LGPL-2.1-only',
    repository,
    os: ['linux'],
    cpu: [platform.native],
    libc: [platform.libc],
    // A package manager that keeps archives packed (Yarn) must unpack this one: its files are executed.
    preferUnplugged: true,
    publishConfig: { access: 'public' },
  };
}

function describeLauncher(version: string): object {
  return {
    name: 'svc-super',
    version,
    description,
    license: 'MIT',
    keywords: ['container', 'docker', 'entrypoint', 'init', 'process-manager', 'supervisor'],
    repository,
    bin: { 'svc-super': 'bin/svc-super.cjs' },
    engines: { node: '>=18' },
    optionalDependencies: Object.fromEntries(PLATFORMS.map((platform) => [npmNameOf(platform), version])),
    publishConfig: { access: 'public' },
  };
}

function copy(from: string, folder: string, path: string): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  copyFileSync(from, file, constants.COPYFILE_FICLONE);
}

const render = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

/** Calls `fill` with an empty folder, and packs that folder. Returns the archive's path. */
function makePackage(name: string, packing: Packing, fill: (folder: string) => void): string {
  const { output, version, seconds, level } = packing;
  mkdirSync(output, { recursive: true });
  const folder = mkdtempSync(join(output, '.package-'));
  try {
    fill(folder);
    const file = join(output, npmFileOf(name, version));
    writeFileSync(file, gzip(tar(folder, 'package', seconds), level));
    return file;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The package of one platform. Returns the archive's path. */
export function makePlatformPackage(platform: Platform, packing: Packing): string {
  const tree = packing.treeOf(platform);
  return makePackage(npmNameOf(platform), packing, (folder) => {
    for (const program of PROGRAMS) {
      const from = join(tree, BIN, program);
      if ((statSync(from).mode & 0o777) !== 0o755) throw new Error(`${from} must have mode 755`);
      copy(from, folder, `bin/${program}`);
    }
    for (const name of ['LICENSE', 'THIRD_PARTY_LICENSES']) copy(join(tree, SHARE, name), folder, name);
    writeFileSync(join(folder, 'package.json'), render(describePlatform(platform, packing.version)));
    writeFileSync(
      join(folder, 'README.md'),
      `The programs of [svc-super](https://www.npmjs.com/package/svc-super) for ${platform.name}.\n`,
    );
  });
}

/** The package with the launcher and the JSON Schema. Returns the archive's path. */
export function makeLauncherPackage(packing: Packing): string {
  return makePackage('svc-super', packing, (folder) => {
    copy(join(TEMPLATES, 'svc-super.cjs'), folder, 'bin/svc-super.cjs');
    copy(join(TEMPLATES, 'README.md'), folder, 'README.md');
    for (const name of ['LICENSE', 'services.schema.json']) copy(join(ROOT, name), folder, name);
    writeFileSync(join(folder, 'package.json'), render(describeLauncher(packing.version)));
  });
}
