// The World, the whole state of the core as one value: plans, services, phase; and questions about it. StepDraft makes the next
// one.
import type { Millis, Plan, ServicePlan, SignalName } from '../plan/plan.ts';
import { type Graph, makeGraph } from './barriers.ts';
import { ChunkedArray, Deadlines } from './chunked-array.ts';
import type { Readiness } from './detail.ts';
import { isOff } from './off.ts';
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
  /** No service runs, and none will start. */
  | { readonly kind: 'all-ended'; readonly code: number; readonly ended: Ended | null };

export type Phase =
  | { readonly id: 'running' }
  | {
      readonly id: 'stopping';
      readonly cause: EndCause;
      /** The instant of SIGKILL for every process that is left. */
      readonly deadline: Millis;
      /** Whether a process was sent SIGKILL. */
      readonly killed: boolean;
      /** When a signal first asked for the shutdown; null: none has, a service is the cause. */
      readonly askedAt: Millis | null;
      /** By number: how many levels of active services each service depended on when the shutdown began (levelsOf). */
      readonly levels: readonly number[];
    }
  | { readonly id: 'ended'; readonly code: number };

export interface World {
  /** The plan in force: for a service that a reload has changed or removed, the plan of its run until the run is over. */
  readonly plan: Plan;
  /** The plan that was read last. */
  readonly target: Plan;
  readonly services: Services;
  /** `counts`, `waits` and `deadlines` are derived from `services`. */
  readonly counts: StateCounts;
  readonly waits: Waits;
  readonly deadlines: Deadlines;
  readonly phase: Phase;
  readonly seed: number;
  /** Runs that have failed and were not restarted, in that order, without those of services that were started again. */
  readonly failures: readonly Ended[];
  readonly beganAt: Millis;
  /** When every service was ready for the first time; null until then. */
  readonly allReadyAt: Millis | null;
  readonly index: PlanIndex;
}

/** What is computed once of a plan, because it is often looked up. */
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

/** The earliest deadline of all; null: only an event can change the world. */
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

/** Bytes that were in use on GPUs before services used them alone, by device id: what the next run on them waits for. */
export function gpuUseBefore(
  plans: PlanIndex['plans'],
  services: ReadonlyMap<string, Service>,
): Readonly<Record<string, number>> {
  const alone = [...services].filter(([name]) => plans.get(name)?.gpus?.shared === false);
  return Object.assign({}, ...alone.map(([, { memory }]) => memory));
}

/** Tells a service that uses its GPUs alone what was in use on them before other services used them (gpuUseBefore). */
export function withUseBefore(service: Service, { gpus }: ServicePlan, useBefore: Service['memory']): Service {
  return gpus?.shared === false ? { ...service, memory: { ...useBefore, ...service.memory } } : service;
}

/** Null if one of the services that are neither disabled nor idle is not ready (a task: has not completed). */
export function countIfAllReady(plans: PlanIndex['plans'], services: ReadonlyMap<string, Service>): Readiness | null {
  const enabled = [...services].filter(([, { state }]) => !isOff(state.id));
  const isThere = ([name, { state, schedule }]: readonly [string, Service]) =>
    state.id === (plans.get(name)?.type === 'task' ? 'completed' : 'ready') ||
    // Nothing waits for the next run of a scheduled task.
    (schedule !== null && (state.id === 'scheduled' || state.id === 'ready'));
  if (!enabled.every(isThere)) return null;
  const count = (is: (plan: ServicePlan) => boolean): number =>
    enabled.filter(([name]) => {
      const plan = plans.get(name);
      return plan !== undefined && is(plan);
    }).length;
  return {
    ready: count(({ type, ready }) => type === 'service' && ready.length > 0),
    unprobed: count(({ type, ready }) => type === 'service' && ready.length === 0),
    completed: count(({ type, schedule }) => type === 'task' && schedule === null),
    scheduled: count(({ schedule }) => schedule !== null),
  };
}

/** Failures without those of services that the operator has started again or a reload has removed. */
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

/** The end when nothing runs: how many services can never start, the exit code, and the run that it comes from. */
export function allEnded(
  plans: PlanIndex['plans'],
  services: ReadonlyMap<string, Service>,
  failures: World['failures'],
): { readonly blocked: number; readonly code: number; readonly ended: Ended | null } {
  const isEssential = (name: string) => plans.get(name)?.essential === true;
  // endWhenOver: a service that is pending while nothing runs can never start.
  const blocked = [...services].filter(([, { state }]) => state.id === 'pending').map(([name]) => name);
  const missed = blocked.some(isEssential);
  const lasting = lastingFailures(failures, services);
  // If an essential service could not start, the first failure of any service counts as the cause.
  const essential = lasting.find(({ service }) => isEssential(service));
  const ended = essential ?? (missed ? (lasting[0] ?? null) : null);
  return { blocked: blocked.length, code: ended?.verdict.code ?? (missed ? 1 : 0), ended };
}
