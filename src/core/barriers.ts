// The dependency graph, by number: a service waits for barriers, and a barrier waits for services. A list of edges that
// many services share (a stage, the copies of a service) is one barrier, so that 500 services that wait for 500 others
// take 1,000 entries and not 250,000. Built once for each plan. Never changes: waits.ts keeps the state of the
// barriers.
import type { Edge, ServicePlan } from '../plan/plan.ts';

export interface Barrier {
  readonly edges: readonly Edge[];
  /** Number of edges that must hold for the barrier to be open: all of them, or N if it is a choice (N copies of a service suffice). */
  readonly least: number;
  /** Numbers of the services that wait for it. */
  readonly dependents: readonly number[];
  /** Numbers of the services that its edges lead to, without duplicates. */
  readonly targets: readonly number[];
}

/** An edge that leads to a service, and the barrier that it belongs to. */
interface Use {
  readonly barrier: number;
  readonly edge: Edge;
}

export interface Graph {
  /** The number of each service: its place in the plan. */
  readonly numbers: ReadonlyMap<string, number>;
  /** The name of each service, by its number. */
  readonly names: readonly string[];
  readonly barriers: readonly Barrier[];
  /** The barriers that each service waits for: plain edges first, then choices. */
  readonly waitsFor: readonly (readonly number[])[];
  /** The edges that lead to each service. */
  readonly uses: readonly (readonly Use[])[];
  /** All services, each after those that it waits for. */
  readonly order: readonly number[];
}

interface Draft {
  readonly edges: readonly Edge[];
  readonly least: number;
  readonly isChoice: boolean;
  readonly dependents: number[];
}

/** The barrier of that number. */
export function barrierAt({ barriers }: Pick<Graph, 'barriers'>, number: number): Barrier {
  const barrier = barriers[number];
  if (barrier === undefined) throw new Error(`bug: no barrier ${number}`);
  return barrier;
}

export function makeGraph(services: readonly Pick<ServicePlan, 'name' | 'edges' | 'stageEdges'>[]): Graph {
  const numbers = new Map(services.map(({ name }, number) => [name, number]));
  const drafts: Draft[] = [];
  const byList = new Map<readonly Edge[], readonly number[]>();
  const barriersOf = (edges: readonly Edge[]): readonly number[] => {
    const found = byList.get(edges);
    if (found !== undefined) return found;
    const made = splitEdges(edges).map((draft) => drafts.push(draft) - 1);
    byList.set(edges, made);
    return made;
  };
  const isChoice = (barrier: number): number => Number(drafts[barrier]?.isChoice);
  const waitsFor = services.map(({ edges, stageEdges }, number) => {
    const own = [...barriersOf(edges), ...barriersOf(stageEdges)].sort((a, b) => isChoice(a) - isChoice(b));
    for (const barrier of own) drafts[barrier]?.dependents.push(number);
    return own;
  });
  const uses = services.map((): Use[] => []);
  const barriers = drafts.map(({ edges, least, dependents }, barrier): Barrier => {
    const targets = new Set<number>();
    for (const edge of edges) {
      const target = numbers.get(edge.on);
      if (target === undefined) continue;
      uses[target]?.push({ barrier, edge });
      targets.add(target);
    }
    return { edges, least, dependents, targets: [...targets] };
  });
  const names = [...numbers.keys()];
  return { numbers, names, barriers, waitsFor, uses, order: orderOf(barriers, waitsFor) };
}

function splitEdges(edges: readonly Edge[]): readonly Draft[] {
  const plain = edges.filter(({ choice }) => choice === undefined);
  const all = plain.length === 0 ? [] : [{ edges: plain, least: plain.length, isChoice: false, dependents: [] }];
  const choices = [...choicesOf(edges).values()].map((choice) => ({ ...choice, isChoice: true, dependents: [] }));
  return [...all, ...choices];
}

/** The edges of each choice, by the service whose copies they lead to. */
export function choicesOf(
  edges: readonly Edge[],
): ReadonlyMap<string, { readonly least: number; readonly edges: Edge[] }> {
  const found = new Map<string, { readonly least: number; readonly edges: Edge[] }>();
  for (const edge of edges) {
    if (edge.choice === undefined) continue;
    const choice = found.get(edge.choice.of) ?? { least: edge.choice.least, edges: [] };
    found.set(edge.choice.of, choice);
    choice.edges.push(edge);
  }
  return found;
}

/** Services in an order in which each comes after what it waits for (Kahn). */
function orderOf(barriers: readonly Barrier[], waitsFor: readonly (readonly number[])[]): readonly number[] {
  const leadingTo = waitsFor.map((): number[] => []);
  barriers.forEach(({ targets }, barrier) => {
    for (const target of targets) leadingTo[target]?.push(barrier);
  });
  const left = barriers.map(({ targets }) => targets.length);
  const missing = waitsFor.map((own) => own.filter((barrier) => left[barrier] !== 0).length);
  const order = missing.flatMap((count, number) => (count === 0 ? [number] : []));
  // The iteration of an array includes elements that are added meanwhile.
  for (const number of order) {
    for (const barrier of leadingTo[number] ?? []) {
      const remainingTargets = (left[barrier] ?? 0) - 1;
      left[barrier] = remainingTargets;
      if (remainingTargets > 0) continue;
      for (const dependent of barriers[barrier]?.dependents ?? []) {
        const remainingBarriers = (missing[dependent] ?? 0) - 1;
        missing[dependent] = remainingBarriers;
        if (remainingBarriers === 0) order.push(dependent);
      }
    }
  }
  return order;
}

/** For each service: of all chains of services that it waits for, the largest number of active services (`isActive`) on one. */
export function levelsOf(
  { barriers, waitsFor, order }: Graph,
  isActive: (number: number) => boolean,
): readonly number[] {
  const levels = new Array<number>(waitsFor.length).fill(0);
  const known = new Map<number, number>();
  const levelOf = (barrier: number): number => {
    const found = known.get(barrier);
    if (found !== undefined) return found;
    let most = 0;
    for (const target of barriers[barrier]?.targets ?? [])
      most = Math.max(most, (levels[target] ?? 0) + (isActive(target) ? 1 : 0));
    known.set(barrier, most);
    return most;
  };
  for (const number of order) levels[number] = Math.max(0, ...(waitsFor[number] ?? []).map(levelOf));
  return levels;
}
