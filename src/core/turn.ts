// What came first of the events that were found in the same turn of the event loop. PID 1 learns of signals and exits at the
// same moment, and the kernel does not say which was first. Pure.
import type { Event } from './event.ts';
import { type Exit, isLikeAStop } from './policy.ts';
import type { World } from './world.ts';

/**
 * A request to stop comes before the exits that it may have caused, by the signal itself or by a code that follows from it.
 * Any other exit is a failure that was there before the request, and comes before it.
 */
export function inOrder(events: readonly Event[], world: World): readonly Event[] {
  const last = events.findLastIndex((event) => isFailure(event, world));
  const isRequest = (event: Event) => event.type === 'stop-asked';
  if (last < 0 || !events.slice(0, last).some(isRequest)) return events;
  const before = events.slice(0, last + 1);
  return [...before.filter((event) => !isRequest(event)), ...before.filter(isRequest), ...events.slice(last + 1)];
}

function isFailure(event: Event, world: World): boolean {
  if (event.type !== 'service' || event.news.type !== 'exited') return false;
  return !mayFollowFromAStop(event.news.exit, world.index.plans.get(event.service)?.successCodes ?? []);
}

function mayFollowFromAStop(exit: Exit, successCodes: readonly number[]): boolean {
  return isLikeAStop(exit) || (exit.kind === 'code' && (exit.code === 0 || successCodes.includes(exit.code)));
}
