// What each service's processes use, summed from one reading of /proc. Looks only.
import type { Children, Run } from './children.ts';
import { pageSize } from './libc.ts';

/** USER_HZ, fixed for user space on every architecture we run on (proc_pid_stat(5), sysconf(_SC_CLK_TCK)). */
const TICKS_PER_SECOND = 100;

export interface Usage {
  readonly cpu_seconds: number;
  readonly memory_bytes: number;
  readonly processes: number;
}

/** Processor time and resident memory of the services that run; shared pages count for each process. */
export function usageOf(
  names: Iterable<string>,
  children: Children,
  handleOf: (name: string) => Run | null,
): ReadonlyMap<string, Usage> {
  const found = new Map<string, Usage>();
  const bytes = pageSize();
  for (const name of names) {
    const handle = handleOf(name);
    if (handle === null) continue;
    const processes = children.processesOf(handle);
    if (processes.length === 0) continue;
    let ticks = 0;
    let pages = 0;
    for (const process of processes) {
      ticks += process.ticks;
      pages += process.pages;
    }
    found.set(name, {
      cpu_seconds: ticks / TICKS_PER_SECOND,
      memory_bytes: pages * bytes,
      processes: processes.length,
    });
  }
  return found;
}
