// The world as data: what is planned, what is, why it ends; and the questions that are asked of it. supervisor.ts moves it.
import type { Edge, Millis, Plan, ServicePlan, SignalName } from '../plan/plan.ts';
import type { Ended } from './event.ts';
import { KILL_WAIT } from './policy.ts';
import { deadlineOf, isActive, newService, type Service } from './state.ts';
import { isIn, type Tally, tallyOf } from './tally.ts';
import { renderEnd } from './words.ts';

/** Why the container ends. Only the first cause counts; what dies afterwards changes nothing. */
export type EndCause =
  | { readonly kind: 'asked'; readonly signal: SignalName }
  | { readonly kind: 'service'; readonly ended: Ended }
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
    }
  | { readonly id: 'ended'; readonly code: number };

export interface World {
  /** What is in force: of a service that a reload has changed or removed, the plan of its run until that is over. */
  readonly plan: Plan;
  /** What was read last. */
  readonly target: Plan;
  readonly services: ReadonlyMap<string, Service>;
  /** Of these services. */
  readonly tally: Tally;
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
  readonly dependents: ReadonlyMap<string, readonly string[]>;
}

export function indexPlans(plan: Plan, seed: number): PlanIndex {
  const plans = new Map(plan.services.map((service) => [service.name, service]));
  const dependents = new Map<string, string[]>(plan.services.map(({ name }) => [name, []]));
  for (const { name, edges } of plan.services) for (const { on } of edges) dependents.get(on)?.push(name);
  const seeds = new Map(
    plan.services.map(({ name }, position) => [name, (seed + Math.imul(position, 0x9e3779b1)) | 0]),
  );
  return { plans, seeds, dependents };
}

export function newWorld(plan: Plan, seed: number): World {
  const services = new Map(plan.services.map((service) => [service.name, newService(service)]));
  return {
    plan,
    target: plan,
    services,
    tally: tallyOf(services.values()),
    phase: { id: 'running' },
    seed,
    failures: [],
    beganAt: 0,
    allReadyAt: null,
    index: indexPlans(plan, seed),
  };
}

/** The instant of the earliest deadline of all; null when nothing but news can change anything. */
export function nextDeadline(world: World): Millis | null {
  if (world.phase.id === 'ended') return null;
  let least = world.phase.id === 'stopping' ? endOf(world.phase.deadline) : Infinity;
  for (const [name, service] of world.services) {
    const plan = world.index.plans.get(name);
    const deadline = plan === undefined ? null : deadlineOf(plan, service);
    if (deadline !== null && deadline < least) least = deadline;
  }
  return least === Infinity ? null : least;
}

export const endOf = (deadline: Millis): Millis => deadline + KILL_WAIT;

/** Whether what an edge waits for is so. A stage does not wait for a member that the operator holds down. */
export function holds({ condition, origin }: Edge, { state, startedOnce, readyAfter, wanted }: Service): boolean {
  if (origin === 'stage' && wanted === 'down' && state.id === 'stopped') return true;
  switch (condition) {
    case 'started':
      return startedOnce;
    case 'ready':
      return state.id === 'ready' || (state.id === 'completed' && readyAfter !== null);
    case 'completed':
      return state.id === 'completed';
    case 'exited':
      return state.id === 'completed' || state.id === 'failed';
    default:
      return condition satisfies never;
  }
}

/** Whether all that a service waits for is so: each edge, and of a choice as many as it wants. */
export function edgesHold(edges: readonly Edge[], services: ReadonlyMap<string, Service>): boolean {
  const wanting = new Map<string, number>();
  for (const edge of edges) {
    const target = services.get(edge.on);
    const is = target !== undefined && holds(edge, target);
    if (edge.choice !== undefined) {
      const { of, least } = edge.choice;
      wanting.set(of, (wanting.get(of) ?? least) - (is ? 1 : 0));
    } else if (!is) return false;
  }
  return [...wanting.values()].every((left) => left <= 0);
}

/** Services whose runs are on their way out: what they have, nobody else gets before nothing of them is left. */
export function leavingOf(services: ReadonlyMap<string, Service>): readonly string[] {
  return [...services].filter(([, service]) => isIn('leaving', service)).map(([name]) => name);
}

/** What of a service's own another one has in the plan too, in words: a port, a GPU that is not shared; null: nothing. */
export function claimOn(plan: ServicePlan, { ports, gpus }: ServicePlan): string | null {
  const port = plan.ports.find((one) => ports.includes(one));
  if (port !== undefined) return `port ${port}`;
  const shared = gpus?.shared === true && plan.gpus?.shared === true;
  const device = plan.gpus?.devices.find(({ id }) => !shared && gpus?.devices.some((other) => other.id === id));
  return device === undefined ? null : `GPU ${device.id}`;
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
export function heirOf(service: Service, { gpus }: ServicePlan, baselines: Service['memory']): Service {
  return gpus?.shared === false ? { ...service, memory: { ...baselines, ...service.memory } } : service;
}

/** How many services there are when every one of them is there, a task when it is done; null while one is not. */
export function countIfAllAreThere(plans: PlanIndex['plans'], services: ReadonlyMap<string, Service>): number | null {
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
    return service?.run === run && (service.state.id === 'failed' || service.state.id === 'stopping');
  });
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

/** The edges of each choice, by the service whose copies they lead to. */
export function choicesOf(
  edges: readonly Edge[],
): ReadonlyMap<string, { readonly least: number; readonly edges: Edge[] }> {
  const found = new Map<string, { readonly least: number; readonly edges: Edge[] }>();
  for (const edge of edges) {
    if (edge.choice === undefined) continue;
    const choice = found.get(edge.choice.of) ?? { least: edge.choice.least, edges: [] };
    found.set(edge.choice.of, choice);
    choice.edges.push(edge);
  }
  return found;
}

/** Why a pending service can never start: what it waits for cannot come any more. Null while it still can. */
export function neverStarts(world: World, name: string): string | null {
  const known = new Map<string, string | null>();
  const lostBy = (edge: Edge): string | null => {
    const target = world.services.get(edge.on);
    if (target === undefined || holds(edge, target)) return null;
    const { state } = target;
    if (state.id === 'skipped') return `${edge.on} is not enabled`;
    if (state.id === 'failed') return `${edge.on} ${state.ended === null ? 'failed' : renderEnd(state.ended)}`;
    if (state.id === 'completed') return `${edge.on} ended before it was ready`;
    return state.id === 'pending' && reasonOf(edge.on) !== null ? `${edge.on} never starts` : null;
  };
  const reasonOf = (current: string): string | null => {
    const found = known.get(current);
    if (found !== undefined) return found;
    known.set(current, null);
    const edges = world.index.plans.get(current)?.edges ?? [];
    const reason = firstReason(edges, lostBy);
    known.set(current, reason);
    return reason;
  };
  return reasonOf(name);
}

function firstReason(edges: readonly Edge[], lostBy: (edge: Edge) => string | null): string | null {
  for (const edge of edges) {
    const reason = edge.choice === undefined ? lostBy(edge) : null;
    if (reason !== null) return reason;
  }
  for (const choice of choicesOf(edges).values()) {
    const lost = choice.edges.map(lostBy).filter((reason) => reason !== null);
    if (choice.edges.length - lost.length >= choice.least) continue;
    const few = choice.least === 1 ? 'none' : `fewer than ${choice.least}`;
    return `${few} of ${renderNames(choice.edges.map(({ on }) => on))} can come: ${lost[0]}`;
  }
  return null;
}

/** Names in a sentence: a few of them. */
export function renderNames(names: readonly string[]): string {
  return `${names.slice(0, 4).join(', ')}${names.length > 4 ? ', ...' : ''}`;
}

/**
 * Whether one of those who depend on a service, directly or through others whose runs are over, is still to be
 * waited for: a database stops after the server whose migration has long been done.
 */
export function isHeld(
  name: string,
  dependents: PlanIndex['dependents'],
  services: ReadonlyMap<string, Service>,
  isWaitedFor: (service: Service) => boolean,
): boolean {
  const seen = new Set(dependents.get(name));
  // A Set that grows while it is walked goes on to what was added.
  for (const other of seen) {
    const service = services.get(other);
    if (service === undefined) continue;
    if (isWaitedFor(service)) return true;
    // What has never run has done nothing that anybody could depend on.
    const isDone = service.run > 0 && !isActive(service.state);
    if (isDone) for (const next of dependents.get(other) ?? []) seen.add(next);
  }
  return false;
}

/** How many levels of active services stop after a service: the longest chain of what it depends on. */
export function levelsBelow(
  plans: ReadonlyMap<string, ServicePlan>,
  services: ReadonlyMap<string, Service>,
): (name: string) => number {
  const known = new Map<string, number>();
  const below = (name: string): number => {
    const found = known.get(name);
    if (found !== undefined) return found;
    let most = 0;
    for (const { on } of plans.get(name)?.edges ?? []) {
      const target = services.get(on);
      if (target !== undefined) most = Math.max(most, below(on) + (isActive(target.state) ? 1 : 0));
    }
    known.set(name, most);
    return most;
  };
  return below;
}
