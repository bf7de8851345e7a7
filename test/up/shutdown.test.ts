// The end of a supervising process: how long it waits for a slow reader of its output.
import { expect, test } from 'bun:test';
import type { Pipeline } from '../../src/logs/pipeline.ts';
import type { End } from '../../src/up/checkpoint.ts';
import { writeLastOutput } from '../../src/up/shutdown.ts';
import { plan, service, withCode } from '../helpers/plans.ts';

const END: End = { type: 'end', code: 0, culprit: null };

/** The milliseconds that it waits for output that is read slowly and never ends. */
async function waitOf(stopTimeout: number, stopAskedAt: number | null, from: number, end = END): Promise<number> {
  let now = from;
  const never = new Promise<void>(() => undefined);
  const logs: Partial<Pipeline> = {
    ended: () => never,
    tailOfRun: () => [],
    drained: () => never,
    get written() {
      return now;
    },
  };
  const clock = {
    now: () => now,
    wall: () => 0,
    soon: (fn: () => void) => fn(),
    after(ms: number, fn: () => void) {
      now += ms;
      fn();
      return () => undefined;
    },
  };
  const parts = {
    clock,
    logs: logs as Pipeline,
    announce: () => undefined,
    stopAskedAt,
    oomBefore: null,
    wasRestarted: false,
  };
  await writeLastOutput(end, { ...parts, plan: { ...plan([service('a')]), stopTimeout } });
  return now - from;
}

test('without a stop signal it waits for `stop_timeout`', async () => {
  expect(await waitOf(9_000, null, 50_000)).toBe(9_000);
  expect(await waitOf(1_000, null, 50_000)).toBe(2_000);
});

test('after a stop signal it waits until the deadline of the stop, and at least half a second', async () => {
  expect(await waitOf(9_000, 44_000, 50_000)).toBe(3_000);
  expect(await waitOf(60_000, 20_000, 50_000)).toBe(30_000);
  expect(await waitOf(9_000, 20_000, 50_000)).toBe(500);
});

test('a post-mortem gets half a second after the deadline that the output of services has reached', async () => {
  const verdict = { success: false, code: 5, essential: true } as const;
  const cause = { kind: 'exited' } as const;
  const culprit = { service: 'a', run: 1, cause, verdict, exit: withCode(5), lasted: 10 } as unknown as End['culprit'];
  expect(await waitOf(9_000, 44_000, 50_000, { ...END, code: 5, culprit })).toBe(3_500);
});
