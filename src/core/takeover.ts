// The first step of a supervisor that takes over the world of one that has died: deadlines move by the time without a
// supervisor, and what the dead supervisor did itself (probes, readings of GPU memory) is done again. Programs, hooks and
// stops go on meanwhile: they belong to PID 1. Pure.
import type { Millis, ServicePlan } from '../plan/plan.ts';
import { shiftDeadlines } from './absence.ts';
import type { Effect, ServiceEffect } from './event.ts';
import type { Service, State } from './state.ts';
import { surveyServices, type World } from './world.ts';

/** `by`: milliseconds without a supervisor. */
export function takeOver(world: World, by: Millis): { readonly world: World; readonly effects: readonly Effect[] } {
  const shifted = shiftDeadlines(world, by);
  const effects: Effect[] = [];
  const services = [...shifted.services].map(([name, service]) => {
    const plan = shifted.index.plans.get(name);
    for (const effect of unfinished(service.state))
      effects.push({ type: 'service', service: name, run: service.run, effect });
    if (service.schedule?.isReading === true)
      effects.push({ type: 'read-clock', service: name, reading: service.schedule.readings });
    return plan === undefined ? service : markMissedOutput(plan, service);
  });
  const isEnding = shifted.phase.id !== 'running';
  const survey = surveyServices(shifted.index, services, isEnding);
  return { world: { ...shifted, ...survey }, effects };
}

/** The effects of a state whose results only the dead supervisor would have received. */
function unfinished(state: State): readonly ServiceEffect[] {
  switch (state.id) {
    case 'starting':
      if (state.prelude?.id === 'memory' && state.prelude.wait.readAt === null) return [{ type: 'read-gpus' }];
      return repeatFlight(state.probing);
    case 'ready':
    case 'unready':
      return repeatFlight(state.probing);
    case 'stopping':
      return state.drain?.id === 'probing'
        ? [{ type: 'probe', kind: 'drain', index: 0, attempt: state.drain.attempt }]
        : [];
    default:
      return [];
  }
}

function repeatFlight({ flight }: { readonly flight: ProbeFlight | null }): readonly ServiceEffect[] {
  if (flight === null) return [];
  const { kind, index, attempt } = flight;
  return [{ type: 'probe', kind, index, attempt }];
}

type ProbeFlight = Pick<ServiceEffect & { readonly type: 'probe' }, 'kind' | 'index' | 'attempt'>;

/** Marks a start whose probe waits for output: the output may have been lost. */
function markMissedOutput(plan: ServicePlan, service: Service): Service {
  const { state } = service;
  if (state.id !== 'starting' || state.pid === null) return service;
  const waits = plan.ready.some(
    (probe, index) =>
      (probe.kind === 'log' || (probe.kind === 'notify' && probe.fd !== null)) && !state.probing.latched[index],
  );
  return waits ? { ...service, state: { ...state, hasMissedOutput: true } } : service;
}
