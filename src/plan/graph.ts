// The dependency graph of a Plan: cycles, a start order, dependents. All functions are linear in services and edges and do
// not recurse, so a chain of a thousand services is no deeper than one of three.
import type { Edge } from './plan.ts';

/** The part of a service that these functions use. */
export interface Vertex {
  readonly name: string;
  readonly edges: readonly Pick<Edge, 'on'>[];
  readonly stageEdges?: readonly Pick<Edge, 'on'>[];
}

/**
 * One cycle for each strongly connected component, as short as its first service allows: `[a, b]` means that a waits for b
 * and b for a. A service that waits for itself is `[a]`. Edges to unknown names are ignored.
 */
export function cycles(services: readonly Vertex[]): readonly (readonly string[])[] {
  const targets = adjacency(services);
  // Every cycle passes through a list of edges, so even the cycle of one service has two vertices.
  return stronglyConnectedComponents(services, targets)
    .filter((component) => component.length > 1)
    .map((component) => shortestCycle(component.find(isService) ?? '', new Set(component), targets).filter(isService));
}

/**
 * Names in an order in which each service comes after its dependencies. Otherwise the order is that of the file: the
 * dependencies of a service come directly before it. A cycle is cut at its first service.
 */
export function startOrder(plan: { readonly services: readonly Vertex[] }): readonly string[] {
  const targets = adjacency(plan.services);
  const entered = new Set<string>();
  const order: string[] = [];
  for (const service of plan.services) {
    const stack = [{ name: service.name, next: 0 }];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      if (top.next === 0 && entered.has(top.name)) {
        stack.pop();
        continue;
      }
      entered.add(top.name);
      const target = targets.get(top.name)?.[top.next];
      top.next += 1;
      if (target !== undefined) stack.push({ name: target, next: 0 });
      else {
        if (isService(top.name)) order.push(top.name);
        stack.pop();
      }
    }
  }
  return order;
}

/** For every service its direct dependents, in the order of the file. */
export function dependents(plan: { readonly services: readonly Vertex[] }): ReadonlyMap<string, readonly string[]> {
  const result = new Map<string, string[]>(plan.services.map(({ name }) => [name, []]));
  for (const { name, edges, stageEdges = [] } of plan.services) {
    for (const on of new Set([...edges, ...stageEdges].map((edge) => edge.on))) result.get(on)?.push(name);
  }
  return result;
}

/** A cycle as `a -> b -> a`; the middle of a long cycle is left out. */
export function renderCycle(cycle: readonly string[]): string {
  const shown = cycle.length <= 8 ? cycle : [...cycle.slice(0, 4), `… (${cycle.length - 7} more)`, ...cycle.slice(-3)];
  return [...shown, cycle[0] ?? ''].join(' -> ');
}

/** Prefix of the names of edge lists; no service name has it. */
const LIST = '\0';

function isService(vertex: string): boolean {
  return !vertex.startsWith(LIST);
}

/** Services lead to their edge lists, and lists to services: a list that hundreds of services share is visited once. */
function adjacency(services: readonly Vertex[]): ReadonlyMap<string, readonly string[]> {
  const known = new Set(services.map(({ name }) => name));
  const targets = new Map<string, readonly string[]>();
  const names = new Map<Vertex['edges'], string>();
  const nameOf = (list: Vertex['edges']): string => {
    const found = names.get(list);
    if (found !== undefined) return found;
    const name = `${LIST}${names.size}`;
    names.set(list, name);
    targets.set(
      name,
      list.map(({ on }) => on).filter((on) => known.has(on)),
    );
    return name;
  };
  for (const { name, edges, stageEdges = [] } of services)
    targets.set(name, [edges, stageEdges].filter(({ length }) => length > 0).map(nameOf));
  return targets;
}

/** Strongly connected components in the order of their first service (Tarjan, with an explicit stack). */
function stronglyConnectedComponents(
  services: readonly Vertex[],
  targets: ReadonlyMap<string, readonly string[]>,
): readonly (readonly string[])[] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const path: string[] = [];
  const onPath = new Set<string>();
  const found: string[][] = [];
  const enter = (name: string): { name: string; next: number } => {
    low.set(name, index.size);
    index.set(name, index.size);
    path.push(name);
    onPath.add(name);
    return { name, next: 0 };
  };
  const lower = (name: string, to: number): void => {
    low.set(name, Math.min(low.get(name) ?? to, to));
  };
  for (const service of services) {
    if (index.has(service.name)) continue;
    const stack = [enter(service.name)];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const { name } = top;
      const target = targets.get(name)?.[top.next];
      top.next += 1;
      if (target !== undefined) {
        const seen = index.get(target);
        if (seen === undefined) stack.push(enter(target));
        else if (onPath.has(target)) lower(name, seen);
        continue;
      }
      stack.pop();
      const above = stack.at(-1);
      if (above !== undefined) lower(above.name, low.get(name) ?? 0);
      if (low.get(name) === index.get(name)) {
        const component = path.splice(path.lastIndexOf(name));
        for (const member of component) onPath.delete(member);
        found.push(component);
      }
    }
  }
  const position = new Map(services.map(({ name }, at) => [name, at]));
  const at = (name: string): number => position.get(name) ?? services.length;
  const inOrder = (a: string, b: string): number => at(a) - at(b);
  return found.map((component) => component.sort(inOrder)).sort(([a = ''], [b = '']) => inOrder(a, b));
}

function shortestCycle(
  start: string,
  component: ReadonlySet<string>,
  targets: ReadonlyMap<string, readonly string[]>,
): string[] {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const name of queue) {
    for (const target of targets.get(name) ?? []) {
      if (target === start) {
        const back = [name];
        for (let at = name; at !== start; ) {
          at = cameFrom.get(at) ?? start;
          back.push(at);
        }
        return back.reverse();
      }
      if (!component.has(target) || cameFrom.has(target)) continue;
      cameFrom.set(target, name);
      queue.push(target);
    }
  }
  return [start];
}
