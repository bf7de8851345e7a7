// The requests to the supervisor: at most two in a second, and each resource is requested at its interval.
import { expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  type Intervals,
  NOT_POLLED,
  nextPoll,
  notePolled,
  type PollTimes,
  pollSoon,
  type Resource,
} from '../../../src/cli/top/polling.ts';

/** The requests of `duration` ms; `hurry` makes a resource due at some times. */
function run(
  intervals: Intervals,
  duration: number,
  hurry: readonly { readonly at: number; readonly kind: Resource }[] = [],
) {
  let schedule: PollTimes = NOT_POLLED;
  const requests: { resource: Resource; at: number }[] = [];
  const waiting = hurry.toSorted((a, b) => a.at - b.at);
  for (let now = 0; now < duration; ) {
    const next = nextPoll(schedule, intervals, now);
    if (next === null) break;
    const [first] = waiting;
    if (first !== undefined && first.at <= next.at) {
      waiting.shift();
      now = Math.max(now, first.at);
      schedule = pollSoon(schedule, first.kind);
      continue;
    }
    now = next.at;
    schedule = notePolled(schedule, next.resource, now);
    requests.push({ resource: next.resource, at: now });
  }
  return requests;
}

test('however often the user hurries, any second has at most two requests', () => {
  const kinds: readonly Resource[] = ['status', 'logs', 'graph', 'timeline'];
  const hurry = fc.record({ at: fc.nat(10_000), kind: fc.constantFrom(...kinds) });
  fc.assert(
    fc.property(fc.array(hurry, { maxLength: 100 }), (hurries) => {
      const requests = run({ status: 1_000, logs: 1_000, graph: 15_000, timeline: 2_000 }, 10_000, hurries);
      for (const [index, { at }] of requests.entries()) {
        const earlier = requests[index - 2];
        if (earlier !== undefined) expect(at - earlier.at).toBeGreaterThanOrEqual(1_000);
      }
    }),
  );
});

test('status and log are requested once a second each, and a rare request comes between them', () => {
  const requests = run({ status: 1_000, logs: 1_000, graph: 15_000 }, 60_000);
  const count = (kind: Resource) => requests.filter(({ resource }) => resource === kind).length;
  expect(count('status')).toBeGreaterThanOrEqual(56);
  expect(count('logs')).toBeGreaterThanOrEqual(56);
  expect(count('graph')).toBe(4);
});

test('no resource is needed, and none is requested', () => {
  expect(nextPoll(NOT_POLLED, {}, 5)).toBeNull();
});
