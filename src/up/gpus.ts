// The one who asks the driver for the memory of GPUs, made from the rooms of a supervising process. Wires and nothing else;
// part of the root. Loaded only where a service has `gpus`.
import type { Clock } from '../ports.ts';
import type { Children } from '../sys/children.ts';
import { type GpuReader, gpuReader } from '../sys/gpu-memory.ts';
import { capture } from '../sys/tools.ts';
import { ownersOf, type Runs } from './owners.ts';

export interface GpuRooms {
  readonly clock: Clock;
  readonly children: Children;
  /** The container's. */
  readonly environment: Readonly<Record<string, string>>;
  readonly runs?: Runs;
}

export function makeGpuReader({ clock, children, environment, runs = () => [] }: GpuRooms): GpuReader {
  return gpuReader({
    clock,
    environment,
    run: (argv, env, abort) => capture(children, argv, env, abort),
    owners: () => ownersOf(children, runs),
  });
}
