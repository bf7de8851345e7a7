// Makes the archives of a platform: .tar.gz and .tar.zst of its tree, the same bytes on every machine. Owners, times and order
// are fixed, and the compressors are those of the pinned Bun.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { gzip, REPRODUCIBLE } from './tar.ts';
import { runTool } from './tools.ts';
import { listTree } from './tree.ts';

/** How much time the compressors get. `quick` is for tests: larger files, the same contents. */
export type Effort = 'full' | 'quick';

const LEVELS = {
  full: { gzip: 12, zstd: 19 },
  quick: { gzip: 1, zstd: 1 },
} as const satisfies Record<Effort, unknown>;

/** Writes an uncompressed tar of a tree's files, without its folders: to unpack it changes no folder that exists. */
async function writeTar(tree: string, target: string): Promise<void> {
  const files = listTree(tree).flatMap(({ path, isFolder }) => (isFolder ? [] : [path]));
  await runTool(['tar', ...REPRODUCIBLE, '--no-recursion', '-C', tree, '-cf', target, ...files]);
}

/** Writes `NAME.tar.gz` and `NAME.tar.zst` of a tree into a folder. */
export async function archive(tree: string, name: string, folder: string, effort: Effort): Promise<void> {
  const plain = join(folder, `${name}.tar`);
  try {
    await writeTar(tree, plain);
    const bytes = readFileSync(plain);
    const level = LEVELS[effort];
    await Bun.write(`${plain}.gz`, gzip(bytes, level.gzip));
    await Bun.write(`${plain}.zst`, await Bun.zstdCompress(bytes, { level: level.zstd }));
  } finally {
    rmSync(plain, { force: true });
  }
}
