// Generates a scenario from a seed. Pure: the same seed gives the same scenario on every machine. Most services keep running
// or restart, so that faults have something to disturb; an early end of the container is rare.
import { Dice } from '../test/helpers/nonsense.ts';
import type {
  Condition,
  Ending,
  Fault,
  ForkSpec,
  HookSpec,
  OutputSpec,
  PlanContext,
  ProgramSpec,
  Readiness,
  ReloadFile,
  Scenario,
  ServiceSpec,
  StopSpec,
} from './scenario.ts';

const MOST_SERVICES = 7;
const MOST_FAULTS = 14;
/** No fault before this time, because the start itself takes some of it, milliseconds. */
const FIRST_FAULT = 150;
const STAGES: readonly string[] = ['base', 'middle', 'top'];

export function generate(seed: number): Scenario {
  const dice = new Dice(seed);
  const length = 4_000 + dice.below(6_000);
  const exit = dice.one(['first', 'failure', 'failure', 'all'] as const);
  const count = 1 + dice.below(MOST_SERVICES);
  const services: ServiceSpec[] = [];
  for (let number = 0; number < count; number += 1) services.push(service(dice, number, services));
  const drawn = Array.from({ length: dice.below(MOST_FAULTS + 1) }, () => fault(dice, length));
  const hasOwner = services.some(({ user }) => user);
  const faults = drawn.filter(({ kind }) => kind !== 'swap-log' || hasOwner);
  if (dice.chance(30)) faults.push({ at: length - dice.below(length / 2), kind: 'term-tree', gap: dice.below(15) });
  faults.sort((a, b) => a.at - b.at);
  const groups = count > 1 && dice.chance(35) ? STAGES.slice(0, 2 + dice.below(2)) : [];
  return {
    seed,
    exit,
    groups,
    services: stage(dice, services, groups),
    surroundings: surroundings(dice),
    faults,
    length,
  };
}

/** Puts most services into stages. A dependency comes before its dependent, so no dependency is in a later stage. */
function stage(dice: Dice, services: readonly ServiceSpec[], groups: readonly string[]): ServiceSpec[] {
  if (groups.length === 0) return [...services];
  return services.map((spec, at) => ({
    ...spec,
    group: dice.chance(15) ? null : (groups[Math.floor((at * groups.length) / services.length)] ?? null),
  }));
}

/** From `least` to `most`, small numbers more often than large ones. */
function span(dice: Dice, least: number, most: number): number {
  return least + Math.min(dice.below(most - least + 1), dice.below(most - least + 1));
}

function surroundings(dice: Dice): PlanContext {
  return {
    pid1: dice.chance(60),
    files: dice.chance(30) ? dice.one([64, 96, 128, 256]) : null,
    disk: dice.one([64, 256, 1024]),
    uptime: dice.chance(20) ? dice.one([3_600, 30 * 86_400, 400 * 86_400]) : null,
  };
}

function service(dice: Dice, number: number, before: readonly ServiceSpec[]): ServiceSpec {
  const type = dice.chance(20) ? 'task' : 'service';
  const essential = dice.chance(25);
  const restart =
    essential && dice.chance(40) ? 'never' : dice.one(['always', 'always', 'on-failure', 'never'] as const);
  const user = dice.chance(25);
  const made = program(dice, type, restart === 'never' && essential);
  return {
    name: `${dice.one(['web', 'db', 'model', 'worker'])}-${number}`,
    type,
    group: null,
    user,
    essential,
    replicas: dice.chance(20) ? 2 + dice.below(2) : 1,
    restart: type === 'task' && restart === 'always' ? 'on-failure' : restart,
    pause: dice.one([10, 50, 200, 600]),
    // A task without a success code could never finish.
    successCodes: dice.one(type === 'task' ? [[0], [0, 3], [143]] : [[0], [0], [0], [], [0, 3], [143]]),
    dependsOn: dependencies(dice, before),
    ready: type === 'service' && dice.chance(60) ? readiness(dice) : null,
    live: type === 'service' && dice.chance(20),
    stop: stop(dice),
    hooks: dice.chance(30) ? hooks(dice) : [],
    log: {
      format: dice.one(['text', 'json']),
      whenFull: dice.chance(70) ? 'block' : 'drop',
      file: user || dice.chance(25),
    },
    prepared: dice.chance(20),
    // A log file is replaced while the service prints.
    program: user && made.output === null ? { ...made, output: output(dice) } : made,
  };
}

function dependencies(dice: Dice, before: readonly ServiceSpec[]): ServiceSpec['dependsOn'] {
  const chosen = before.filter(() => dice.chance(20)).slice(0, 2);
  return chosen.map(({ name, type }) => {
    const condition: Condition =
      type === 'task' ? dice.one(['started', 'completed', 'exited']) : dice.one(['started', 'ready']);
    return { on: name, condition, ...(dice.chance(40) ? ({ restart: true } as const) : {}) };
  });
}

function readiness(dice: Dice): Readiness {
  const probe = dice.one(['tcp', 'http', 'exec', 'log', 'file', 'notify'] as const);
  const continuous = probe !== 'log' && probe !== 'notify' && dice.chance(40);
  return { probe, after: span(dice, 0, 800), continuous, timeout: dice.chance(30) ? dice.one([300, 1_500]) : 10_000 };
}

function stop(dice: Dice): StopSpec {
  return {
    signal: dice.one(['TERM', 'TERM', 'INT']),
    timeout: dice.chance(40) ? dice.one([100, 500, 1_500]) : null,
    to: dice.chance(25) ? 'group' : 'main',
    command: dice.one(['none', 'none', 'none', 'none', 'works', 'fails']),
    drain: dice.chance(85) ? 'none' : dice.one(['at-once', 'never']),
  };
}

function hooks(dice: Dice): HookSpec[] {
  const all = ['before_start', 'after_ready', 'before_stop', 'after_exit'] as const;
  return all
    .filter(() => dice.chance(50))
    .map((when) => ({
      when,
      lives: span(dice, 0, 600),
      code: dice.chance(85) ? 0 : dice.one([1, 7, 255]),
      timeout: dice.chance(25) ? 300 : null,
      escapes: dice.chance(30),
    }));
}

function ending(dice: Dice): Ending {
  if (dice.chance(25)) return { signal: dice.one([9, 15, 11, 6, 1, 34, 40, 64]) };
  return { code: dice.chance(30) ? 0 : dice.one([1, 2, 3, 42, 126, 127, 137, 143, 200, 255]) };
}

function program(dice: Dice, type: 'service' | 'task', isFinal: boolean): ProgramSpec {
  const restless = dice.chance(25);
  const when = (): number | null => {
    if (type === 'task') return span(dice, 0, 2_000);
    if (isFinal) return dice.chance(50) ? null : 2_000 + dice.below(6_000);
    if (restless) return span(dice, 0, 400);
    return dice.chance(50) ? null : span(dice, 0, 5_000);
  };
  const ends = Array.from({ length: 1 + dice.below(3) }, () => ({ after: when(), how: ending(dice) }));
  return {
    ends,
    onStop: dice.chance(70)
      ? { kind: 'exit', after: dice.chance(70) ? 0 : span(dice, 0, 1_500), code: dice.one([0, 0, 143, 5]) }
      : { kind: dice.one(['default', 'default', 'ignore']) },
    forks: Array.from({ length: dice.chance(50) ? 0 : 1 + dice.below(4) }, () => fork(dice)),
    output: dice.chance(60) ? output(dice) : null,
    storm: dice.chance(15) ? { count: 1 + dice.below(40), every: 50 + dice.below(300) } : null,
    sick: dice.chance(20) ? { from: span(dice, 500, 4_000), for: span(dice, 100, 2_000) } : null,
  };
}

function fork(dice: Dice): ForkSpec {
  return {
    how: dice.one(['child', 'session', 'daemon', 'wiped']),
    ignoresTerm: dice.chance(30),
    lives: dice.chance(50) ? null : span(dice, 10, 3_000),
  };
}

function output(dice: Dice): OutputSpec {
  const kind = dice.one(['lines', 'lines', 'bytes', 'endless'] as const);
  const heavy = dice.chance(25);
  return {
    every: heavy ? 5 + dice.below(20) : 50 + dice.below(500),
    lines: heavy ? 100 + dice.below(300) : 1 + dice.below(20),
    width: dice.one([1, 20, 100, 1_000]),
    stream: dice.chance(70) ? 1 : 2,
    kind,
  };
}

/** Half of them are longer than a short delay of the machine, and than the shorter deadlines of a plan. */
function absence(dice: Dice): number {
  return dice.chance(50) ? span(dice, 20, 2_000) : 2_200 + dice.below(2_300);
}

type Make = (dice: Dice) => Fault extends infer F ? (F extends Fault ? Omit<F, 'at'> : never) : never;

/** Each kind of fault with its weight. */
const FAULTS: readonly (readonly [number, Make])[] = [
  [
    20,
    (dice) => ({
      kind: 'kill',
      pick: dice.below(1_000),
      whom: dice.one(['main', 'any']),
      signal: dice.one([9, 9, 9, 15, 11, 1]),
    }),
  ],
  [
    12,
    (dice) => ({
      kind: 'freeze',
      pick: dice.below(1_000),
      whom: dice.one(['main', 'any']),
      for: span(dice, 50, 4_000),
    }),
  ],
  [6, (dice) => ({ kind: 'freeze-supervisor', alone: dice.chance(40), for: absence(dice) })],
  [4, (dice) => ({ kind: 'freeze-all', for: absence(dice) })],
  [
    14,
    (dice) => ({
      kind: 'end-supervisor',
      how: dice.one(['kill', 'kill', 'kill', 'crash', 'starve', 'hang']),
      again: dice.one([0, 0, 1, 3]),
    }),
  ],
  [
    10,
    (dice) => ({
      kind: 'swap-log',
      pick: dice.below(1_000),
      what: dice.one(['file-link', 'new-link', 'rotated-link', 'folder-link', 'fifo', 'fifo-read']),
      turns: dice.one([1, 1, 20]),
      for: span(dice, 200, 2_500),
    }),
  ],
  [8, (dice) => ({ kind: 'stall-reader', stream: dice.one(['stdout', 'stderr']), for: span(dice, 100, 3_000) })],
  [6, (dice) => ({ kind: 'fill-disk', for: span(dice, 100, 3_000) })],
  [8, (dice) => ({ kind: 'squeeze-processes', room: dice.below(4), for: span(dice, 100, 2_500) })],
  [5, (dice) => ({ kind: 'hold-connections', count: dice.one([20, 100, 300]), for: span(dice, 200, 2_500) })],
  [14, (dice) => ({ kind: 'reload', by: dice.one(['signal', 'api']), file: reloadFile(dice) })],
  [
    12,
    (dice) => ({
      kind: 'operate',
      operation: dice.one(['start', 'stop', 'restart', 'restart']),
      pick: dice.below(1_000),
    }),
  ],
  [4, (dice) => ({ kind: 'exec', pick: dice.below(1_000), for: span(dice, 0, 1_500) })],
  [6, (dice) => ({ kind: 'noise', seed: dice.below(2 ** 31), count: 5 + dice.below(60) })],
  [4, (dice) => ({ kind: 'slow-client', for: span(dice, 200, 3_000) })],
  [
    4,
    (dice) => ({ kind: 'followers', count: 1 + dice.below(30), reads: dice.chance(60), for: span(dice, 200, 4_000) }),
  ],
];
const WEIGHT = FAULTS.reduce((sum, [weight]) => sum + weight, 0);

function fault(dice: Dice, length: number): Fault {
  const at = FIRST_FAULT + dice.below(length - FIRST_FAULT);
  let rest = dice.below(WEIGHT);
  for (const [weight, make] of FAULTS) {
    if (rest < weight) return { at, ...make(dice) };
    rest -= weight;
  }
  throw new Error('bug: the weights do not add up');
}

function reloadFile(dice: Dice): ReloadFile {
  const text = dice.one(['same', 'changed', 'changed', 'scaled', 'fewer', 'wrong', 'rubbish', 'missing'] as const);
  if (text === 'same' || text === 'wrong' || text === 'rubbish' || text === 'missing') return { text };
  const picks = Array.from({ length: 1 + dice.below(2) }, () => dice.below(1_000));
  return text === 'scaled' ? { text, picks, replicas: 1 + dice.below(3) } : { text, picks };
}
