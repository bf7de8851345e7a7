// The world as data: what is planned, what is, why it ends; and the questions that are asked of it. supervisor.ts moves it.
import type { Millis, Plan, ServicePlan, SignalName } from '../plan/plan.ts';
import { type Graph, makeGraph } from './barriers.ts';
import { ChunkedArray, Deadlines } from './chunked-array.ts';
import { KILL_WAIT } from './policy.ts';
import type { Claim } from './reason.ts';
import type { Ended } from './run.ts';
import { Services } from './services.ts';
import { deadlineOf, newService, type Service, type State } from './state.ts';
import { countStates, type StateCounts } from './state-counts.ts';
import { countWaits, type Waits } from './waits.ts';

/** Why the container ends. Only the first cause counts; what dies afterwards changes nothing. */
export type EndCause =
  | { readonly kind: 'asked'; readonly signal: SignalName }
  | { readonly kind: 'service'; readonly ended: Ended }
  /** An essential service can never start any more. `ended` is the failure that causes it; null: none does. */
  | { readonly kind: 'never-starts'; readonly code: number; readonly ended: Ended | null }
  /** Nothing is left that runs or can still come. */
  | { readonly kind: 'all-ended'; readonly code: number; readonly ended: Ended | null };

export type Phase =
  | { readonly id: 'running' }
  | {
      readonly id: 'stopping';
      readonly cause: EndCause;
      /** The one deadline: SIGKILL to all that is left. */
      readonly deadline: Millis;
      /** Whether something had to be killed. */
      readonly killed: boolean;
      /** When a signal first asked for it; null while a failure alone is the reason. */
      readonly askedAt: Millis | null;
      /** By number: how many levels of active services each service depended on when the shutdown began (levelsOf). */
      readonly levels: readonly number[];
    }
  | { readonly id: 'ended'; readonly code: number };

export interface World {
  /** What is in force: of a service that a reload has changed or removed, the plan of its run until that is over. */
  readonly plan: Plan;
  /** What was read last. */
  readonly target: Plan;
  readonly services: Services;
  /** `counts`, `waits` and `deadlines` are derived from `services`. */
  readonly counts: StateCounts;
  readonly waits: Waits;
  readonly deadlines: Deadlines;
  readonly phase: Phase;
  readonly seed: number;
  /** Services that have failed for good, in that order; one that is started again is not among them any more. */
  readonly failures: readonly Ended[];
  readonly beganAt: Millis;
  /** When everything was ready for the first time; null until then. */
  readonly allReadyAt: Millis | null;
  readonly index: PlanIndex;
}

/** What is looked up about a plan again and again, computed once. */
export interface PlanIndex {
  readonly plans: ReadonlyMap<string, ServicePlan>;
  readonly seeds: ReadonlyMap<string, number>;
  readonly graph: Graph;
  /** By number: the services whose plans claim a port or a GPU that its plan claims too. */
  readonly conflicts: readonly (readonly number[])[];
}

export function indexPlans(plan: Plan, seed: number): PlanIndex {
  const plans = new Map(plan.services.map((service) => [service.name, service]));
  const seeds = new Map(
    plan.services.map(({ name }, position) => [name, (seed + Math.imul(position, 0x9e3779b1)) | 0]),
  );
  return { plans, seeds, graph: makeGraph(plan.services), conflicts: conflictsOf(plan.services) };
}

function conflictsOf(services: readonly ServicePlan[]): readonly (readonly number[])[] {
  const owners = new Map<number | string, number[]>();
  const own = services.map(({ ports, gpus }) => [...new Set([...ports, ...(gpus?.devices ?? []).map(({ id }) => id)])]);
  own.forEach((things, number) => {
    for (const thing of things) {
      const known = owners.get(thing);
      if (known === undefined) owners.set(thing, [number]);
      else known.push(number);
    }
  });
  return services.map((plan, number) => {
    const others = new Set((own[number] ?? []).flatMap((thing) => owners.get(thing) ?? []));
    return [...others].filter((other) => {
      const theirs = services[other];
      return other !== number && theirs !== undefined && claimOn(plan, theirs) !== null;
    });
  });
}

/** Computes what a world derives from its services. `services` are in the order of the plans. */
export function surveyServices(
  index: PlanIndex,
  services: readonly Service[],
  isEnding = false,
): Pick<World, 'services' | 'counts' | 'waits' | 'deadlines'> {
  const plans = [...index.plans.values()];
  return {
    services: new Services(index.graph.numbers, ChunkedArray.of(services)),
    counts: countStates(services),
    waits: countWaits(index.graph, services, isEnding),
    deadlines: Deadlines.of(services.map((service, number) => instantOf(plans[number], service))),
  };
}

/** The instant of a service's deadline; Infinity: it has none. */
export function instantOf(plan: ServicePlan | undefined, service: Service): number {
  return (plan === undefined ? null : deadlineOf(plan, service)) ?? Infinity;
}

export function newWorld(plan: Plan, seed: number): World {
  const index = indexPlans(plan, seed);
  return {
    plan,
    target: plan,
    ...surveyServices(index, plan.services.map(newService)),
    phase: { id: 'running' },
    seed,
    failures: [],
    beganAt: 0,
    allReadyAt: null,
    index,
  };
}

/** The instant of the earliest deadline of all; null when nothing but event can change anything. */
export function nextDeadline(world: World): Millis | null {
  if (world.phase.id === 'ended') return null;
  const own = world.phase.id === 'stopping' ? endOf(world.phase.deadline) : Infinity;
  const least = Math.min(own, world.deadlines.next);
  return least === Infinity ? null : least;
}

export const endOf = (deadline: Millis): Millis => deadline + KILL_WAIT;

/** What both plans claim for themselves alone: a port, or a GPU that is not shared; null: nothing. */
export function claimOn(plan: ServicePlan, { ports, gpus }: ServicePlan): Claim | null {
  const port = plan.ports.find((one) => ports.includes(one));
  if (port !== undefined) return { kind: 'port', port };
  const shared = gpus?.shared === true && plan.gpus?.shared === true;
  const device = plan.gpus?.devices.find(({ id }) => !shared && gpus?.devices.some((other) => other.id === id));
  return device === undefined ? null : { kind: 'gpu', id: device.id };
}

/** Bytes that were in use on GPUs before a service had them to itself, by their ids: what whoever has them next is measured by. */
export function baselinesOf(
  plans: PlanIndex['plans'],
  services: ReadonlyMap<string, Service>,
): Readonly<Record<string, number>> {
  const alone = [...services].filter(([name]) => plans.get(name)?.gpus?.shared === false);
  return Object.assign({}, ...alone.map(([, { memory }]) => memory));
}

/** A service that has GPUs to itself is measured by what is known of them, whoever had them before. */
export function withBaselines(service: Service, { gpus }: ServicePlan, baselines: Service['memory']): Service {
  return gpus?.shared === false ? { ...service, memory: { ...baselines, ...service.memory } } : service;
}

/** How many services there are when every one of them is there, a task when it is done; null while one is not. */
export function countIfAllReady(plans: PlanIndex['plans'], services: ReadonlyMap<string, Service>): number | null {
  const enabled = [...services].filter(([, { state }]) => state.id !== 'skipped');
  const isThere = ([name, { state }]: readonly [string, Service]) =>
    state.id === (plans.get(name)?.type === 'task' ? 'completed' : 'ready');
  return enabled.every(isThere) ? enabled.length : null;
}

/** One that the operator has started again, or a reload removed, has not failed. */
export function lastingFailures(
  failures: World['failures'],
  services: ReadonlyMap<string, Service>,
): World['failures'] {
  return failures.filter(({ service: name, run }) => {
    const service = services.get(name);
    return service?.run === run && isLasting(service.state);
  });
}

/** Whether a failed run is over, or its leftover processes are still being cleaned up. */
export function isLasting({ id }: State): boolean {
  return id === 'failed' || id === 'stopping';
}

/** What it comes to when nothing runs: how many wait for what cannot come, the container's code, and whose end gave it. */
export function allEnded(
  plans: PlanIndex['plans'],
  services: ReadonlyMap<string, Service>,
  failures: World['failures'],
): { readonly blocked: number; readonly code: number; readonly ended: Ended | null } {
  const isEssential = (name: string) => plans.get(name)?.essential === true;
  // Whatever is pending while nothing runs is blocked: had its edges held, it would have started.
  const blocked = [...services].filter(([, { state }]) => state.id === 'pending').map(([name]) => name);
  const missed = blocked.some(isEssential);
  const lasting = lastingFailures(failures, services);
  // What may have kept an essential service from starting: the first failure of all, whoever's it was.
  const essential = lasting.find(({ service }) => isEssential(service));
  const ended = essential ?? (missed ? (lasting[0] ?? null) : null);
  return { blocked: blocked.length, code: ended?.verdict.code ?? (missed ? 1 : 0), ended };
}
