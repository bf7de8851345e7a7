// Files, folders and descriptors by system calls, as far as a start needs them. node:fs has all of this too, and takes 1.5 ms
// to load: it is left to what comes after the first service.
import type { Files } from '../ports.ts';
import {
  ACCESS,
  closeFile,
  ErrnoError,
  hasAccess,
  isTerminal,
  OPEN,
  openFile,
  readEntries,
  readInto,
  type Status,
  statusOf,
  writeFrom,
} from './libc.ts';

/** st_mode's kinds: inode(7). */
const KIND = { mask: 0o170000, socket: 0o140000, file: 0o100000, folder: 0o040000, pipe: 0o010000 };
export const isFolder = ({ mode }: Status) => (mode & KIND.mask) === KIND.folder;
const isFile = ({ mode }: Status) => (mode & KIND.mask) === KIND.file;
/** Or a socket. */
const isPipe = ({ mode }: Status) => (mode & KIND.mask) === KIND.pipe || (mode & KIND.mask) === KIND.socket;

/** What is read goes through here: nothing waits while it does. */
const page = Buffer.allocUnsafeSlow(64 * 1024);

/** The rest of what a descriptor has, as bytes; no more than a page above `most`. */
export function readRest(fd: number, most = Number.POSITIVE_INFINITY): Buffer {
  const parts: Buffer[] = [];
  let read = 0;
  for (let size = readInto(fd, page); size > 0 && read <= most; size = readInto(fd, page)) {
    parts.push(Buffer.from(page.subarray(0, size)));
    read += size;
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

/** A whole file, or no more than a page above `most`. Throws an ErrnoError. */
export function readBytes(path: string, most?: number): Buffer {
  const fd = openFile(path);
  try {
    return readRest(fd, most);
  } finally {
    closeFile(fd);
  }
}

/** A whole file in which each byte is a character. Throws an ErrnoError. */
export function readText(path: string): string {
  return readBytes(path).toString('latin1');
}

/** The names in a folder, in no order; of those that begin with other bytes than wanted, none. Throws an ErrnoError. */
export function list(folder: string, wanted: (first: number) => boolean = () => true): string[] {
  const fd = openFile(folder);
  const names: string[] = [];
  try {
    for (let size = readEntries(fd, page); size > 0; size = readEntries(fd, page)) {
      // struct linux_dirent64: inode (8), offset (8), length (2), type (1), name up to a NUL.
      for (let at = 0; at < size; at += page.readUInt16LE(at + 16)) {
        if (!wanted(page[at + 19] ?? 0)) continue;
        const name = page.toString('latin1', at + 19, page.indexOf(0, at + 19));
        if (name !== '.' && name !== '..') names.push(name);
      }
    }
    return names;
  } finally {
    closeFile(fd);
  }
}

export const exists = (path: string): boolean => hasAccess(path, ACCESS.exists);
export const mayExecute = (path: string): boolean => hasAccess(path, ACCESS.execute);

/** Null where there is nothing. Throws an ErrnoError for what cannot be looked at. */
export function look(path: string): Status | null {
  try {
    return statusOf(path);
  } catch (error) {
    if (error instanceof ErrnoError && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** More than anything that is read so may have; some files of /proc go on for ever. */
const MOST = 16 * 1024 * 1024;

export const realFiles: Files = {
  read: (path) => readBytes(path, MOST),
  stat(path) {
    const found = look(path);
    return found === null ? null : { size: found.size, isDirectory: isFolder(found), isFile: isFile(found) };
  },
};

/** Descriptors for whoever writes to them (`Descriptors` of logs/sinks.ts). */
export const descriptors = {
  look(fd: number): { readonly kind: 'pipe' | 'terminal' | 'other'; readonly identity: string } {
    const found = statusOf(fd);
    return { kind: isPipe(found) ? 'pipe' : isTerminal(fd) ? 'terminal' : 'other', identity: found.identity };
  },
  reopen: (fd: number) => openFile(`/proc/self/fd/${fd}`, OPEN.write | OPEN.noTerminal),
  write: writeFrom,
};
