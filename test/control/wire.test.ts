// The keys, units and rounding of the API's JSON.
import { expect, test } from 'bun:test';
import { toWireSnapshot, toWireTimeline } from '../../src/control/wire.ts';
import { takeSnapshot } from '../../src/core/snapshot.ts';
import { takeTimeline } from '../../src/core/timeline.ts';
import { bySignal, plan, service } from '../helpers/plans.ts';
import { Simulator } from '../helpers/simulator.ts';

test('a service: seconds in whole milliseconds, and an exit as a code or a signal', () => {
  const simulator = new Simulator(
    plan([service('a'), service('b', { essential: false })]),
    { b: { ends: { after: 100, exit: bySignal('SIGKILL') } } },
    { startAt: 0.4 },
  );
  simulator.begin().pass(2_500.3);
  const { services } = toWireSnapshot(takeSnapshot(simulator.world, simulator.now), 0);
  expect(services.map(({ uptime_seconds, exit, success }) => [uptime_seconds, exit, success])).toEqual([
    [2.5, null, null],
    [null, { code: null, signal: 'SIGKILL' }, false],
  ]);
  expect(Object.keys(services[0] ?? {})).toEqual([
    ...['name', 'replica', 'type', 'group', 'essential', 'state', 'ready', 'probed', 'wanted', 'blocked', 'unkillable'],
    ...[
      'reason',
      'pid',
      'run',
      'restarts',
      'uptime_seconds',
      'ready_after_seconds',
      'gpus',
      'exit',
      'success',
      'memory',
      'schedule',
    ],
  ]);
});

test('the timeline: milliseconds since the start, in whole microseconds', () => {
  const simulator = new Simulator(plan([service('a')]), {}, { startAt: 1 / 3 });
  simulator.begin().pass(10.000_04);
  const timeline = toWireTimeline(takeTimeline(simulator.world, simulator.now));
  expect(timeline.elapsed_ms).toBe(10);
  expect(Object.keys(timeline)).toEqual(['name', 'elapsed_ms', 'ready_ms', 'services']);
  expect(Object.keys(timeline.services[0] ?? {})).toEqual([
    ...['name', 'type', 'state', 'started_ms', 'ready_ms', 'ended_ms', 'after', 'critical'],
  ]);
});
