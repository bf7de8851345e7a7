// Finds the service that a process belongs to, for a process in an unexpected place: at a port, or on a GPU. Part of the root.
import type { Children } from '../pid1/children.ts';
import type { Run } from '../pid1/run.ts';

/** Pid -> service, of every process of a run. `runs`: the services that have a run, each with the handle on its processes. */
export function ownersOf(
  children: Children,
  runs: Iterable<readonly [service: string, run: Run]>,
): ReadonlyMap<number, string> {
  const owners = new Map<number, string>();
  for (const [service, run] of runs) {
    for (const { pid } of children.processesOf(run)) owners.set(pid, service);
  }
  return owners;
}
