// Random plans with scheduled tasks and watched memory, under commands, reloads, signals and clocks that are set: each step is pure and its world
// equals what its checkpoint says, no two runs of a task overlap, and a stop ends everything in time.
import { expect, test } from 'bun:test';
import fc from 'fast-check';
import type { Plan, SchedulePlan } from '../../../src/plan/plan.ts';
import { cron, every } from '../../helpers/plans.ts';
import { behaviours, disturbances, HORIZON, plans, runsOf, simulatorOf, time } from '../../helpers/random-input.ts';
import type { Simulator } from '../../helpers/simulator.ts';

const RUNS = Math.ceil(Number(process.env.SVC_TEST_RUNS ?? 2_000) / 10);
const SEED = process.env.SVC_TEST_SEED === undefined ? {} : { seed: Number(process.env.SVC_TEST_SEED) };
const HOUR = 3_600_000;

const schedules: fc.Arbitrary<SchedulePlan> = fc
  .record({
    when: fc.constantFrom(cron('* * * * *'), cron('*/7 * * * * *'), cron('0 3 * * *'), every(1_000), every(9_000)),
    overlap: fc.constantFrom('skip', 'queue', 'kill'),
    catchUp: fc.boolean(),
    jitter: fc.constantFrom(0, 0, 900),
  })
  .map(({ when, ...rest }) => ({ ...when, ...rest }));

/** Some tasks of a plan with schedules; at least one. */
const scheduled: fc.Arbitrary<Plan> = fc
  .tuple(plans, fc.array(fc.option(schedules, { nil: null }), { minLength: 8, maxLength: 8 }), schedules)
  .map(([plan, wished, one]) => ({
    ...plan,
    services: plan.services.map((given, position) => {
      const onExceed = (['restart', 'fail', 'warn'] as const)[position];
      const service =
        onExceed === undefined
          ? given
          : { ...given, memoryWatch: { field: 'max_memory' as const, max: 1_000, onExceed } };
      const schedule = position === 0 ? one : (wished[position] ?? null);
      return schedule === null
        ? service
        : { ...service, type: 'task' as const, live: [], essential: position % 3 === 1, schedule };
    }),
  }));

const jumps = fc.array(
  fc.record({
    at: time(HORIZON),
    by: fc.constantFrom(-365 * 24 * HOUR, -4 * HOUR, -HOUR, -1_000, 30_000, HOUR, 48 * HOUR),
  }),
  { maxLength: 3 },
);

const samples = fc.array(fc.record({ at: time(HORIZON), pick: fc.nat(), bytes: fc.constantFrom(1, 950, 2_000) }), {
  maxLength: 6,
});

/** A sample of memory, twice: one alone may be a spike. */
function sample(simulator: Simulator, pick: number, bytes: number): void {
  const names = [...simulator.world.services.keys()];
  const name = names[pick % names.length] ?? '';
  const one = { service: name, run: simulator.service(name).run, bytes };
  for (const _ of [1, 2]) simulator.deliver({ type: 'memory-read', samples: [one] });
}

test(
  'no clock, no memory, no command and no reload makes a scheduled task run twice at once, or keeps a stop from ending',
  () => {
    const property = fc.property(
      scheduled,
      runsOf(behaviours),
      disturbances,
      jumps,
      samples,
      fc.record({ seed: fc.integer(), renews: fc.integer({ min: 0, max: 9 }).map((one) => one === 0) }),
      (plan, runs, disturbances, jumps, samples, options) => {
        const simulator = simulatorOf(plan, runs, { ...options, wall: Date.UTC(2026, 2, 29, 0, 59) });
        for (const { at, act } of disturbances) simulator.at(at, () => act(simulator));
        for (const { at, by } of jumps)
          simulator.at(at, () => {
            simulator.wallAtZero += by;
          });
        for (const { at, pick, bytes } of samples) simulator.at(at, () => sample(simulator, pick, bytes));
        simulator.begin().until(HORIZON).stop();
        if (simulator.code === null) simulator.untilEnd(plan.stopTimeout + 600);
        expect(simulator.code).not.toBeNull();
      },
    );
    fc.assert(property, { numRuns: RUNS, endOnFailure: process.env.SVC_TEST_SEED === undefined, ...SEED });
  },
  60_000 + RUNS * 200,
);
