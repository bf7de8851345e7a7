// Computes and describes, for the confirmation, what happens to other services if one is started, stopped or restarted. The rules are
// those of the core (docs/operations.md, "What stop, start and restart do to dependents"). Requests nothing. Pure.
import type { GraphNode, OperationName, TopService } from './model.ts';

type Known = readonly Pick<TopService, 'name' | 'state'>[];

/** States without a process, in which none is started without a request. */
const DOWN: ReadonlySet<string> = new Set(['stopped', 'failed', 'completed', 'skipped', 'idle']);
/** States in which a service has to be started before a service that depends on it can start. */
const MISSING: ReadonlySet<string> = new Set(['stopped', 'failed', 'idle']);

/** Names of other services, by what happens to them. */
export interface Consequences {
  /** Restart with the service, because their `depends_on` has `restart: true`. */
  readonly restart: readonly string[];
  /** Are started too, because the service needs them. */
  readonly start: readonly string[];
  /** Depend on the service, and continue to run without it. */
  readonly runOn: readonly string[];
  /** Have not started, and wait for the service. */
  readonly wait: readonly string[];
}

/** What an operation on `service` does to other services. */
export function consequencesOf(
  operation: OperationName,
  service: string,
  graph: readonly GraphNode[],
  services: Known,
): Consequences {
  const states = new Map(services.map(({ name, state }) => [name, state as string]));
  const isDown = (name: string) => DOWN.has(states.get(name) ?? 'skipped');
  const isMissing = (name: string) => MISSING.has(states.get(name) ?? 'skipped');
  const isPending = (name: string) => states.get(name) === 'pending';
  const followers = operation === 'stop' ? [] : followersOf(service, graph);
  const restart = followers.filter((name) => !isDown(name) && !isPending(name));
  const dependents = graph
    .filter(({ needs }) => needs.some(({ on, origin }) => on === service && origin === 'declared'))
    .map(({ name }) => name)
    .filter((name) => !restart.includes(name));
  return {
    restart,
    start: operation === 'stop' ? [] : neededBy(service, graph, isMissing),
    runOn: operation === 'start' ? [] : dependents.filter((name) => !isDown(name) && !isPending(name)),
    wait: operation === 'start' ? [] : dependents.filter(isPending),
  };
}

/** All services that restart with `service`, directly or through others. */
function followersOf(service: string, graph: readonly GraphNode[]): readonly string[] {
  const found = new Set([service]);
  // The iteration of a Set includes elements that are added meanwhile.
  for (const on of found)
    for (const { name, needs } of graph)
      if (needs.some((need) => need.on === on && need.restarts === true)) found.add(name);
  found.delete(service);
  return [...found];
}

/** The services that have to be started for `service`. Of replicas of which some suffice, none if enough of them run. */
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
      const running = any === undefined ? [] : needs.filter((need) => need.any?.of === any.of && !isMissing(need.on));
      if (isMissing(on) && running.length < (any?.least ?? 1)) found.add(on);
    }
  }
  found.delete(service);
  return [...found];
}

/** The consequences as sentences for the confirmation; at least one. */
export function explainConsequences(operation: OperationName, service: string, found: Consequences): readonly string[] {
  const sentences = {
    stop: `${service} stops, and stays stopped until it is started.`,
    start: `${service} starts.`,
    restart: `${service} stops and starts again.`,
  };
  const { restart, start, runOn, wait } = found;
  const isAlone = restart.length + start.length + runOn.length + wait.length === 0;
  return [
    sentences[operation],
    ...sentence(restart, `restarts with ${service}`, `restart with ${service}`),
    ...sentence(start, `starts too: ${service} needs it`, `start too: ${service} needs them`),
    ...sentence(runOn, `depends on ${service} and continues to run`, `depend on ${service} and continue to run`),
    ...sentence(wait, `waits for ${service}`, `wait for ${service}`),
    ...(isAlone && operation !== 'start' ? [`No running service depends on ${service}.`] : []),
  ];
}

function sentence(names: readonly string[], one: string, many: string): readonly string[] {
  return names.length === 0 ? [] : [`${names.join(', ')} ${names.length === 1 ? one : many}.`];
}
