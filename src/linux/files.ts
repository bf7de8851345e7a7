// Reads and examines files and folders. Paths may contain any bytes (bytes.ts). Writes only a file that the user has named.
import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { decodeBytes, encodeBytes } from '../bytes.ts';
import { dirname, resolve } from '../paths.ts';
import type { Files } from '../ports.ts';
import { codeOf } from './errno.ts';
import { openGuarded } from './guarded-path.ts';

/** The working directory; `/` if it was removed, because it has no path then. */
export function currentFolder(): string {
  try {
    const path = decodeBytes(readlinkSync('/proc/self/cwd', { encoding: 'buffer' }));
    return path.startsWith('/') && exists(path) ? path : '/';
  } catch {
    return '/';
  }
}

/** A path that does not depend on the working directory. */
export const absolute = (path: string): string => resolve(currentFolder(), path);

/** Whether standard input can have data. */
export function hasInput(): boolean {
  try {
    return readlinkSync('/proc/self/fd/0') !== '/dev/null';
  } catch {
    return false;
  }
}

/** Writes a file that the user has named, and creates its folder. Throws an Error with `code`. */
export function writeNamedFile(path: string, text: string): void {
  mkdirSync(encodeBytes(dirname(path)), { recursive: true });
  writeFileSync(encodeBytes(path), text);
}

/** The buffer of all reads, which are synchronous. */
const page = Buffer.allocUnsafeSlow(64 * 1024);

/** Reads a file from its current position to its end; stops within one page above `most` bytes. */
function readRest(fd: number, most: number): Buffer {
  const parts: Buffer[] = [];
  let read = 0;
  for (let size = readSync(fd, page, 0, page.length, null); size > 0 && read <= most; ) {
    parts.push(Buffer.from(page.subarray(0, size)));
    read += size;
    size = readSync(fd, page, 0, page.length, null);
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

/** Reads a whole file, or at most one page more than `most` bytes. Throws an Error with `code`. */
export function readBytes(path: string, most = Number.POSITIVE_INFINITY): Buffer {
  const fd = openSync(encodeBytes(path), constants.O_RDONLY);
  try {
    return readRest(fd, most);
  } finally {
    closeSync(fd);
  }
}

/** A whole file in which each byte is a character. Throws an Error with `code`. */
export function readLatin1(path: string): string {
  return readBytes(path).toString('latin1');
}

/** The names in a folder of /proc, which are ASCII, in no order. Throws an Error with `code`. */
export function listFolder(folder: string): string[] {
  return readdirSync(folder);
}

/** The names in a folder, sorted; folders end with `/`. Null if the folder does not exist or cannot be read. */
export function listFolderMarked(folder: string): readonly string[] | null {
  const mark = (name: string) => (isFolder(`${folder}/${name}`) ? `${name}/` : name);
  return realFiles.list(folder)?.toSorted().map(mark) ?? null;
}

/** Whether a path leads to a folder; false also if it cannot be examined, such as a link that leads to itself. */
function isFolder(path: string): boolean {
  try {
    return findStats(path)?.isDirectory() === true;
  } catch {
    return false;
  }
}

function hasAccess(path: string, mode: number): boolean {
  try {
    accessSync(encodeBytes(path), mode);
    return true;
  } catch {
    return false;
  }
}

export const exists = (path: string): boolean => hasAccess(path, constants.F_OK);
export const mayExecute = (path: string): boolean => hasAccess(path, constants.X_OK);

/** Null if the path does not exist. Throws an Error with `code` if it cannot be examined. */
export function findStats(path: string): Stats | null {
  try {
    return statSync(encodeBytes(path));
  } catch (error) {
    // Not `throwIfNoEntry: false`: Node returns undefined for ENOTDIR too.
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Larger than any configuration, bytes. Some files of /proc have no end. */
const MOST = 16 * 1024 * 1024;

/**
 * Reads a configuration, an env file or a secret. A link that another user made is followed only to a file that this
 * other user may read.
 */
function readConfigured(path: string): Buffer {
  const fd = openGuarded(absolute(path), constants.O_RDONLY, 'read');
  try {
    return readRest(fd, MOST);
  } finally {
    closeSync(fd);
  }
}

export const realFiles: Files = {
  read: readConfigured,
  stat(path) {
    const found = findStats(path);
    return found === null ? null : { size: found.size, isDirectory: found.isDirectory(), isFile: found.isFile() };
  },
  list(folder) {
    try {
      return readdirSync(encodeBytes(folder), { encoding: 'buffer' }).map((name) => decodeBytes(name));
    } catch {
      return null;
    }
  },
};
