// How many values a step reads: counted, not timed. Twice the services take twice the work, whether they stand beside each
// other, in stages or in a chain.
import { describe, expect, test } from 'bun:test';
import { ChunkedArray } from '../../../src/core/chunked-array.ts';
import type { Effect, Event, ServiceEvent } from '../../../src/core/event.ts';
import { Services } from '../../../src/core/services.ts';
import { takeSnapshot } from '../../../src/core/snapshot.ts';
import { step } from '../../../src/core/supervisor.ts';
import { newWorld, nextDeadline, type World } from '../../../src/core/world.ts';
import type { Edge, Plan, ServicePlan } from '../../../src/plan/plan.ts';
import { on, plan, service, stages, task } from '../../helpers/plans.ts';

let reads = 0;

/** An edge that counts how often it is read. */
function counted(edge: Edge): Edge {
  return new Proxy(edge, {
    get(target, key) {
      reads += 1;
      return Reflect.get(target, key);
    },
  });
}

/** Edges that count; a list that several services share stays one list. */
function counting(services: readonly ServicePlan[]): ServicePlan[] {
  const known = new Map<readonly Edge[], readonly Edge[]>();
  const listOf = (edges: readonly Edge[]): readonly Edge[] => {
    const found = known.get(edges) ?? edges.map(counted);
    known.set(edges, found);
    return found;
  };
  return services.map((one) => ({ ...one, edges: listOf(one.edges), stageEdges: listOf(one.stageEdges) }));
}

/** Counts how often services, counts and edges are read. */
function countReads(work: () => void): number {
  const { at } = ChunkedArray.prototype;
  const values = ChunkedArray.prototype[Symbol.iterator];
  const { keys } = Services.prototype;
  reads = 0;
  ChunkedArray.prototype.at = function (number) {
    reads += 1;
    return at.call(this, number);
  };
  ChunkedArray.prototype[Symbol.iterator] = function () {
    reads += this.size;
    return values.call(this);
  };
  Services.prototype.keys = function () {
    reads += this.size;
    return keys.call(this);
  };
  try {
    work();
    return reads;
  } finally {
    ChunkedArray.prototype.at = at;
    ChunkedArray.prototype[Symbol.iterator] = values;
    Services.prototype.keys = keys;
  }
}

/** The events that follow from an effect on a service. */
function eventsAfter(effect: Effect): readonly ServiceEvent[] {
  if (effect.type !== 'service') return [];
  switch (effect.effect.type) {
    case 'spawn':
      return [{ type: 'spawned', pid: 1 }];
    case 'signal':
      return [{ type: 'exited', exit: { kind: 'code', code: 0 } }];
    case 'clean-up':
      return [{ type: 'emptied', leftovers: [] }];
    default:
      return [];
  }
}

/** The whole life of a plan: everything starts, tasks succeed, SIGTERM, everything stops. Returns the code. */
function live({ services }: Plan, begun: World): number | null {
  const tasks = new Set(services.flatMap(({ name, type }) => (type === 'task' ? [name] : [])));
  let world = begun;
  let now = 0;
  const queue: Event[] = [];
  const take = (event: Event): void => {
    now += 0.01;
    const { world: after, effects } = step(world, event, now);
    world = after;
    nextDeadline(world);
    for (const effect of effects) {
      if (effect.type !== 'service') continue;
      const { service: name, run } = effect;
      const ends: ServiceEvent = { type: 'exited', exit: { kind: 'code', code: 0 } };
      const events = eventsAfter(effect);
      const all = effect.effect.type === 'spawn' && tasks.has(name) ? [...events, ends] : events;
      for (const one of all) queue.push({ type: 'service', service: name, run, event: one });
    }
  };
  take({ type: 'began' });
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) take(next);
  if (world.phase.id === 'running') take({ type: 'stop-asked', signal: 'SIGTERM' });
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) take(next);
  return world.phase.id === 'ended' ? world.phase.code : null;
}

const NAMES = (count: number, prefix: string): readonly string[] =>
  Array.from({ length: count }, (_, number) => `${prefix}${number}`);

const chainOf = (count: number, make: typeof service): ServicePlan[] =>
  NAMES(count, 's').map((name, number) =>
    make(name, { edges: number === 0 ? [] : [on(`s${number - 1}`, make === task ? 'completed' : 'ready')] }),
  );

const stagesOf = (groups: number, size: number): ServicePlan[] =>
  stages(...NAMES(groups, 'g').map((group) => NAMES(size, `${group}-`).map((name) => service(name))));

const SHAPES: Readonly<Record<string, (count: number) => readonly ServicePlan[]>> = {
  'services beside each other': (count) => NAMES(count, 's').map((name) => service(name)),
  'two stages': (count) => stagesOf(2, count / 2),
  'ten stages': (count) => stagesOf(10, count / 10),
  'a chain of tasks': (count) => chainOf(count, task),
  'a chain of services': (count) => chainOf(count, service),
  'services that wait for one': (count) =>
    NAMES(count, 's').map((name, number) => service(name, { edges: number === 0 ? [] : [on('s0')] })),
  'copies that wait for copies': (count) => {
    const edges = NAMES(count / 2, 'a').map((name) => on(name));
    return [
      ...NAMES(count / 2, 'a').map((name) => service(name)),
      ...NAMES(count / 2, 'b').map((name) => service(name, { edges })),
    ];
  },
};

const of = (services: readonly ServicePlan[]): Plan => plan(counting(services), { stopTimeout: 1e9 });

describe('twice the services cost twice as much', () => {
  for (const [shape, make] of Object.entries(SHAPES)) {
    test(`to start and to stop: ${shape}`, () => {
      const work = (count: number): number => {
        const planned = of(make(count));
        return countReads(() => expect(live(planned, newWorld(planned, 1))).toBe(0));
      };
      const [small, large] = [work(400), work(800)];
      expect(large / small).toBeLessThan(2.2);
      expect(large / 800).toBeLessThan(250);
    });

    test(`to describe what each waits for: ${shape}`, () => {
      const work = (count: number): number => {
        const planned = of(make(count));
        const { world } = step(newWorld(planned, 1), { type: 'began' }, 0);
        return countReads(() => expect(takeSnapshot(world, 1).services.length).toBe(count));
      };
      expect(work(800) / work(400)).toBeLessThan(2.2);
    });
  }

  test('when the first of a chain fails: all others are announced as never starting', () => {
    const work = (count: number): number => {
      const planned = plan(counting(chainOf(count, task)), { exit: 'all' });
      return countReads(() => {
        let { world } = step(newWorld(planned, 1), { type: 'began' }, 0);
        const failed = { type: 'spawn-failed', step: 'exec', message: 'no such file', code: 127 } as const;
        const next = step(world, { type: 'service', service: 's0', run: 1, event: failed }, 1);
        world = next.world;
        expect(next.effects.filter((one) => one.type === 'announce' && one.notice.event === 'blocked').length).toBe(
          count - 1,
        );
      });
    };
    expect(work(800) / work(400)).toBeLessThan(2.2);
  });
});

test('when one of a thousand services fails, only that one and its dependents are read', () => {
  const planned = of([...NAMES(1_000, 'other').map((name) => service(name)), ...chainOf(3, service)]);
  let world = newWorld(planned, 1);
  const begun = step(world, { type: 'began' }, 0);
  world = begun.world;
  for (const effect of begun.effects) {
    if (effect.type !== 'service') continue;
    const { service: name, run } = effect;
    world = step(world, { type: 'service', service: name, run, event: { type: 'spawned', pid: 1 } }, 1).world;
  }
  const exited = { type: 'exited', exit: { kind: 'code', code: 0 } } as const;
  const calm = { ...world, plan: { ...world.plan, exit: 'all' as const } };
  expect(countReads(() => step(calm, { type: 'service', service: 's2', run: 1, event: exited }, 2))).toBeLessThan(60);
});
