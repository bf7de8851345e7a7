// What the control API asks of the supervisor, as one interface: the composition root offers it, tests fake it.
import type { Snapshot } from '../core/snapshot.ts';

/** What a service's processes use; null where /proc does not tell. */
export interface Usage {
  readonly cpu_seconds: number;
  readonly memory_bytes: number;
  readonly processes: number;
}

export interface ApiSource {
  snapshot(): Snapshot;
  usage(): ReadonlyMap<string, Usage>;
  readonly version: string;
  readonly pid: number;
}
