// Sums the processor time and memory of each service's processes, from one scan of /proc. Changes nothing.

import { readMemory } from '../linux/processes.ts';
import type { Children } from './children.ts';
import type { Run } from './run.ts';

/** USER_HZ, fixed for user space on every architecture we run on (proc_pid_stat(5), sysconf(_SC_CLK_TCK)). */
const TICKS_PER_SECOND = 100;

interface ProcessUsage {
  readonly cpu_seconds: number;
  readonly memory_bytes: number;
  readonly processes: number;
}

/** Pages of private memory of all processes of a run: what would be free without them. */
export function privateMemoryOf(run: Run, children: Children): number {
  return children.processesOf(run).reduce((pages, { pid }) => pages + readMemory(pid).own, 0);
}

/**
 * Processor time and resident memory of the running services. Memory is the private memory of all processes, plus the
 * largest shared part of one of them, counted once: the workers of a PostgreSQL or an nginx share theirs with each
 * other. `page` is the size of a memory page in bytes.
 */
export function usageOf(
  names: Iterable<string>,
  children: Children,
  handleOf: (name: string) => Run | null,
  page: number,
): ReadonlyMap<string, ProcessUsage> {
  const found = new Map<string, ProcessUsage>();
  for (const name of names) {
    const handle = handleOf(name);
    if (handle === null) continue;
    const processes = children.processesOf(handle);
    if (processes.length === 0) continue;
    let ticks = 0;
    let own = 0;
    let shared = 0;
    for (const process of processes) {
      ticks += process.ticks;
      const memory = readMemory(process.pid);
      own += memory.own;
      shared = Math.max(shared, memory.shared);
    }
    found.set(name, {
      cpu_seconds: ticks / TICKS_PER_SECOND,
      memory_bytes: (own + shared) * page,
      processes: processes.length,
    });
  }
  return found;
}
