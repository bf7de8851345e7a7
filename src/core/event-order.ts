// Orders the events that arrived in the same turn of the event loop. PID 1 finds signals and exits at the same moment,
// and the kernel does not report which came first. Never adds or drops an event. Pure.
import type { Event } from './event.ts';
import { mayFollowFromAStop } from './policy.ts';
import type { World } from './world.ts';

/**
 * Moves a stop request before the exits that it may have caused (an exit by a stop signal, or with a code that follows
 * from one), and after any other exit, which is a failure that happened before the request.
 */
export function orderEvents(events: readonly Event[], world: World): readonly Event[] {
  const last = events.findLastIndex((event) => isFailure(event, world));
  const isRequest = (event: Event) => event.type === 'stop-asked';
  if (last < 0 || !events.slice(0, last).some(isRequest)) return events;
  const before = events.slice(0, last + 1);
  return [...before.filter((event) => !isRequest(event)), ...before.filter(isRequest), ...events.slice(last + 1)];
}

function isFailure(event: Event, world: World): boolean {
  if (event.type !== 'service' || event.event.type !== 'exited') return false;
  return !mayFollowFromAStop(event.event.exit, world.index.plans.get(event.service)?.successCodes ?? []);
}
