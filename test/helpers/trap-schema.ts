// As much of JSON Schema (draft-07) as services.yaml's schema uses, to try it on texts without a dependency. A keyword that
// is not known here is an error: the schema has grown, and this has to grow with it.

export type Schema = { readonly [keyword: string]: unknown };

/** What a keyword says about a value: the complaints, none if it holds. */
type Rule = (value: unknown, wanted: never, path: string, schema: Schema, root: Schema) => readonly string[];

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isType(value: unknown, type: string): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

const fails = (holds: boolean, path: string, why: string): readonly string[] => (holds ? [] : [`${path}: ${why}`]);

const RULES: Readonly<Record<string, Rule>> = {
  $schema: () => [],
  title: () => [],
  description: () => [],
  default: () => [],
  definitions: () => [],
  $ref: (value, ref: string, path, _schema, root) => {
    const target = ref.slice(2).split('/').reduce<unknown>((at, key) => (at as Schema)[key], root);
    if (!isObject(target)) throw new Error(`there is no ${ref}`);
    return validate(value, target, path, root);
  },
  type: (value, types: string | readonly string[], path) =>
    fails([types].flat().some((type) => isType(value, type)), path, `is no ${[types].flat().join(' or ')}`),
  enum: (value, all: readonly unknown[], path) =>
    fails(all.some((one) => Bun.deepEquals(one, value)), path, `is none of ${JSON.stringify(all)}`),
  const: (value, one: unknown, path) => fails(Bun.deepEquals(one, value), path, `is not ${JSON.stringify(one)}`),
  not: (value, schema: Schema, path, _schema, root) =>
    fails(validate(value, schema, path, root).length > 0, path, 'may not be this'),
  anyOf: (value, all: readonly Schema[], path, _schema, root) => {
    const found = all.map((schema) => validate(value, schema, path, root));
    return found.some(({ length }) => length === 0) ? [] : found.flat();
  },
  pattern: (value, pattern: string, path) =>
    fails(typeof value !== 'string' || new RegExp(pattern, 'u').test(value), path, `does not match ${pattern}`),
  minLength: (value, least: number, path) =>
    fails(typeof value !== 'string' || value.length >= least, path, 'is too short'),
  minimum: (value, least: number, path) => fails(typeof value !== 'number' || value >= least, path, 'is too small'),
  maximum: (value, most: number, path) => fails(typeof value !== 'number' || value <= most, path, 'is too large'),
  minItems: (value, least: number, path) => fails(!Array.isArray(value) || value.length >= least, path, 'has too few'),
  minProperties: (value, least: number, path) =>
    fails(!isObject(value) || Object.keys(value).length >= least, path, 'has too few'),
  required: (value, keys: readonly string[], path) =>
    isObject(value) ? keys.filter((key) => !Object.hasOwn(value, key)).map((key) => `${path}: has no ${key}`) : [],
  items: (value, schema: Schema, path, _schema, root) =>
    Array.isArray(value) ? value.flatMap((item, at) => validate(item, schema, `${path}/${at}`, root)) : [],
  propertyNames: (value, schema: Schema, path, _schema, root) =>
    isObject(value) ? Object.keys(value).flatMap((key) => validate(key, schema, `${path}/${key}`, root)) : [],
  properties: (value, all: Readonly<Record<string, Schema>>, path, _schema, root) =>
    isObject(value)
      ? Object.entries(all).flatMap(([key, schema]) =>
          Object.hasOwn(value, key) ? validate(value[key], schema, `${path}/${key}`, root) : [],
        )
      : [],
  // Looked at by additionalProperties; ours allow anything behind their patterns.
  patternProperties: () => [],
  additionalProperties: (value, rest: boolean | Schema, path, schema, root) => {
    if (!isObject(value) || rest === true) return [];
    const named = Object.keys((schema.properties ?? {}) as object);
    const patterns = Object.keys((schema.patternProperties ?? {}) as object).map((source) => new RegExp(source, 'u'));
    const others = Object.keys(value).filter(
      (key) => !named.includes(key) && !patterns.some((pattern) => pattern.test(key)),
    );
    return others.flatMap((key) =>
      rest === false ? [`${path}: unknown key ${key}`] : validate(value[key], rest, `${path}/${key}`, root),
    );
  },
};

/** What is wrong with a value, each with its path; empty: it fits. */
export function validate(value: unknown, schema: Schema, path = '', root: Schema = schema): readonly string[] {
  return Object.entries(schema).flatMap(([keyword, wanted]) => {
    const rule = RULES[keyword];
    if (rule === undefined) throw new Error(`the schema uses a keyword that is not known here: ${keyword}`);
    return rule(value, wanted as never, path, schema, root);
  });
}
