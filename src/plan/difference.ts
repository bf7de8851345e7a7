// The difference between two Plans, service by service, and which changed fields need a new run.
import type { ServiceConfig } from '../config/config.ts';
import type { Edge, Plan, ServicePlan } from './plan.ts';
import { ATTRIBUTE_NAMES, type ProcessAttributes } from './process.ts';

/** A difference in `stageEdges` is reported as one in `edges`. */
export type ServiceField = Exclude<keyof ServicePlan, 'name' | 'stageEdges' | 'attributes'> | keyof ProcessAttributes;

export interface Difference {
  /** Names, in the order of the new plan. */
  readonly added: readonly string[];
  /** Names, in the order of the old plan. */
  readonly removed: readonly string[];
  readonly changed: readonly { readonly name: string; readonly fields: readonly ServiceField[] }[];
  readonly unchanged: readonly string[];
}

/** The key in services.yaml for each field of a ServicePlan. */
export const FIELD_NAMES = {
  type: 'type',
  schedule: 'schedule',
  enabled: 'enabled',
  start: 'start',
  group: 'group',
  argv: 'command',
  edges: 'depends_on',
  ready: 'ready',
  live: 'live',
  startTimeout: 'start_timeout',
  startStall: 'start_stall',
  restart: 'restart',
  successCodes: 'success_codes',
  essential: 'essential',
  stop: 'stop',
  forward: 'forward',
  env: 'env',
  secrets: 'env',
  envRecipe: 'env',
  cwd: 'cwd',
  ...ATTRIBUTE_NAMES,
  memoryWatch: 'max_memory',
  ports: 'ports',
  log: 'log',
  hooks: 'hooks',
  gpus: 'gpus',
  replica: 'replicas',
} as const satisfies Readonly<Record<ServiceField, string>>;

/** Keys of a service that reach the plan as a part of another field, or only when the configuration is read. */
type Merged =
  | 'name'
  | 'key'
  | 'profiles'
  | 'replica'
  | 'env_file'
  | 'env_inherit'
  | 'venv'
  | 'broken'
  | OfSchedule
  | OfMemory;
type OfMemory = 'on_exceed' | 'oom_group';
type OfSchedule = 'every' | 'time_zone' | 'overlap' | 'catch_up' | 'jitter';
type Forgotten = Exclude<keyof ServiceConfig, (typeof FIELD_NAMES)[ServiceField] | Merged>;
// A key that reaches no plan is an error of types.
({}) satisfies Readonly<Record<Forgotten, never>>;

/** Compares by name. The order of services and keys does not matter; the order within lists does. */
export function difference(before: Plan, after: Plan): Difference {
  const old = new Map(before.services.map((service) => [service.name, service]));
  const now = new Set(after.services.map(({ name }) => name));
  const isSameList = compareLists();
  const common = after.services.flatMap((service) => {
    const earlier = old.get(service.name);
    return earlier === undefined ? [] : [{ name: service.name, fields: changedFields(earlier, service, isSameList) }];
  });
  return {
    added: after.services.map(({ name }) => name).filter((name) => !old.has(name)),
    removed: before.services.map(({ name }) => name).filter((name) => !now.has(name)),
    changed: common.filter(({ fields }) => fields.length > 0),
    unchanged: common.filter(({ fields }) => fields.length === 0).map(({ name }) => name),
  };
}

/**
 * Fields that a run does not begin with: the supervisor reads them when it next decides or acts. What a run begins with is not
 * here: its program, and what watches this program for as long as the run lasts (probes, time limits of the start, log).
 */
const IN_PLACE: ReadonlySet<ServiceField> = new Set([
  'start',
  'group',
  'edges',
  'restart',
  'successCodes',
  'essential',
  'stop',
  'forward',
  'hooks',
  // The variables that select GPUs are compared as part of `env`.
  'gpus',
  'replica',
  'schedule',
  'memoryWatch',
]);

/** The fields that differ and take effect only with a new run. */
export function restartFields(before: ServicePlan, after: ServicePlan): readonly ServiceField[] {
  return FIELDS.filter((field) => !IN_PLACE.has(field) && !isEqual(readField(before, field), readField(after, field)));
}

const FIELDS = Object.keys(FIELD_NAMES) as readonly ServiceField[];

const isAttribute = (field: ServiceField): field is keyof ProcessAttributes => Object.hasOwn(ATTRIBUTE_NAMES, field);

/** The value of a field. */
export function readField(plan: ServicePlan, field: ServiceField): unknown {
  return isAttribute(field) ? plan.attributes[field] : plan[field];
}

type Edges = readonly Edge[];

function changedFields(
  before: ServicePlan,
  after: ServicePlan,
  isSameList: (a: Edges, b: Edges) => boolean,
): readonly ServiceField[] {
  return FIELDS.filter((field) => {
    if (field !== 'edges') return !isEqual(readField(before, field), readField(after, field));
    return !isSameList(before.edges, after.edges) || !isSameList(before.stageEdges, after.stageEdges);
  });
}

/** Returns a comparison of lists of edges that compares each pair of lists once, even if many services share them. */
function compareLists(): (a: Edges, b: Edges) => boolean {
  const known = new Map<Edges, Map<Edges, boolean>>();
  return (a, b) => {
    const others = known.get(a) ?? new Map<Edges, boolean>();
    known.set(a, others);
    const same = others.get(b) ?? isEqual(a, b);
    others.set(b, same);
    return same;
  };
}

/** Whether two values are the same. For data that JSON can hold, as a plan is: two Maps, Sets or RegExps would always be equal. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every((key) => Object.hasOwn(right, key) && isEqual(left[key], right[key]));
}
