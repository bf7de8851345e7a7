// Some of several: a service that waits for so many copies of another. When it starts, when it never can, what is said of it
// meanwhile, what the operator's start brings along. Virtual time.
import { describe, expect, test } from 'bun:test';
import { toWireSnapshot } from '../../../src/control/wire.ts';
import { takeSnapshot } from '../../../src/core/snapshot.ts';
import { takeTimeline } from '../../../src/core/timeline.ts';
import type { Condition, Edge, ServicePlan } from '../../../src/plan/plan.ts';
import { type Behaviour, readyFrom } from '../../helpers/behaviour.ts';
import { on, plan, probe, seconds, service, withCode } from '../../helpers/plans.ts';
import { type Simulator, simulate } from '../../helpers/simulator.ts';

const COPIES = ['m.0', 'm.1', 'm.2'] as const;

function anyOf(least: number, condition: Condition = 'ready'): Edge[] {
  return COPIES.map((name) => ({ ...on(name, condition), choice: { of: 'm', least } }));
}

function copies(given: Partial<Omit<ServicePlan, 'stop'>> = {}): ServicePlan[] {
  return COPIES.map((name, index) =>
    service(name, { ready: [probe()], essential: false, replica: { of: 'm', index }, ...given }),
  );
}

const world = (least: number, given: Partial<Omit<ServicePlan, 'stop'>> = {}) =>
  plan([...copies(given), service('web', { edges: anyOf(least) })], { exit: 'all' });

const readyAfter = (...times: readonly number[]): Record<string, Behaviour> =>
  Object.fromEntries(COPIES.map((name, index) => [name, { probe: readyFrom(times[index] ?? Infinity) }]));

const reason = (sim: Simulator, name: string) =>
  toWireSnapshot(takeSnapshot(sim.world, sim.now), 0).services.find((one) => one.name === name)?.reason;

describe('a service that waits for some copies of another', () => {
  test('starts with the first of them, whichever that is', () => {
    const sim = simulate(world(1), readyAfter(Infinity, 500, Infinity));
    expect(sim.until(499).state('web')).toBe('pending');
    expect(sim.until(700).states()).toEqual({ 'm.0': 'starting', 'm.1': 'ready', 'm.2': 'starting', web: 'ready' });
  });

  test('starts with the second, where it wants two', () => {
    const sim = simulate(world(2), readyAfter(2_000, 500, 900));
    expect(sim.until(890).state('web')).toBe('pending');
    expect(sim.until(1_200).state('web')).toBe('ready');
  });

  test('says for how many of which it waits', () => {
    const sim = simulate(world(1), readyAfter());
    expect(reason(sim.until(100), 'web')).toBe('waits for 1 of m.0, m.1, m.2 to be ready');
    sim.operate('stop', 'm.1');
    expect(reason(sim.until(200), 'web')).toBe('waits for 1 of m.0, m.1 (stopped), m.2 to be ready');
  });

  test('waits for what else it needs as well', () => {
    const services = [...copies(), service('db', { ready: [probe()] })];
    const web = service('web', { edges: [on('db'), ...anyOf(1)] });
    const sim = simulate(plan([...services, web]), { ...readyAfter(10), db: { probe: readyFrom(seconds(1)) } });
    expect(reason(sim.until(900), 'web')).toBe('waits for db to be ready');
    expect(sim.until(1_300).state('web')).toBe('ready');
  });

  test('goes on waiting while enough can still come, and then never starts, which is said once', () => {
    const fails = (after: number): Behaviour => ({
      probe: readyFrom(Infinity),
      ends: { after, exit: withCode(3) },
    });
    const sim = simulate(world(2), { 'm.0': fails(100), 'm.1': { probe: readyFrom(Infinity) }, 'm.2': fails(500) });
    expect(sim.until(400).said('blocked', 'web')).toEqual([]);
    expect(sim.until(600).said('blocked', 'web')).toEqual([
      'never starts: fewer than 2 of m.0, m.1, m.2 can come: m.0 exited with code 3 after 100 ms, before it was ready',
    ]);
    sim.operate('start', 'm.0');
    expect(reason(sim.until(620), 'web')).toBe('waits for 2 of m.0, m.1, m.2 to be ready');
  });

  test('never starts where none of them is enabled', () => {
    const sim = simulate(plan([...copies({ enabled: false }), service('web', { edges: anyOf(1) }), service('x')]), {});
    expect(sim.said('blocked', 'web')).toEqual(['never starts: none of m.0, m.1, m.2 can come: m.0 is not enabled']);
  });

  test('stops before all of them', () => {
    const sim = simulate(world(1), { ...readyAfter(10, 10, 10), web: { stopTakes: 300 } });
    sim.until(1_000).stop();
    expect(sim.until(1_200).states()).toEqual({ 'm.0': 'ready', 'm.1': 'ready', 'm.2': 'ready', web: 'stopping' });
    expect(sim.untilEnd(seconds(9)).code).toBe(0);
  });

  test('brings all that are missing along when the operator starts it, and none where enough are there', () => {
    const sim = simulate(world(1), readyAfter(10, 10, 10)).until(1_000);
    sim.operate('stop', 'web', 'm.0', 'm.1');
    sim.until(2_000).operate('start', 'web');
    expect(sim.until(3_000).states()).toEqual({ 'm.0': 'stopped', 'm.1': 'stopped', 'm.2': 'ready', web: 'ready' });
    sim.operate('stop', 'web', 'm.2');
    sim.until(4_000).operate('start', 'web');
    expect(sim.until(5_000).states()).toEqual({ 'm.0': 'ready', 'm.1': 'ready', 'm.2': 'ready', web: 'ready' });
  });

  test('was held up by the one that made it enough', () => {
    const sim = simulate(world(2), readyAfter(900, 100, 2_000)).until(3_000);
    const { services } = takeTimeline(sim.world, sim.now);
    expect(services.find(({ name }) => name === 'web')?.after).toBe('m.0');
  });
});
