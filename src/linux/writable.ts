// Checks, without changing anything, whether a folder or the log file of a service can be written.
import { type Stats, statfsSync, statSync } from 'node:fs';
import { encodeBytes } from '../bytes.ts';
import { dirname } from '../paths.ts';
import { absolute } from './files.ts';
import { type Credentials, permits, reach, type Want } from './reach.ts';

/** File systems of the kernel, by their type in statfs(2): no file can be created there, whatever the modes are. */
const KERNEL_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x9fa0, 'proc'],
  [0x62656572, 'sysfs'],
  [0x27e0eb, 'cgroup'],
  [0x63677270, 'cgroup2'],
]);

/** Why no file can be created in a folder, whose missing parents would be created too; null if one can. */
export function whyNotWritable(path: string, credentials: Credentials): string | null {
  let folder = path;
  let stats = findStats(folder);
  while (stats === null && folder !== dirname(folder)) {
    folder = dirname(folder);
    stats = findStats(folder);
  }
  if (stats === null) return 'there is no such folder';
  if (!stats.isDirectory()) return `${folder} is not a folder`;
  const isWritable = may(folder, stats, 'write', credentials) && may(folder, stats, 'search', credentials);
  if (!isWritable) return `${folder === path ? 'it' : folder} may not be written to`;
  const kernels = kernelFileSystem(folder);
  return kernels === null
    ? null
    : `${folder === path ? 'it' : folder} belongs to the kernel (${kernels}): no file can be created there`;
}

/** Why a log file cannot be written (null if it can), and the path that was decisive: the file, the device, or the folder. */
export function inspectLogFile(path: string): { readonly at: string; readonly why: string | null } {
  const stats = findStats(path);
  if (stats !== null && !stats.isFile() && !stats.isCharacterDevice()) {
    const kind = stats.isDirectory() ? 'a folder' : stats.isFIFO() ? 'a FIFO' : 'neither a file nor a character device';
    return { at: path, why: `it is ${kind}` };
  }
  if (stats !== null && !may(path, stats, 'write', null)) return { at: path, why: 'it may not be written to' };
  if (stats?.isCharacterDevice()) return { at: path, why: null };
  // The file is created in its folder, and again after each rotation.
  return { at: dirname(path), why: whyNotWritable(dirname(path), null) };
}

/** The name of a file system of the kernel; null for any other. */
function kernelFileSystem(folder: string): string | null {
  try {
    return KERNEL_FILE_SYSTEMS.get(statfsSync(encodeBytes(folder)).type) ?? null;
  } catch {
    return null;
  }
}

function findStats(path: string): Stats | null {
  try {
    return statSync(encodeBytes(path), { throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}

function may(path: string, stats: Stats, want: Want, credentials: Credentials): boolean {
  return permits(path, stats, want, credentials) && reach(absolute(path), credentials).kind !== 'closed';
}
