// A JSON Schema validator for the keywords that the schema of services.yaml uses, so that the tests need no dependency. An
// unknown keyword is an error, because the schema would otherwise contain unchecked rules.

type Schema = Readonly<Record<string, unknown>>;

const ANNOTATIONS = new Set(['$schema', '$id', 'title', 'description', 'default', 'definitions']);

/** Paths at which `value` violates `schema`; empty if it is valid. */
export function violations(schema: Schema, value: unknown, root: Schema = schema, path = '$'): readonly string[] {
  return Object.entries(schema).flatMap(([keyword, wanted]) => {
    if (ANNOTATIONS.has(keyword)) return [];
    const check = KEYWORDS[keyword];
    if (check === undefined) throw new Error(`the schema uses \`${keyword}\`, which the tests do not know`);
    return check({ wanted, value, schema, root, path });
  });
}

interface Check {
  readonly wanted: unknown;
  readonly value: unknown;
  readonly schema: Schema;
  readonly root: Schema;
  readonly path: string;
}

const isObject = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const failing = (ok: boolean, path: string, keyword: string): readonly string[] => (ok ? [] : [`${path}: ${keyword}`]);

function typeOf(value: unknown): readonly string[] {
  if (value === null) return ['null'];
  if (Array.isArray(value)) return ['array'];
  if (typeof value === 'number') return Number.isInteger(value) ? ['number', 'integer'] : ['number'];
  return [typeof value];
}

const KEYWORDS: Readonly<Record<string, (check: Check) => readonly string[]>> = {
  type: ({ wanted, value, path }) =>
    failing(
      [wanted].flat().some((type) => typeOf(value).includes(String(type))),
      path,
      'type',
    ),
  enum: ({ wanted, value, path }) => failing((wanted as unknown[]).includes(value), path, 'enum'),
  const: ({ wanted, value, path }) => failing(wanted === value, path, 'const'),
  pattern: ({ wanted, value, path }) =>
    failing(typeof value !== 'string' || new RegExp(String(wanted), 'u').test(value), path, 'pattern'),
  minLength: ({ wanted, value, path }) =>
    failing(typeof value !== 'string' || value.length >= Number(wanted), path, 'minLength'),
  minimum: ({ wanted, value, path }) => failing(typeof value !== 'number' || value >= Number(wanted), path, 'minimum'),
  maximum: ({ wanted, value, path }) => failing(typeof value !== 'number' || value <= Number(wanted), path, 'maximum'),
  minItems: ({ wanted, value, path }) =>
    failing(!Array.isArray(value) || value.length >= Number(wanted), path, 'minItems'),
  minProperties: ({ wanted, value, path }) =>
    failing(!isObject(value) || Object.keys(value).length >= Number(wanted), path, 'minProperties'),
  items: ({ wanted, value, root, path }) =>
    Array.isArray(value)
      ? value.flatMap((item, index) => violations(wanted as Schema, item, root, `${path}[${index}]`))
      : [],
  properties: ({ wanted, value, root, path }) =>
    isObject(value)
      ? Object.entries(wanted as Record<string, Schema>).flatMap(([key, inner]) =>
          Object.hasOwn(value, key) ? violations(inner, value[key], root, `${path}.${key}`) : [],
        )
      : [],
  patternProperties: () => [],
  additionalProperties: ({ wanted, value, schema, root, path }) => {
    if (!isObject(value)) return [];
    const known = Object.keys((schema.properties as Schema | undefined) ?? {});
    const patterns = Object.keys((schema.patternProperties as Schema | undefined) ?? {}).map((p) => new RegExp(p, 'u'));
    const rest = Object.keys(value).filter((key) => !known.includes(key) && !patterns.some((p) => p.test(key)));
    if (wanted === false) return rest.map((key) => `${path}.${key}: additionalProperties`);
    return rest.flatMap((key) => violations(wanted as Schema, value[key], root, `${path}.${key}`));
  },
  propertyNames: ({ wanted, value, root, path }) =>
    isObject(value)
      ? Object.keys(value).flatMap((key) => violations(wanted as Schema, key, root, `${path}.${key}`))
      : [],
  required: ({ wanted, value, path }) =>
    isObject(value)
      ? (wanted as string[]).filter((key) => !Object.hasOwn(value, key)).map((key) => `${path}.${key}: required`)
      : [],
  anyOf: ({ wanted, value, root, path }) =>
    failing(
      (wanted as Schema[]).some((inner) => violations(inner, value, root, path).length === 0),
      path,
      'anyOf',
    ),
  oneOf: ({ wanted, value, root, path }) =>
    failing(
      (wanted as Schema[]).filter((inner) => violations(inner, value, root, path).length === 0).length === 1,
      path,
      'oneOf',
    ),
  not: ({ wanted, value, root, path }) =>
    failing(violations(wanted as Schema, value, root, path).length > 0, path, 'not'),
  $ref: ({ wanted, value, root, path }) => {
    const steps = /^#\/(definitions\/\w+(?:\/\w+)*)$/.exec(String(wanted))?.[1]?.split('/') ?? [''];
    const definition = steps.reduce<unknown>((at, step) => (isObject(at) ? at[step] : undefined), root);
    if (definition === undefined) throw new Error(`the schema refers to ${wanted}, which it does not have`);
    return violations(definition as Schema, value, root, path);
  },
};
