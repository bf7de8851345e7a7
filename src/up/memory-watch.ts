// Starts the sampler of memory when the plan has a service that is watched, at the start or after a reload. Part of the root.
import type { Plan } from '../plan/plan.ts';
import type { SamplerParts } from './memory-sampler.ts';

export function watchMemory(parts: SamplerParts): void {
  const { engine } = parts;
  let seen: Plan | null = null;
  let isSampling = false;
  const check = () => {
    const { plan } = engine.world;
    if (plan === seen || isSampling) return;
    seen = plan;
    if (!plan.services.some(({ memoryWatch }) => memoryWatch !== null)) return;
    isSampling = true;
    const done = () => {
      isSampling = false;
    };
    void import('./memory-sampler.ts').then(({ sampleMemory }) => sampleMemory(parts, done));
  };
  check();
  engine.watch(check);
}
