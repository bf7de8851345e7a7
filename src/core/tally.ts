// How many services are in which situation, kept as they change: so a step in a plan of a thousand need not look at each of
// them to find that there is nothing to do. Pure.
import { isActive, isJudged, type Service } from './state.ts';

const SITUATIONS = {
  /** Something comes of it yet, by itself. */
  going: ({ state }) => isActive(state) || state.id === 'backoff',
  /** Neither there nor over for good. */
  unsettled: ({ state }) =>
    state.id === 'pending' || state.id === 'backoff' || (isActive(state) && state.id !== 'ready'),
  /** A deadline decides about its run: one that must not pass while the supervisor does not run. */
  judged: ({ state }) => isJudged(state),
  /** Held down by the operator. */
  down: ({ wanted }) => wanted === 'down',
} as const satisfies Readonly<Record<string, (service: Service) => boolean>>;

export type Situation = keyof typeof SITUATIONS;
export type Tally = Readonly<Record<Situation, number>>;

const ENTRIES = Object.entries(SITUATIONS) as readonly [Situation, (service: Service) => boolean][];

export function tallyOf(services: Iterable<Service>): Tally {
  const tally = Object.fromEntries(ENTRIES.map(([name]) => [name, 0])) as Record<Situation, number>;
  for (const service of services) recount(tally, null, service);
  return tally;
}

/** Counts a service after a change; `before` is null if it is new. Changes `tally`. */
export function recount(tally: Record<Situation, number>, before: Service | null, after: Service): void {
  for (const [name, is] of ENTRIES) {
    if (before !== null && is(before)) tally[name] -= 1;
    if (is(after)) tally[name] += 1;
  }
}
