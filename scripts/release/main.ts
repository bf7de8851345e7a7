// `npm run release`: makes every file of a release in dist/release and publishes nothing. Options: --check only tests whether
// the working tree may be released; --quick compresses little, for tests; --platforms A,B and --steps A,B make a part of it;
// --to FOLDER makes it there.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { digestOf } from '../runtime.ts';
import { archive, type Effort } from './archive.ts';
import { findObstacles } from './check.ts';
import { makeImages } from './image.ts';
import { type Bundled, findBundled, renderNotices } from './notices.ts';
import { makeLauncherPackage, makePlatformPackage, type Packing } from './npm.ts';
import { makePackages } from './packages.ts';
import { findPlatform, PLATFORMS, type ReleaseRequest } from './platforms.ts';
import { renderSbom } from './sbom.ts';
import { RELEASE, stage, stageOf } from './stage.ts';
import { report } from './tools.ts';
import { stageVariant, VARIANTS, variantName } from './variants.ts';
import { readVersion, sourceDate } from './version.ts';
import { makeWheel } from './wheels.ts';

const ROOT = join(import.meta.dir, '../..');
const version = readVersion();
const { values: options } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    platforms: { type: 'string', default: PLATFORMS.map(({ name }) => name).join(',') },
    steps: { type: 'string' },
    to: { type: 'string', default: RELEASE },
  },
});
const effort: Effort = options.quick ? 'quick' : 'full';
const platforms = options.platforms.split(',').map(findPlatform);
const release = resolve(options.to);
const request: ReleaseRequest = { platforms, release, version, date: sourceDate() };

/** What the steps share. */
interface Made {
  /** npm packages in the bundle: the same on every platform. */
  bundled: readonly Bundled[];
}

async function makeTrees(made: Made): Promise<void> {
  for (const platform of platforms) made.bundled = findBundled(await stage(platform, stageOf(platform, release)));
}

async function makeArchives(): Promise<void> {
  for (const platform of platforms)
    await archive(stageOf(platform, release), `svc-super-${version}-${platform.name}`, release, effort);
}

/** Two archives for images that have Node or Bun: 2.5 MB unpacked, with licences. */
async function makeVariants({ bundled }: Made): Promise<void> {
  for (const arch of new Set(platforms.map(({ native }) => native)))
    for (const variant of VARIANTS) {
      const name = variantName(variant, arch);
      const tree = join(release, 'stage', name);
      await stageVariant(variant, arch, tree, bundled);
      await archive(tree, `svc-super-${version}-${name}`, release, effort);
    }
}

/** What packages of the registries are made with. */
const packing = (folder: string): Packing => ({
  treeOf: (platform) => stageOf(platform, release),
  output: join(release, folder),
  version,
  seconds: sourceDate(),
  level: options.quick ? 1 : 12,
});

function makeNpmPackages(): void {
  makeLauncherPackage(packing('npm'));
  for (const platform of platforms) makePlatformPackage(platform, packing('npm'));
}

function makeWheels(): void {
  for (const platform of platforms) makeWheel(platform, packing('python'));
}

/** Files that belong to every platform. The installer of a release installs that release. */
function writeTexts({ bundled }: Made): void {
  writeFileSync(join(release, 'THIRD_PARTY_LICENSES'), renderNotices(bundled, Bun.version));
  writeFileSync(join(release, `svc-super-${version}.cdx.json`), renderSbom(bundled, version));
  for (const name of ['LICENSE', 'services.schema.json']) copyFileSync(join(ROOT, name), join(release, name));
  const installer = readFileSync(join(ROOT, 'install.sh'), 'utf8').replace('@VERSION@', version);
  writeFileSync(join(release, 'install.sh'), installer, { mode: 0o755 });
}

/** The files of the release itself, and of the folders for the registries. */
function listFiles(): readonly string[] {
  const names = ['', 'npm/', 'python/'].flatMap((folder) =>
    existsSync(join(release, folder)) ? readdirSync(join(release, folder)).map((name) => `${folder}${name}`) : [],
  );
  return names.filter((name) => name !== 'SHA256SUMS' && statSync(join(release, name)).isFile());
}

/** Writes SHA256SUMS: every file, by name, in the form of `sha256sum`. */
function writeSums(): void {
  const line = (name: string) => `${digestOf(join(release, name))}  ${name}\n`;
  writeFileSync(join(release, 'SHA256SUMS'), [...listFiles()].sort().map(line).join(''));
}

/** In this order. `texts` needs what `trees` found, `sums` the files of all others. */
const STEPS = {
  trees: makeTrees,
  archives: makeArchives,
  variants: makeVariants,
  npm: makeNpmPackages,
  wheels: makeWheels,
  texts: writeTexts,
  images: () => makeImages(request),
  packages: () => makePackages(request),
  sums: writeSums,
} as const satisfies Record<string, (made: Made) => void | Promise<void>>;

/** Prints why the working tree may not be released; returns the exit code. */
async function check(): Promise<number> {
  const obstacles = await findObstacles(ROOT);
  for (const obstacle of obstacles) process.stderr.write(`release: ${obstacle}\n`);
  if (obstacles.length > 0) return 1;
  report(`${version} may be released`);
  return 0;
}

async function make(): Promise<void> {
  const names = options.steps?.split(',') ?? Object.keys(STEPS);
  if (options.steps === undefined) rmSync(release, { recursive: true, force: true });
  mkdirSync(release, { recursive: true });
  const made: Made = { bundled: [] };
  for (const [name, step] of Object.entries(STEPS)) {
    if (!names.includes(name)) continue;
    const from = performance.now();
    await step(made);
    report(`${name}: ${((performance.now() - from) / 1_000).toFixed(1)} s`);
  }
}

if (options.check) process.exitCode = await check();
else await make();
