// What happens to other services if one is started, stopped or restarted: for the confirmation, and in its words. The rules are
// those of the core (docs/operations.md, "What stop, start and restart do to dependents"). Pure.
import type { GraphNode, Operated, TopService } from './model.ts';

type Known = readonly Pick<TopService, 'name' | 'state'>[];

/** States in which a service has no process and none is coming. */
const DOWN: ReadonlySet<string> = new Set(['stopped', 'failed', 'completed', 'skipped', 'idle']);
/** Those of them in which a service must be started before a dependent can be. */
const MISSING: ReadonlySet<string> = new Set(['stopped', 'failed', 'idle']);

export interface Consequences {
  /** They restart with the service, because their `depends_on` says `restart: true`. */
  readonly restart: readonly string[];
  /** They are started too, because the service needs them. */
  readonly start: readonly string[];
  /** They depend on the service and run on without it. */
  readonly runOn: readonly string[];
  /** They have not started and wait for the service. */
  readonly wait: readonly string[];
}

export function consequencesOf(
  operation: Operated,
  service: string,
  graph: readonly GraphNode[],
  services: Known,
): Consequences {
  const states = new Map(services.map(({ name, state }) => [name, state as string]));
  const isDown = (name: string) => DOWN.has(states.get(name) ?? 'skipped');
  const isMissing = (name: string) => MISSING.has(states.get(name) ?? 'skipped');
  const following = operation === 'stop' ? [] : followersOf(service, graph).filter((name) => !isDown(name));
  const dependents = graph
    .filter(({ needs }) => needs.some(({ on, origin }) => on === service && origin === 'declared'))
    .map(({ name }) => name)
    .filter((name) => !following.includes(name));
  return {
    restart: following.filter((name) => states.get(name) !== 'pending'),
    start: operation === 'stop' ? [] : neededBy(service, graph, isMissing),
    runOn: operation === 'start' ? [] : dependents.filter((name) => !isDown(name) && states.get(name) !== 'pending'),
    wait: operation === 'start' ? [] : dependents.filter((name) => states.get(name) === 'pending'),
  };
}

/** All services that restart with it, directly or through others. */
function followersOf(service: string, graph: readonly GraphNode[]): readonly string[] {
  const found = new Set([service]);
  // The iteration of a Set includes elements that are added meanwhile.
  for (const on of found)
    for (const { name, needs } of graph)
      if (needs.some((need) => need.on === on && need.restarts === true)) found.add(name);
  found.delete(service);
  return [...found];
}

/** What must be started for it; of copies of which some suffice, none if enough of them run. */
function neededBy(
  service: string,
  graph: readonly GraphNode[],
  isMissing: (name: string) => boolean,
): readonly string[] {
  const nodes = new Map(graph.map((node) => [node.name, node]));
  const found = new Set([service]);
  for (const name of found) {
    const needs = (nodes.get(name)?.needs ?? []).filter(({ origin }) => origin === 'declared');
    for (const { on, any } of needs) {
      const others = any === undefined ? [] : needs.filter((need) => need.any?.of === any.of && !isMissing(need.on));
      if (isMissing(on) && others.length < (any?.least ?? 1)) found.add(on);
    }
  }
  found.delete(service);
  return [...found];
}

/** Sentences for the confirmation. */
export function explainConsequences(operation: Operated, service: string, found: Consequences): readonly string[] {
  const sentences = {
    stop: `${service} stops, and stays stopped until it is started.`,
    start: `${service} starts.`,
    restart: `${service} stops and starts again.`,
  };
  const { restart, start, runOn, wait } = found;
  const isAlone = restart.length + start.length + runOn.length + wait.length === 0;
  return [
    sentences[operation],
    ...sentence(restart, 'restarts with it', 'restart with it'),
    ...sentence(start, 'starts too: it needs it', 'start too: it needs them'),
    ...sentence(runOn, 'depends on it and runs on without it', 'depend on it and run on without it'),
    ...sentence(wait, 'waits for it', 'wait for it'),
    ...(isAlone && operation !== 'start' ? ['No service depends on it.'] : []),
  ];
}

function sentence(names: readonly string[], one: string, many: string): readonly string[] {
  return names.length === 0 ? [] : [`${names.join(', ')} ${names.length === 1 ? one : many}.`];
}
