// Files and folders, as far as a start needs them. Paths may hold any bytes (bytes.ts).
import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
  statSync,
} from 'node:fs';
import { decodeBytes, encodeBytes } from '../bytes.ts';
import { resolve } from '../paths.ts';
import type { Files } from '../ports.ts';
import { openGuarded } from './guarded-path.ts';

/** The working directory. One that was removed has no path any more: then `/`. */
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

export const isFolder = (found: Stats): boolean => found.isDirectory();

/** What is read goes through here: nothing waits while it does. */
const page = Buffer.allocUnsafeSlow(64 * 1024);

/** The rest of what a descriptor has, as bytes; no more than a page above `most`. */
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

/** A whole file, or no more than a page above `most`. Throws an Error with `code`. */
export function readBytes(path: string, most = Number.POSITIVE_INFINITY): Buffer {
  const fd = openSync(encodeBytes(path), constants.O_RDONLY);
  try {
    return readRest(fd, most);
  } finally {
    closeSync(fd);
  }
}

/** A whole file in which each byte is a character. Throws an Error with `code`. */
export function readText(path: string): string {
  return readBytes(path).toString('latin1');
}

/** The names in a folder, in no order. Throws an Error with `code`. */
export function list(folder: string): string[] {
  return readdirSync(folder);
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

/** Null where there is nothing. Throws an Error with `code` for what cannot be looked at. */
export function look(path: string): Stats | null {
  try {
    return statSync(encodeBytes(path));
  } catch (error) {
    // Not `throwIfNoEntry: false`: Node returns undefined for ENOTDIR too.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** More than anything that is read so may have; some files of /proc go on for ever. */
const MOST = 16 * 1024 * 1024;

/**
 * As `readBytes`, of a configuration, an env file or a secret: a link that another user made is followed only to what this
 * user may read.
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
    const found = look(path);
    return found === null ? null : { size: found.size, isDirectory: found.isDirectory(), isFile: found.isFile() };
  },
};
