// How many services are in which state, updated with each change: a step in a plan of a thousand services need not examine
// all of them to find that there is nothing to do. Pure.
import { hasRunDeadline, isActive, type Service } from './state.ts';

const COUNTED = {
  /** Will change state without outside help: it runs, or a timer is armed. */
  changing: ({ state }) => isActive(state) || state.id === 'backoff' || state.id === 'scheduled',
  /** On the way to ready or to its end. A scheduled task is not: it waits for its time. */
  unsettled: ({ state }) =>
    state.id === 'pending' || state.id === 'backoff' || (isActive(state) && state.id !== 'ready'),
  /** Its run has a deadline, which must not pass while the supervisor does not run. */
  timed: ({ state }) => hasRunDeadline(state),
  /** Stopped by the operator. */
  held: ({ wanted }) => wanted === 'down',
} as const satisfies Readonly<Record<string, (service: Service) => boolean>>;

export type CountedState = keyof typeof COUNTED;
export type StateCounts = Readonly<Record<CountedState, number>>;

const ENTRIES = Object.entries(COUNTED) as readonly [CountedState, (service: Service) => boolean][];

export function countStates(services: Iterable<Service>): StateCounts {
  const counts = Object.fromEntries(ENTRIES.map(([name]) => [name, 0])) as Record<CountedState, number>;
  for (const service of services) updateCounts(counts, null, service);
  return counts;
}

/**
 * Counts a service after a change; `before` is null if it is new. Changes `counts`. When a service is removed, all are counted anew
 * (countStates).
 */
export function updateCounts(counts: Record<CountedState, number>, before: Service | null, after: Service): void {
  for (const [name, is] of ENTRIES) {
    if (before !== null && is(before)) counts[name] -= 1;
    if (is(after)) counts[name] += 1;
  }
}
