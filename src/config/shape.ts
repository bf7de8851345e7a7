// Composable descriptions of values: each reads a node of the tree into a typed value, describes what it accepts, and gives
// its JSON Schema. Problems are reported, and reading continues after them.
import { adviseItems, adviseText } from './advice.ts';
import { didYouMean } from './nearest.ts';
import { DURATION_PATTERN, formatDuration, parseDuration, parseSize, SIZE_PATTERN } from './quantity.ts';
import { fill, INVALID, type Invalid, mismatch, type Reading } from './reading.ts';
import type { MapNode, Node, ScalarNode } from './tree.ts';

export type JsonSchema = { readonly [key: string]: unknown };

export interface Shape<T> {
  /** What is accepted, as it follows "must be": `a duration`. */
  readonly wanted: string;
  schema(): JsonSchema;
  /** `name` is the place as messages show it: `` `port` ``. */
  read(node: Node, name: string, reading: Reading): T | Invalid;
}

/** The type of the values that a shape reads. */
export type Read<S> = S extends Shape<infer T> ? T : never;

/** The schema of a text with a variable, which editors must accept in place of any value. */
export const INTERPOLATED: JsonSchema = { type: 'string', pattern: '\\$\\{' };

function orInterpolated(schema: JsonSchema): JsonSchema {
  return { anyOf: [schema, { $ref: '#/definitions/interpolated' }] };
}

/**
 * A shape over interpolated scalars; `parse` returns undefined for invalid values. `as`: whether the text that replaces a variable
 * is a text even if it looks like a number; see fill().
 */
function scalar<T>(
  wanted: string,
  schema: () => JsonSchema,
  parse: (filled: { text: string; value: string | number | boolean | null; interpolated: boolean }) => T | undefined,
  advise?: (text: string, node: ScalarNode) => string | undefined,
  as: 'text' | 'value' = 'value',
): Shape<T> {
  return {
    wanted,
    schema,
    read(node, name, reading) {
      if (node.kind !== 'scalar') return mismatch(node, name, wanted, reading);
      const filled = fill(node, reading, as);
      if (filled === INVALID) return INVALID;
      const value = parse(filled);
      return value === undefined ? mismatch(node, name, wanted, reading, advise?.(filled.text, node)) : value;
    },
  };
}

const NUL = 'contains a NUL character, which cannot be passed to a program';

interface TextOptions {
  readonly wanted?: string;
  readonly pattern?: RegExp;
  /** Numbers and booleans are accepted, and read as they are written. */
  readonly loose?: boolean;
  /** The empty text is valid. */
  readonly empty?: boolean;
  /** Variables are not expanded here. */
  readonly raw?: boolean;
}

/** A text without NUL; not empty unless `empty`. */
export function text(options: TextOptions = {}): Shape<string> {
  const { pattern, loose = false, empty = false, raw = false } = options;
  const wanted = options.wanted ?? 'a text';
  return {
    wanted,
    schema: () => ({
      type: loose ? ['string', 'number', 'boolean'] : 'string',
      ...(pattern === undefined ? (empty ? {} : { minLength: 1 }) : { pattern: `${pattern.source}|\\$\\{` }),
    }),
    read(node, name, reading) {
      if (node.kind !== 'scalar' || node.value === null)
        return mismatch(node, name, wanted, reading, adviseText(node, reading));
      const filled = raw ? { text: node.text, interpolated: false } : fill(node, reading, 'text');
      if (filled === INVALID) return INVALID;
      if (typeof node.value !== 'string' && !loose) {
        return mismatch(node, name, wanted, reading, `write \`"${node.text}"\`, in quotes, if that is the text`);
      }
      if (filled.text.includes('\0')) return reading.report(node, 'nul-character', `${name} ${NUL}`);
      if (!empty && filled.text === '') {
        return reading.report(node, 'empty-value', `${name} is empty: it must be ${wanted}`);
      }
      return pattern?.test(filled.text) === false ? mismatch(node, name, wanted, reading) : filled.text;
    },
  };
}

/** One of a few words. */
export function word<const W extends string>(...words: readonly W[]): Shape<W> {
  return wordOf(words, {});
}

/**
 * One of a few words; `meant` maps words of other systems, in small letters and with `-` for `_`, to the word to write, or to a longer
 * piece of YAML.
 */
export function wordOf<const W extends string>(words: readonly W[], meant: Readonly<Record<string, string>>): Shape<W> {
  const known: ReadonlySet<string> = new Set(words);
  const listed = words.map((one) => `\`${one}\``);
  return scalar(
    listed.length < 2 ? (listed[0] ?? '') : `${listed.slice(0, -1).join(', ')} or ${listed.at(-1)}`,
    () => orInterpolated({ enum: [...words] }),
    (filled) => (known.has(filled.text) ? (filled.text as W) : undefined),
    (given) => didYouMeanBy(given, meant) ?? didYouMean(given, words),
  );
}

/** `did you mean X?` for a word of another system; undefined for any other. */
function didYouMeanBy(given: string, meant: Readonly<Record<string, string>>): string | undefined {
  const key = given.toLowerCase().replaceAll('_', '-');
  return Object.hasOwn(meant, key) ? `did you mean \`${meant[key]}\`?` : undefined;
}

/** A whole number from `least` to `most`. `label` names it: `a port`. */
export function whole(label: string, least: number, most: number): Shape<number> {
  const wanted = most >= Number.MAX_SAFE_INTEGER ? `${label}, ${least} or more` : `${label} from ${least} to ${most}`;
  return scalar(
    wanted,
    () => orInterpolated({ type: 'integer', minimum: least, maximum: most }),
    ({ value }) =>
      typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most ? value : undefined,
    (given, node) => (typeof node.value === 'string' ? adviseNumber(given, least, most) : undefined),
  );
}

function adviseNumber(given: string, least: number, most: number): string | undefined {
  if (/^-?\d+$/.test(given))
    return Number(given) >= least && Number(given) <= most ? `write \`${given}\` without quotes` : undefined;
  const variable = /^\$(\w+)$/.exec(given)?.[1];
  if (variable !== undefined) return `write \`\${${variable}}\``;
  // The ports of Compose: `8000:8000`, `127.0.0.1:80:8000/tcp`.
  const inside = /^(?:[\w.]+:)?\d+:(\d+)(?:\/\w+)?$/.exec(given)?.[1];
  return inside === undefined ? undefined : `write \`${inside}\`: \`docker run -p ${given}\` publishes it`;
}

/** Any number from `least` to `most`. */
export function number(label: string, least: number, most: number): Shape<number> {
  return scalar(
    `${label} from ${least} to ${most}`,
    () => orInterpolated({ type: 'number', minimum: least, maximum: most }),
    ({ value }) => (typeof value === 'number' && value >= least && value <= most ? value : undefined),
  );
}

const YES = /^(?:y|yes|on|true|enabled|1)$/i;
const NO = /^(?:n|no|off|false|disabled|0)$/i;

/** `true` or `false`. The words of YAML 1.1 are rejected with the one to write. */
export function flag(): Shape<boolean> {
  return scalar(
    '`true` or `false`',
    () => orInterpolated({ type: 'boolean' }),
    ({ value }) => (typeof value === 'boolean' ? value : undefined),
    (given, node) => {
      const meant = YES.test(given) ? 'true' : NO.test(given) ? 'false' : undefined;
      if (meant === undefined) return undefined;
      return typeof node.value === 'string' && node.plain && !node.text.includes('${')
        ? `YAML 1.2 reads \`${given}\` as text: write \`${meant}\``
        : `write \`${meant}\``;
    },
  );
}

/** A duration in milliseconds, `least` and above. */
export function duration(least = 0): Shape<number> {
  return scalar(
    least > 1
      ? `a duration of at least ${formatDuration(least)}`
      : least === 1
        ? 'a duration above zero'
        : 'a duration',
    () => ({ type: 'string', pattern: `${DURATION_PATTERN}|\\$\\{` }),
    (filled) => {
      const parsed = parseDuration(filled.text);
      return parsed.ok && parsed.value >= least ? parsed.value : undefined;
    },
    (given) => {
      const parsed = parseDuration(given);
      if (parsed.ok) return undefined;
      // Milliseconds may be too little.
      return least > Number(given) && /^\d+$/.test(given) ? `write \`${given}s\`` : parsed.suggestion;
    },
    'text',
  );
}

/** A size in bytes. */
export function size(): Shape<number> {
  return scalar(
    'a size',
    () => ({ type: 'string', pattern: `${SIZE_PATTERN}|\\$\\{` }),
    (filled) => {
      const parsed = parseSize(filled.text);
      return parsed.ok ? parsed.value : undefined;
    },
    (given) => {
      const parsed = parseSize(given);
      return parsed.ok ? undefined : parsed.suggestion;
    },
    'text',
  );
}

/** A shape with a further check. `refine` may report a problem, and then returns INVALID. */
export function refined<T, U>(
  shape: Shape<T>,
  refine: (value: T, node: Node, name: string, reading: Reading) => U | Invalid,
  schema?: () => JsonSchema,
): Shape<U> {
  return {
    wanted: shape.wanted,
    schema: schema ?? (() => shape.schema()),
    read(node, name, reading) {
      const value = shape.read(node, name, reading);
      return value === INVALID ? INVALID : refine(value, node, name, reading);
    },
  };
}

/** A list. Invalid items are reported and left out. */
export function listOf<T>(item: Shape<T>, options: { readonly wanted: string; readonly least?: number }): Shape<T[]> {
  const { wanted, least = 0 } = options;
  return {
    wanted,
    schema: () => ({ type: 'array', items: item.schema(), ...(least > 0 ? { minItems: least } : {}) }),
    read(node, name, reading) {
      if (node.kind !== 'list') {
        return mismatch(node, name, wanted, reading, adviseItems(node, reading));
      }
      if (node.items.length < least) {
        return reading.report(node, 'empty-value', `${name} is an empty list: it must be ${wanted}`);
      }
      const label = `an item of ${name}`;
      return node.items.map((one) => item.read(one, label, reading)).filter((value): value is T => value !== INVALID);
    },
  };
}

/**
 * A map with names that the user chooses. An invalid value is reported and left out. An invalid name is only reported: its value is
 * read all the same, so that an error in it is reported too.
 */
export function mapOf<T>(
  key: { readonly pattern: RegExp; readonly wanted: string },
  item: Shape<T>,
  wanted: string,
  advise?: (node: Node, reading: Reading) => string | undefined,
): Shape<ReadonlyMap<string, T>> {
  return {
    wanted,
    schema: () => ({
      type: 'object',
      propertyNames: { pattern: key.pattern.source },
      additionalProperties: item.schema(),
    }),
    read(node, name, reading) {
      if (node.kind !== 'map') return mismatch(node, name, wanted, reading, advise?.(node, reading));
      const values = new Map<string, T>();
      for (const entry of node.entries.values()) {
        if (!key.pattern.test(entry.key)) {
          reading.report(entry.keySpan, 'wrong-name', `${JSON.stringify(entry.key)} is not ${key.wanted}`);
        }
        const value = item.read(entry.node, `${name.replace(/`$/, '')}.${entry.key}\``, reading);
        if (value !== INVALID) values.set(entry.key, value);
      }
      return values;
    },
  };
}

/** Reads one of several shapes, depending on the kind of the node. */
export function byKind<S = never, L = never, M = never>(
  wanted: string,
  kinds: { readonly scalar?: Shape<S>; readonly list?: Shape<L>; readonly map?: Shape<M> },
): Shape<S | L | M> {
  const shapes: Readonly<Partial<Record<Node['kind'], Shape<S | L | M>>>> = kinds;
  return {
    wanted,
    schema: () => ({ anyOf: Object.values(shapes).map((shape) => shape.schema()) }),
    read(node, name, reading) {
      const shape = node.kind === 'scalar' && node.value === null ? undefined : shapes[node.kind];
      return shape === undefined ? mismatch(node, name, wanted, reading) : shape.read(node, name, reading);
    },
  };
}

/** Any JSON value, with variables expanded. */
export function anything(): Shape<{ readonly value: unknown }> {
  const take = (node: Node, reading: Reading): unknown => {
    if (node.kind === 'list') return node.items.map((item) => take(item, reading));
    if (node.kind === 'map') return Object.fromEntries(takeEntries(node, reading));
    // In quotes, `"${PORT}"` is a text even if it becomes `8080`; without quotes it is a number then.
    const filled = fill(node, reading, node.plain ? 'value' : 'text');
    if (filled === INVALID) return null;
    return filled.interpolated && !node.plain ? filled.text : filled.value;
  };
  const takeEntries = (node: MapNode, reading: Reading): [string, unknown][] =>
    [...node.entries.values()].map((entry) => [entry.key, take(entry.node, reading)]);
  return { wanted: 'a value', schema: () => ({}), read: (node, _name, reading) => ({ value: take(node, reading) }) };
}
