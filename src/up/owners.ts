// Whose a process is, for those who find a process where it is not expected. Part of the root.
import type { Children, Run } from '../pid1/children.ts';

/** The services that have a run, each with a handle on its processes. */
export type Runs = () => Iterable<readonly [service: string, run: Run]>;

/** Pid -> service, of every process of a run. */
export function ownersOf(children: Children, runs: Runs): ReadonlyMap<number, string> {
  const owners = new Map<number, string>();
  for (const [service, run] of runs()) {
    for (const { pid } of children.processesOf(run)) owners.set(pid, service);
  }
  return owners;
}
