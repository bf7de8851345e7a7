// Sentences about dependencies: what a service waits for, and what an operation does to the services that depend on its targets
// (for the dialog before the request). Requests nothing. Pure.
import type { Operation } from '../core/event.ts';
import { count, list, type ServiceStatus } from './format.ts';

/** `name` waits for `on`. */
export interface GraphEdge {
  readonly name: string;
  readonly on: string;
  readonly condition: string;
  readonly origin: 'declared' | 'stage';
  /** `name` restarts together with `on`. */
  readonly restarts?: true;
  /** At least `least` replicas of `of` must satisfy the condition; `on` is one of them. */
  readonly any?: { readonly of: string; readonly least: number };
}

type Seen = Pick<ServiceStatus, 'name' | 'state'>;

const RUNNING: ReadonlySet<string> = new Set(['starting', 'running', 'ready', 'unready', 'stopping']);

/** The services that restart together with one of `names`, directly or through others, without `names` themselves. */
function restartedWith(names: readonly string[], edges: readonly GraphEdge[]): ReadonlySet<string> {
  const found = new Set(names);
  // The iteration of a Set includes elements that are added meanwhile.
  for (const on of found) {
    for (const edge of edges) if (edge.on === on && edge.restarts === true) found.add(edge.name);
  }
  for (const name of names) found.delete(name);
  return found;
}

/** `db (ready), 1 of a-1 (started), a-2 (started)`: what a service waits for, one part for each target. `needs`: its edges. */
export function describeNeeds(needs: readonly GraphEdge[]): string {
  const targets = Map.groupBy(needs, ({ on, any }) => (any === undefined ? `service ${on}` : `replicas ${any.of}`));
  const parts = [...targets.values()].map((edges) => {
    const least = edges[0]?.any?.least;
    const words = edges.map(({ on, condition }) => `${on} (${condition})`).join(', ');
    return least === undefined ? words : `${least} of ${words}`;
  });
  return parts.join(targets.size > 1 && needs.some(({ any }) => any !== undefined) ? '; ' : ', ');
}

/** What happens to other services when the services `names` are started, stopped or restarted. At least one sentence. */
export function describeEffects(
  operation: Operation,
  names: readonly string[],
  services: readonly Seen[],
  edges: readonly GraphEdge[],
): readonly string[] {
  if (operation === 'start') return ['The services that it needs start too, if they do not run.'];
  const own = new Set(names);
  const states = new Map(services.map(({ name, state }) => [name, state]));
  const isRunning = (name: string) => RUNNING.has(states.get(name) ?? '');
  const dependents = [...new Set(edges.flatMap(({ name, on }) => (own.has(on) && !own.has(name) ? [name] : [])))];
  const restarted =
    operation === 'restart' ? [...restartedWith(names, edges)].filter((name) => states.get(name) !== 'pending') : [];
  const running = dependents.filter((name) => isRunning(name) && !restarted.includes(name));
  const waiting = dependents.filter((name) => states.get(name) === 'pending');
  const it = names.length === 1 ? 'it' : 'them';
  const risk =
    operation === 'stop' ? `without ${it}, requests may fail` : 'requests may fail until the restart is over';
  const affected = [
    ...about(restarted, (s) => `restart${s} together with ${it} (\`restart: true\`).`),
    ...about(running, (s) => `need${s} ${it} and keep${s} running: ${risk}.`),
    ...about(waiting, (s) => `wait${s} for ${it} and will not start until then.`),
  ];
  const unaffected =
    dependents.length === 0 ? `No other service depends on ${it}.` : `No running service depends on ${it}.`;
  return [
    ...(names.length > 1 ? [`${count(names.length, 'service')}: ${list(names)}.`] : []),
    ...(affected.length > 0 ? affected : [unaffected]),
    ...(operation === 'stop' ? ['The container keeps running.'] : []),
  ];
}

/** One sentence whose subject is the services `names`; none without names. `s`: the ending of the verb. */
function about(names: readonly string[], predicate: (s: 's' | '') => string): readonly string[] {
  return names.length === 0 ? [] : [`${list(names)} ${predicate(names.length === 1 ? 's' : '')}`];
}
