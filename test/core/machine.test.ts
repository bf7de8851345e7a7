// The diagram at the head of machine.ts has every transition that occurs, and no other: random runs with one seed, and what
// they rarely or never do. The property tests check that their transitions are in the diagram too.
import { afterAll, describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { ServicePlan } from '../../src/plan/plan.ts';
import type { Behaviour } from '../helpers/behaviour.ts';
import { every, gpus, on, plan, probe, restart, service, task, withCode } from '../helpers/plans.ts';
import { behaviours, clocks, disturbances, HORIZON, plans, runsOf, simulatorOf } from '../helpers/random-input.ts';
import { Simulator } from '../helpers/simulator.ts';
import { readDiagram, TransitionLog } from '../helpers/transitions.ts';

const log = new TransitionLog();
afterAll(() => log.stop());

/** A service in that state, and one that keeps the supervisor running. */
const inState = {
  pending: [service('a', { edges: [on('other', 'completed')] }), {}],
  skipped: [service('a', { enabled: false }), {}],
  idle: [service('a', { start: 'manual' }), {}],
  backoff: [
    service('a', { restart: restart('always', { backoff: { initial: 60_000, max: 60_000, factor: 1 } }) }),
    { ends: { after: 10, exit: withCode(0) } },
  ],
  stopped: [service('a'), {}],
  completed: [service('a', { type: 'task', essential: false }), { ends: { after: 10, exit: withCode(0) } }],
  scheduled: [task('a', { essential: false, schedule: every(3_600_000) }), { ends: { after: 10, exit: withCode(0) } }],
  failed: [service('a', { type: 'task', essential: false }), { ends: { after: 10, exit: withCode(1) } }],
} as const satisfies Readonly<Record<string, readonly [ServicePlan, Behaviour]>>;

function bring(state: keyof typeof inState): Simulator {
  const [planned, behaviour] = inState[state];
  const simulator = new Simulator(plan([service('other'), planned]), { a: behaviour }).begin().until(1_000);
  if (state === 'stopped') simulator.operate('stop', 'a').pass(1_000);
  expect(simulator.state('a')).toBe(state);
  return simulator;
}

describe('the diagram of machine.ts', () => {
  test('has what random runs do', () => {
    const play = fc.property(plans, runsOf(behaviours), disturbances, clocks, (plan, runs, disturbances, clock) => {
      const simulator = simulatorOf(plan, runs, { ...clock, renews: false });
      for (const { at, act } of disturbances) simulator.at(clock.startAt + at, () => act(simulator));
      simulator
        .begin()
        .until(clock.startAt + HORIZON)
        .stop();
    });
    fc.assert(play, { seed: 1, numRuns: 40 });
    expect([...log.seen].filter((one) => !readDiagram().has(one))).toEqual([]);
  }, 30_000);

  test.each(Object.keys(inState) as (keyof typeof inState)[])('has what happens to a service that is %s', (state) => {
    bring(state).operate('start', 'a').pass(100);
    bring(state).operate('stop', 'a').pass(100);
    const [planned] = inState[state];
    const others = [
      { enabled: !planned.enabled, env: { CHANGED: '1' } },
      { enabled: true, start: planned.start === 'auto' ? 'manual' : 'auto', env: { CHANGED: '1' } },
    ] as const;
    for (const changed of [[], ...others.map((other) => [{ ...planned, ...other }])])
      bring(state)
        .reload(plan([service('other'), ...changed]))
        .pass(100);
  });

  test('has what happens to a run without a process', () => {
    for (const operation of ['stop', 'restart'] as const) {
      const simulator = new Simulator(plan([service('other'), service('a', { gpus: gpus() })]));
      simulator.begin().until(100).operate(operation, 'a').pass(100);
    }
    expect([...log.seen].filter((one) => !readDiagram().has(one))).toEqual([]);
  });

  test('has what a schedule does to a task', () => {
    const scheduled = task('a', { essential: false, schedule: every(3_600_000) });
    const fails = { spawnFails: { step: 'exec', message: 'no such file', code: 127 } };
    new Simulator(plan([service('other'), scheduled]), { a: fails }).begin().until(100);
    const beside = [service('other'), task('tick', { essential: false, schedule: every(3_600_000) })];
    for (const [before, behaviour] of [inState.completed, inState.failed, inState.skipped]) {
      const after = { ...before, schedule: every(3_600_000), enabled: true };
      const simulator = new Simulator(plan([...beside, before]), { a: behaviour }).begin().until(1_000);
      simulator.reload(plan([...beside, after])).pass(100);
      simulator.reload(plan([...beside, after, { ...after, name: 'b' }])).pass(100);
    }
    expect([...log.seen].filter((one) => !readDiagram().has(one))).toEqual([]);
  });

  test('has what a stop makes of a service that is started by hand', () => {
    const wait = restart('always', { backoff: { initial: 60_000, max: 60_000, factor: 1 } });
    const kinds: readonly [Partial<ServicePlan>, Behaviour][] = [
      [{}, {}],
      [{ gpus: gpus() }, {}],
      [{ edges: [on('other', 'completed')] }, {}],
      [{ restart: wait }, { ends: { after: 10, exit: withCode(1) } }],
      [{ type: 'task', schedule: every(60_000) }, { ends: { after: 10, exit: withCode(0) } }],
    ];
    for (const [given, behaviour] of kinds) {
      const planned = { ...service('a'), ...given, start: 'manual', essential: false } as const;
      const simulator = new Simulator(plan([service('other'), planned]), { a: behaviour }).begin().until(100);
      simulator.operate('start', 'a');
      if (given.gpus === undefined) simulator.pass(100);
      simulator.operate('stop', 'a').pass(100);
      expect(simulator.state('a')).toBe('idle');
      simulator.reload(plan([service('other'), { ...planned, start: 'auto' }])).pass(100);
    }
  });

  test('has what happens to a service whose GPUs are not there', () => {
    const lacking = {
      gpus: gpus({ devices: [], missing: 'a requests a GPU' }),
      start: 'manual',
      essential: false,
    } as const;
    for (const one of [service('a', lacking), task('a', { ...lacking, schedule: every(60_000) })])
      new Simulator(plan([service('other'), one])).begin().until(100).operate('start', 'a').pass(100);
    expect([...log.seen].filter((one) => !readDiagram().has(one))).toEqual([]);
  });

  test('has what continuous probes and a new service that is not enabled do', () => {
    const changing = { probe: ({ attempt }: { attempt: number }) => ({ ok: attempt % 3 !== 0 }) };
    const probed = service('a', { ready: [probe({ continuous: true, interval: 100 })] });
    const simulator = new Simulator(plan([probed]), { a: changing }).begin().until(5_000);
    simulator.reload(plan([probed, service('b', { enabled: false })]));
    while (simulator.state('a') !== 'unready') simulator.pass(50);
    simulator.operate('stop', 'a').pass(100);
    expect([...log.seen].filter((one) => !readDiagram().has(one))).toEqual([]);
  });

  test('has nothing else', () => {
    expect([...readDiagram()].filter((one) => !log.seen.has(one))).toEqual([]);
  });
});
