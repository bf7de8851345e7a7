// Makes the archives of a platform: .tar.gz and .tar.zst of its tree, the same bytes on every machine. Owners, times and order
// are fixed, and the compressors are those of the pinned Bun.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runTool } from './tools.ts';
import { listTree } from './tree.ts';

/** How much time the compressors get. `quick` is for tests: larger files, the same contents. */
export type Effort = 'full' | 'quick';

const LEVELS = {
  full: { gzip: 12, zstd: 19 },
  quick: { gzip: 1, zstd: 1 },
} as const satisfies Record<Effort, unknown>;

/** The paths that archives, packages and images take from a tree: its files. Folders would change those that exist. */
export const filesOf = (tree: string): readonly string[] =>
  listTree(tree)
    .filter((entry) => !entry.isFolder)
    .map((entry) => entry.path);

/** Writes an uncompressed tar of a tree's files: paths relative to `/`, owner root, times as they are in the tree. */
export async function writeTar(tree: string, target: string): Promise<void> {
  const fixed = ['--format=ustar', '--owner=0', '--group=0', '--numeric-owner', '--no-recursion'];
  await runTool(['tar', ...fixed, '-C', tree, '-cf', target, ...filesOf(tree)]);
}

/** Writes `NAME.tar.gz` and `NAME.tar.zst` of a tree into a folder. Returns the names of the files. */
export async function archive(tree: string, name: string, folder: string, effort: Effort): Promise<readonly string[]> {
  const plain = join(folder, `${name}.tar`);
  try {
    await writeTar(tree, plain);
    const bytes = readFileSync(plain);
    const { gzip, zstd } = LEVELS[effort];
    // libdeflate writes no time and no name into the header.
    await Bun.write(`${plain}.gz`, Bun.gzipSync(bytes, { level: gzip, library: 'libdeflate' }));
    await Bun.write(`${plain}.zst`, await Bun.zstdCompress(bytes, { level: zstd }));
    return [`${name}.tar.gz`, `${name}.tar.zst`];
  } finally {
    rmSync(plain, { force: true });
  }
}
