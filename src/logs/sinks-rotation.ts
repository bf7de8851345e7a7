// Names, renames and removes the rotated files beside a log file: `a.log.1` is the newest, or `a.log.1.gz` if compressed. Each
// step is one rename, so that readers always find complete files. Never reads them. Works in a folder that is held open, so
// that no other folder is affected if a service replaces the folder by a link.
import { lstatSync, renameSync, type Stats, unlinkSync } from 'node:fs';
import type { Folder } from '../linux/guarded-path.ts';

const SUFFIXES = ['', '.gz'] as const;

/** The name of a file during its rotation, before it gets a number. */
const unnumbered = (name: string) => `${name}.rotating`;

/** The name of a compressed file until it is complete. */
export const partOf = (rotated: string) => `${rotated}.gz.part`;

const findStats = (folder: Folder, name: string): Stats | undefined =>
  lstatSync(folder.at(name), { throwIfNoEntry: false });

const rename = (folder: Folder, from: string, to: string): void => renameSync(folder.at(from), folder.at(to));

/** Removes an entry if it exists. */
export function remove(folder: Folder, name: string): void {
  if (findStats(folder, name) !== undefined) unlinkSync(folder.at(name));
}

/**
 * Renames the file to `NAME.1`, after incrementing the numbers of the rotated files; removes it if `keep` is 0. Throws if it
 * cannot be renamed, for example because it is a mount point; then no other file is removed or renamed. ENOENT means that
 * the file does not exist.
 */
export function rotate(folder: Folder, name: string, keep: number): void {
  if (keep === 0) {
    unlinkSync(folder.at(name));
    return;
  }
  assignNumber(folder, name, keep);
  rename(folder, name, unnumbered(name));
  assignNumber(folder, name, keep);
}

/** Completes the rotation that an earlier supervisor did not finish, and removes its partial compressed files. */
export function finishRotation(folder: Folder, name: string, keep: number): void {
  for (let number = 1; number <= keep; number += 1) remove(folder, partOf(`${name}.${number}`));
  assignNumber(folder, name, keep);
}

/**
 * The newest rotated file that is not compressed or, with `inode`, the one with that inode. Null if there is none. `keep` is
 * the highest number.
 */
export function findUncompressed(
  folder: Folder,
  name: string,
  keep: number,
  inode: number | null = null,
): string | null {
  for (let number = 1; number <= keep; number += 1) {
    const rotated = `${name}.${number}`;
    const found = findStats(folder, rotated);
    if (found?.isFile() && (inode === null || found.ino === inode)) return rotated;
  }
  return null;
}

/**
 * Renames the unnumbered file to `NAME.1`, after incrementing the numbers up to the first that is free. If a call fails
 * halfway, the next call removes no further file.
 */
function assignNumber(folder: Folder, name: string, keep: number): void {
  if (findStats(folder, unnumbered(name)) === undefined) return;
  let free = 1;
  while (free < keep && SUFFIXES.some((suffix) => findStats(folder, `${name}.${free}${suffix}`) !== undefined))
    free += 1;
  for (const suffix of SUFFIXES) remove(folder, `${name}.${free}${suffix}`);
  for (let number = free - 1; number >= 1; number -= 1) {
    for (const suffix of SUFFIXES) {
      const rotated = `${name}.${number}${suffix}`;
      if (findStats(folder, rotated) !== undefined) rename(folder, rotated, `${name}.${number + 1}${suffix}`);
    }
  }
  rename(folder, unnumbered(name), `${name}.1`);
}
