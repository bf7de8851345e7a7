// A table of fields: each with its shape, its documentation and its default. From such a table come reading, unknown-key
// suggestions, defaults and JSON Schema alike. Knows no field by name; the tables themselves are in schema.ts.
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

/** `D` is what stands in for a missing value: the default, or null. */
export interface Field<T, D = T | null> {
  readonly shape: Shape<T>;
  /** One line of Markdown for the reference and for editors. */
  readonly about: string;
  readonly fallback: D;
  /** The default as a user would write it; undefined where there is none. */
  readonly written: unknown;
  readonly required: boolean;
  /** Words for the default where it is no value: "as inherited". */
  readonly otherwise: string;
}

export type Fields = Readonly<Record<string, Field<unknown, unknown>>>;

type ValueOf<F> = F extends Field<infer T, unknown> ? T : never;

/** What reading gives: only the keys that are there. */
export type Given<F extends Fields> = { readonly [K in keyof F]?: ValueOf<F[K]> };
/** What `complete` gives: every key, with its default where it was missing. */
export type Complete<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T, infer D> ? T | D : never;
};

/** A field without a default; `otherwise` says in words what then happens. */
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
    // At the first use: a start reads a handful of the forty that there are.
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
  /** What the map is called in messages: "a service". */
  readonly owner: string;
  /** Keys of other systems and what they are called here. */
  readonly elsewhere?: Readonly<Record<string, string>>;
  /** Any other key that is allowed and ignored. */
  readonly ignored?: RegExp;
  /** What to write instead of what is no map. */
  readonly advise?: (given: ScalarNode | ListNode) => string | undefined;
}

/** The values of a map by its table, and the keys whose values were wrong. */
export interface FieldsRead<F extends Fields> {
  readonly given: Given<F>;
  readonly broken: ReadonlySet<string>;
}

/** Reads the entries of a map by a table. Missing required keys are `requireKeys`'s business. */
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

export interface Owner {
  readonly name: string;
  /** Where to report; the map's beginning by default. */
  readonly at?: Span;
  /** Keys that are there in a wrong form, or under a name nearly right. */
  readonly broken: ReadonlySet<string>;
}

/** Reports the required keys that a map has not. */
export function requireKeys(fields: Fields, node: MapNode, { name, at, broken }: Owner, reading: Reading): void {
  for (const [key, found] of Object.entries(fields)) {
    if (!found.required || node.entries.has(key) || broken.has(key)) continue;
    reading.report(at ?? { start: node.start, end: node.start }, 'missing-key', `${name} has no \`${key}\``);
  }
}

/** Whether all that is written came to something; else what is missing may be what was misspelt. */
export function isUnderstood(node: Node, given: object): boolean {
  return node.kind === 'map' && node.entries.size === Object.keys(given).length;
}

/** A map with a table of fields; gives the keys that are there and valid. */
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

// Nobody reads the suggestion for the thousandth unknown key, and each costs a comparison with all known ones.
const MAX_ADVISED = 200;

/** Gives the known key that was probably meant. */
function reportUnknown(entry: MapEntry, fields: Fields, rules: KeyRules, reading: Reading): string | null {
  if (rules.ignored?.test(entry.key)) return null;
  const { elsewhere = {} } = rules;
  const known = Object.keys(fields);
  const near = reading.count() < MAX_ADVISED ? nearest(entry.key, known) : null;
  const advice = Object.hasOwn(elsewhere, entry.key) ? elsewhere[entry.key] : undefined;
  // A word of another system, misspelt.
  const other = near === null && reading.count() < MAX_ADVISED ? nearest(entry.key, Object.keys(elsewhere)) : null;
  const foreign = other === null ? null : `\`${other}\`: ${elsewhere[other]}`;
  const guess = near === null ? (foreign ?? `known here: ${known.join(', ')}`) : didYouMean(entry.key, known);
  const suggestion = advice ?? guess;
  reading.report(entry.keySpan, 'unknown-key', `unknown key \`${entry.key}\` in ${rules.owner}`, { suggestion });
  return advice === undefined ? near : null;
}
