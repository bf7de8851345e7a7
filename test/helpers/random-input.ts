// Random input for the core: plans, the behaviour of services, and disturbances (signals, operations, reloads, events of runs
// that are over). fast-check makes the values; a Simulator plays them.
import fc from 'fast-check';
import type { ServiceEvent } from '../../src/core/event.ts';
import type { Edge, Millis, Plan, Probe, ServicePlan, StopPlan } from '../../src/plan/plan.ts';
import type { Exit } from '../../src/plan/process.ts';
import type { Asked, Behaviour } from './behaviour.ts';
import { bySignal, logLine, notify, on, plan, probe, restart, service, stages, withCode } from './plans.ts';
import { type Options, Simulator } from './simulator.ts';

/** Most disturbances come within this time. */
export const HORIZON: Millis = 60_000;

/** Instants with fractions that floating point cannot hold, as real clocks give them. */
export const time = (most: Millis) => fc.integer({ min: 0, max: most * 7 }).map((sevenths) => sevenths / 7);
const oneOf = fc.constantFrom;
const seldom = <T, U>(usual: T, other: fc.Arbitrary<U>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });
const often = <T, U>(other: T, usual: fc.Arbitrary<U>) =>
  fc.oneof({ weight: 1, arbitrary: fc.constant(other) }, { weight: 3, arbitrary: usual });

const exits: fc.Arbitrary<Exit> = oneOf(
  withCode(0),
  withCode(0),
  withCode(1),
  withCode(3),
  withCode(143),
  bySignal('SIGSEGV'),
  bySignal('SIGTERM'),
  bySignal('SIGKILL'),
);

const asking: fc.Arbitrary<Probe> = fc
  .record({
    timeout: fc.integer({ min: 50, max: 3_000 }),
    interval: fc.integer({ min: 100, max: 12_000 }),
    successes: seldom(1, fc.integer({ min: 2, max: 3 })),
    failures: fc.integer({ min: 1, max: 3 }),
    continuous: fc.boolean(),
  })
  .map(probe);
const readiness = fc.array(
  fc.oneof({ weight: 4, arbitrary: asking }, { weight: 1, arbitrary: oneOf<Probe>(logLine(), notify(), notify(3)) }),
  { maxLength: 3 },
);

const stops: fc.Arbitrary<StopPlan> = fc.record({
  signal: oneOf('SIGTERM', 'SIGINT', 'SIGQUIT'),
  timeout: seldom(null, time(5_000)),
  to: oneOf('main', 'group'),
  leftoverTimeout: seldom(null, time(4_000)),
  argv: seldom(null, fc.constant(['/bin/stop'])),
});

const restarts = fc
  .record({
    policy: oneOf('never', 'on-failure', 'always'),
    max: seldom(null, fc.integer({ min: 0, max: 3 })),
    within: seldom(null, time(20_000)),
    initial: fc.integer({ min: 1, max: 3_000 }),
    most: fc.integer({ min: 1, max: 10_000 }),
    factor: oneOf(1, 1.5, 2),
  })
  .map(({ policy, max, within, initial, most, factor }) =>
    restart(policy, { max, within, backoff: { initial, max: most, factor } }),
  );

interface Wished {
  readonly service: Omit<ServicePlan, 'name' | 'edges'>;
  /** Which earlier services it waits for; each number picks one. */
  readonly edges: readonly WishedEdge[];
}

interface WishedEdge {
  readonly pick: number;
  readonly edge: Pick<Edge, 'condition' | 'origin'>;
  /** Several in a row, of which some must do; 1: one, which must. */
  readonly among: number;
  readonly restarts: boolean;
  readonly least: number;
}

const wishes: fc.Arbitrary<Wished> = fc.record({
  service: fc
    .record({
      type: oneOf('service', 'service', 'task'),
      enabled: seldom(true, fc.boolean()),
      start: seldom('auto' as const, oneOf('auto', 'manual', 'profile-off')),
      essential: often(true, fc.boolean()),
      ready: readiness,
      live: fc.array(asking, { maxLength: 2 }),
      startTimeout: fc.integer({ min: 200, max: 15_000 }),
      startStall: seldom(null, fc.integer({ min: 100, max: 3_000 })),
      restart: restarts,
      successCodes: oneOf([0], [0], [], [0, 3], [143]),
      stop: stops,
      forward: oneOf({}, { SIGHUP: 'SIGHUP' }, { SIGHUP: 'SIGUSR2', SIGUSR1: 'SIGUSR1' }),
    })
    .map((given) => service('', given)),
  edges: fc.array(
    fc.record({
      pick: fc.nat(),
      edge: fc.record({
        condition: oneOf('started', 'ready', 'completed', 'exited'),
        origin: oneOf('declared', 'stage'),
      }),
      restarts: often(true, fc.constant(false)),
      among: seldom(1, fc.integer({ min: 2, max: 5 })),
      least: fc.nat(),
    }),
    { maxLength: 3 },
  ),
});

function toEdges(wished: WishedEdge, position: number, of: string): Edge[] {
  const edges = toPlainEdges(wished, position, of);
  return wished.restarts
    ? edges.map((edge) => (edge.origin === 'stage' ? edge : { ...edge, restarts: true as const }))
    : edges;
}

function toPlainEdges({ pick, edge, among, least }: WishedEdge, position: number, of: string): Edge[] {
  const count = Math.min(among, position);
  const targets = Array.from({ length: count }, (_, step) => `s${(pick + step) % position}`);
  if (count === 1) return targets.map((target) => on(target, edge.condition, edge.origin));
  const choice = { of, least: 1 + (least % (count - 1)) };
  return targets.map((target) => ({ ...on(target, edge.condition), choice }));
}

/** Every edge leads to an earlier service, so there is no cycle. */
function connect(wished: readonly Wished[]): ServicePlan[] {
  return wished.map(({ service, edges }, position) => ({
    ...service,
    name: `s${position}`,
    edges: position === 0 ? [] : edges.flatMap((wish, at) => toEdges(wish, position, `choice ${at}`)),
  }));
}

export const plans: fc.Arbitrary<Plan> = fc
  .record({
    wished: fc.array(wishes, { minLength: 1, maxLength: 8 }),
    groups: seldom(null, fc.integer({ min: 1, max: 4 })),
    exit: oneOf('first', 'failure', 'all'),
    stopTimeout: fc.oneof(time(12_000), fc.constant(9_000), fc.constant(0)),
  })
  .map(({ wished, groups, exit, stopTimeout }) => {
    const services = connect(wished);
    if (groups === null) return plan(services, { exit, stopTimeout });
    const size = Math.ceil(services.length / groups);
    const grouped = Array.from({ length: groups }, (_, group) => services.slice(group * size, (group + 1) * size));
    return plan(stages(...grouped), { exit, stopTimeout });
  });

const answering = fc
  .record({
    from: time(8_000),
    upTo: often(Infinity, time(40_000)),
    failEvery: seldom(0, fc.integer({ min: 2, max: 5 })),
    muteEvery: seldom(0, fc.integer({ min: 1, max: 4 })),
    takes: fc.oneof(time(30), time(4_000)),
    ownIndex: seldom(null, fc.integer({ min: 0, max: 2 })),
  })
  .map(({ from, upTo, failEvery, muteEvery, takes, ownIndex }) => ({ age, attempt, index }: Asked) => {
    if (muteEvery > 0 && attempt % muteEvery === 0) return null;
    const late = ownIndex === index ? 2 : 1;
    const ok = age >= from * late && age < upTo && (failEvery === 0 || attempt % failEvery !== 0);
    return { ok, after: takes, detail: ok ? 'fine' : `refused ${attempt % 2}` };
  });

const spawnFails = oneOf(
  { step: 'exec', message: 'no such file', code: 127 },
  { step: 'exec', message: 'permission denied', code: 126 },
  { step: 'cwd', message: 'no such folder', code: 1 },
);

/** Removes the fields that are undefined. */
function present<T extends object>(given: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
}

export const behaviours: fc.Arbitrary<Behaviour> = fc
  .record({
    spawnTakes: fc.oneof(time(20), time(2_000)),
    spawnFails: fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: spawnFails }),
    ends: often(undefined, fc.record({ after: fc.oneof(time(30), time(5_000), time(70_000)), exit: exits })),
    stopTakes: often(null, fc.oneof(time(50), time(6_000))),
    stopExit: exits,
    stopCommandFails: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: time(2_000) }),
    others: fc.array(often(null, fc.oneof(time(50), time(3_000))), { maxLength: 3 }),
    killTakes: fc.oneof({ weight: 9, arbitrary: time(20) }, { weight: 1, arbitrary: oneOf(null, 400, 3_000) }),
    probe: answering,
    latches: fc.array(fc.record({ index: fc.integer({ min: 0, max: 2 }), after: time(6_000) }), { maxLength: 4 }),
    output: fc.array(time(5_000), { maxLength: 5 }),
  })
  .map(present<Behaviour>);

export const obedient: fc.Arbitrary<Behaviour> = fc
  .record({
    spawnTakes: time(20),
    ends: seldom(undefined, fc.record({ after: time(30_000), exit: exits })),
    stopTakes: time(50),
    stopExit: exits,
    others: fc.array(time(50), { maxLength: 2 }),
    probe: answering,
  })
  .map(present<Behaviour>);

const events: fc.Arbitrary<ServiceEvent> = fc.oneof(
  fc.record({ type: fc.constant('spawned' as const), pid: fc.constant(9) }),
  spawnFails.map((failure) => ({ type: 'spawn-failed' as const, ...failure })),
  fc.record({ type: fc.constant('exited' as const), exit: exits }),
  oneOf<ServiceEvent>({ type: 'emptied', leftovers: [] }, { type: 'progressed' }),
  fc.record({ type: fc.constant('latched' as const), index: fc.nat({ max: 3 }) }),
  fc.record({
    type: fc.constant('probe-ended' as const),
    attempt: fc.integer({ min: 0, max: 9 }),
    ok: fc.boolean(),
    detail: oneOf('late', 'refused 1'),
  }),
);

export type Disturbance = { readonly at: Millis; readonly act: (simulator: Simulator) => void };

/** Events of runs that are over or never were, and results of attempts that were never made. */
const noise: fc.Arbitrary<Disturbance['act']> = fc
  .record({
    pick: fc.nat(),
    shift: oneOf(-2, -1, 1),
    event: events,
    attempt: oneOf(-1, 0, 1_000_000),
    index: fc.nat({ max: 9 }),
  })
  .map(({ pick, shift, event, attempt, index }) => (simulator: Simulator) => {
    const names = [...simulator.world.services.keys()];
    const name = names[pick % names.length] ?? '';
    simulator.tell(name, event, simulator.service(name).run + shift);
    simulator.tell(name, { type: 'probe-ended', attempt, ok: true, detail: 'nobody asked' });
    simulator.tell(name, { type: 'latched', index });
  });

const signals: fc.Arbitrary<Disturbance['act']> = fc.oneof(
  oneOf('SIGTERM', 'SIGINT', 'SIGQUIT').map((signal) => (simulator: Simulator) => void simulator.stop(signal)),
  oneOf('SIGHUP', 'SIGUSR1', 'SIGUSR2').map((signal) => (simulator: Simulator) => void simulator.signal(signal)),
);

const operations: fc.Arbitrary<Disturbance['act']> = fc
  .record({
    operation: oneOf('start', 'stop', 'restart'),
    picks: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
    signal: fc.boolean(),
  })
  .map(({ operation, picks, signal }) => (simulator: Simulator) => {
    const names = [...simulator.world.services.keys()];
    const services = [...new Set(picks.map((pick) => names[pick % names.length] ?? ''))];
    if (signal) simulator.deliver({ type: 'signal-asked', signal: 'SIGUSR1', services });
    else simulator.operate(operation, ...services);
  });

/** Of the services that were planned at first, some are left out at the end, and some have another environment. */
const reloads: fc.Arbitrary<Disturbance['act']> = fc
  .record({
    keep: fc.integer({ min: 1, max: 8 }),
    touched: fc.array(fc.nat({ max: 7 }), { maxLength: 3 }),
    inPlace: fc.boolean(),
    start: often(undefined, oneOf('auto', 'manual')),
  })
  .map(({ keep, touched, inPlace, start }) => (simulator: Simulator) => {
    const changed = {
      ...(inPlace ? { essential: false } : { env: { TOUCHED: `${touched}` }, ports: touched }),
      ...(start !== undefined && { start }),
    } as const;
    const services = simulator.planned.services
      .slice(0, keep)
      .map((given, position) => (touched.includes(position) ? { ...given, ...changed } : given));
    simulator.reload({ ...simulator.planned, services });
  });

export const disturbances: fc.Arbitrary<Disturbance[]> = fc.array(
  fc.record({
    at: fc.oneof(time(HORIZON), time(3_000)),
    act: fc.oneof(noise, signals, operations, operations, reloads),
  }),
  { maxLength: 8 },
);

export const clocks = fc.record({
  seed: fc.integer(),
  startAt: oneOf(0, 0.1, 1_234.567_8, 987_654.321),
  lag: oneOf(0, 0, 0.37, 3),
  // Takes ten times as long.
  renews: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
});

export const runsOf = (behaviour: fc.Arbitrary<Behaviour>) =>
  fc.array(fc.array(behaviour, { minLength: 1, maxLength: 3 }), { minLength: 8, maxLength: 8 });

export function simulatorOf(plan: Plan, runs: readonly (readonly Behaviour[])[], clock: Options): Simulator {
  const of = (name: string) => runs[Number(name.slice(1))] ?? [];
  return new Simulator(plan, (name, run) => of(name)[(run - 1) % of(name).length] ?? {}, clock);
}
