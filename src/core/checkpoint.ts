// The world as records for a successor: each service has a record of its state and one of its plan, so a step writes only the
// records that it changes. Derived values (counts, deadlines, indexes) are computed again. Pure: does not know who stores the
// records.
import type { Edge, Plan, ServicePlan } from '../plan/plan.ts';
import type { Service, State } from './state.ts';
import { indexPlans, surveyServices, type World } from './world.ts';

/** The version of the records' form. A supervisor with another version does not read them. */
const SCHEMA = 4;

/**
 * Numbers of records: those of the world as a whole, from `own` on those of the runtime, from `journal` on those of the last
 * events, and for each service `perService` from `services` on.
 */
export const KEYS = { head: 0, plan: 1, target: 2, own: 8, journal: 1_024, services: 2_048, perService: 8 } as const;

/**
 * The records of a service. `counts` and `output` are written by up/checkpoint.ts, and only removed here. From `lists` on there are
 * LISTS_PER_SERVICE lists of edges, which services share; the parts after them are free.
 */
export const PARTS = { state: 0, plan: 1, counts: 2, output: 3, lists: 4 } as const;
const LISTS_PER_SERVICE = 2;

export const keyOf = (service: number, part: number): number => KEYS.services + service * KEYS.perService + part;

type Variables = Readonly<Record<string, string>>;
type Put = (key: number, value: unknown) => void;

/** Writes successive worlds, each as the difference from the one before. */
export class WorldEncoder {
  readonly #container: Variables;
  readonly #lists = new ListNumbers();
  #world: World | null = null;
  #head = '';

  /** `container`: the environment of the container. A successor has it too, so only differences from it are written. */
  constructor(container: Variables) {
    this.#container = container;
  }

  /** `others`: numbers of services that are written even if unchanged, because what `beside` returns has changed. */
  write(world: World, others: ReadonlySet<number>, beside: (name: string) => unknown, put: Put): void {
    const before = this.#world;
    if (before === world && others.size === 0) return;
    this.#world = world;
    if (before?.plan !== world.plan || before.target !== world.target) this.#writePlans(before, world, put);
    this.#writeHead(world, put);
    const changed = new Set([...changedNumbers(before, world), ...others]);
    for (const number of changed) {
      const name = world.index.graph.names[number];
      if (name === undefined) continue;
      const service = encodeService(world.services.byNumber.at(number), this.#context);
      put(keyOf(number, PARTS.state), { service, beside: beside(name) });
    }
    for (let number = world.services.size; number < (before?.services.size ?? 0); number += 1)
      for (const part of [PARTS.state, PARTS.plan, PARTS.counts, PARTS.output]) put(keyOf(number, part), null);
  }

  get #context(): Context {
    return { container: this.#container, numberOf: (list) => this.#lists.of(list) };
  }

  #writeHead(world: World, put: Put): void {
    const { phase, seed, failures, beganAt, allReadyAt } = world;
    const head = { schema: SCHEMA, phase, seed, failures, beganAt, allReadyAt };
    const text = JSON.stringify(head);
    if (text !== this.#head) put(KEYS.head, head);
    this.#head = text;
  }

  #writePlans(before: World | null, world: World, put: Put): void {
    const { plan, target } = world;
    this.#lists.use([...plan.services, ...target.services], put);
    const { services, ...rest } = plan;
    put(KEYS.plan, { ...rest, count: services.length });
    services.forEach((service, number) => {
      if (before?.plan.services[number] === service) return;
      put(keyOf(number, PARTS.plan), encodePlan(service, this.#context));
    });
    const { services: others, ...ofTarget } = target;
    const own = new Map(services.map((service, number) => [service, number]));
    const encoded = others.map((service) => own.get(service) ?? encodePlan(service, this.#context));
    put(KEYS.target, target === plan ? null : { ...ofTarget, services: encoded });
  }
}

/** The numbers of the services whose values differ. */
function changedNumbers(before: World | null, { services, plan }: World): readonly number[] {
  const found: number[] = [];
  const known = before?.plan === plan ? before.services.byNumber : null;
  let number = 0;
  services.byNumber.chunks.forEach((chunk, at) => {
    const same = known?.chunks[at];
    chunk.forEach((service, position) => {
      if (same !== chunk && same?.[position] !== service) found.push(number + position);
    });
    number += chunk.length;
  });
  return found;
}

interface Context {
  readonly container: Variables;
  readonly numberOf: (list: readonly Edge[]) => number;
}

/** Numbers for the lists of edges that plans share; -1 is the empty list. */
class ListNumbers {
  #numbers = new Map<readonly Edge[], number>();
  #free: number[] = [];
  #next = 0;

  /** Knows the lists of the last `use`. Those of a plan that waits in `next` are among them: it is one of the target. */
  of(list: readonly Edge[]): number {
    if (list.length === 0) return -1;
    return this.#numbers.get(list) ?? -1;
  }

  /** Writes the lists of these plans that are new, and removes those of earlier plans. */
  use(plans: readonly ServicePlan[], put: Put): void {
    const used = new Set(plans.flatMap(({ edges, stageEdges }) => [edges, stageEdges]));
    for (const [list, number] of this.#numbers) {
      if (used.has(list)) continue;
      this.#numbers.delete(list);
      this.#free.push(number);
      put(keyOfList(number), null);
    }
    for (const list of used) {
      if (list.length === 0 || this.#numbers.has(list)) continue;
      const number = this.#free.pop() ?? this.#next++;
      this.#numbers.set(list, number);
      put(keyOfList(number), list);
    }
  }
}

const keyOfList = (number: number): number =>
  keyOf(Math.floor(number / LISTS_PER_SERVICE), PARTS.lists + (number % LISTS_PER_SERVICE));

type EncodedPlan = Omit<ServicePlan, 'edges' | 'stageEdges' | 'env'> & {
  readonly edges: number;
  readonly stageEdges: number;
  /** Variables that are not in the container's environment or have another value; `without`: those only it has. */
  readonly env: Variables;
  readonly without: readonly string[];
};

function encodePlan(plan: ServicePlan, { container, numberOf }: Context): EncodedPlan {
  const env = Object.fromEntries(Object.entries(plan.env).filter(([name, value]) => container[name] !== value));
  const without = Object.keys(container).filter((name) => !Object.hasOwn(plan.env, name));
  return { ...plan, edges: numberOf(plan.edges), stageEdges: numberOf(plan.stageEdges), env, without };
}

/** JSON has no Infinity: `limit` of a stop that has none is null. */
type EncodedService = Omit<Service, 'state' | 'next'> & { readonly state: unknown; readonly next: unknown };

function encodeService(service: Service, context: Context): EncodedService {
  const { state, next } = service;
  return {
    ...service,
    state: state.id === 'stopping' && state.limit === Infinity ? { ...state, limit: null } : state,
    next: next === null || next === 'none' ? next : encodePlan(next, context),
  };
}

/** The world that was read, and by service what was written beside its state. */
interface Decoded {
  readonly world: World;
  readonly beside: ReadonlyMap<string, unknown>;
}

/** `read` returns the value of a record; undefined: it does not exist. Throws if the records have another schema. */
export function decodeWorld(read: (key: number) => unknown, container: Variables): Decoded {
  const head = read(KEYS.head) as
    | (Pick<World, 'phase' | 'seed' | 'failures' | 'beganAt' | 'allReadyAt'> & {
        readonly schema: number;
      })
    | undefined;
  if (head?.schema !== SCHEMA)
    throw new Error(`the checkpoint has schema ${head?.schema ?? 'none'}, and this release reads schema ${SCHEMA}`);
  const lists = new Map<number, readonly Edge[]>();
  const listOf = (number: number): readonly Edge[] => {
    const found = lists.get(number) ?? (number < 0 ? [] : (read(keyOfList(number)) as readonly Edge[]));
    lists.set(number, found);
    return found;
  };
  const decodePlan = ({ without, ...plan }: EncodedPlan): ServicePlan => {
    const kept = Object.entries(container).filter(([name]) => !without.includes(name));
    const env = Object.fromEntries([...kept, ...Object.entries(plan.env)]);
    return { ...plan, edges: listOf(plan.edges), stageEdges: listOf(plan.stageEdges), env };
  };
  const { count, ...rest } = read(KEYS.plan) as Omit<Plan, 'services'> & { readonly count: number };
  const numbers = Array.from({ length: count }, (_, number) => number);
  const plans = numbers.map((number) => decodePlan(read(keyOf(number, PARTS.plan)) as EncodedPlan));
  const plan: Plan = { ...rest, services: plans };
  const target = decodeTarget(read(KEYS.target), plan, decodePlan);
  const states = numbers.map(
    (number) => read(keyOf(number, PARTS.state)) as { service: EncodedService; beside: unknown },
  );
  const services = states.map(({ service }) => decodeService(service, decodePlan));
  const { seed, phase, failures, beganAt, allReadyAt } = head;
  const index = indexPlans(plan, seed);
  const survey = surveyServices(index, services, phase.id !== 'running');
  const world = { plan, target, ...survey, phase, seed, failures, beganAt, allReadyAt, index };
  return { world, beside: new Map(plans.map(({ name }, number) => [name, states[number]?.beside])) };
}

function decodeTarget(record: unknown, plan: Plan, decodePlan: (plan: EncodedPlan) => ServicePlan): Plan {
  if (record === undefined) return plan;
  const { services, ...rest } = record as Omit<Plan, 'services'> & {
    readonly services: readonly (EncodedPlan | number)[];
  };
  const decoded = services.map((one) => (typeof one === 'number' ? plan.services[one] : decodePlan(one)));
  return { ...rest, services: decoded.filter((one) => one !== undefined) };
}

function decodeService(
  { state, next, ...rest }: EncodedService,
  decodePlan: (plan: EncodedPlan) => ServicePlan,
): Service {
  const known = state as State;
  return {
    ...rest,
    state: known.id === 'stopping' && (known.limit as number | null) === null ? { ...known, limit: Infinity } : known,
    next: next === null || next === 'none' ? next : decodePlan(next as EncodedPlan),
  };
}
