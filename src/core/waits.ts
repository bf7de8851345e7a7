// The state of the barriers, as counts that are updated when a service changes: which barriers are open, which can
// never open any more, and which have dependents that keep their dependencies from being stopped. A change of one
// service updates the edges that lead to it, and other services only if one of these barriers opens, can never open any
// more, gets its first holder or loses its last one. Starts and stops nothing.
import type { Edge } from '../plan/plan.ts';
import { type Barrier, barrierAt, type Graph } from './barriers.ts';
import { ChunkedArray, ChunkedArrayDraft } from './chunked-array.ts';
import { holdsUp, isActive, isToRunAgain, type Service, type State } from './state.ts';

interface BarrierCounts {
  /** Edges that hold. */
  readonly met: number;
  /** Edges that can never hold any more. */
  readonly lost: number;
  /** Dependents that keep the barrier's services from being stopped; counted in a shutdown only. */
  readonly holders: number;
  /** The same, but only of dependents that are to stop too; counted at any time. */
  readonly unwantedHolders: number;
}

interface ServiceCounts {
  /** Barriers that lead to it and have holders. */
  readonly heldBy: number;
  readonly heldByUnwanted: number;
  /** The service is pending, and one of its barriers can never open. */
  readonly blocked: boolean;
  /** The service is a holder of the barriers that it waits for. */
  readonly holding: boolean;
  readonly holdingUnwanted: boolean;
}

export interface Waits {
  /** Whether a shutdown has begun. */
  readonly isEnding: boolean;
  readonly barriers: ChunkedArray<BarrierCounts>;
  readonly services: ChunkedArray<ServiceCounts>;
}

const NO_EDGES: BarrierCounts = { met: 0, lost: 0, holders: 0, unwantedHolders: 0 };
const NO_SERVICE: ServiceCounts = {
  heldBy: 0,
  heldByUnwanted: 0,
  blocked: false,
  holding: false,
  holdingUnwanted: false,
};

/**
 * Two rules for which dependents delay the stop of their dependencies: in a shutdown all active ones, otherwise only
 * those that are to stop too. The first rule is not counted before a shutdown: each task of a chain that starts would
 * make all completed tasks holders.
 */
const IN_A_SHUTDOWN = {
  flag: 'holding',
  holders: 'holders',
  held: 'heldBy',
  holdsUp: ({ state }: Service) => holdsUp(state),
} as const;
const WITHOUT_SHUTDOWN = {
  flag: 'holdingUnwanted',
  holders: 'unwantedHolders',
  held: 'heldByUnwanted',
  holdsUp: ({ state, wanted }: Service) => wanted !== 'up' && holdsUp(state),
} as const;
type Way = typeof IN_A_SHUTDOWN | typeof WITHOUT_SHUTDOWN;

/** Whether the condition of an edge holds. A stage does not wait for a member that was stopped, or is started by hand. */
export function holds({ condition, origin, restarts }: Edge, service: Service): boolean {
  const { state, startedOnce, readyAfter, wanted, schedule } = service;
  if (origin === 'stage' && (state.id === 'idle' || (wanted === 'down' && state.id === 'stopped'))) return true;
  switch (condition) {
    case 'started':
      return startedOnce && !(restarts === true && isBetweenRuns(service));
    case 'ready':
      // Before it restarts, it waits for the stop of the dependents that restart with it (`restarts`). For the others it is
      // still ready until then.
      if (state.id === 'ready') return !(restarts === true && isToRunAgain(service));
      return (state.id === 'completed' && readyAfter !== null) || hasCompleted(schedule);
    case 'completed':
      return state.id === 'completed' || hasCompleted(schedule);
    case 'exited':
      return state.id === 'completed' || state.id === 'failed' || hasEnded(schedule);
    default:
      return condition satisfies never;
  }
}

/** Whether a run of a scheduled task has completed: then dependents wait for it no more, whatever later runs come to. */
function hasCompleted(schedule: Service['schedule']): boolean {
  return schedule !== null && schedule.counts.completed > 0;
}

function hasEnded(schedule: Service['schedule']): boolean {
  return schedule !== null && schedule.counts.completed + schedule.counts.failed > 0;
}

/** Whether the last run has ended, or is to end, and the program of the next run is not executing yet. */
function isBetweenRuns(service: Service): boolean {
  const { state } = service;
  return isToRunAgain(service) || state.id === 'stopping' || (state.id === 'starting' && state.pid === null);
}

/** Whether the condition of an edge does not hold and never will. `blocked`: whether the service can never start. */
export function canNeverHold(edge: Edge, service: Service, blocked: boolean): boolean {
  if (holds(edge, service)) return false;
  const { id } = service.state;
  return id === 'skipped' || id === 'failed' || id === 'completed' || (id === 'pending' && blocked);
}

/**
 * Whether the holders of a service also hold its dependencies: it has run, and its run is over. A database stops after
 * the server that waited for the completed migration.
 */
function passesOn({ run, state }: Service): boolean {
  return run > 0 && !isActive(state);
}

/** Whether the counts depend on a difference between two values of a service. */
export function isOtherToWaits(before: Service, after: Service): boolean {
  return (
    before.state.id !== after.state.id ||
    before.startedOnce !== after.startedOnce ||
    before.wanted !== after.wanted ||
    (before.readyAfter === null) !== (after.readyAfter === null) ||
    before.run > 0 !== after.run > 0 ||
    hasCompleted(before.schedule) !== hasCompleted(after.schedule) ||
    hasEnded(before.schedule) !== hasEnded(after.schedule) ||
    isBetweenRuns(before) !== isBetweenRuns(after) ||
    isKilled(before.state) !== isKilled(after.state)
  );
}

/** Whether a stop has come to SIGKILL: after that it holds nothing up (holdsUp). */
function isKilled(state: State): boolean {
  return state.id === 'stopping' && !holdsUp(state);
}

/** Whether a barrier is open. */
export function isMet({ least }: Barrier, { met }: BarrierCounts): boolean {
  return met >= least;
}

/** Whether a barrier can never open any more. */
export function canNeverOpen({ edges, least }: Barrier, { lost }: BarrierCounts): boolean {
  return edges.length - lost < least;
}

export class WaitsDraft {
  readonly #graph: Graph;
  readonly #serviceAt: (number: number) => Service | null;
  #isEnding: boolean;
  readonly #barriers: ChunkedArrayDraft<BarrierCounts>;
  readonly #services: ChunkedArrayDraft<ServiceCounts>;
  /** Barriers for which canNeverOpen() has changed. */
  readonly #changed: number[] = [];
  readonly #touched: (number: number) => void;
  readonly #blocked: (number: number) => void;

  /**
   * `serviceAt` returns the current value of a service; null before its first change(). `touched` is called with the
   * number of a service that may now be started or stopped because of others, `blocked` with that of a service that can
   * never start any more.
   */
  constructor(
    graph: Graph,
    base: Waits,
    serviceAt: (number: number) => Service | null,
    touched: (number: number) => void,
    blocked: (number: number) => void,
  ) {
    this.#graph = graph;
    this.#serviceAt = serviceAt;
    this.#isEnding = base.isEnding;
    this.#barriers = new ChunkedArrayDraft(base.barriers);
    this.#services = new ChunkedArrayDraft(base.services);
    this.#touched = touched;
    this.#blocked = blocked;
  }

  /** Whether all barriers that a service waits for are open. */
  isOpen(number: number): boolean {
    return (this.#graph.waitsFor[number] ?? []).every((at) => isMet(barrierAt(this.#graph, at), this.#barriers.at(at)));
  }

  isBlocked(number: number): boolean {
    return this.#services.at(number).blocked;
  }

  /** Whether a dependent keeps the service from being stopped; directly, or through services whose run is over. */
  isHeld(number: number, by: 'any' | 'unwanted'): boolean {
    const { heldBy, heldByUnwanted } = this.#services.at(number);
    return (by === 'any' ? heldBy : heldByUnwanted) > 0;
  }

  /**
   * Updates the counts after a change of a service; `before` is null if it is new. `serviceAt` must return `after`
   * already.
   */
  change(number: number, before: Service | null, after: Service): void {
    const counts = this.#services.at(number);
    const blocked = after.state.id === 'pending' && this.#canNeverOpen(number);
    if (blocked !== counts.blocked) this.#services.set(number, { ...counts, blocked });
    if (blocked && !counts.blocked) this.#blocked(number);
    for (const { barrier, edge } of this.#graph.uses[number] ?? []) {
      const was = before === null ? [0, 0] : [+holds(edge, before), +canNeverHold(edge, before, counts.blocked)];
      const is = [+holds(edge, after), +canNeverHold(edge, after, blocked)];
      this.#count(barrier, (is[0] ?? 0) - (was[0] ?? 0), (is[1] ?? 0) - (was[1] ?? 0));
    }
    this.#spreadBlocked();
    this.#spreadHolding(WITHOUT_SHUTDOWN, number);
    if (this.#isEnding) this.#spreadHolding(IN_A_SHUTDOWN, number);
  }

  /** Begins to count for a shutdown. */
  beginEnding(): void {
    this.#isEnding = true;
    for (const number of this.#graph.order.toReversed()) this.#spreadHolding(IN_A_SHUTDOWN, number);
  }

  finish(): Waits {
    return { isEnding: this.#isEnding, barriers: this.#barriers.finish(), services: this.#services.finish() };
  }

  #canNeverOpen(number: number): boolean {
    return (this.#graph.waitsFor[number] ?? []).some((at) =>
      canNeverOpen(barrierAt(this.#graph, at), this.#barriers.at(at)),
    );
  }

  #count(at: number, met: number, lost: number): void {
    if (met === 0 && lost === 0) return;
    const barrier = barrierAt(this.#graph, at);
    const before = this.#barriers.at(at);
    const after = { ...before, met: before.met + met, lost: before.lost + lost };
    this.#barriers.set(at, after);
    if (canNeverOpen(barrier, before) !== canNeverOpen(barrier, after)) this.#changed.push(at);
    if (isMet(barrier, before) || !isMet(barrier, after)) return;
    for (const dependent of barrier.dependents) {
      if (this.#serviceAt(dependent)?.state.id === 'pending') this.#touched(dependent);
    }
  }

  /**
   * A pending service is blocked if one of its barriers can never open; then the services that wait for it are blocked
   * too.
   */
  #spreadBlocked(): void {
    for (let at = this.#changed.pop(); at !== undefined; at = this.#changed.pop()) {
      for (const dependent of barrierAt(this.#graph, at).dependents) {
        const service = this.#serviceAt(dependent);
        if (service?.state.id !== 'pending') continue;
        const counts = this.#services.at(dependent);
        const blocked = this.#canNeverOpen(dependent);
        if (blocked === counts.blocked) continue;
        this.#services.set(dependent, { ...counts, blocked });
        if (blocked) this.#blocked(dependent);
        for (const { barrier, edge } of this.#graph.uses[dependent] ?? [])
          this.#count(barrier, 0, +canNeverHold(edge, service, blocked) - +canNeverHold(edge, service, counts.blocked));
      }
    }
  }

  #spreadHolding(way: Way, first: number): void {
    const queue = [first];
    for (let number = queue.pop(); number !== undefined; number = queue.pop()) {
      const service = this.#serviceAt(number);
      if (service === null) continue;
      const counts = this.#services.at(number);
      const holding = way.holdsUp(service) || (passesOn(service) && counts[way.held] > 0);
      if (holding === counts[way.flag]) continue;
      this.#services.set(number, { ...counts, [way.flag]: holding });
      for (const barrier of this.#graph.waitsFor[number] ?? []) this.#hold(way, barrier, holding ? 1 : -1, queue);
    }
  }

  #hold(way: Way, at: number, by: 1 | -1, queue: number[]): void {
    const before = this.#barriers.at(at);
    const holders = before[way.holders] + by;
    this.#barriers.set(at, { ...before, [way.holders]: holders });
    if (holders > 0 === before[way.holders] > 0) return;
    for (const target of barrierAt(this.#graph, at).targets) {
      const counts = this.#services.at(target);
      const held = counts[way.held] + by;
      this.#services.set(target, { ...counts, [way.held]: held });
      if (held === 0) this.#touched(target);
      queue.push(target);
    }
  }
}

/** Counts the given services from the beginning. */
export function countWaits(graph: Graph, services: readonly Service[], isEnding: boolean): Waits {
  const taken = new Array<Service | null>(services.length).fill(null);
  const ignore = (): void => undefined;
  const none: Waits = {
    isEnding: false,
    barriers: ChunkedArray.of(graph.barriers.map(() => NO_EDGES)),
    services: ChunkedArray.of(services.map(() => NO_SERVICE)),
  };
  const draft = new WaitsDraft(graph, none, (number) => taken[number] ?? null, ignore, ignore);
  for (const number of graph.order) {
    const service = services[number];
    if (service === undefined) continue;
    taken[number] = service;
    draft.change(number, null, service);
  }
  if (isEnding) draft.beginEnding();
  return draft.finish();
}
