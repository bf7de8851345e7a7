// Applies samples of memory to the world: a run that uses more than `max_memory` is reported, and stopped unless `on_exceed` is
// `warn`. Does not decide whether the service runs again: run-end.ts does. Pure.
import { type Changes, notify, type StepView, stopLimit } from './changes.ts';
import type { MemorySample } from './event.ts';
import { evaluateSample } from './memory-watch.ts';
import type { Service } from './state.ts';
import { stopRun } from './stopping.ts';

/** Applies samples in order. Drops a sample of a run that is not the current one, or that is being stopped. */
export function* applySamples(view: StepView, samples: readonly MemorySample[]): Changes {
  for (const sample of samples) yield* applySample(view, sample);
}

function* applySample(view: StepView, { service: name, run, bytes }: MemorySample): Changes {
  const { services, phase } = view;
  if (phase.id !== 'running' || !services.has(name)) return;
  const service = services.get(name);
  const plan = services.planOf(name);
  const watch = plan.memoryWatch;
  if (watch === null || service.run !== run || !isProgramRunning(service) || service.wanted !== 'up') return;
  const { excess, isExceeded } = evaluateSample(watch, service.excess, bytes);
  if (!isExceeded) {
    if (excess !== service.excess) yield { type: 'service', name, service: { ...service, excess } };
    return;
  }
  yield notify(name, { event: 'memory-exceeded', bytes, watch });
  const counted: Service = { ...service, excess, exceededCount: service.exceededCount + 1 };
  yield { type: 'service', name, service: counted };
  if (watch.onExceed === 'warn') return;
  const cause = { kind: 'memory', bytes, watch } as const;
  const result = stopRun(plan, counted, cause, stopLimit(view, plan), view.context(name));
  yield { type: 'service-step', name, result };
}

/** Whether the main process runs and is not being stopped. */
function isProgramRunning({ state }: Service): boolean {
  return (state.id === 'starting' || state.id === 'ready' || state.id === 'unready') && state.pid !== null;
}
