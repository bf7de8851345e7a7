// Who starts after whom, and how long that may take. Pure functions of edges.
import type { Edge } from '../../plan/plan.ts';
import type { ExportService } from './source.ts';

/** The services so that each comes after all that it waits for; otherwise in the order of the file. */
export function inStartOrder(services: readonly ExportService[]): readonly ExportService[] {
  const byName = new Map(services.map((service) => [service.name, service]));
  const done = new Set<string>();
  const ordered: ExportService[] = [];
  const visit = (service: ExportService): void => {
    if (done.has(service.name)) return;
    done.add(service.name);
    for (const { on } of service.edges) {
      const target = byName.get(on);
      if (target !== undefined) visit(target);
    }
    ordered.push(service);
  };
  for (const service of services) visit(service);
  return ordered;
}

/** The names that another one of the services waits for. */
export function awaitedNames(services: readonly ExportService[]): ReadonlySet<string> {
  return new Set(services.flatMap(({ edges }) => edges.map(({ on }) => on)));
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
 * The longest time from the start of the container until every enabled service is ready, milliseconds: the sum of
 * `start_timeout` along the longest chain. A service without a `ready` probe takes no time, a task all of its time.
 */
export function longestStart(services: readonly ExportService[]): number {
  const times = new Map<string, number>();
  for (const service of inStartOrder(services)) {
    const own = service.ready.length > 0 || service.config.type === 'task' ? service.config.start_timeout : 0;
    const before = Math.max(0, ...service.edges.map(({ on }) => times.get(on) ?? 0));
    times.set(service.name, service.isEnabled ? before + own : before);
  }
  return Math.max(0, ...times.values());
}
