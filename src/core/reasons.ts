// Finds why a service waits, or why it can never start, for `status` and notices. Decides nothing.
import type { Edge } from '../plan/plan.ts';
import { type Barrier, barrierAt } from './barriers.ts';
import type { Blockage, Obstacle, Reason, Wait } from './reason.ts';
import type { Ended } from './run.ts';
import { isLeaving } from './state.ts';
import { canNeverHold, canNeverOpen, holds, isMet } from './waits.ts';
import { claimOn, type World } from './world.ts';

/** The most conditions of one barrier that are listed: one more than a message names, so that it can end with `...`. */
const LISTED = 4;

/** The reasons in one world, which does not change. What a barrier waits for is found once, even if many services wait for it. */
export class Reasons {
  readonly #world: Pick<World, 'index' | 'services' | 'waits'>;
  /** By the number of a barrier. */
  readonly #blockages = new Map<number, Blockage | null>();
  readonly #missing = new Map<number, readonly Wait[]>();

  constructor(world: Pick<World, 'index' | 'services' | 'waits'>) {
    this.#world = world;
  }

  /**
   * Why a pending service can never start: something that it waits for can never happen. Null while it can still start.
   */
  findBlockage(name: string): Blockage | null {
    const { graph } = this.#world.index;
    const number = graph.numbers.get(name);
    if (number === undefined || !this.#isBlocked(name)) return null;
    for (const at of graph.waitsFor[number] ?? []) {
      const reason = this.#blockageAt(at);
      if (reason !== null) return reason;
    }
    return null;
  }

  /**
   * The failed runs that are the cause why a pending service can never start, also through other services that can
   * never start.
   */
  causesOf(name: string): readonly Ended[] {
    const { graph } = this.#world.index;
    const found = new Map<string, Ended>();
    const visited = new Set([name]);
    // The iteration of a Set includes elements that are added meanwhile.
    for (const blocked of visited) {
      for (const at of graph.waitsFor[graph.numbers.get(blocked) ?? -1] ?? []) {
        const barrier = barrierAt(graph, at);
        if (!canNeverOpen(barrier, this.#world.waits.barriers.at(at))) continue;
        for (const edge of barrier.edges) {
          const target = this.#world.services.get(edge.on);
          if (target === undefined || !canNeverHold(edge, target, this.#isBlocked(edge.on))) continue;
          if (target.state.id === 'failed' && target.state.ended !== null) found.set(edge.on, target.state.ended);
          if (target.state.id === 'pending') visited.add(edge.on);
        }
      }
    }
    return [...found.values()];
  }

  /** What a pending service waits for, or why it can never start; null if it waits for nothing. */
  explainWait(name: string): Reason | null {
    const blockage = this.findBlockage(name);
    if (blockage !== null) return { kind: 'never-starts', blockage };
    const { graph } = this.#world.index;
    const number = graph.numbers.get(name);
    if (number === undefined) return null;
    const missing = (graph.waitsFor[number] ?? []).flatMap((at) => this.#missingOf(at));
    const waits = [...missing, ...this.#claims(name, number)];
    return waits.length === 0 ? null : { kind: 'waits', waits };
  }

  #isBlocked(name: string): boolean {
    const number = this.#world.index.graph.numbers.get(name);
    return number !== undefined && this.#world.waits.services.at(number).blocked;
  }

  #blockageAt(at: number): Blockage | null {
    const known = this.#blockages.get(at);
    if (known !== undefined) return known;
    const reason = this.#readBlockage(barrierAt(this.#world.index.graph, at), at);
    this.#blockages.set(at, reason);
    return reason;
  }

  #readBlockage(barrier: Barrier, at: number): Blockage | null {
    const { edges, least } = barrier;
    if (!canNeverOpen(barrier, this.#world.waits.barriers.at(at))) return null;
    const obstacle = edges.map((edge) => this.#obstacleOf(edge)).find((found) => found !== null) ?? null;
    if (obstacle === null) return null;
    const of = edges.map(({ on }) => on);
    return { obstacle, choice: edges[0]?.choice === undefined ? null : { least, of } };
  }

  #obstacleOf(edge: Edge): Obstacle | null {
    const { on } = edge;
    const target = this.#world.services.get(on);
    if (target === undefined || !canNeverHold(edge, target, this.#isBlocked(on))) return null;
    const { state } = target;
    if (state.id === 'skipped') return { kind: 'not-enabled', on };
    if (state.id === 'failed') return { kind: 'failed', on, ended: state.ended };
    return { kind: state.id === 'completed' ? 'ended-unready' : 'never-starts', on };
  }

  /** The conditions that are missing for a barrier to open; if there are many, the first ones. */
  #missingOf(at: number): readonly Wait[] {
    const known = this.#missing.get(at);
    if (known !== undefined) return known;
    const barrier = barrierAt(this.#world.index.graph, at);
    const missing = isMet(barrier, this.#world.waits.barriers.at(at)) ? [] : this.#findMissing(barrier);
    this.#missing.set(at, missing);
    return missing;
  }

  #findMissing({ edges, least }: Barrier): readonly Wait[] {
    const isStopped = (on: string): boolean => this.#world.services.get(on)?.wanted === 'down';
    if (edges[0]?.choice !== undefined) {
      const of = edges.map(({ on }) => ({ on, isStopped: isStopped(on) }));
      return [{ kind: 'choice', least, of, condition: edges[0].condition }];
    }
    const missing: Wait[] = [];
    for (const edge of edges) {
      const { on, condition } = edge;
      const target = this.#world.services.get(on);
      if (target === undefined || holds(edge, target)) continue;
      missing.push({ kind: 'edge', on, condition, isStopped: isStopped(on) });
      if (missing.length >= LISTED) break;
    }
    return missing;
  }

  /** The ports and GPUs that this service needs and that stopping services still hold. */
  #claims(name: string, number: number): readonly Wait[] {
    const { plans, conflicts, graph } = this.#world.index;
    return (conflicts[number] ?? []).flatMap((other) => {
      const holder = graph.names[other] ?? '';
      const [own, theirs] = [plans.get(name), plans.get(holder)];
      if (own === undefined || theirs === undefined || !isLeaving(this.#world.services.byNumber.at(other))) return [];
      const claim = claimOn(own, theirs);
      return claim === null ? [] : [{ kind: 'claim', holder, claim }];
    });
  }
}
