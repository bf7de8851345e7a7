// Lists and normalizes a tree of files: sorted names, the same time on every entry, mode 755 on folders. So what is made of a
// tree does not depend on the machine. Never leaves the folder that it is given.
import { chmodSync, lutimesSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A folder or file of a tree; `path` is relative to it. */
export interface Entry {
  readonly path: string;
  readonly isFolder: boolean;
}

/** All entries below a folder: folders before what they contain, otherwise by name. */
export function listTree(folder: string, below = ''): readonly Entry[] {
  const names = readdirSync(join(folder, below)).sort();
  return names.flatMap((name) => {
    const path = below === '' ? name : `${below}/${name}`;
    const isFolder = statSync(join(folder, path)).isDirectory();
    return [{ path, isFolder }, ...(isFolder ? listTree(folder, path) : [])];
  });
}

/** Sets the modification time of everything in a tree, seconds since 1970, and mode 755 on its folders. */
export function setTimes(folder: string, seconds: number): void {
  for (const { path, isFolder } of [...listTree(folder)].reverse()) {
    if (isFolder) chmodSync(join(folder, path), 0o755);
    lutimesSync(join(folder, path), seconds, seconds);
  }
  chmodSync(folder, 0o755);
  lutimesSync(folder, seconds, seconds);
}
