// What an operator or a reload asks of one service: it changes what is WANTED, never what is. supervisor.ts brings the two
// together: it stops who is unwanted once nobody who is unwanted too depends on it, and starts who is pending.
import { restartFields } from '../plan/difference.ts';
import type { Edge, Millis, ServicePlan } from '../plan/plan.ts';
import { choicesOf } from './barriers.ts';
import { isActive, type Service } from './state.ts';
import { holds } from './waits.ts';

export type Operation = 'start' | 'stop' | 'restart';

/** The service as the operator wants it. A run that is there goes on until supervisor.ts ends it. */
export function operate(service: Service, operation: Operation, now: Millis): Service {
  const { state } = service;
  switch (state.id) {
    case 'skipped':
      return service;
    case 'starting':
    case 'ready':
    case 'unready':
      if (operation === 'stop') return { ...service, wanted: 'down' };
      // A reload that gives it another plan has asked for the next run already.
      return { ...service, wanted: operation === 'restart' || service.next !== null ? 'again' : 'up' };
    case 'stopping':
      return { ...service, wanted: operation === 'stop' ? 'down' : 'again' };
    case 'pending':
    case 'backoff':
      return operation === 'stop'
        ? { ...service, wanted: 'down', state: { id: 'stopped', at: now, ended: endedOf(service) } }
        : revived(service);
    case 'stopped':
      return operation === 'stop' ? { ...service, wanted: 'down' } : revived(service);
    case 'completed':
    case 'failed':
      return operation === 'stop' ? service : revived(service);
    default:
      return state satisfies never;
  }
}

/** Ready to start as soon as its edges hold, earlier failures forgotten. */
function revived(service: Service): Service {
  return { ...service, wanted: 'up', state: { id: 'pending' }, history: { at: [], streak: 0 } };
}

function endedOf({ state }: Service) {
  return state.id === 'backoff' ? state.ended : null;
}

/** A new plan for it: in force at once where no process has to know of it, else with the next run. */
export function replan(
  before: ServicePlan,
  service: Service,
  after: ServicePlan,
): { plan: ServicePlan; service: Service } {
  const waits = service.next !== null;
  if (!waits && restartFields(before, after).length === 0) return { plan: after, service };
  if (!isActive(service.state)) return { plan: after, service: taken({ ...service, next: null }, after) };
  const wanted = service.wanted === 'down' && service.next !== 'none' ? 'down' : 'again';
  // Who waits for whom is always as the new plan has it: a mixture of both might go round in a circle.
  return {
    plan: { ...before, edges: after.edges, stageEdges: after.stageEdges },
    service: { ...service, next: after, wanted },
  };
}

/** It is in the new plan no more: stops, then vanishes. */
export function unplan(service: Service): Service {
  return { ...service, next: 'none', wanted: 'down' };
}

/** A service without processes takes its new plan over: what has ended runs again, what is held down stays down. */
export function taken(service: Service, after: ServicePlan): Service {
  const fresh = { ...service, next: null };
  if (!after.enabled) return { ...fresh, wanted: 'up', state: { id: 'skipped' } };
  if (fresh.state.id === 'stopped' && fresh.wanted === 'down') return fresh;
  return revived(fresh);
}

/**
 * The services that must be started for `names` to come up: themselves, and what they declare to depend on, as far as that
 * neither holds nor comes by itself. A stage is an order and no need.
 */
export function needed(
  names: readonly string[],
  plans: ReadonlyMap<string, ServicePlan>,
  services: ReadonlyMap<string, Service>,
): readonly string[] {
  const found = new Set(names);
  // A Set that grows while it is walked goes on to what was added.
  for (const name of found) {
    for (const { on } of missing(plans.get(name)?.edges ?? [], services)) found.add(on);
  }
  for (const name of names) found.delete(name);
  return [...found];
}

/** Of a choice all that are missing, or none where enough of the others are there or come. */
function missing(edges: readonly Edge[], services: ReadonlyMap<string, Service>): readonly Edge[] {
  const declared = edges.filter(({ origin }) => origin === 'declared');
  const gone = new Set(declared.filter((edge) => isMissing(edge, services.get(edge.on))));
  const choices = choicesOf(declared);
  return [...gone].filter(({ choice }) => {
    const all = choice === undefined ? [] : (choices.get(choice.of)?.edges ?? []);
    return all.filter((edge) => !gone.has(edge)).length < (choice?.least ?? 1);
  });
}

/** What an edge waits for is not so and does not come by itself. */
function isMissing(edge: Edge, target: Service | undefined): boolean {
  if (target === undefined) return false;
  switch (target.state.id) {
    case 'stopped':
      return true;
    case 'failed':
    case 'completed':
      return !holds(edge, target);
    default:
      return target.wanted === 'down';
  }
}
