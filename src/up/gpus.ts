// The one who asks the driver for the memory of GPUs, made from the rooms of a supervising process. Wires and nothing else;
// part of the root. Loaded only where a service has `gpus`.
import { capture } from '../linux/capture.ts';
import { type GpuReader, gpuReader } from '../linux/gpu-memory.ts';
import type { Clock } from '../ports.ts';

export interface GpuRooms {
  readonly clock: Clock;
  /** The container's. */
  readonly environment: Readonly<Record<string, string>>;
  /** Pid -> service, of every process of a run. */
  readonly owners?: () => ReadonlyMap<number, string>;
}

export function makeGpuReader({ clock, environment, owners = () => new Map() }: GpuRooms): GpuReader {
  return gpuReader({ clock, environment, run: capture, owners });
}
