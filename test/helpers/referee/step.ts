// What holds of every step of the core, whatever the plan: it is pure, freezes well, and what a world has counted is right.
// Knows no service: book.ts and ledger.ts keep what has happened to each.

import { Deadlines } from '../../../src/core/chunked-array.ts';
import type { Effect, Event } from '../../../src/core/event.ts';
import { countStates } from '../../../src/core/state-counts.ts';
import { step } from '../../../src/core/supervisor.ts';
import { countWaits } from '../../../src/core/waits.ts';
import { instantOf, type World } from '../../../src/core/world.ts';
import type { Millis } from '../../../src/plan/plan.ts';

/** One step of the core: the world before and after, and the event and effects between. */
export interface Seen {
  readonly before: World;
  readonly event: Event;
  readonly after: World;
  readonly effects: readonly Effect[];
  readonly now: Millis;
}

/** The machine around the core, of which the core knows nothing. */
export interface Surroundings {
  /** How late timers fire, at most. */
  readonly lag: Millis;
  hasProcesses(service: string): boolean;
}

/** Clock arithmetic is in floating point. */
export const SLACK: Millis = 1e-3;

/** Fails the test with `otherwise` unless the condition is true. */
export function holds(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(`referee: ${otherwise}`);
}

/** The same step from the same frozen world must have the same result. */
export function checkStep({ before, event, after, effects, now }: Seen): void {
  freeze(before);
  const again = step(before, event, now);
  holds(Bun.deepEquals(again, { world: after, effects }, true), `${event.type} twice came to two results`);
  freeze(after);
  holds(Bun.deepEquals(after.counts, countStates(after.services.values()), true), `${event.type} miscounted`);
  checkCounts(event, after);
}

/** What a world has counted from step to step must equal a count from scratch. */
function checkCounts(event: Event, { index, plan, services, waits, deadlines }: World): void {
  const all = [...services.values()];
  const counted = countWaits(index.graph, all, waits.isEnding);
  holds(Bun.deepEquals(waits, counted, true), `${event.type} miscounted who waits`);
  const due = Deadlines.of(all.map((service, number) => instantOf(plan.services[number], service)));
  holds(Bun.deepEquals(deadlines, due, true), `${event.type} mistook what is due`);
}

/** Freezes what is not frozen yet; a Map's entries need more than Object.freeze. */
function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  if (value instanceof Map) {
    const refuse = () => {
      throw new Error('a world was changed');
    };
    for (const part of value.values()) freeze(part);
    Object.assign(value, { set: refuse, delete: refuse, clear: refuse });
  }
  Object.freeze(value);
  for (const part of Object.values(value)) freeze(part);
}
