// The services during one step: their current values, the counts about them, and which of them may have to be started
// or stopped next. Keeps data only: the rules of the core decide (changes.ts).
import type { Plan, ServicePlan } from '../plan/plan.ts';
import { ChunkedArrayDraft } from './chunked-array.ts';
import type { Blockage } from './reason.ts';
import { Reasons } from './reasons.ts';
import type { Ended } from './run.ts';
import { Services } from './services.ts';
import { isLeaving, isToRunAgain, type Service } from './state.ts';
import { type CountedState, updateCounts } from './state-counts.ts';
import { isOtherToWaits, WaitsDraft } from './waits.ts';
import { indexPlans, instantOf, isLasting, type PlanIndex, surveyServices, type World } from './world.ts';

/** A service that can never start, why, and the failed runs that are the cause. */
interface Blocked {
  readonly name: string;
  readonly blockage: Blockage | null;
  readonly causes: () => readonly Ended[];
}

export class ServicesDraft {
  /**
   * The world before the step, except that `plan`, `target` and `index` are the current ones. Read no value of a service from it: the
   * methods below return the current ones.
   */
  world: World;
  waits: WaitsDraft;
  counts: Record<CountedState, number>;
  /** Whether `failures` of the world is `current`, or `outdated`: a service whose run failed may have begun another run. */
  failures: 'current' | 'outdated' = 'current';
  /** By which a service that can never start is known to be so already; null: none is. */
  #reported: Pick<World, 'index' | 'waits'> | null;
  #services: ChunkedArrayDraft<Service>;
  /** Numbers of services that may have to be started or stopped now. */
  #touched = new Set<number>();
  /** Numbers of services that can never start, and possibly could before this step. */
  #blocked = new Set<number>();
  /** Names of services that are to run again, and were not before. */
  readonly #restarted = new Set<string>();

  constructor(world: World) {
    this.world = world;
    this.#reported = world;
    this.#services = new ChunkedArrayDraft(world.services.byNumber);
    this.waits = this.#makeWaits(world);
    this.counts = { ...world.counts };
  }

  #makeWaits({ index, waits }: World): WaitsDraft {
    return new WaitsDraft(
      index.graph,
      waits,
      (number) => this.#services.at(number),
      (number) => this.#touched.add(number),
      (number) => this.#blocked.add(number),
    );
  }

  get index(): PlanIndex {
    return this.world.index;
  }

  has(name: string): boolean {
    return this.index.graph.numbers.has(name);
  }

  get(name: string): Service {
    return this.#services.at(this.#number(name));
  }

  at(number: number): Service {
    return this.#services.at(number);
  }

  #number(name: string): number {
    const number = this.index.graph.numbers.get(name);
    if (number === undefined) throw new Error(`bug: no service ${name}`);
    return number;
  }

  nameOf(number: number): string {
    return this.index.graph.names[number] ?? '';
  }

  names(): readonly string[] {
    return this.index.graph.names;
  }

  /** The plan of a service that is in force. */
  planOf(name: string): ServicePlan {
    const plan = this.index.plans.get(name);
    if (plan === undefined) throw new Error(`bug: no plan of ${name}`);
    return plan;
  }

  /** All services as they are now. */
  view(): Services {
    return new Services(this.index.graph.numbers, this.#services.finish());
  }

  /** Replaces a service's value, and touches the services that this may affect. */
  put(name: string, service: Service): void {
    const number = this.#number(name);
    const before = this.#services.at(number);
    if (before === service) return;
    updateCounts(this.counts, before, service);
    this.#services.set(number, service);
    if (isLasting(before.state) && (!isLasting(service.state) || before.run !== service.run))
      this.failures = 'outdated';
    if (!isToRunAgain(before) && isToRunAgain(service)) this.noteRestart(name);
    if (isOtherToWaits(before, service)) {
      this.#touched.add(number);
      this.waits.change(number, before, service);
    }
    if (!isLeaving(before) || isLeaving(service)) return;
    for (const other of this.index.conflicts[number] ?? []) this.#touched.add(other);
  }

  /** Removes a service, and its plan with it. */
  remove(name: string): void {
    const { services } = this.world.plan;
    this.replan(
      services.filter((one) => one.name !== name),
      this.view(),
    );
  }

  /** Gives a service without processes a new plan, and the value that follows from it. */
  adopt(name: string, next: ServicePlan, service: Service): void {
    const { plan, index } = this.world;
    const services = plan.services.map((one) => (one.name === name ? next : one));
    if (!isSameToOthers(this.planOf(name), next)) {
      this.replan(services, new Map(this.view()).set(name, service));
      return;
    }
    const plans = new Map(index.plans).set(name, next);
    this.world = { ...this.world, plan: { ...plan, services }, index: { ...index, plans } };
    this.put(name, service);
  }

  /** Replaces all plans and their services. */
  replan(
    plans: readonly ServicePlan[],
    services: ReadonlyMap<string, Service>,
    target: Plan = this.world.target,
  ): void {
    const plan = { ...target, services: plans };
    const index = indexPlans(plan, this.world.seed);
    const found = plans.flatMap(({ name }) => services.get(name) ?? []);
    for (const { name } of plans) {
      const [before, after] = [this.has(name) ? this.get(name) : undefined, services.get(name)];
      const wasToRunAgain = before === undefined || isToRunAgain(before);
      if (after !== undefined && !wasToRunAgain && isToRunAgain(after)) this.noteRestart(name);
    }
    const known = surveyServices(index, found);
    this.world = { ...this.world, plan, target, index, ...known };
    this.#services = new ChunkedArrayDraft(known.services.byNumber);
    this.waits = this.#makeWaits(this.world);
    this.counts = { ...known.counts };
    this.failures = 'outdated';
    this.touchAll();
    this.#blocked = new Set(this.#touched);
  }

  touchAll(): void {
    this.#touched = new Set(this.world.plan.services.keys());
  }

  /** Whether takeTouched() or takeDependentsToRestart() would return something. */
  get isTouched(): boolean {
    return this.#touched.size > 0 || this.#restarted.size > 0;
  }

  /** Notes that a service has ended, or is to end, and will run again. */
  noteRestart(name: string): void {
    this.#restarted.add(name);
  }

  /** The services that restart with a noted one, including those that are noted meanwhile. Removes the notes. */
  *takeDependentsToRestart(): Generator<{ readonly name: string; readonly on: string }, undefined> {
    // The iteration of a Set includes elements that are added meanwhile.
    for (const on of this.#restarted) {
      this.#restarted.delete(on);
      const { numbers, uses, barriers } = this.index.graph;
      const own = (uses[numbers.get(on) ?? -1] ?? []).filter(({ edge }) => edge.restarts === true);
      const dependents = new Set(own.flatMap(({ barrier }) => barriers[barrier]?.dependents ?? []));
      for (const number of dependents) yield { name: this.nameOf(number), on };
    }
  }

  /** The numbers of the services that were touched since the last call, ascending. */
  takeTouched(): readonly number[] {
    const numbers = [...this.#touched].sort((a, b) => a - b);
    this.#touched.clear();
    return numbers;
  }

  /** Makes takeNewlyBlocked() return every service that can never start, even if that was so before this step. */
  forgetBlocked(): void {
    this.#reported = null;
    this.#blocked = new Set(this.world.plan.services.keys());
  }

  /**
   * The services that can never start and could before this step, in the plan's order, with the reason and the failed
   * runs that are the cause. Returns each service once.
   */
  takeNewlyBlocked(): readonly Blocked[] {
    const blocked = [...this.#blocked].filter((number) => this.waits.isBlocked(number)).sort((a, b) => a - b);
    this.#blocked.clear();
    if (blocked.length === 0) return [];
    const reasons = new Reasons({ index: this.index, services: this.view(), waits: this.waits.finish() });
    return blocked
      .map((number) => this.nameOf(number))
      .filter((name) => !this.#wasBlocked(name))
      .map((name) => ({ name, blockage: reasons.findBlockage(name), causes: () => reasons.causesOf(name) }));
  }

  #wasBlocked(name: string): boolean {
    if (this.#reported === null) return false;
    const { index, waits } = this.#reported;
    const number = index.graph.numbers.get(name);
    return number !== undefined && waits.services.at(number).blocked;
  }

  finish(): Pick<World, 'services' | 'counts' | 'waits' | 'deadlines'> {
    const { deadlines } = this.world;
    const instants = new Map<number, number>();
    for (const number of this.#services.changed()) {
      const instant = instantOf(this.planOf(this.nameOf(number)), this.#services.at(number));
      if (instant !== deadlines.instants.at(number)) instants.set(number, instant);
    }
    return {
      services: this.view(),
      counts: this.counts,
      waits: this.waits.finish(),
      deadlines: deadlines.with(instants),
    };
  }
}

/** Whether two plans of a service are equal for all other services: the same edges, ports and GPUs. */
function isSameToOthers(a: ServicePlan, b: ServicePlan): boolean {
  return a.edges === b.edges && a.stageEdges === b.stageEdges && claimsOf(a) === claimsOf(b);
}

function claimsOf({ ports, gpus }: ServicePlan): string {
  return JSON.stringify([ports, gpus?.shared, gpus?.devices.map(({ id }) => id)]);
}
