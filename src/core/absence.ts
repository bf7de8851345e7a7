// Time that the supervisor did not have: it was stopped (SIGSTOP), frozen with its container (docker pause), or its machine
// was. What it waited for went on or not, and none of it could be seen. Deadlines move by the absence, so that nothing is
// judged by it. Pure.
import type { Millis } from '../plan/plan.ts';
import type { Probing } from './probing.ts';
import type { Prelude, Service, State } from './state.ts';
import { surveyServices, type World } from './world.ts';

/** Every instant that lies ahead, and every one that a duration is measured from, later by `by`. */
export function shiftDeadlines(world: World, by: Millis): World {
  const services = [...world.services.values()].map((service) => shiftService(service, by));
  const { phase } = world;
  return {
    ...world,
    ...surveyServices(world.index, services, phase.id !== 'running'),
    phase: phase.id === 'stopping' ? { ...phase, deadline: phase.deadline + by } : phase,
  };
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
      // A pause between two runs goes on by the clock: nothing is judged by it.
      return state;
  }
}

function shiftPrelude(prelude: Prelude | null, by: Millis): Prelude | null {
  if (prelude === null) return null;
  if (prelude.id === 'hook') return { ...prelude, since: prelude.since + by, deadline: prelude.deadline + by };
  const { gate } = prelude;
  const steady = gate.steady === null ? null : { ...gate.steady, since: gate.steady.since + by };
  return { ...prelude, gate: { ...gate, since: gate.since + by, steady } };
}

function shiftProbing(probing: Probing, by: Millis): Probing {
  const { flight } = probing;
  return flight === null ? probing : { ...probing, flight: { ...flight, deadline: flight.deadline + by } };
}
