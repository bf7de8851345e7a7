// Loads and runs ahead of time what the start left out and a later moment would have to wait for. Each has its figure here; all
// of it happens after the first services have been started. Part of the root.
import { releaseMemory } from '../platform/memory.ts';
import type { RealClock } from '../ports.ts';
import type { Engine } from '../runtime/engine.ts';

/** Time until the warm-up: the first services have been started by then, milliseconds. */
const WARM_UP_AFTER = 150;
/** Time until memory is released: most services have been started by then, milliseconds. */
const RELEASE_AFTER = 5_000;

export function prepareForFailures(engine: Engine, clock: RealClock): void {
  const { plan } = engine.world;
  if (plan.services.some(({ ready, live }) => [...ready, ...live].some(({ kind }) => kind === 'http')))
    void import('../runtime/probe-http.ts').catch(() => undefined);
  clock.after(WARM_UP_AFTER, () => engine.warmUp());
  clock.after(RELEASE_AFTER, releaseMemory);
}
