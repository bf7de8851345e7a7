// Makes dist/release/stage/PLATFORM for each platform: the tree that the archives, images and packages of a release are made
// from. It unpacks at `/`. `bun scripts/release/stage.ts [--to FOLDER] [PLATFORM...]`; without a platform, all; `host` is that
// of this machine. Compiles no C.
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { compileSupervisor } from '../compile.ts';
import { checkPrebuilt } from '../native.ts';
import { fetchRuntime, hostPackage } from '../runtime.ts';
import { findBundled, renderNotices } from './notices.ts';
import { findByRuntime, findPlatform, PLATFORMS, type Platform } from './platforms.ts';
import { setTimes } from './tree.ts';
import { sourceDate } from './version.ts';

const ROOT = join(import.meta.dir, '../..');
export const RELEASE = join(ROOT, 'dist/release');

/** Where the programs and the other files are, in the tree. */
export const BIN = 'usr/local/bin';
export const SHARE = 'usr/local/share/svc-super';

/** The folder of a platform's tree, in the folder of a release. */
export const stageOf = (platform: Platform, release = RELEASE): string => join(release, 'stage', platform.name);

/** An empty tree with its folders, in place of an old one. Returns the paths of its programs. */
export function makeTree(tree: string): { readonly native: string; readonly supervisor: string } {
  rmSync(tree, { recursive: true, force: true });
  for (const folder of [BIN, SHARE]) mkdirSync(join(tree, folder), { recursive: true });
  return { native: join(tree, BIN, 'svc-super'), supervisor: join(tree, BIN, 'svc-super-supervisor') };
}

/** Writes the files of a tree that are not programs. `notices`: the text of THIRD_PARTY_LICENSES. */
export function writeShared(tree: string, notices: string): void {
  const share = join(tree, SHARE);
  for (const name of ['LICENSE', 'services.schema.json']) copyFileSync(join(ROOT, name), join(share, name));
  writeFileSync(join(share, 'THIRD_PARTY_LICENSES'), notices);
  for (const name of ['LICENSE', 'services.schema.json', 'THIRD_PARTY_LICENSES']) chmodSync(join(share, name), 0o644);
}

/** Makes one tree. Returns the sources that the compiler used, as paths relative to the repository. */
export async function stage(platform: Platform, tree = stageOf(platform)): Promise<readonly string[]> {
  const { native, supervisor } = makeTree(tree);
  copyFileSync(checkPrebuilt(platform.native), native);
  chmodSync(native, 0o755);
  const inputs = await compileSupervisor(fetchRuntime(platform.runtime), supervisor, platform.name);
  writeShared(tree, renderNotices(findBundled(inputs), Bun.version));
  setTimes(tree, sourceDate());
  return inputs;
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({ options: { to: { type: 'string' } }, allowPositionals: true });
  const chosen = positionals.map((name) => (name === 'host' ? findByRuntime(hostPackage()) : findPlatform(name)));
  if (values.to !== undefined && chosen.length !== 1) throw new Error('--to takes one platform');
  for (const platform of chosen.length === 0 ? PLATFORMS : chosen) {
    const tree = values.to === undefined ? stageOf(platform) : resolve(values.to);
    await stage(platform, tree);
    process.stdout.write(`${tree}\n`);
  }
}
