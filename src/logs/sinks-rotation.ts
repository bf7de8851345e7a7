// The rotated files beside a log file: `a.log.1` is the newest, `a.log.1.gz` where it is compressed. Decides under which name
// each lies and which goes; each step is one rename, so that readers find every file whole. Reads none of them. Works in
// a folder that is held open, so that a service that replaces the folder by a link affects no other folder.
import { lstatSync, renameSync, type Stats, unlinkSync } from 'node:fs';
import type { Folder } from '../linux/guarded-path.ts';

const ENDS = ['', '.gz'] as const;

/** What a file is called while it has no number yet. */
const between = (name: string) => `${name}.rotating`;

/** What is being compressed is written here until it is whole. */
export const partOf = (rotated: string) => `${rotated}.gz.part`;

const look = (folder: Folder, name: string): Stats | undefined => lstatSync(folder.at(name), { throwIfNoEntry: false });

const rename = (folder: Folder, from: string, to: string): void => renameSync(folder.at(from), folder.at(to));

/** Removes an entry if it exists. */
export function remove(folder: Folder, name: string): void {
  if (look(folder, name) !== undefined) unlinkSync(folder.at(name));
}

/**
 * Moves the file away, to `NAME.1`. Throws where it cannot be moved, a file that is itself a mount for one, and has then
 * neither removed nor renamed anything else; ENOENT means that it is gone.
 */
export function rotate(folder: Folder, name: string, keep: number): void {
  if (keep === 0) {
    unlinkSync(folder.at(name));
    return;
  }
  settle(folder, name, keep);
  rename(folder, name, between(name));
  settle(folder, name, keep);
}

/** What an earlier life has left half done. */
export function tidy(folder: Folder, name: string, keep: number): void {
  for (let number = 1; number <= keep; number += 1) remove(folder, partOf(`${name}.${number}`));
  settle(folder, name, keep);
}

/** The newest rotated file that is not compressed; or the one with that inode, whatever its number has become. */
export function findPlain(folder: Folder, name: string, keep: number, inode: number | null = null): string | null {
  for (let number = 1; number <= keep; number += 1) {
    const rotated = `${name}.${number}`;
    const found = look(folder, rotated);
    if (found?.isFile() && (inode === null || found.ino === inode)) return rotated;
  }
  return null;
}

/**
 * Makes room for what has no number yet, up to the first number that is free: tried again after it has failed halfway, it
 * removes nothing more.
 */
function settle(folder: Folder, name: string, keep: number): void {
  if (look(folder, between(name)) === undefined) return;
  let free = 1;
  while (free < keep && ENDS.some((end) => look(folder, `${name}.${free}${end}`) !== undefined)) free += 1;
  for (const end of ENDS) remove(folder, `${name}.${free}${end}`);
  for (let number = free - 1; number >= 1; number -= 1) {
    for (const end of ENDS) {
      const rotated = `${name}.${number}${end}`;
      if (look(folder, rotated) !== undefined) rename(folder, rotated, `${name}.${number + 1}${end}`);
    }
  }
  rename(folder, between(name), `${name}.1`);
}
