// What an absence of the supervisor (SIGSTOP, a frozen container) moves. test/e2e/absence.test.ts does it to the real one.
import { expect, test } from 'bun:test';
import type { Event } from '../../src/core/event.ts';
import { step } from '../../src/core/supervisor.ts';
import { newWorld } from '../../src/core/world.ts';
import { plan, service } from '../helpers/plans.ts';

test('a second signal within 500 ms is the same request, whether or not an absence lies between the two', () => {
  const stop: Event = { type: 'stop-asked', signal: 'SIGTERM' };
  const deadlineOf = (by: number, again: number) => {
    let { world } = step(newWorld(plan([service('a')]), 1), { type: 'began' }, 0);
    world = step(world, { type: 'service', service: 'a', run: 1, event: { type: 'spawned', pid: 7 } }, 0).world;
    world = step(world, stop, 1_000).world;
    world = step(world, { type: 'was-absent', by }, 1_000 + by).world;
    world = step(world, stop, 1_000 + by + again).world;
    return world.phase.id === 'stopping' ? world.phase.deadline : null;
  };
  expect([deadlineOf(0, 499), deadlineOf(3_000, 499)]).toEqual([10_000, 13_000]);
  expect([deadlineOf(0, 500), deadlineOf(3_000, 500)]).toEqual([1_500, 4_500]);
});
