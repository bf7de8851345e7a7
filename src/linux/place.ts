// Checks before the start whether the log file of a service can be written. Changes nothing.
import { type Stats, statfsSync, statSync } from 'node:fs';
import { encodeBytes } from '../bytes.ts';
import { dirname } from '../paths.ts';
import { absolute } from './files.ts';
import { permits, reach, type Visitor, type Want } from './reach.ts';

/** File systems of the kernel, by their type in statfs(2): no file can be created there, whatever the modes are. */
const KERNELS: ReadonlyMap<number, string> = new Map([
  [0x9fa0, 'proc'],
  [0x62656572, 'sysfs'],
  [0x27e0eb, 'cgroup'],
  [0x63677270, 'cgroup2'],
]);

/** Why no file can be created in a folder, whose missing parents would be created too; null if one can. */
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

/** Why a log file cannot be written (null if it can), and the path that decides: the file, the device, or the folder. */
export function lookAtLog(path: string): { readonly at: string; readonly why: string | null } {
  const stats = look(path);
  if (stats !== null && !stats.isFile() && !stats.isCharacterDevice()) {
    const kind = stats.isDirectory() ? 'a folder' : stats.isFIFO() ? 'a FIFO' : 'neither a file nor a character device';
    return { at: path, why: `it is ${kind}` };
  }
  if (stats !== null && !may(path, stats, 'write', null)) return { at: path, why: 'it may not be written to' };
  if (stats?.isCharacterDevice()) return { at: path, why: null };
  // The file is created in its folder, and again after each rotation.
  return { at: dirname(path), why: whyNotWritable(dirname(path), null) };
}

function kernelsName(folder: string): string | null {
  try {
    return KERNELS.get(statfsSync(encodeBytes(folder)).type) ?? null;
  } catch {
    return null;
  }
}

function look(path: string): Stats | null {
  try {
    return statSync(encodeBytes(path), { throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}

function may(path: string, stats: Stats, want: Want, visitor: Visitor): boolean {
  return permits(path, stats, want, visitor) && reach(absolute(path), visitor).kind !== 'closed';
}
