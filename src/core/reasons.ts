// Explains why a service waits, or why it can never start, as text for `status` and announcements. The text of a
// barrier is built once, even if many services wait for it. Decides nothing.
import type { Edge } from '../plan/plan.ts';
import { type Barrier, barrierAt } from './barriers.ts';
import type { Ended } from './event.ts';
import { isLeaving } from './state.ts';
import { canNeverHold, canNeverOpen, holds, isMet } from './waits.ts';
import { renderEnd } from './words.ts';
import { claimOn, renderNames, type World } from './world.ts';

/** The most reasons to wait that are shown. */
const SHOWN = 3;

export class Reasons {
  readonly #world: Pick<World, 'index' | 'services' | 'waits'>;
  /** By the number of a barrier. */
  readonly #lost = new Map<number, string | null>();
  readonly #missing = new Map<number, readonly string[]>();

  constructor(world: Pick<World, 'index' | 'services' | 'waits'>) {
    this.#world = world;
  }

  /**
   * Why a pending service can never start: something that it waits for can never happen. Null while it can still start.
   */
  neverStarts(name: string): string | null {
    const { graph } = this.#world.index;
    const number = graph.numbers.get(name);
    if (number === undefined || !this.#isBlocked(name)) return null;
    for (const at of graph.waitsFor[number] ?? []) {
      const reason = this.#lostBy(at);
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

  /** What a pending service waits for; null if it waits for nothing. */
  describeWait(name: string): string | null {
    const never = this.neverStarts(name);
    if (never !== null) return `never starts: ${never}`;
    const { graph } = this.#world.index;
    const number = graph.numbers.get(name);
    if (number === undefined) return null;
    const waits = new Set((graph.waitsFor[number] ?? []).flatMap((at) => this.#missingOf(at)));
    const shown = [...waits, ...this.#claims(name, number)];
    if (shown.length === 0) return null;
    return `waits for ${shown.slice(0, SHOWN).join(', ')}${shown.length > SHOWN ? ', ...' : ''}`;
  }

  #isBlocked(name: string): boolean {
    const number = this.#world.index.graph.numbers.get(name);
    return number !== undefined && this.#world.waits.services.at(number).blocked;
  }

  #lostBy(at: number): string | null {
    const known = this.#lost.get(at);
    if (known !== undefined) return known;
    const reason = this.#findLost(barrierAt(this.#world.index.graph, at), at);
    this.#lost.set(at, reason);
    return reason;
  }

  #findLost(barrier: Barrier, at: number): string | null {
    const { edges, least } = barrier;
    if (!canNeverOpen(barrier, this.#world.waits.barriers.at(at))) return null;
    const first = edges.map((edge) => this.#lostEdge(edge)).find((reason) => reason !== null) ?? null;
    if (first === null || edges[0]?.choice === undefined) return first;
    const few = least === 1 ? 'none' : `fewer than ${least}`;
    return `${few} of ${renderNames(edges.map(({ on }) => on))} can come: ${first}`;
  }

  #lostEdge(edge: Edge): string | null {
    const { on } = edge;
    const target = this.#world.services.get(on);
    if (target === undefined || !canNeverHold(edge, target, this.#isBlocked(on))) return null;
    const { state } = target;
    if (state.id === 'skipped') return `${on} is not enabled`;
    if (state.id === 'failed') return `${on} ${state.ended === null ? 'failed' : renderEnd(state.ended)}`;
    return state.id === 'completed' ? `${on} ended before it was ready` : `${on} never starts`;
  }

  /** The conditions that are missing for a barrier to open; if there are many, the first ones. */
  #missingOf(at: number): readonly string[] {
    const known = this.#missing.get(at);
    if (known !== undefined) return known;
    const barrier = barrierAt(this.#world.index.graph, at);
    const missing = isMet(barrier, this.#world.waits.barriers.at(at)) ? [] : this.#findMissing(barrier);
    this.#missing.set(at, missing);
    return missing;
  }

  #findMissing({ edges, least }: Barrier): readonly string[] {
    const isStopped = (on: string): boolean => this.#world.services.get(on)?.wanted === 'down';
    if (edges[0]?.choice !== undefined) {
      const names = renderNames(edges.map(({ on }) => `${on}${isStopped(on) ? ' (stopped)' : ''}`));
      return [`${least} of ${names} to be ${edges[0].condition}`];
    }
    const missing: string[] = [];
    for (const edge of edges) {
      const target = this.#world.services.get(edge.on);
      if (target === undefined || holds(edge, target)) continue;
      missing.push(`${edge.on} to be ${edge.condition}${isStopped(edge.on) ? ' (it was stopped)' : ''}`);
      if (missing.length > SHOWN) break;
    }
    return missing;
  }

  /** The ports and GPUs that this service needs and that stopping services still hold. */
  #claims(name: string, number: number): readonly string[] {
    const { plans, conflicts, graph } = this.#world.index;
    return (conflicts[number] ?? []).flatMap((other) => {
      const holder = graph.names[other] ?? '';
      const [own, theirs] = [plans.get(name), plans.get(holder)];
      if (own === undefined || theirs === undefined || !isLeaving(this.#world.services.byNumber.at(other))) return [];
      return [`${holder} to give back ${claimOn(own, theirs)}`];
    });
  }
}
