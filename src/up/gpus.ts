// Creates the readers of GPU memory and GPU use from the parts of a supervising process. Decides nothing.
// Loaded only if a service has `gpus`, or the use is asked for.
import { capture } from '../linux/capture.ts';
import { type GpuReader, gpuReader } from '../linux/gpu-memory.ts';
import { gpuUseReader } from '../linux/gpu-use.ts';
import type { GpuUses } from '../plan/gpu-reading.ts';
import type { Clock } from '../ports.ts';

interface GpuRooms {
  readonly clock: Clock;
  /** The environment of the container. */
  readonly environment: Readonly<Record<string, string>>;
  /** The service of every process of a run, by PID. */
  readonly owners?: () => ReadonlyMap<number, string>;
}

export function makeGpuReader({ clock, environment, owners = () => new Map() }: GpuRooms): GpuReader {
  return gpuReader({ clock, environment, run: capture, owners });
}

export function makeGpuUseReader({ clock, environment }: Omit<GpuRooms, 'owners'>): () => Promise<GpuUses> {
  return gpuUseReader({ clock, environment, run: capture });
}
