// Who starts after whom, and how long that may take. Pure functions of edges.
import type { Condition, Edge } from '../../plan/plan.ts';
import type { ExportService } from './source.ts';

/** The services so that each comes after all that it waits for; otherwise in the order of the file. */
export function inStartOrder(services: readonly ExportService[]): readonly ExportService[] {
  const byName = new Map(services.map((service) => [service.name, service]));
  const state = new Map<string, 'open' | 'done'>();
  const ordered: ExportService[] = [];
  // A chain of dependencies may be longer than the call stack.
  const stack: ExportService[] = [];
  for (const first of services) {
    stack.push(first);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      if (state.get(top.name) === undefined) {
        state.set(top.name, 'open');
        for (const { on } of [...top.edges].reverse()) {
          const target = byName.get(on);
          if (target !== undefined && !state.has(on)) stack.push(target);
        }
        continue;
      }
      stack.pop();
      if (state.get(top.name) === 'open') ordered.push(top);
      state.set(top.name, 'done');
    }
  }
  return ordered;
}

/** What others wait for, by the name of the service that they wait for; a service that nothing waits for has no entry. */
export function awaitedConditions(services: readonly ExportService[]): ReadonlyMap<string, ReadonlySet<Condition>> {
  const conditions = new Map<string, Set<Condition>>();
  for (const { edges } of services) {
    for (const { on, condition } of edges) {
      const known = conditions.get(on);
      if (known === undefined) conditions.set(on, new Set([condition]));
      else known.add(condition);
    }
  }
  return conditions;
}

/** One edge for each service that is waited for; a declared one wins over one from the order of stages. */
export function singleEdges({ edges }: ExportService): readonly Edge[] {
  const byTarget = new Map<string, Edge>();
  for (const edge of edges) {
    if (!byTarget.has(edge.on) || edge.origin === 'declared') byTarget.set(edge.on, edge);
  }
  return [...byTarget.values()];
}

/**
 * The longest time from the start of the container until every service that starts by itself is ready, milliseconds: the sum of
 * `start_timeout` along the longest chain. A service without a `ready` probe takes no time, a task all of its time.
 */
export function longestStart(services: readonly ExportService[]): number {
  const times = new Map<string, number>();
  for (const service of inStartOrder(services)) {
    const own = isAwaited(service) ? service.config.start_timeout : 0;
    const before = Math.max(0, ...service.edges.map(({ on }) => times.get(on) ?? 0));
    times.set(service.name, service.isStarted ? before + own : before);
  }
  return Math.max(0, ...times.values());
}

/** Whether the start takes the time of its start. A scheduled task is no part of the start. */
function isAwaited({ ready, config: { type, schedule, every } }: ExportService): boolean {
  return schedule === null && every === null && (ready.length > 0 || type === 'task');
}
