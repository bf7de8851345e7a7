// Checks the checkpoint of the core beside a simulation: before each step the world is written as records, as differences
// from the step before, and read again; a step of what was read must come to the same as a step of the world itself.
import { decodeWorld, WorldEncoder } from '../../src/core/checkpoint.ts';
import type { Event } from '../../src/core/event.ts';
import { step } from '../../src/core/supervisor.ts';
import type { World } from '../../src/core/world.ts';
import type { Millis } from '../../src/plan/plan.ts';

export const CONTAINER: Readonly<Record<string, string>> = { PATH: '/usr/bin:/bin', HOME: '/root' };

/** Records as PID 1 keeps them, of successive worlds. */
export class KeptWorld {
  readonly records = new Map<number, string>();
  readonly #encoder = new WorldEncoder(CONTAINER);

  /** Returns how many characters were written. */
  keep(world: World): number {
    let size = 0;
    this.#encoder.write(
      world,
      new Set(),
      () => null,
      (key, value) => {
        const text = JSON.stringify(value);
        size += text.length;
        if (value === null) this.records.delete(key);
        else this.records.set(key, text);
      },
    );
    return size;
  }

  read(): World {
    const of = (key: number) => {
      const text = this.records.get(key);
      return text === undefined ? undefined : JSON.parse(text);
    };
    return decodeWorld(of, CONTAINER).world;
  }
}

export class Renewal {
  readonly #kept = new KeptWorld();

  /** Throws if the event comes to something else from what is read. */
  check(world: World, event: Event, now: Millis): void {
    this.#kept.keep(world);
    const expected = step(world, event, now);
    const found = step(this.#kept.read(), event, now);
    const difference = differenceOf(plain(expected.world), plain(found.world), 'world');
    if (difference !== null) throw new Error(`the checkpoint is another world: ${difference}`);
    if (!Bun.deepEquals(found.effects, expected.effects))
      throw new Error(
        `the checkpoint has other effects:\n${JSON.stringify(found.effects)}\n${JSON.stringify(expected.effects)}`,
      );
  }
}

/** A world without what is only a way to look up the same values. */
function plain({ index, services, waits, deadlines, ...rest }: World): object {
  return {
    ...rest,
    services: [...services],
    waits: { isEnding: waits.isEnding, barriers: [...waits.barriers], services: [...waits.services] },
    deadlines: [...deadlines.instants],
    seeds: [...index.seeds],
    order: index.graph.order,
    conflicts: index.conflicts,
  };
}

/** The first place where two values differ. */
function differenceOf(one: unknown, other: unknown, path: string): string | null {
  if (Object.is(one, other)) return null;
  const areObjects = typeof one === 'object' && typeof other === 'object' && one !== null && other !== null;
  if (!areObjects) return `${path}: ${JSON.stringify(one)} and ${JSON.stringify(other)}`;
  const [a, b] = [one as Record<string, unknown>, other as Record<string, unknown>];
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const found = differenceOf(a[key], b[key], `${path}.${key}`);
    if (found !== null) return found;
  }
  return null;
}
