// What a service will find on this machine, looked up beforehand: its program, its folders, with the rights of the user it
// runs as. Changes nothing, and becomes nobody: for another user the mode bits are read, so access lists are not seen.
import { accessSync, closeSync, constants, openSync, readSync, type Stats, statfsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { candidates } from './launch.ts';

/** Who it is for; null: who we are ourselves. */
export type Visitor = { readonly uid: number; readonly groups: readonly number[] } | null;

/** Where a program is, or why it cannot be executed. */
export type Found = { readonly ok: true; readonly path: string } | { readonly ok: false; readonly why: string };

type Want = 'read' | 'write' | 'search';
const MODES: Readonly<Record<Want, number>> = { read: constants.R_OK, write: constants.W_OK, search: constants.X_OK };
const BITS: Readonly<Record<Want, number>> = { read: 4, write: 2, search: 1 };

/** File systems of the kernel's own, by what statfs(2) says of them: nobody makes a file there, whatever the modes say. */
const KERNELS: ReadonlyMap<number, string> = new Map([
  [0x9fa0, 'proc'],
  [0x62656572, 'sysfs'],
  [0x27e0eb, 'cgroup'],
  [0x63677270, 'cgroup2'],
]);

/** The program that `exec` would take, as execvp(3) looks for it. */
export function findProgram(
  name: string,
  env: Readonly<Record<string, string>>,
  cwd: string | null,
  visitor: Visitor,
): Found {
  let why = name.includes('/') ? 'there is no such file' : 'it is in no folder of PATH';
  for (const candidate of candidates(name, env)) {
    const path = resolve(cwd ?? '.', candidate);
    const stats = look(path);
    if (stats === null) continue;
    if (!stats.isFile()) why = `${path} is no file`;
    else if ((stats.mode & 0o111) === 0 || !may(path, stats, 'search', visitor)) why = `${path} is not executable`;
    else {
      const missing = missingInterpreter(path);
      if (missing === null) return { ok: true, path };
      why = `${path} wants ${missing}, and there is no such file`;
    }
  }
  return { ok: false, why };
}

/** Why a folder cannot be the working directory; null: it can. */
export function whyNotEntered(path: string, visitor: Visitor): string | null {
  const stats = look(path);
  if (stats === null) return 'there is no such folder';
  if (!stats.isDirectory()) return 'it is not a folder';
  return may(path, stats, 'search', visitor) ? null : 'it may not be entered';
}

/** Why no file can be made in a folder; what is missing of the folder would be made. null: it can. */
export function whyNotWritable(path: string, visitor: Visitor): string | null {
  let folder = path;
  let stats = look(folder);
  while (stats === null && folder !== dirname(folder)) {
    folder = dirname(folder);
    stats = look(folder);
  }
  if (stats === null) return 'there is no such folder';
  if (!stats.isDirectory()) return `${folder} is not a folder`;
  const works = may(folder, stats, 'write', visitor) && may(folder, stats, 'search', visitor);
  if (!works) return `${folder === path ? 'it' : folder} may not be written to`;
  const kernels = kernelsName(folder);
  return kernels === null
    ? null
    : `${folder === path ? 'it' : folder} is the kernel's (${kernels}): no file is made there`;
}

/** What a log file needs on this machine: the file or device itself where it is there, and the folder of a regular one. */
export function lookAtLog(path: string): { readonly at: string; readonly why: string | null } {
  const stats = look(path);
  if (stats !== null && !stats.isFile() && !stats.isCharacterDevice()) {
    const kind = stats.isDirectory() ? 'a folder' : stats.isFIFO() ? 'a FIFO' : 'neither a file nor a character device';
    return { at: path, why: `it is ${kind}` };
  }
  if (stats !== null && !may(path, stats, 'write', null)) return { at: path, why: 'it may not be written to' };
  if (stats?.isCharacterDevice()) return { at: path, why: null };
  // It is made there, and made anew when it is rotated.
  return { at: dirname(path), why: whyNotWritable(dirname(path), null) };
}

function kernelsName(folder: string): string | null {
  try {
    return KERNELS.get(statfsSync(folder).type) ?? null;
  } catch {
    return null;
  }
}

/** `#!/opt/venv/bin/python` of a script whose interpreter is not there: exec(2) calls the script itself missing. */
function missingInterpreter(path: string): string | null {
  const head = Buffer.alloc(256);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    const interpreter = /^#![ \t]*(\/\S+)/.exec(head.toString('latin1', 0, readSync(fd, head, 0, 256, 0)))?.[1];
    return interpreter === undefined || look(interpreter) !== null ? null : interpreter;
  } catch {
    return null;
  } finally {
    closeSync(fd);
  }
}

function look(path: string): Stats | null {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}

function may(path: string, stats: Stats, want: Want, visitor: Visitor): boolean {
  try {
    // Of a file system that is mounted read-only this is true for everybody.
    accessSync(path, MODES[want]);
  } catch (error) {
    const isReadOnly = error instanceof Error && 'code' in error && error.code === 'EROFS';
    if (isReadOnly || visitor === null) return false;
  }
  if (visitor === null || visitor.uid === 0) return true;
  return grants(stats, want, visitor) && reaches(path, visitor);
}

/** What the mode bits say. */
function grants({ mode, uid, gid }: Stats, want: Want, visitor: Exclude<Visitor, null>): boolean {
  const shift = uid === visitor.uid ? 6 : visitor.groups.includes(gid) ? 3 : 0;
  return ((mode >> shift) & BITS[want]) !== 0;
}

/** Whether every folder on the way may be searched. */
function reaches(path: string, visitor: Exclude<Visitor, null>): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const stats = look(folder);
    if (stats === null || !grants(stats, 'search', visitor)) return false;
    if (folder === dirname(folder)) return true;
  }
}
