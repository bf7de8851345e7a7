// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is wanted
// Random values that a JSON Schema describes, and sometimes one that it does not; and YAML texts of them in different styles.
// Supports the keywords that the schema of services.yaml uses. The dice determine every choice.
import { stringify } from 'yaml';
import type { Dice } from '../test/helpers/nonsense.ts';

export type Schema = Readonly<Record<string, unknown>>;

/** Texts for any place; those that match the pattern are preferred. */
export const WORDS: readonly string[] = [
  ...`a b web db web.0 x-y true no off null ~ 0 1 -1 8000 65536 1e3 0x1f 022 250ms 10s 1h30m 15m 0s 64KiB 20MB 1GiB unlimited
  SIGTERM TERM HUP USR1 RTMIN+3 ready started completed exited never always on-failure service task main group text json
  / /health /run/secrets/c x.env ./a ~/a 127.0.0.1 localhost ::1 [::1]:80 127.0.0.1:9100 0.0.0.0:1 200-399 200-100 GET
  http://127.0.0.1:80/x https://[::1]/ http://user@h/ data.0.id root 0:0 postgres:postgres 1000 0-3,8 3-0 all none RAY_* *
  .* (?i)x (?=x) \\d+ a{1, [ ( # ' " << &a *a !!str % @ __proto__ constructor toString`.split(/\s+/),
  ...['', ' ', '\t', '\n', 'a\nb', ': ', '- a', '`', 'ä', '💥', '\u202e', 'echo hi', 'exec sleep 1', '$A', '$$'],
  ...['A', 'A:-x', 'A:?why', '', 'A:-${B}', 'B'].map((name) => `\${${name}}`),
  '${',
];

const NUMBERS = [0, 1, 2, 3, 8, 10, 80, 443, 255, 256, 1000, 65535, 65536, -1, -20, 0.5, 1.5, 1e6, 1e21, 2 ** 53, -0];

/** `wild`: percentage of values that ignore the schema. */
export function generate(dice: Dice, schema: Schema, root: Schema, wild: number, depth = 0): unknown {
  if (dice.chance(wild)) return anything(dice, depth);
  const { $ref, anyOf, enum: choices, const: fixed, type } = schema;
  if (typeof $ref === 'string') {
    const definitions = root.definitions as Readonly<Record<string, Schema>>;
    return generate(dice, definitions[$ref.split('/').at(-1) ?? ''] ?? {}, root, wild, depth + 1);
  }
  if (Array.isArray(anyOf)) return generate(dice, dice.one(anyOf as Schema[]), root, wild, depth + 1);
  if (Array.isArray(choices)) return dice.one(choices);
  if (fixed !== undefined) return fixed;
  const kind = Array.isArray(type) ? dice.one(type as string[]) : type;
  switch (kind) {
    case 'object':
      return object(dice, schema, root, wild, depth);
    case 'array': {
      const least = Number(schema.minItems ?? 0);
      const items = (schema.items as Schema | undefined) ?? {};
      return Array.from({ length: least + dice.below(depth > 8 ? 1 : 3) }, () =>
        generate(dice, items, root, wild, depth + 1),
      );
    }
    case 'integer':
    case 'number': {
      const [least, most] = [Number(schema.minimum ?? -1e9), Number(schema.maximum ?? 1e9)];
      const fitting = NUMBERS.filter((value) => value >= least && value <= most);
      return fitting.length > 0 && dice.chance(95) ? dice.one(fitting) : dice.one(NUMBERS);
    }
    case 'boolean':
      return dice.chance(50);
    case 'string':
      return text(dice, schema, wild);
    case 'null':
      return null;
    default:
      return anything(dice, depth);
  }
}

function text(dice: Dice, { pattern }: Schema, wild: number): string {
  if (dice.chance(wild)) return dice.one(WORDS);
  // The pattern of nearly every text ends with the alternative "any text with a variable".
  const fits = new RegExp(typeof pattern === 'string' ? pattern : '', 'u');
  const fitting = WORDS.filter((word) => fits.test(word) && (dice.chance(3) || !word.includes('${')));
  const plain = fitting.filter((word) => /^[\w./:-]+$/.test(word));
  return dice.one(plain.length > 0 && dice.chance(85) ? plain : fitting.length > 0 ? fitting : WORDS);
}

function object(dice: Dice, schema: Schema, root: Schema, wild: number, depth: number): unknown {
  const made: [string, unknown][] = [];
  const properties = (schema.properties as Readonly<Record<string, Schema>> | undefined) ?? {};
  const required = (schema.required as readonly string[] | undefined) ?? [];
  const percent = depth > 6 ? 8 : dice.one([5, 15, 30]);
  for (const [key, inner] of Object.entries(properties)) {
    if (required.includes(key) ? dice.chance(98) : dice.chance(percent))
      made.push([key, generate(dice, inner, root, wild, depth + 1)]);
  }
  const more = schema.additionalProperties;
  if (typeof more === 'object' && more !== null) {
    const least = Number(schema.minProperties ?? 0);
    for (let count = least + dice.below(3); count > 0; count -= 1) {
      const key = text(dice, (schema.propertyNames as Schema | undefined) ?? {}, wild);
      made.push([key, generate(dice, more as Schema, root, wild, depth + 1)]);
    }
  }
  if (dice.chance(wild)) made.push([dice.one(WORDS), anything(dice, depth)]);
  return Object.fromEntries(made);
}

function anything(dice: Dice, depth: number): unknown {
  const kind = dice.below(depth > 6 ? 4 : 6);
  if (kind === 0) return dice.one(WORDS);
  if (kind === 1) return dice.one(NUMBERS);
  if (kind === 2) return dice.one([true, false, null]);
  if (kind === 3) return dice.one([[], {}]);
  if (kind === 4) return [anything(dice, depth + 1), anything(dice, depth + 1)];
  return { [dice.one(WORDS)]: anything(dice, depth + 1) };
}

/** A value as YAML, in a random style. */
export function print(dice: Dice, value: unknown): string {
  if (dice.chance(15)) return JSON.stringify(value);
  if (dice.chance(10)) return JSON.stringify(value, null, 2);
  return stringify(value, {
    collectionStyle: dice.chance(20) ? 'flow' : 'any',
    defaultStringType: dice.one(['PLAIN', 'PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE', 'BLOCK_LITERAL', 'BLOCK_FOLDED']),
    defaultKeyType: dice.chance(80) ? 'PLAIN' : 'QUOTE_DOUBLE',
    indent: dice.one([2, 2, 4, 1]),
    lineWidth: dice.one([0, 80, 20]),
    version: '1.2',
  });
}

/** Every part of a value, with a function that replaces it. */
function parts(value: unknown, found: ((other: unknown) => void)[] = []): ((other: unknown) => void)[] {
  if (typeof value !== 'object' || value === null) return found;
  for (const key of Object.keys(value)) {
    const holder = value as Record<string, unknown>;
    found.push((other) => {
      if (other === undefined) delete holder[key];
      else holder[key] = other;
    });
    parts(holder[key], found);
  }
  return found;
}

/** Changes one part of the value in place: it is replaced, taken from another value, or left out. */
export function mutateValue(dice: Dice, value: unknown): unknown {
  const all = parts(value);
  if (all.length === 0) return anything(dice, 0);
  dice.one(all)(dice.chance(25) ? undefined : anything(dice, 2));
  return value;
}
