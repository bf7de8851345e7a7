// Random plans, random services, random signals at random instants, stale and senseless events: the Referee of the
// Simulator fails at the first step that breaks an invariant (test/helpers/referee.ts says which there are). fast-check
// prints seed and path of a failure; SVC_TEST_SEED and SVC_TEST_RUNS repeat or widen a run.
import { afterAll, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { ServiceEffect } from '../../../src/core/event.ts';
import type { Millis } from '../../../src/plan/plan.ts';
import { service } from '../../helpers/plans.ts';
import {
  behaviours,
  clocks,
  type Disturbance,
  disturbances,
  HORIZON,
  obedient,
  plans,
  runsOf,
  simulatorOf,
  time,
} from '../../helpers/random-input.ts';
import type { Simulator } from '../../helpers/simulator.ts';
import { readDiagram, TransitionLog } from '../../helpers/transitions.ts';

const log = new TransitionLog();
afterAll(() => {
  log.stop();
  // The diagram at the head of machine.ts has every transition that was seen.
  expect([...log.seen].filter((one) => !readDiagram().has(one))).toEqual([]);
});

const RUNS = Number(process.env.SVC_TEST_RUNS ?? 2_000);
const SEED = process.env.SVC_TEST_SEED === undefined ? {} : { seed: Number(process.env.SVC_TEST_SEED) };
const TIME_LIMIT: Millis = 60_000 + RUNS * 30;

/** A run and its story, but for probes, which a successor asks for again. */
function outcomeOf(simulator: Simulator): readonly unknown[] {
  const effects = simulator.records.filter(({ effect }) => effect.type !== 'service' || !isOfProbe(effect.effect));
  const written = effects.map(({ at, effect }) => `${at} ${JSON.stringify(effect).replaceAll(MISSED, '')}`);
  return [simulator.code, simulator.endedAt, ...written];
}

/** Of a start that a probe of the output has not seen. */
const MISSED = ',"hasMissedOutput":true';

const isOfProbe = ({ type }: ServiceEffect) => type === 'probe' || type === 'abandon-probe' || type === 'read-gpus';

/** Runs a property, and reports a failure with the plan, the last events and their effects. */
function check<T>(property: fc.IProperty<T>, numRuns: number): void {
  fc.assert(property, {
    numRuns,
    // A story of thousands of events takes minutes to shrink; its seed repeats it, and then there is time.
    endOnFailure: process.env.SVC_TEST_SEED === undefined,
    ...SEED,
    reporter: ({ failed, seed, numRuns, errorInstance }) => {
      if (!failed) return;
      const why = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
      throw new Error(`run ${numRuns} failed (SVC_TEST_SEED=${seed} repeats it): ${why}`);
    },
  });
}

function tell(simulator: Simulator, act: () => void): void {
  try {
    act();
  } catch (cause) {
    const { services, ...rest } = simulator.world.plan;
    const usual: { readonly [field: string]: unknown } = { ...service('') };
    const planned = services.map((given) =>
      JSON.stringify(given, (field, value) => (Bun.deepEquals(value, usual[field]) ? undefined : value)),
    );
    const lines = [JSON.stringify(rest), ...planned, ...simulator.story(60)];
    throw new Error(`${cause instanceof Error ? cause.message : cause}\n${lines.join('\n')}`, { cause });
  }
}

/** Plays a story with its disturbances up to HORIZON, then stops it and plays to its end. */
function playToEnd(
  simulator: Simulator,
  startAt: Millis,
  stopTimeout: Millis,
  disturbances: readonly Disturbance[],
): Simulator {
  for (const { at, act } of disturbances) simulator.at(startAt + at, () => act(simulator));
  tell(simulator, () => {
    simulator
      .begin()
      .until(startAt + HORIZON)
      .stop();
    if (simulator.code === null) simulator.untilEnd(stopTimeout + 600);
  });
  return simulator;
}

test(
  'no plan, no service and no signal can break an invariant of the supervisor',
  () => {
    check(
      fc.property(plans, runsOf(behaviours), disturbances, clocks, (plan, runs, disturbances, clock) => {
        playToEnd(simulatorOf(plan, runs, clock), clock.startAt, plan.stopTimeout, disturbances);
      }),
      RUNS,
    );
  },
  TIME_LIMIT,
);

test(
  'one SIGTERM to services that all obey ends the container with 0',
  () => {
    const calm = plans.map((plan) => ({
      ...plan,
      stopTimeout: plan.stopTimeout + 5_000,
      services: plan.services.map((service) => ({ ...service, stop: { ...service.stop, timeout: null } })),
    }));
    check(
      fc.property(calm, runsOf(obedient), time(40_000), clocks, (plan, runs, askedAt, clock) => {
        const simulator = simulatorOf(plan, runs, clock);
        tell(simulator, () => {
          simulator.begin().until(clock.startAt + askedAt);
          const running = simulator.world.phase.id === 'running';
          simulator.stop();
          if (simulator.code === null) simulator.untilEnd(plan.stopTimeout + 600);
          if (running) expect(simulator.code).toBe(0);
        });
      }),
      Math.ceil(RUNS / 4),
    );
  },
  TIME_LIMIT,
);

test(
  'a supervisor that dies after any event, and its successor, come to what one supervisor comes to',
  () => {
    check(
      fc.property(plans, runsOf(behaviours), disturbances, clocks, (plan, runs, disturbances, { renews, ...clock }) => {
        const play = (diesAfter: number) =>
          playToEnd(simulatorOf(plan, runs, { ...clock, diesAfter }), clock.startAt, plan.stopTimeout, disturbances);
        const whole = play(0);
        const expected = outcomeOf(whole);
        // Every event of a short story, and some of a long one.
        const stride = Math.ceil(whole.delivered / 25);
        for (let at = 1; at <= whole.delivered; at += stride) {
          const found = outcomeOf(play(at));
          const differs = expected.findIndex((one, position) => one !== found[position]);
          if (differs >= 0 || found.length !== expected.length)
            throw new Error(`a death after event ${at}: ${found[differs]} and not ${expected[differs]}`);
        }
      }),
      Math.ceil(RUNS / 40),
    );
  },
  TIME_LIMIT,
);
