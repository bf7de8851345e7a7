// How many services are in which situation, kept as they change: so a step in a plan of a thousand need not look at each of
// them to find that there is nothing to do. Pure.
import { isActive, type Service } from './state.ts';

const SITUATIONS = {
  /** Waits for what it depends on. */
  pending: ({ state }) => state.id === 'pending',
  /** Is not wanted as it is any more, and has not been told so. */
  unwanted: ({ state, wanted }) => wanted !== 'up' && isActive(state) && state.id !== 'stopping',
  /** On its way out: what it has, nobody else gets before nothing of it is left. */
  leaving: ({ state, wanted }) => isActive(state) && (state.id === 'stopping' || wanted !== 'up'),
  /** Something comes of it yet, by itself. */
  going: ({ state }) => isActive(state) || state.id === 'backoff',
  /** Goes on as if nothing were to end. */
  unstopped: ({ state }) => state.id === 'backoff' || (isActive(state) && state.id !== 'stopping'),
  /** Neither there nor over for good. */
  unsettled: ({ state }) =>
    state.id === 'pending' || state.id === 'backoff' || (isActive(state) && state.id !== 'ready'),
} as const satisfies Readonly<Record<string, (service: Service) => boolean>>;

export type Situation = keyof typeof SITUATIONS;
export type Tally = Readonly<Record<Situation, number>>;

const ENTRIES = Object.entries(SITUATIONS) as readonly [Situation, (service: Service) => boolean][];

export function isIn(situation: Situation, service: Service): boolean {
  return SITUATIONS[situation](service);
}

export function tallyOf(services: Iterable<Service>): Tally {
  const tally = Object.fromEntries(ENTRIES.map(([name]) => [name, 0])) as Record<Situation, number>;
  for (const service of services) recount(tally, null, service);
  return tally;
}

/** A service has become another value; null: it was not there, or is not any more. Changes `tally`. */
export function recount(tally: Record<Situation, number>, before: Service | null, after: Service | null): void {
  for (const [name, is] of ENTRIES) {
    if (before !== null && is(before)) tally[name] -= 1;
    if (after !== null && is(after)) tally[name] += 1;
  }
}
