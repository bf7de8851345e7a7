// A table of fields, each with its shape, documentation and default. Reading, suggestions for unknown keys, defaults and
// the JSON Schema all use such a table. Contains no field itself: the tables are in schema.ts.
import { adviseBlank } from './advice.ts';
import { didYouMean, nearest } from './nearest.ts';
import { INVALID, makeReading, mismatch, type Reading } from './reading.ts';
import type { JsonSchema, Shape } from './shape.ts';
import {
  type ListNode,
  type MapEntry,
  type MapNode,
  makeSource,
  type Node,
  type ScalarNode,
  type Span,
  toNode,
} from './tree.ts';

/** `D` replaces a missing value: the default, or null. */
export interface Field<T, D = T | null> {
  readonly shape: Shape<T>;
  /** One line of Markdown for the reference and for editors. */
  readonly about: string;
  readonly fallback: D;
  /** The default as a user would write it; undefined where there is none. */
  readonly written: unknown;
  readonly required: boolean;
  /** Describes the default if it is not a value: "as inherited". */
  readonly otherwise: string;
}

export type Fields = Readonly<Record<string, Field<unknown, unknown>>>;

type ValueOf<F> = F extends Field<infer T, unknown> ? T : never;

/** The result of reading: only the keys that are present. */
export type Given<F extends Fields> = { readonly [K in keyof F]?: ValueOf<F[K]> };
/** The result of `complete`: every key, with its default where it was missing. */
export type Complete<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T, infer D> ? T | D : never;
};

/** A field without a default; `otherwise` describes what happens without it. */
export function field<T>(shape: Shape<T>, about: string, otherwise = 'none'): Field<T, null> {
  return { shape, about, fallback: null, written: undefined, required: false, otherwise };
}

/** A field that must be given. */
export function required<T>(shape: Shape<T>, about: string): Field<T, null> {
  return { shape, about, fallback: null, written: undefined, required: true, otherwise: 'required' };
}

/** A field with a default, written as a user would write it and read by the field's own shape. */
export function defaulted<T>(shape: Shape<T>, about: string, written: unknown): Field<T, T> {
  return {
    shape,
    about,
    // Computed at the first use: a start reads a handful of the forty defaults.
    get fallback() {
      const problems: { message: string }[] = [];
      const value = shape.read(toNode(written), 'the default', makeReading(makeSource('', ''), {}, problems as never));
      if (value === INVALID || problems.length > 0) throw new Error(`bad default: ${JSON.stringify(problems)}`);
      Object.defineProperty(this, 'fallback', { value });
      return value;
    },
    written,
    required: false,
    otherwise: '',
  };
}

export interface KeyRules {
  /** The map's name in messages: "a service". */
  readonly owner: string;
  /** Keys of other systems, and their names here. */
  readonly elsewhere?: Readonly<Record<string, string>>;
  /** Any other key that is allowed and ignored. */
  readonly ignored?: RegExp;
  /** The place where an unknown key with such a value belongs. */
  readonly place?: (entry: MapEntry) => string | undefined;
  /** The suggestion for a value that is not a map. */
  readonly advise?: (given: ScalarNode | ListNode) => string | undefined;
}

/** The values of a map by its table, and the keys with invalid values. */
export interface FieldsRead<F extends Fields> {
  readonly given: Given<F>;
  readonly broken: ReadonlySet<string>;
}

/** Reads the entries of a map by a table. `requireKeys` reports missing required keys. */
export function readFields<F extends Fields>(
  fields: F,
  node: MapNode,
  rules: KeyRules,
  reading: Reading,
): FieldsRead<F> {
  const given: Record<string, unknown> = {};
  const broken = new Set<string>();
  for (const entry of node.entries.values()) {
    const found = Object.hasOwn(fields, entry.key) ? fields[entry.key] : undefined;
    const before = reading.count();
    if (found === undefined) {
      const meant = reportUnknown(entry, fields, rules, reading);
      if (meant !== null) broken.add(meant);
    } else {
      const value = found.shape.read(entry.node, `\`${entry.key}\``, reading);
      if (value !== INVALID) given[entry.key] = value;
    }
    if (reading.count() > before) broken.add(entry.key);
  }
  return { given: given as Given<F>, broken };
}

interface Owner {
  readonly name: string;
  /** Where to report; by default, the beginning of the map. */
  readonly at?: Span;
  /** Keys that are present with an invalid value or under a misspelt name. */
  readonly broken: ReadonlySet<string>;
  /** The suggestion for a missing key. */
  readonly advice?: string;
}

/** Reports the required keys that a map does not have. */
export function requireKeys(
  fields: Fields,
  node: MapNode,
  { name, at, broken, advice }: Owner,
  reading: Reading,
): void {
  for (const [key, found] of Object.entries(fields)) {
    if (!found.required || node.entries.has(key) || broken.has(key)) continue;
    const span = at ?? { start: node.start, end: node.start };
    reading.report(span, 'missing-key', `${name} has no \`${key}\``, { suggestion: advice });
  }
}

/** Whether every key of a map was read. If not, a missing key may be one that is misspelt. */
export function isUnderstood(node: Node, given: object): boolean {
  return node.kind === 'map' && node.entries.size === Object.keys(given).length;
}

/** A map with a table of fields; its value contains the keys that are present and valid. */
export function object<F extends Fields>(fields: F, rules: KeyRules, wanted = 'a map'): Shape<Given<F>> {
  return {
    wanted,
    schema: () => objectSchema(fields, rules),
    read(node, name, reading) {
      if (node.kind !== 'map') {
        const isEmpty = node.kind === 'scalar' && node.value === null;
        return mismatch(node, name, wanted, reading, isEmpty ? undefined : rules.advise?.(node));
      }
      const { given, broken } = readFields(fields, node, rules, reading);
      requireKeys(fields, node, { name, broken }, reading);
      return given;
    },
  };
}

/** Fills in the defaults of a table. */
export function complete<F extends Fields>(fields: F, given: Given<F>): Complete<F> {
  const values: Record<string, unknown> = {};
  for (const [key, found] of Object.entries(fields)) {
    const own: unknown = given[key as keyof Given<F>];
    values[key] = own === undefined ? found.fallback : own;
  }
  return values as Complete<F>;
}

/** JSON Schema (draft-07) of a map with a table of fields. */
export function objectSchema(fields: Fields, rules: KeyRules): JsonSchema {
  const needed = Object.entries(fields).flatMap(([key, found]) => (found.required ? [key] : []));
  return {
    type: 'object',
    properties: Object.fromEntries(Object.entries(fields).map(([key, found]) => [key, fieldSchema(found)])),
    ...(needed.length > 0 ? { required: needed } : {}),
    ...(rules.ignored === undefined ? {} : { patternProperties: { [rules.ignored.source]: {} } }),
    additionalProperties: false,
  };
}

function fieldSchema({ shape, about, written }: Field<unknown, unknown>): JsonSchema {
  return { description: about, ...(written === undefined ? {} : { default: written }), ...shape.schema() };
}

// A suggestion costs a comparison with all known keys, and does not help at the thousandth unknown key.
const MAX_ADVISED = 200;

/** Returns the known key that was probably meant. */
function reportUnknown(entry: MapEntry, fields: Fields, rules: KeyRules, reading: Reading): string | null {
  if (rules.ignored?.test(entry.key)) return null;
  const { elsewhere = {} } = rules;
  const known = Object.keys(fields);
  const near = reading.count() < MAX_ADVISED ? nearest(entry.key, known) : null;
  const advice = Object.hasOwn(elsewhere, entry.key) ? elsewhere[entry.key] : undefined;
  // A misspelt word of another system.
  const other = near === null && reading.count() < MAX_ADVISED ? nearest(entry.key, Object.keys(elsewhere)) : null;
  const foreign = other === null ? null : `\`${other}\`: ${elsewhere[other]}`;
  const listed = foreign ?? rules.place?.(entry) ?? `known here: ${known.join(', ')}`;
  const guess = near === null ? listed : didYouMean(entry.key, known);
  const suggestion = adviseBlank(entry.key) ?? advice ?? guess;
  reading.report(entry.keySpan, 'unknown-key', `unknown key \`${entry.key}\` in ${rules.owner}`, { suggestion });
  return advice === undefined ? near : null;
}
