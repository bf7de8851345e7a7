// The watch of memory: what counts as too much, what `on_exceed` makes of it, and that a checkpoint keeps what was seen.
import { describe, expect, test } from 'bun:test';
import { evaluateSample, type MemoryExcess } from '../../src/core/memory-watch.ts';
import { takeSnapshot } from '../../src/core/snapshot.ts';
import type { MemoryWatchPlan, ServicePlan } from '../../src/plan/plan.ts';
import { plan, restart, seconds, service } from '../helpers/plans.ts';
import { type Simulator, simulate } from '../helpers/simulator.ts';

const MAX = 1_000;

/** How often samples exceed the limit, by the index of the sample. */
function exceededAt(...samples: readonly number[]): number[] {
  let excess: MemoryExcess | null = null;
  return samples.flatMap((bytes, index) => {
    const decision = evaluateSample({ field: 'max_memory', max: MAX, onExceed: 'warn' }, excess, bytes);
    excess = decision.excess;
    return decision.isExceeded ? [index] : [];
  });
}

const leaky = (onExceed: MemoryWatchPlan['onExceed'], given: Partial<Omit<ServicePlan, 'stop'>> = {}) =>
  service('leaky', { memoryWatch: { field: 'max_memory', max: MAX, onExceed }, ...given });

/** Samples of the current run. */
function sample(sim: Simulator, ...bytes: readonly number[]): Simulator {
  for (const one of bytes) {
    sim.deliver({
      type: 'memory-read',
      samples: [{ service: 'leaky', run: sim.service('leaky').run, bytes: one }],
    });
    sim.pass(seconds(5));
  }
  return sim;
}

describe('too much memory', () => {
  test('is two samples in a row above the limit', () => {
    expect(exceededAt(MAX, MAX)).toEqual([]);
    expect(exceededAt(MAX + 1, MAX, MAX + 1, MAX)).toEqual([]);
    expect(exceededAt(MAX, MAX + 1, MAX + 1)).toEqual([2]);
  });

  test('is reported again only after the memory was below nine tenths of the limit', () => {
    expect(exceededAt(2_000, 2_000, 2_000, 950, 2_000, 2_000)).toEqual([1]);
    expect(exceededAt(2_000, 2_000, 899, 2_000, 2_000)).toEqual([1, 4]);
  });
});

describe('on_exceed', () => {
  test('restart: the run is stopped and another one starts, whatever its policy', () => {
    const sim = sample(simulate(plan([leaky('restart')]), {}, { renews: true }).until(1_000), 2_000, 2_000);
    expect(sim.deeds('leaky').filter((deed) => deed.includes('signal'))).toHaveLength(1);
    expect([sim.service('leaky').run, sim.state('leaky'), sim.code]).toEqual([2, 'ready', null]);
    expect(sim.said('memory-exceeded')[0]).toContain('it is stopped, and starts again unless `restart.max` is reached');
    const [found] = takeSnapshot(sim.world, sim.now).services;
    expect(found).toMatchObject({ restarts: 1, memory: { max: MAX, onExceed: 'restart', exceeded: 1 } });
    // What the run before has used counts no more.
    sample(sim, 2_000);
    expect(sim.service('leaky').run).toBe(2);
  });

  test('restart: max of its restart policy is the limit', () => {
    const sim = simulate(plan([leaky('restart', { restart: restart('on-failure', { max: 1 }) })])).until(1_000);
    sample(sim, 2_000, 2_000, 2_000, 2_000);
    expect(sim.untilEnd().code).toBe(137);
  });

  test('fail: the run fails with code 137, and its policy decides', () => {
    expect(sample(simulate(plan([leaky('fail')])).until(1_000), 2_000, 2_000).code).toBe(137);
    const again = leaky('fail', { restart: restart('on-failure') });
    expect(sample(simulate(plan([again])).until(1_000), 2_000, 2_000).service('leaky').run).toBe(2);
  });

  test('warn: it is reported once, and runs on', () => {
    const sim = sample(simulate(plan([leaky('warn')]), {}, { renews: true }).until(1_000), 2_000, 2_000, 2_000, 2_000);
    expect([sim.said('memory-exceeded').length, sim.service('leaky').run]).toEqual([1, 1]);
  });
});

test('a sample of an earlier run, of a run that stops, and of a service that is not watched, changes nothing', () => {
  const sim = simulate(plan([leaky('fail'), service('other')]), { leaky: { stopTakes: 5_000 } }).until(1_000);
  const high = (name: string, run: number) => ({ service: name, run, bytes: 2_000 });
  for (const one of [high('leaky', 0), high('other', 1), high('gone', 1)])
    for (const _ of [1, 2]) sim.deliver({ type: 'memory-read', samples: [one] });
  expect(sim.states()).toEqual({ leaky: 'ready', other: 'ready' });
  sim.operate('stop', 'leaky');
  for (const _ of [1, 2]) sim.deliver({ type: 'memory-read', samples: [high('leaky', 1)] });
  expect(sim.pass(seconds(6)).state('leaky')).toBe('stopped');
  expect(sim.said('memory-exceeded')).toEqual([]);
});

test('a reload changes the limit without another run', () => {
  const sim = simulate(plan([leaky('fail')])).until(1_000);
  sim.reload(plan([{ ...leaky('fail'), memoryWatch: { field: 'max_memory', max: 5_000, onExceed: 'fail' } }]));
  expect([sample(sim, 2_000, 2_000).state('leaky'), sim.service('leaky').run]).toEqual(['ready', 1]);
});
