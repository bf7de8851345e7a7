// The records of a supervising process: whose counters and lines its successor reads.
import { expect, test } from 'bun:test';
import type { Journal } from '../../src/control/journal.ts';
import { newWorld } from '../../src/core/world.ts';
import type { Pipeline } from '../../src/logs/pipeline.ts';
import type { Run } from '../../src/pid1/run.ts';
import type { Engine } from '../../src/runtime/engine.ts';
import type { Executor } from '../../src/runtime/executor.ts';
import { Checkpoint, FIRST_OWN, readCheckpoint } from '../../src/up/checkpoint.ts';
import { plan, service } from '../helpers/plans.ts';

const CONTAINER = { PATH: '/bin' };

/** A checkpoint of services whose only output is their name. */
function rig(...names: readonly string[]) {
  const timers: (() => void)[] = [];
  const clock = {
    now: () => 0,
    wall: () => 0,
    soon: () => undefined,
    after: (_: number, fn: () => void) => timers.push(fn),
  };
  const worldOf = (given: readonly string[]) => newWorld(plan(given.map((name) => service(name))), 1);
  const engine = { world: worldOf(names), postponedOf: () => [] };
  const executor = { recordOf: () => null, counts: { probes: new Map(), cleanedUp: new Map() } };
  let printed: readonly string[] = [];
  const logs: Partial<Pipeline> = {
    takePrinted: () => new Set(printed),
    counts: new Map(),
    lastLines: (name) => [{ seq: 1, time: 0, stream: 'stdout', text: name, run: 1 }] as never,
  };
  const checkpoint = new Checkpoint(
    {
      clock: clock as never,
      container: CONTAINER,
      engine: engine as unknown as Engine,
      executor: executor as unknown as Executor<Run>,
      logs: logs as Pipeline,
      journal: { since: () => [] } as unknown as Journal,
      touch: () => undefined,
    },
    FIRST_OWN,
  );
  const records = new Map<number, Uint8Array>();
  return {
    print(...these: readonly string[]) {
      printed = these;
      logs.printed?.();
    },
    passTime: () => {
      for (const fire of timers.splice(0)) fire();
    },
    reload(...given: readonly string[]) {
      engine.world = worldOf(given);
    },
    /** The lines of each service that a successor reads after this batch. */
    take() {
      for (const [key, bytes] of checkpoint.take()) {
        if (bytes.length === 0) records.delete(key);
        else records.set(key, bytes);
      }
      const { lines } = readCheckpoint(records, CONTAINER);
      return Object.fromEntries([...lines].map(([name, kept]) => [name, kept.map(({ text }) => text)]));
    },
  };
}

test('the lines of a service stay its own when a reload gives it another number', () => {
  const { print, passTime, reload, take } = rig('a', 'b', 'c');
  take();
  print('a', 'b', 'c');
  passTime();
  expect(take()).toEqual({ a: ['a'], b: ['b'], c: ['c'] });
  reload('b', 'c');
  expect(take()).toEqual({ b: ['b'], c: ['c'] });
  reload('new', 'b', 'c');
  expect(take()).toEqual({ new: ['new'], b: ['b'], c: ['c'] });
});

test('lines that wait for their batch go to the number that the service then has', () => {
  const { print, passTime, reload, take } = rig('a', 'b');
  take();
  print('b');
  passTime();
  reload('b');
  expect(take()).toEqual({ b: ['b'] });
});
