// Starts the sampler of memory when the plan has a watched service, at the start or after a reload. Samples nothing itself, so that
// a supervisor without such a service does not load the sampler.
import type { Plan } from '../plan/plan.ts';
import type { Core } from './core.ts';
import type { Parts } from './parts.ts';

/** Checks the plan now and after each step of the engine. */
export function watchMemory({ engine, executor }: Core, { request, link: { children } }: Parts): void {
  const { clock, handover } = request;
  const handleOf = (name: string) => executor.handleOf(name);
  const parts = { clock, engine, children, page: handover.page, handleOf };
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
