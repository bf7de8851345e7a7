// Finds the service that a process belongs to, for messages about a process that has a port or a GPU. Part of the root.
import type { Children } from '../pid1/children.ts';
import type { Run } from '../pid1/run.ts';

/** The service of every process of a run, by PID. `runs`: the services that have a run, each with the handle of its run. */
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
