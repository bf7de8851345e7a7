// The timeline of a start, in virtual time: in which states of a service its bar grows, and where it ends in the others. The critical
// path and the drawings are in test/cli/commands/timeline.test.ts.
import { describe, expect, test } from 'bun:test';
import { takeTimeline } from '../../src/core/timeline.ts';
import type { ServicePlan } from '../../src/plan/plan.ts';
import { readyFrom } from '../helpers/behaviour.ts';
import { on, plan, probe, restart, service, task, withCode } from '../helpers/plans.ts';
import { type Simulator, simulate } from '../helpers/simulator.ts';

const PROBED = { ready: [probe()], essential: false };
const NEVER_READY = readyFrom(Infinity);
/** Keeps the start from being over. */
const SLOW = service('slow', PROBED);

function begin(one: ServicePlan, behaviour: object): Simulator {
  return simulate(plan([SLOW, one]), { slow: { probe: NEVER_READY }, [one.name]: behaviour }).until(100);
}

function spanOf(sim: Simulator, name = 'a') {
  const found = takeTimeline(sim.world, sim.now).services.find((span) => span.name === name);
  return { state: found?.state, ready: found?.readyAt ?? null, ended: found?.endedAt ?? null };
}

/** The span now and ten minutes later, which must be the same. */
function settled(sim: Simulator) {
  const before = spanOf(sim);
  sim.pass(600_000);
  expect(spanOf(sim)).toEqual(before);
  return before;
}

describe('a bar ends when the run ended', () => {
  const failing = { probe: NEVER_READY, ends: { after: 499, exit: withCode(1) } };

  test('of a service that failed before it was ready', () => {
    const sim = begin(service('a', PROBED), failing);
    expect(spanOf(sim)).toEqual({ state: 'starting', ready: null, ended: null });
    expect(settled(sim.pass(1_000))).toEqual({ state: 'failed', ready: null, ended: 500 });
  });

  test('of a service whose program could not be started', () => {
    const sim = begin(service('a', PROBED), { spawnFails: { step: 'exec', message: 'no such file', code: 127 } });
    expect(settled(sim)).toEqual({ state: 'failed', ready: null, ended: 0 });
  });

  test('of a service that reached start_timeout: when its last process has ended', () => {
    const behaviour = { probe: NEVER_READY, stopTakes: 300 };
    const sim = begin(service('a', { ...PROBED, startTimeout: 2_000 }), behaviour).until(2_100);
    expect(spanOf(sim)).toEqual({ state: 'stopping', ready: null, ended: null });
    expect(settled(sim.pass(1_000))).toEqual({ state: 'failed', ready: null, ended: 2_301 });
  });

  test('of a service that waits for its restart; in the next run the bar grows again', () => {
    const policy = restart('always', { backoff: { initial: 60_000, max: 60_000, factor: 1 } });
    const sim = simulate(plan([SLOW, service('a', { ...PROBED, restart: policy })]), {
      slow: { probe: NEVER_READY },
      a: failing,
    }).until(30_000);
    expect(spanOf(sim)).toEqual({ state: 'backoff', ready: null, ended: 500 });
    while (sim.state('a') === 'backoff') sim.pass(100);
    expect(spanOf(sim)).toEqual({ state: 'starting', ready: null, ended: null });
    sim.pass(1_000);
    expect(spanOf(sim).state).toBe('backoff');
    expect(spanOf(sim).ended).toBeGreaterThan(30_000);
  });

  test.each(['auto', 'manual'] as const)(
    'of a service with start: %s that was stopped before it was ready',
    (start) => {
      const sim = begin(service('a', { ...PROBED, start }), { probe: NEVER_READY });
      if (start === 'manual') sim.operate('start', 'a').until(200);
      sim.operate('stop', 'a').pass(100);
      const { state, ready, ended } = settled(sim);
      expect([state, ready]).toEqual([start === 'auto' ? 'stopped' : 'idle', null]);
      expect(ended).toBeGreaterThanOrEqual(100);
      expect(takeTimeline(sim.world, sim.now).services.filter(({ critical }) => critical)).toMatchObject([
        { name: 'slow' },
      ]);
    },
  );

  test('of a service that was stopped while it waited for its restart: at the end of its run, not at the stop', () => {
    const policy = restart('always', { backoff: { initial: 60_000, max: 60_000, factor: 1 } });
    const sim = begin(service('a', { ...PROBED, restart: policy }), failing).until(10_000);
    sim.operate('stop', 'a').pass(100);
    expect(settled(sim)).toEqual({ state: 'stopped', ready: null, ended: 500 });
  });

  test('of a service that is to run again, and waits for a dependency', () => {
    const services = [service('db', PROBED), service('a', { ...PROBED, edges: [on('db')] })];
    const behave = (name: string, run: number) => ({ probe: name === 'db' && run === 1 ? readyFrom(0) : NEVER_READY });
    const sim = simulate(plan(services), behave).until(1_000);
    sim.operate('stop', 'db').pass(100).operate('restart', 'a').pass(100);
    const { state, ready, ended } = spanOf(sim);
    expect([state, ready]).toEqual(['pending', null]);
    expect(ended).toBeGreaterThanOrEqual(1_100);
    expect(spanOf(sim.pass(60_000)).ended).toBe(ended);
  });

  test('of a task that failed or was stopped, which is not ready; of a finished one where it completed', () => {
    const failed = begin(task('a', { essential: false }), { ends: { after: 699, exit: withCode(3) } });
    expect(settled(failed.pass(1_000))).toEqual({ state: 'failed', ready: null, ended: 700 });
    const stopped = begin(task('a', { essential: false }), {});
    expect(spanOf(stopped)).toEqual({ state: 'running', ready: null, ended: null });
    expect(settled(stopped.operate('stop', 'a').pass(100))).toMatchObject({ state: 'stopped', ready: null });
    expect(spanOf(stopped).ended).toBeGreaterThanOrEqual(100);
    const finished = begin(task('a', { essential: false }), { ends: { after: 699, exit: withCode(0) } });
    expect(settled(finished.pass(1_000))).toEqual({ state: 'completed', ready: 700, ended: null });
  });

  test('and not of a service that was ready before, whatever becomes of it', () => {
    const sim = begin(service('a', PROBED), { probe: readyFrom(0), ends: { after: 5_000, exit: withCode(1) } });
    const { ready } = spanOf(sim);
    expect(ready).not.toBeNull();
    expect(settled(sim.until(10_000))).toEqual({ state: 'failed', ready, ended: null });
  });
});
