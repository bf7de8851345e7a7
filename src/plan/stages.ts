// Stages as edges: every member of a stage waits for all members of the nearest earlier stage that has any. Each group in the list
// `groups` is a stage, in the order of the list.
import type { Edge, ServicePlan } from './plan.ts';

/** The part of a service that determines its stage edges. */
type Staged = Pick<ServicePlan, 'name' | 'type' | 'enabled' | 'group'> & { readonly isScheduled?: boolean };

/**
 * The stage edges of each service that has any: `ready` for services, `completed` for tasks. Disabled services have none
 * and are not waited for. Members of a stage share one list, so that the cost grows linearly with the size of a stage.
 */
export function stageEdges(
  services: readonly Staged[],
  order: readonly string[],
): ReadonlyMap<string, readonly Edge[]> {
  const members = new Map<string, Staged[]>(order.map((group) => [group, []]));
  for (const service of services) {
    if (service.enabled && service.group !== null) members.get(service.group)?.push(service);
  }
  const result = new Map<string, readonly Edge[]>();
  let before: readonly Edge[] = [];
  for (const group of members.values()) {
    if (group.length === 0) continue;
    for (const { name } of group) result.set(name, before);
    // The first run of a scheduled task may be days away: no stage waits for it.
    const awaited = group.filter(({ isScheduled }) => isScheduled !== true);
    if (awaited.length === 0) continue;
    before = awaited.map(({ name, type }) => ({
      on: name,
      condition: type === 'task' ? 'completed' : 'ready',
      origin: 'stage',
    }));
  }
  return result;
}

/**
 * All edges of a service, declared edges first. Only for display: over all services of a wide stage the result grows with
 * the square of its width.
 */
export function allEdges({ edges, stageEdges: stage }: Pick<ServicePlan, 'edges' | 'stageEdges'>): readonly Edge[] {
  if (edges.length === 0 || stage.length === 0) return edges.length === 0 ? stage : edges;
  return withoutRepeats([...edges, ...stage]);
}

/** Removes edges that an earlier edge implies. An edge with a choice implies no other edge. */
export function withoutRepeats(edges: readonly Edge[]): readonly Edge[] {
  const known = new Set<string>();
  return edges.filter(({ on, condition, restarts, choice }) => {
    if (choice !== undefined) return true;
    const [plain, restarting] = [`${on}\0${condition}`, `${on}\0${condition}\0restarts`];
    if (known.has(restarting) || (restarts !== true && known.has(plain))) return false;
    known.add(restarts === true ? restarting : plain);
    return true;
  });
}
