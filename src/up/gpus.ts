// The one who asks the driver for the memory of GPUs, made from the rooms of a supervising process. Wires and nothing else;
// part of the root. Loaded only where a service has `gpus`.
import type { Clock } from '../ports.ts';
import type { Children, Run } from '../sys/children.ts';
import { type GpuReader, gpuReader } from '../sys/gpu-memory.ts';
import { capture } from '../sys/tools.ts';

export interface GpuRooms {
  readonly clock: Clock;
  readonly children: Children;
  /** The container's. */
  readonly environment: Readonly<Record<string, string>>;
  /** The services that have a run, each with a handle on its processes. */
  runs?(): Iterable<readonly [service: string, run: Run]>;
}

export function makeGpuReader({ clock, children, environment, runs }: GpuRooms): GpuReader {
  return gpuReader({
    clock,
    environment,
    run: (argv, env, abort) => capture(children, argv, env, abort),
    owners: () => {
      const owners = new Map<number, string>();
      for (const [service, run] of runs?.() ?? []) {
        for (const { pid } of children.processesOf(run)) owners.set(pid, service);
      }
      return owners;
    },
  });
}
