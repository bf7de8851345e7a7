// Reads the private memory of the watched services (`max_memory`) every few seconds, and sends it to the core. Loaded when the plan
// has a watched service; its timer is armed only while it has. Decides nothing.
import type { MemorySample } from '../core/event.ts';
import type { Children } from '../pid1/children.ts';
import type { Run } from '../pid1/run.ts';
import { privateMemoryOf } from '../pid1/usage.ts';
import type { Clock } from '../ports.ts';
import type { Engine } from '../runtime/engine.ts';

/** Milliseconds between two samples. */
const SAMPLE_EVERY = 5_000;
/** Milliseconds to the next sample while a service is above its limit: a second sample decides (core/memory-watch.ts). */
const SAMPLE_AGAIN = 1_000;

interface SamplerParts {
  readonly clock: Clock;
  readonly engine: Engine;
  readonly children: Children;
  /** The size of a memory page in bytes. */
  readonly page: number;
  handleOf(service: string): Run | null;
}

/** Samples until no service is watched, and then calls `done`. `wait`: milliseconds to the next sample. */
export function sampleMemory(parts: SamplerParts, done: () => void, wait = SAMPLE_AGAIN): void {
  const { clock, engine } = parts;
  clock.after(wait, () => {
    if (!engine.world.plan.services.some(({ memoryWatch }) => memoryWatch !== null)) {
      done();
      return;
    }
    const samples = takeSamples(parts);
    if (samples.length > 0) engine.send({ type: 'memory-read', samples });
    const isUndecided = [...engine.world.services.values()].some(({ excess }) => excess !== null && excess.samples > 0);
    sampleMemory(parts, done, isUndecided ? SAMPLE_AGAIN : SAMPLE_EVERY);
  });
}

function takeSamples({ engine, children, page, handleOf }: SamplerParts): readonly MemorySample[] {
  const { plan, services } = engine.world;
  return plan.services.flatMap(({ name, memoryWatch }): MemorySample[] => {
    const handle = memoryWatch === null ? null : handleOf(name);
    const run = services.get(name)?.run;
    if (handle === null || run === undefined) return [];
    const pages = privateMemoryOf(handle, children);
    return pages === 0 ? [] : [{ service: name, run, bytes: pages * page }];
  });
}
