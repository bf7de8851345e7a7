// Keeps absences out of all deadlines. During an absence the supervisor did not run: it was stopped (SIGSTOP), frozen
// with its container (docker pause), or its machine was suspended. It saw no events, so every deadline moves by the
// duration of the absence and no service fails because of it. Pure.
import type { Millis } from '../plan/plan.ts';
import type { Probing } from './probing.ts';
import type { Prelude, Service, State } from './state.ts';
import { type Phase, surveyServices, type World } from './world.ts';

/** Moves every deadline, and every start of a duration that is compared with a limit, `by` milliseconds later. */
export function shiftDeadlines(world: World, by: Millis): World {
  const services = [...world.services.values()].map((service) => shiftService(service, by));
  const { phase } = world;
  const isEnding = phase.id !== 'running';
  return {
    ...world,
    ...surveyServices(world.index, services, isEnding),
    phase: phase.id === 'stopping' ? shiftShutdown(phase, by) : phase,
  };
}

function shiftShutdown(phase: Phase & { readonly id: 'stopping' }, by: Millis): Phase {
  // Signals that arrived during the absence are handled after it; the second Ctrl-C of one keystroke is still the same request.
  const askedAt = phase.askedAt === null ? null : phase.askedAt + by;
  return { ...phase, deadline: phase.deadline + by, askedAt };
}

function shiftService(service: Service, by: Millis): Service {
  const state = shiftState(service.state, by);
  return state === service.state ? service : { ...service, state };
}

function shiftState(state: State, by: Millis): State {
  switch (state.id) {
    case 'starting':
      return {
        ...state,
        since: state.since + by,
        progressAt: state.progressAt + by,
        reportAt: state.reportAt + by,
        prelude: shiftPrelude(state.prelude, by),
        probing: shiftProbing(state.probing, by),
      };
    case 'ready':
    case 'unready':
      return {
        ...state,
        hookUntil: state.hookUntil === null ? null : state.hookUntil + by,
        probing: shiftProbing(state.probing, by),
      };
    case 'stopping':
      return {
        ...state,
        deadline: state.deadline + by,
        limit: state.limit + by,
        heldUntil: state.heldUntil === null ? null : state.heldUntil + by,
        drain: state.drain === null ? null : { ...state.drain, until: state.drain.until + by },
      };
    default:
      // The pause before the next run is not moved: no failure depends on it.
      return state;
  }
}

function shiftPrelude(prelude: Prelude | null, by: Millis): Prelude | null {
  if (prelude === null) return null;
  if (prelude.id === 'hook') return { ...prelude, since: prelude.since + by, deadline: prelude.deadline + by };
  const { wait } = prelude;
  const steady = wait.steady === null ? null : { ...wait.steady, since: wait.steady.since + by };
  return { ...prelude, wait: { ...wait, since: wait.since + by, steady } };
}

function shiftProbing(probing: Probing, by: Millis): Probing {
  const { flight } = probing;
  return flight === null ? probing : { ...probing, flight: { ...flight, deadline: flight.deadline + by } };
}
