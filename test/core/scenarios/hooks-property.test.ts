// Random plans with hooks and GPUs, random ends, signals and operations at random instants: HookReferee fails at the first
// step that breaks what must hold of them. SVC_TEST_SEED and SVC_TEST_RUNS repeat or widen a run.
import { afterAll, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { HookName } from '../../../src/core/run.ts';
import type { GpuReading } from '../../../src/plan/gpu-reading.ts';
import type { Drain, GpuPlan, Hook, ServicePlan } from '../../../src/plan/plan.ts';
import type { Behaviour, HookBehaviour } from '../../helpers/behaviour.ts';
import { bySignal, on, plan, probe, restart, service, withCode } from '../../helpers/plans.ts';
import { Simulator } from '../../helpers/simulator.ts';
import { readDiagram, TransitionLog } from '../../helpers/transitions.ts';

const log = new TransitionLog();
afterAll(() => {
  log.stop();
  // The diagram at the head of machine.ts has every transition that was seen.
  expect([...log.seen].filter((one) => !readDiagram().has(one))).toEqual([]);
});

const RUNS = Number(process.env.SVC_TEST_RUNS ?? 1_000);
const SEED = process.env.SVC_TEST_SEED === undefined ? {} : { seed: Number(process.env.SVC_TEST_SEED) };

const time = (most: number) => fc.integer({ min: 0, max: most * 7 }).map((sevenths) => sevenths / 7);
const hook: fc.Arbitrary<Hook | null> = fc.option(
  fc.record({ argv: fc.constant(['/bin/hook']), timeout: fc.integer({ min: 1, max: 3_000 }) }),
);
const drain: fc.Arbitrary<Drain> = fc.record({
  waitFor: fc
    .record({ timeout: fc.integer({ min: 50, max: 800 }), interval: fc.integer({ min: 10, max: 900 }) })
    .map(probe),
  timeout: fc.option(fc.integer({ min: 1, max: 3_000 })),
});
const gpus: fc.Arbitrary<GpuPlan | null> = fc.option(
  fc.record({
    vendor: fc.constant('nvidia' as const),
    devices: fc.constantFrom([], [{ id: '0', index: 0, name: 'H200' }]),
    shared: fc.boolean(),
    minFree: fc.option(fc.constant(20 * 1024 ** 3)),
    freeTimeout: fc.integer({ min: 100, max: 9_000 }),
    onLost: fc.constantFrom('exit' as const, 'restart' as const),
  }),
);

const services: fc.Arbitrary<ServicePlan[]> = fc
  .array(
    fc.record({
      hooks: fc.record({
        beforeStart: hook,
        afterReady: hook,
        beforeStop: fc.oneof(hook, drain),
        afterExit: hook,
      }),
      gpus,
      ready: fc.constantFrom([], [probe()]),
      restart: fc.constantFrom(restart('never'), restart('on-failure'), restart('always')),
      essential: fc.boolean(),
      stop: fc.record({ timeout: fc.option(time(4_000)) }),
      waits: fc.boolean(),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((all) =>
    all.map(({ waits, ...given }, index) =>
      service(`s${index}`, { ...given, edges: waits && index > 0 ? [on(`s${index - 1}`, 'started')] : [] }),
    ),
  );

const hookBehaviour: fc.Arbitrary<HookBehaviour> = fc.record({
  takes: fc.option(time(4_000), { nil: null }),
  code: fc.constantFrom(0, 0, 0, 1, 7),
  killTakes: time(60),
});
const readings: fc.Arbitrary<GpuReading> = fc.oneof(
  fc.record({
    kind: fc.constant('memory' as const),
    devices: fc.integer({ min: 0, max: 140 }).map((used) => [{ used: used * 1024 ** 3, total: 140 * 1024 ** 3 }]),
    holders: fc.constantFrom([], [{ pid: 9, name: 'x', service: null }]),
  }),
  fc.constant<GpuReading>({ kind: 'unreadable', why: 'no nvidia-smi' }),
  fc.constant<GpuReading>({ kind: 'lost', why: 'Unknown Error' }),
);
const behaviour: fc.Arbitrary<Behaviour> = fc
  .record({
    ends: fc.option(
      fc.record({ after: time(6_000), exit: fc.constantFrom(withCode(0), withCode(1), bySignal('SIGSEGV')) }),
    ),
    spawnFails: fc.option(fc.constant({ step: 'exec', message: 'none', code: 127 }), { freq: 6 }),
    stopTakes: fc.option(time(3_000)),
    others: fc.array(fc.option(time(500)), { maxLength: 2 }),
    killTakes: time(80),
    hooks: fc.record({
      before_start: hookBehaviour,
      after_ready: hookBehaviour,
      before_stop: hookBehaviour,
      after_exit: hookBehaviour,
    } satisfies Record<HookName, fc.Arbitrary<HookBehaviour>>),
    memory: fc.array(fc.option(readings, { freq: 8 }), { minLength: 1, maxLength: 4 }),
    idleFrom: time(4_000),
  })
  .map(({ ends, spawnFails, memory, idleFrom, ...rest }) => ({
    ...rest,
    ...(ends !== null && { ends }),
    ...(spawnFails !== null && { spawnFails }),
    memory: (at: number) => memory[Math.floor(at / 1_000) % memory.length] ?? null,
    probe: ({ age }: { age: number }) => ({ ok: age >= idleFrom }),
  }));

const act = fc.record({
  at: time(20_000),
  what: fc.constantFrom('stop', 'stop', 'operate stop', 'operate start', 'operate restart'),
  service: fc.integer({ min: 0, max: 2 }),
});

test('hooks and GPUs keep their order, whatever happens', () => {
  fc.assert(
    fc.property(
      fc.record({
        all: services,
        behaviours: fc.array(behaviour, { minLength: 1, maxLength: 5 }),
        acts: fc.array(act, { maxLength: 5 }),
        lag: fc.constantFrom(0, 0, 3),
        exit: fc.constantFrom('first' as const, 'failure' as const, 'all' as const),
        renews: fc.integer({ min: 0, max: 4 }).map((one) => one === 0),
      }),
      ({ all, behaviours, acts, lag, exit, renews }) => {
        const behave = (name: string, run: number) => behaviours[(run + name.length) % behaviours.length] ?? {};
        const run = new Simulator(plan(all, { exit }), behave, { lag, renews }).begin();
        for (const { at, what, service: index } of acts) {
          const name = `s${index % all.length}`;
          run.at(at, () => {
            if (what === 'stop') run.stop();
            else run.operate(what.slice(8) as 'stop' | 'start' | 'restart', name);
          });
        }
        run.until(30_000);
        if (run.code === null) run.stop().untilEnd(20_000);
        expect(run.code).not.toBeNull();
      },
    ),
    { numRuns: RUNS, ...SEED, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true },
  );
}, 90_000);
