// Which resource of the control API `top` requests next, and when: at most two requests in any second, whatever the user does.
// Sends nothing. Pure.

/** What `top` requests; the path in the API has the same name, except for logs and details. */
export type Resource = 'status' | 'logs' | 'graph' | 'timeline' | 'details' | 'gpus' | 'history';

/** How often each resource is requested, in milliseconds. Resources that the screen does not need are absent. */
export type Intervals = Readonly<Partial<Record<Resource, number>>>;

/** When requests were sent, in monotonic milliseconds. */
export interface PollTimes {
  /** The latest request of each resource. */
  readonly latest: Readonly<Partial<Record<Resource, number>>>;
  /** The latest MOST requests of any resource, oldest first. */
  readonly recent: readonly number[];
}

/** At most this many requests in any WINDOW, which is in milliseconds. */
const MOST = 2;
const WINDOW = 1_000;

export const NOT_POLLED: PollTimes = { latest: {}, recent: [] };

/** The next request and its time, which is `now` or later; null: no resource is needed. */
export function nextPoll(
  { latest, recent }: PollTimes,
  intervals: Intervals,
  now: number,
): { readonly resource: Resource; readonly at: number } | null {
  const due = (Object.entries(intervals) as [Resource, number][])
    .map(([resource, every]) => ({ resource, at: (latest[resource] ?? Number.NEGATIVE_INFINITY) + every }))
    .sort((a, b) => a.at - b.at)[0];
  if (due === undefined) return null;
  const oldest = recent.length < MOST ? undefined : recent.at(-MOST);
  const allowed = oldest === undefined ? now : oldest + WINDOW;
  return { resource: due.resource, at: Math.max(now, due.at, allowed) };
}

/** The times after a request of `resource` was sent at `now`. */
export function notePolled({ latest, recent }: PollTimes, resource: Resource, now: number): PollTimes {
  return { latest: { ...latest, [resource]: now }, recent: [...recent, now].slice(-MOST) };
}

/** Makes a resource due at once. The limit of requests still holds. */
export function pollSoon({ latest, recent }: PollTimes, resource: Resource): PollTimes {
  const { [resource]: _, ...others } = latest;
  return { latest: others, recent };
}
