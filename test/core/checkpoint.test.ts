// The records of a world: what a step writes, and what is not written. That a world that was read is the same one is in
// property.test.ts, for random worlds.
import { expect, test } from 'bun:test';
import { decodeWorld, KEYS, WorldEncoder } from '../../src/core/checkpoint.ts';
import { step } from '../../src/core/supervisor.ts';
import { newWorld, type World } from '../../src/core/world.ts';
import { on, plan, service, stages } from '../helpers/plans.ts';
import { CONTAINER, KeptWorld } from '../helpers/renewal.ts';

const spawned = (world: World, name: string, pid: number): World =>
  step(world, { type: 'service', service: name, run: 1, event: { type: 'spawned', pid } }, 5).world;

function keys(encoder: WorldEncoder, world: World): number[] {
  const found: number[] = [];
  encoder.write(
    world,
    new Set(),
    () => null,
    (key) => found.push(key),
  );
  return found;
}

test('a step of 1,000 services writes the one service that it changes', () => {
  const services = Array.from({ length: 1_000 }, (_, at) => service(`s${at}`));
  const began = step(newWorld(plan(services), 1), { type: 'began' }, 0).world;
  const encoder = new WorldEncoder(CONTAINER);
  expect(keys(encoder, began).length).toBeGreaterThan(2_000);
  const next = spawned(began, 's500', 7);
  expect(keys(encoder, next)).toEqual([KEYS.services + 500 * KEYS.perService]);
  expect(keys(encoder, next)).toEqual([]);
});

test('a list of edges that services share is one record', () => {
  const members = (name: string) => Array.from({ length: 200 }, (_, at) => service(`${name}${at}`));
  const world = newWorld(plan(stages(members('a'), members('b'))), 1);
  const kept = new KeptWorld();
  const size = kept.keep(world);
  // 40,000 edges of 60 characters would be 2.4 million.
  expect(size).toBeLessThan(800_000);
  const read = kept.read();
  expect(read.plan.services[399]?.stageEdges).toBe(read.plan.services[200]?.stageEdges ?? []);
  expect(read).toEqual(world);
});

test("of an environment only what the container's has not is written", () => {
  const env = { ...CONTAINER, TOKEN: 'hf_0815', MODE: 'fast' };
  const without = { HOME: '/root', TOKEN: 'hf_0815', MODE: 'fast' };
  const services = [service('a', { env }), service('b', { env: without })];
  const records = new Map<number, string>();
  const container = { ...CONTAINER, TOKEN: 'hf_0815' };
  new WorldEncoder(container).write(
    newWorld(plan(services), 1),
    new Set(),
    () => null,
    (key, value) => {
      records.set(key, JSON.stringify(value));
    },
  );
  expect([...records.values()].join()).not.toContain('hf_0815');
  const read = decodeWorld((key) => JSON.parse(records.get(key) ?? 'null') ?? undefined, container).world;
  expect(read.plan.services.map((one) => one.env)).toEqual([env, without]);
});

test('a plan that waits for the end of a run keeps its dependencies over a second reload', () => {
  const of = (...others: string[]) =>
    plan([
      ...others.map((name) => service(name)),
      service('a'),
      service('b', { edges: [on('a', 'started')], argv: ['new'] }),
    ]);
  const before = plan([service('a'), service('b', { edges: [on('a', 'started')] })]);
  let world = step(newWorld(before, 1), { type: 'began' }, 0).world;
  for (const name of ['a', 'b']) world = spawned(world, name, 7);
  const kept = new KeptWorld();
  for (const target of [of(), of('c')]) {
    world = step(world, { type: 'plan-changed', plan: target }, 10).world;
    kept.keep(world);
  }
  const waiting = world.services.get('b')?.next;
  expect(waiting).toBe(world.target.services.at(-1) ?? null);
  expect(kept.read().services.get('b')?.next).toEqual(waiting);
});

test('records of another release are refused', () => {
  const kept = new KeptWorld();
  kept.keep(newWorld(plan([service('a')]), 1));
  kept.records.set(KEYS.head, (kept.records.get(KEYS.head) ?? '').replace('"schema":4', '"schema":99'));
  expect(() => kept.read()).toThrow('the checkpoint has schema 99, and this release reads schema 4');
});
