// What an operator asks for: services that start, stop or restart, and signals to their main processes. Changes what is
// wanted of a service, never its run: propagation.ts stops a run that is not wanted, after its dependents, and starts what is
// pending.
import type { Edge, Millis, ServicePlan, SignalName } from '../plan/plan.ts';
import { choicesOf } from './barriers.ts';
import { type Changes, notify, type StepView, signalEffect } from './changes.ts';
import type { Operation } from './event.ts';
import type { Ended } from './run.ts';
import { resetSchedule } from './schedule.ts';
import { hasMain, type Service } from './state.ts';
import { holds } from './waits.ts';

/** Starts, stops or restarts services, and starts what they need. */
export function* requestOperation(view: StepView, operation: Operation, names: readonly string[]): Changes {
  if (view.phase.id !== 'running') return;
  const { services, now } = view;
  // A service that a reload removes once it has stopped (`next: 'none'`) accepts no operation.
  const known = names.filter((name) => services.has(name) && services.get(name).next !== 'none');
  const others = operation === 'stop' ? [] : findNeeded(known, services.index.plans, services.view());
  for (const name of known) {
    yield notify(name, { event: `${operation}-asked`, by: { kind: 'operator' } });
    yield { type: 'service', name, service: applyOperation(services.planOf(name), services.get(name), operation, now) };
  }
  for (const name of others) {
    yield notify(name, { event: 'start-asked', by: { kind: 'dependent' } });
    yield { type: 'service', name, service: applyOperation(services.planOf(name), services.get(name), 'start', now) };
  }
}

/** Starts the idle services that pending ones depend on, directly or through other idle services. */
export function* startIdleNeeds({ services }: StepView): Changes {
  const { plans } = services.index;
  const all = services.view();
  if (![...all.values()].some(({ state }) => state.id === 'idle')) return;
  const waiting = new Set([...all].flatMap(([name, { state }]) => (state.id === 'pending' ? [name] : [])));
  // The iteration of a Set includes elements that are added meanwhile.
  for (const name of waiting) {
    for (const { on } of unmetEdges(plans.get(name)?.edges ?? [], all)) {
      const service = all.get(on);
      if (service?.state.id !== 'idle' || waiting.has(on)) continue;
      waiting.add(on);
      yield notify(on, { event: 'start-asked', by: { kind: 'dependent' } });
      yield { type: 'service', name: on, service: resetToPending(service) };
    }
  }
}

/** Sends a signal to the main processes of services, as far as they have one. */
export function* requestSignal({ services }: StepView, signal: SignalName, names: readonly string[]): Changes {
  for (const name of names) {
    const service = services.has(name) ? services.get(name) : null;
    if (service === null || !hasMain(service.state)) continue;
    yield notify(name, { event: 'signal-asked', signal });
    yield signalEffect(name, service.run, signal);
  }
}

/** A signal that reached the supervisor: sent to the services that ask for it; SIGHUP reloads where none does. */
export function* forwardSignal({ services, phase }: StepView, signal: SignalName): Changes {
  const takers = services.world.plan.services.flatMap(({ name, enabled, forward }) => {
    const sent = forward[signal];
    return sent === undefined || !enabled ? [] : [{ name, sent }];
  });
  for (const { name, sent } of takers) {
    const { state, run } = services.get(name);
    if (hasMain(state)) yield signalEffect(name, run, sent);
  }
  if (takers.length === 0 && signal === 'SIGHUP' && phase.id === 'running')
    yield { type: 'effect', effect: { type: 'reload' } };
}

/** The service as the operator wants it. Its run goes on until propagation.ts stops it. */
export function applyOperation(plan: ServicePlan, service: Service, operation: Operation, now: Millis): Service {
  const { state } = service;
  switch (state.id) {
    case 'skipped':
      return service;
    case 'starting':
    case 'ready':
    case 'unready':
      if (operation === 'stop') return { ...service, wanted: 'down' };
      // A reload that has changed its plan has already asked for another run.
      return { ...service, wanted: operation === 'restart' || service.next !== null ? 'again' : 'up' };
    case 'stopping':
      return { ...service, wanted: operation === 'stop' ? 'down' : 'again' };
    case 'idle':
      return operation === 'stop' ? service : resetToPending(service);
    case 'pending':
    case 'backoff':
    case 'scheduled':
      if (operation !== 'stop') return resetToPending(service);
      return plan.start === 'auto'
        ? { ...service, wanted: 'down', state: { id: 'stopped', at: now, ended: endedOf(service) } }
        : toIdle(service, endedOf(service));
    case 'stopped':
      return operation === 'stop' ? { ...service, wanted: 'down' } : resetToPending(service);
    case 'completed':
    case 'failed':
      return operation === 'stop' ? service : resetToPending(service);
    default:
      return state satisfies never;
  }
}

/** Pending again, without the history of its restarts. A schedule begins anew. */
export function resetToPending(service: Service): Service {
  const schedule = service.schedule === null ? null : resetSchedule(service.schedule);
  return { ...service, wanted: 'up', state: { id: 'pending' }, history: { at: [], streak: 0 }, schedule };
}

/** Idle again; `ended` is its last run. */
export function toIdle(service: Service, ended: Ended | null): Service {
  return { ...resetToPending(service), state: { id: 'idle', ended } };
}

function endedOf({ state }: Service) {
  return state.id === 'backoff' || state.id === 'scheduled' ? state.ended : null;
}

/**
 * The services besides `names` that must be started for `names` to start: their declared dependencies, as far as their
 * conditions neither hold nor will hold without a start. A stage is an order and no dependency.
 */
function findNeeded(
  names: readonly string[],
  plans: ReadonlyMap<string, ServicePlan>,
  services: ReadonlyMap<string, Service>,
): readonly string[] {
  const found = new Set(names);
  // The iteration of a Set includes elements that are added meanwhile.
  for (const name of found) {
    for (const { on } of unmetEdges(plans.get(name)?.edges ?? [], services)) found.add(on);
  }
  for (const name of names) found.delete(name);
  return [...found];
}

/**
 * The edges whose conditions neither hold nor will hold unless their services are started. No edge of a choice is returned if enough
 * other edges of the choice hold or will hold.
 */
function unmetEdges(edges: readonly Edge[], services: ReadonlyMap<string, Service>): readonly Edge[] {
  const declared = edges.filter(({ origin }) => origin === 'declared');
  const unmet = new Set(declared.filter((edge) => isUnmet(edge, services.get(edge.on))));
  const choices = choicesOf(declared);
  return [...unmet].filter(({ choice }) => {
    const all = choice === undefined ? [] : (choices.get(choice.of)?.edges ?? []);
    return all.filter((edge) => !unmet.has(edge)).length < (choice?.least ?? 1);
  });
}

/** Whether the condition of an edge does not hold and will not unless the service is started. */
function isUnmet(edge: Edge, target: Service | undefined): boolean {
  if (target === undefined) return false;
  switch (target.state.id) {
    case 'stopped':
      return true;
    case 'idle':
      // `started` still holds after a stop, but what it stands for does not run.
      return edge.condition === 'started' || !holds(edge, target);
    case 'failed':
    case 'completed':
      return !holds(edge, target);
    default:
      return target.wanted === 'down';
  }
}
