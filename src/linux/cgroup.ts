// Counts the processes that the kernel's OOM killer has ended in the container's cgroup. Reads both versions of cgroups,
// mounted for the container alone or, without a cgroup namespace, for the whole machine: cgroups(7). Changes nothing.
import { readLatin1 } from './files.ts';

/** The cgroup of PID 1, of the supervisor, and of services without a limit, where memory-cgroup.ts has moved them. */
export const OWN_CGROUP = 'svc-super.self';
const MOVED = new RegExp(`/${OWN_CGROUP}$`);
const V2 = '/sys/fs/cgroup';
const V1 = '/sys/fs/cgroup/memory';

/** The files that may hold the counter, from /proc/self/cgroup: the process's own cgroup first. Pure. */
export function oomFiles(table: string): readonly string[] {
  const own = table.split('\n').flatMap((line) => {
    const [, controllers = '', own = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    // The counter of the cgroup above counts the services too.
    const path = own.replace(MOVED, '');
    if (path === '' || path === '/') return [];
    if (controllers === '') return [`${V2}${path}/memory.events`];
    return controllers.split(',').includes('memory') ? [`${V1}${path}/memory.oom_control`] : [];
  });
  return [...own, `${V2}/memory.events`, `${V1}/memory.oom_control`];
}

/** The processes of this cgroup that the OOM killer has ended so far; null if the kernel has no such counter. */
export function countOomKills(read: (path: string) => string = readLatin1): number | null {
  const readOr = (path: string): string => {
    try {
      return read(path);
    } catch {
      // The other version of cgroups is mounted, or none.
      return '';
    }
  };
  for (const file of oomFiles(readOr('/proc/self/cgroup'))) {
    // Both versions have it, memory.oom_control since Linux 4.13.
    const count = /^oom_kill (\d+)/m.exec(readOr(file))?.[1];
    if (count !== undefined) return Number(count);
  }
  return null;
}
