// What happens to other services when services are started, stopped or restarted, and the sentences about it: for the confirmation in
// `top` and in the dashboard. The rules are those of the core (docs/operations.md, "What stop, start and restart do to dependents").
// The dashboard is bundled for a browser: this file imports types and text.ts only. Requests nothing. Pure.
import type { Operation } from '../core/event.ts';
import { joinNames, renderCount } from '../text.ts';
import type { WireGraphNode, WireService } from './wire.ts';

/** An edge of the graph: `name` waits for `on`. */
export type DependencyEdge = WireGraphNode['needs'][number] & { readonly name: string };

/** The part of a service's status that decides. */
export type OperatedService = Pick<
  WireService,
  'name' | 'type' | 'state' | 'wanted' | 'run' | 'ready_after_seconds'
> & {
  readonly schedule: Pick<NonNullable<WireService['schedule']>, 'completed'> | null;
};

/** Names of other services, by what happens to them. */
export interface Consequences {
  /** Restart too, because their `depends_on` has `restart: true`. */
  readonly restart: readonly string[];
  /** Are started too, because they are needed. */
  readonly start: readonly string[];
  /** Need the services while they run, and continue to run. */
  readonly runOn: readonly string[];
  /** Have not started, and wait for the services. */
  readonly wait: readonly string[];
}

/** All edges of the services of `GET /v1/graph`. */
export function edgesOf(nodes: readonly Pick<WireGraphNode, 'name' | 'needs'>[]): readonly DependencyEdge[] {
  return nodes.flatMap(({ name, needs }) => needs.map((need) => ({ name, ...need })));
}

/** What an operation on the services `names` does to other services. */
export function consequencesOf(
  operation: Operation,
  names: readonly string[],
  edges: readonly DependencyEdge[],
  services: readonly OperatedService[],
): Consequences {
  const known = new Map(services.map((service) => [service.name, service]));
  const needed = operation === 'stop' ? [] : findNeeded(names, edges, known);
  const started = [
    ...names.filter((name) => runsAgain(operation, known.get(name))),
    ...needed.filter((name) => runsAgain('start', known.get(name))),
  ];
  const restarted = findFollowers(started, edges, known);
  const own = new Set([...names, ...needed]);
  const restart = restarted.filter((name) => !own.has(name));
  const start = needed.filter((name) => !restart.includes(name));
  if (operation === 'start') return { restart, start, runOn: [], wait: [] };
  const touching = edges.filter(
    ({ name, on, origin }) =>
      origin === 'declared' && names.includes(on) && !names.includes(name) && !restart.includes(name),
  );
  const runOn = touching.filter(
    ({ name, condition }) => NEEDS_RUN.has(condition) && RUNNING.has(known.get(name)?.state ?? ''),
  );
  const wait = touching.filter((edge) => isWaiting(known.get(edge.name)) && waitsAfter(operation, edge, known));
  const namesOf = (found: readonly DependencyEdge[]) => [...new Set(found.map(({ name }) => name))];
  return { restart, start, runOn: namesOf(runOn), wait: namesOf(wait) };
}

/** States with a run, or with a pause before the next run, which begins without waiting for any dependency. */
const RUNNING: ReadonlySet<string> = new Set(['starting', 'running', 'ready', 'unready', 'backoff']);
/** Conditions of dependents that need the service while they run. */
const NEEDS_RUN: ReadonlySet<string> = new Set(['started', 'ready']);
/** States without a run, in which the next run of a service that has run before is a restart. */
const OVER: ReadonlySet<string> = new Set(['stopped', 'failed', 'completed']);

const isWaiting = (service: OperatedService | undefined): boolean =>
  service?.state === 'pending' || (service?.state === 'stopping' && service.wanted === 'again');

/** Whether an operation on a service is a restart of it for those that follow it. */
function runsAgain(operation: Operation, service: OperatedService | undefined): boolean {
  if (service === undefined || operation === 'stop') return false;
  const { state, wanted, run } = service;
  if (OVER.has(state) || state === 'idle' || state === 'scheduled') return run > 0;
  if (state === 'stopping') return wanted !== 'again';
  return operation === 'restart' && wanted !== 'again' && RUNNING.has(state) && state !== 'backoff';
}

/** The services that restart with one of `started`, directly or through others. */
function findFollowers(
  started: readonly string[],
  edges: readonly DependencyEdge[],
  known: ReadonlyMap<string, OperatedService>,
): readonly string[] {
  const found = new Set<string>();
  const sources = new Set(started);
  // The iteration of a Set includes elements that are added meanwhile.
  for (const source of sources) {
    for (const { name, on, restarts } of edges) {
      const service = known.get(name);
      if (on !== source || restarts !== true || service === undefined || found.has(name)) continue;
      const { state, wanted, run } = service;
      if (run === 0 || wanted !== 'up' || !(RUNNING.has(state) || OVER.has(state) || state === 'stopping')) continue;
      found.add(name);
      if (runsAgain('restart', service)) sources.add(name);
    }
  }
  return [...found];
}

/**
 * The services besides `names` that have to be started for them. Of a choice of replicas, none if enough of them hold, or will without
 * a start.
 */
function findNeeded(
  names: readonly string[],
  edges: readonly DependencyEdge[],
  known: ReadonlyMap<string, OperatedService>,
): readonly string[] {
  const found = new Set(names);
  for (const name of found) {
    const own = edges.filter((edge) => edge.name === name && edge.origin === 'declared');
    const unmet = own.filter((edge) => isUnmet(edge, known.get(edge.on)));
    for (const { on, any } of unmet) {
      const met = own.filter((edge) => any !== undefined && edge.any?.of === any.of && !unmet.includes(edge));
      if (met.length < (any?.least ?? 1)) found.add(on);
    }
  }
  for (const name of names) found.delete(name);
  return [...found];
}

/** Whether the condition of an edge does not hold, and will not unless its target is started. */
function isUnmet(edge: DependencyEdge, target: OperatedService | undefined): boolean {
  if (target === undefined) return false;
  switch (target.state) {
    case 'skipped':
      return false;
    case 'stopped':
      return true;
    case 'idle':
      return edge.condition === 'started' || !holds(edge, target);
    case 'failed':
    case 'completed':
      return !holds(edge, target);
    default:
      return target.wanted === 'down';
  }
}

/** Whether the condition of an edge holds for a service that does not run. */
function holds({ condition }: DependencyEdge, { state, run, ready_after_seconds, schedule }: OperatedService): boolean {
  if (condition === 'started') return run > 0;
  if (condition === 'exited' && state === 'failed') return true;
  if ((schedule?.completed ?? 0) > 0) return true;
  return state === 'completed' && (condition !== 'ready' || ready_after_seconds !== null);
}

/** Whether a dependent that has not started waits for the target of the edge after the operation. */
function waitsAfter(operation: Operation, edge: DependencyEdge, known: ReadonlyMap<string, OperatedService>): boolean {
  const target = known.get(edge.on);
  if (target === undefined || edge.condition === 'ready') return true;
  return edge.condition === 'started' ? target.run === 0 : operation === 'restart' || !holds(edge, target);
}

/** The consequences as sentences; at least one. `names`: the services that are operated. */
export function explainConsequences(
  operation: Operation,
  names: readonly string[],
  { restart, start, runOn, wait }: Consequences,
): readonly string[] {
  const [it, they] = names.length === 1 ? ['it', 'it is'] : ['them', 'they are'];
  const ends = names.length === 1 ? 's' : '';
  const what = {
    start: `start${ends}`,
    stop: `stop${ends}, and stay${ends} stopped until ${they} started`,
    restart: `stop${ends} and start${ends} again`,
  };
  const risk =
    operation === 'stop' ? `without ${it}, requests may fail` : 'requests may fail until the restart is over';
  const isAlone = restart.length + start.length + runOn.length + wait.length === 0;
  return [
    `${names.length === 1 ? names[0] : `${renderCount(names.length, 'service')} (${joinNames(names)})`} ${what[operation]}.`,
    ...about(restart, (s) => `restart${s} together with ${it} (\`restart: true\`).`),
    ...about(start, (s) => `start${s} too, because ${start.length === 1 ? 'it is' : 'they are'} needed.`),
    ...about(runOn, (s) => `need${s} ${it} and keep${s} running: ${risk}.`),
    ...about(
      wait,
      (s) =>
        `wait${s} for ${it} and will not start ${operation === 'restart' ? 'before the restart is over' : 'until then'}.`,
    ),
    ...(isAlone && operation !== 'start' ? [`No running service needs ${it}.`] : []),
    ...(operation === 'stop' ? ['The container keeps running.'] : []),
  ];
}

/** One sentence whose subject is the services `names`; none without names. `s`: the ending of the verb. */
function about(names: readonly string[], predicate: (s: 's' | '') => string): readonly string[] {
  return names.length === 0 ? [] : [`${joinNames(names)} ${predicate(names.length === 1 ? 's' : '')}`];
}
