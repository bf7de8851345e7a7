// The rotated files beside a log file: `path.1` is the newest, `path.1.gz` where it is compressed. Decides under which name
// each lies and which goes; each step is one rename, so that whoever looks finds every file whole. Reads none of them.
import { lstatSync, renameSync, rmSync, unlinkSync } from 'node:fs';

const ENDS = ['', '.gz'] as const;

/** What a file is called while it has no number yet. */
const between = (path: string) => `${path}.rotating`;

/** What is being compressed is written here until it is whole. */
export const partOf = (rotated: string) => `${rotated}.gz.part`;

const look = (path: string) => lstatSync(path, { throwIfNoEntry: false });

/**
 * Moves the file at `path` away, to `path.1`. Throws where it cannot be moved, a file that is itself a mount for one, and
 * has then neither removed nor renamed anything else; ENOENT means that it is gone.
 */
export function rotate(path: string, keep: number): void {
  // Of a link the name alone would move: of /dev/stdout for everybody.
  if (!lstatSync(path).isFile()) throw new Error('it is a symbolic link');
  if (keep === 0) {
    unlinkSync(path);
    return;
  }
  settle(path, keep);
  renameSync(path, between(path));
  settle(path, keep);
}

/** What an earlier life has left half done. */
export function tidy(path: string, keep: number): void {
  for (let number = 1; number <= keep; number += 1) rmSync(partOf(`${path}.${number}`), { force: true });
  settle(path, keep);
}

/** The newest rotated file that is not compressed; or the one with that inode, whatever its number has become. */
export function findPlain(path: string, keep: number, inode: number | null = null): string | null {
  for (let number = 1; number <= keep; number += 1) {
    const name = `${path}.${number}`;
    const found = look(name);
    if (found?.isFile() && (inode === null || found.ino === inode)) return name;
  }
  return null;
}

/**
 * Makes room for what has no number yet, up to the first number that is free: tried again after it has failed halfway, it
 * removes nothing more.
 */
function settle(path: string, keep: number): void {
  if (look(between(path)) === undefined) return;
  let free = 1;
  while (free < keep && ENDS.some((end) => look(`${path}.${free}${end}`) !== undefined)) free += 1;
  for (const end of ENDS) rmSync(`${path}.${free}${end}`, { force: true });
  for (let number = free - 1; number >= 1; number -= 1) {
    for (const end of ENDS) {
      const name = `${path}.${number}${end}`;
      if (look(name) !== undefined) renameSync(name, `${path}.${number + 1}${end}`);
    }
  }
  renameSync(between(path), `${path}.1`);
}
