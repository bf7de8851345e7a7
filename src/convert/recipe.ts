// A recipe as HPC sites write it: which container a job runs, with which resources, environment and ports, and in which
// partition. Read for `import recipe` and for `export slurm --recipe`. Reads a text that is at hand; knows no services.
import { type Diagnostic, type Failure, type Result, sortDiagnostics } from '../config/diagnostic.ts';
import { type Complete, complete, type Fields, field, object, readFields } from '../config/field.ts';
import { nearest } from '../config/nearest.ts';
import { makeReading, mismatch, type Reading } from '../config/reading.ts';
import { anything, byKind, listOf, mapOf, refined, type Shape, text, whole } from '../config/shape.ts';
import { locateKey, type Node } from '../config/tree.ts';
import type { Where } from './findings.ts';
import { whereIn } from './source-text.ts';
import { briefOf, parseYaml } from './yaml-source.ts';

/** A port, and its name where the recipe gives one: `{web: 8000}`. */
export interface RecipePort {
  readonly name: string | null;
  readonly port: number;
}

/** A key that a recipe has and this reader does not know. */
export interface UnknownKey {
  /** Dotted: `resources.gpus`, in a services.yaml `x-resources.gpus`. */
  readonly key: string;
  /** Its value on one line. */
  readonly text: string;
  /** Which key was probably meant; null: none is similar. */
  readonly advice: string | null;
  readonly where: Where;
}

/** Every value is null where the recipe does not give it. */
export interface Recipe {
  readonly file: string;
  readonly name: string | null;
  /** `definition` is an Apptainer definition file; `image` a reference (`docker://…`, `ghcr.io/…`) or a `.sif` file. */
  readonly container: { readonly definition: string | null; readonly image: string | null };
  /** `memory` as Slurm writes it (`64G`); `timeLimit` too (`24:00:00`, `1-00:00:00`, minutes as a number). */
  readonly resources: {
    readonly nodes: number | null;
    readonly cpu: number | null;
    readonly memory: string | null;
    readonly gpu: number | null;
    readonly gpuType: string | null;
    readonly timeLimit: string | null;
  };
  readonly environment: ReadonlyMap<string, string>;
  readonly ports: readonly RecipePort[];
  readonly slurm: { readonly partition: string | null; readonly qos: string | null; readonly account: string | null };
  readonly unknown: readonly UnknownKey[];
  /** Where a key stands, by its path: `['slurm', 'partition']`. One that is not there stands where the keys before it do. */
  locate(path: readonly string[]): Where;
}

const line = (wanted: string, pattern = /^[^\r\n]*$/) => text({ wanted, loose: true, pattern });

/** `64GB`, `64GiB`, `64G`, `65536`: as Slurm's `--mem` takes it, in which a bare number is MiB. */
const memory: Shape<string> = refined(line('an amount of memory (`64G`)', /^\d+\s*([KMGT](i?B)?)?$/i), (value) =>
  value.replace(/\s+/g, '').replace(/([KMGT])(i?B)?$/i, (_all, unit: string) => unit.toUpperCase()),
);

/** Slurm's own forms, or `4h`, `30m`, `2d`, `1h30m`. */
const timeLimit: Shape<string> = refined(
  line('a time (`24:00:00`, `1-00:00:00`, `4h`)', /^(\d+-)?\d+(:\d+){0,2}$|^(\d+d)?(\d+h)?(\d+m)?$/),
  (value) => (/^[\d:-]+$/.test(value) ? value : toClock(value)),
);

function toClock(written: string): string {
  const [, days = '0', hours = '0', minutes = '0'] = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?$/.exec(written) ?? [];
  const total = Number(days) * 1440 + Number(hours) * 60 + Number(minutes);
  const pad = (value: number): string => String(value).padStart(2, '0');
  return `${pad(Math.floor(total / 60))}:${pad(total % 60)}:00`;
}

const MAX_PORT = 65_535;
/** A number, or the last part of `8080:80`, as other tools publish ports. */
const port: Shape<number> = refined(line('a port', /^(?:[\d.]+:)*\d{1,5}(?:\/tcp)?$/), (value, node, name, reading) => {
  const found = Number(/(\d+)(?:\/tcp)?$/.exec(value)?.[1]);
  return found > 0 && found <= MAX_PORT ? found : mismatch(node, name, 'a port from 1 to 65535', reading);
});
/** A map of variables, or a list of `NAME=value`. */
const environment: Shape<ReadonlyMap<string, string>> = byKind<
  never,
  ReadonlyMap<string, string>,
  ReadonlyMap<string, string>
>('a map of variables, or a list of `NAME=value`', {
  list: refined(
    listOf(text({ wanted: '`NAME=value`', loose: true, raw: true, pattern: /^[A-Za-z_]\w*=/ }), {
      wanted: 'a list of `NAME=value`',
    }),
    (all) => new Map(all.map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)])),
  ),
  map: mapOf(
    { pattern: /^[A-Za-z_]\w*$/, wanted: 'a name of a variable' },
    text({ loose: true, empty: true, raw: true, wanted: 'a text' }),
    'a map of variables',
  ),
});
const ports: Shape<readonly RecipePort[]> = byKind<readonly RecipePort[], readonly RecipePort[], readonly RecipePort[]>(
  'a port, a list of ports, or a map of names and ports',
  {
    scalar: refined(port, (value) => [{ name: null, port: value }]),
    list: refined(listOf(port, { wanted: 'a list of ports' }), (all) =>
      all.map((value) => ({ name: null, port: value })),
    ),
    map: refined(mapOf({ pattern: /^\S+$/, wanted: 'a name' }, port, 'a map of names and ports'), (all) =>
      [...all].map(([name, value]) => ({ name, port: value })),
    ),
  },
);

const CONTAINER = {
  definition: field(line('a path'), 'the definition file of Apptainer'),
  image: field(line('an image'), 'an image or a .sif file'),
} as const;
const RESOURCES = {
  nodes: field(whole('a number of nodes', 1, 100_000), 'nodes'),
  cpu: field(whole('a number of processors', 1, 100_000), 'processors'),
  memory: field(memory, 'memory of a node'),
  gpu: field(whole('a number of GPUs', 0, 1_000), 'GPUs of a node'),
  gpu_type: field(line('a type of GPU', /^[\w.-]+$/), 'as `sinfo -o %G` shows it'),
  time_limit: field(timeLimit, 'the longest run'),
} as const;
const word = (what: string) => field(line(what, /^[\w.,@+-]+$/), what);
const SLURM = { partition: word('a partition'), qos: word('a QOS'), account: word('an account') } as const;
const RECIPE = {
  name: field(line('a name'), 'name of the job'),
  container: field(anything(), 'what runs'),
  resources: field(anything(), 'what it needs'),
  environment: field(environment, 'its environment'),
  ports: field(ports, 'what it listens on'),
  slurm: field(anything(), 'where it runs'),
} as const;

/** A recipe whose wrong values count as not given, and what is wrong with them. */
export interface RecipeRead {
  /** null: the text is no map. */
  readonly recipe: Recipe | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** Reads a recipe. `path` is what diagnostics call it. A wrong value is an error; an unknown key is reported in `unknown`. */
export const readRecipe = (path: string, written: string): Result<Recipe, Failure> => strict(path, written, '');

/** The same, without failing for a wrong value. */
export const readRecipeParts = (path: string, written: string): RecipeRead => read(path, written, '');

/** Whether a services.yaml contains parts of a recipe: `x-resources` or `x-slurm`, which `up` ignores and an import writes. */
export const hasRecipe = (written: string): boolean =>
  /(?:^x-(?:resources|slurm)|(["'])x-(?:resources|slurm)\1)\s*:/m.test(written);

/** Reads `x-resources` and `x-slurm` of a services.yaml as the parts of a recipe. */
export const readRecipeIn = (path: string, written: string): Result<Recipe, Failure> => strict(path, written, 'x-');

function strict(path: string, written: string, prefix: '' | 'x-'): Result<Recipe, Failure> {
  const { recipe, diagnostics } = read(path, written, prefix);
  if (recipe !== null && diagnostics.length === 0) return { ok: true, value: recipe };
  return { ok: false, error: { diagnostics, sources: new Map([[path, written]]) } };
}

function read(path: string, written: string, prefix: '' | 'x-'): RecipeRead {
  const { root, source, diagnostics } = parseYaml({ path, text: written });
  if (root === null) return { recipe: null, diagnostics };
  const problems = [...diagnostics];
  const reading = makeReading(source, {}, problems);
  if (root.kind !== 'map') {
    reading.report(root, 'wrong-value', 'a recipe is a map', { suggestion: 'begin with `name: …`' });
    return { recipe: null, diagnostics: problems };
  }
  const unknown: UnknownKey[] = [];
  const part = <F extends Fields>(fields: F, key: string): Complete<F> =>
    readPart(fields, root.entries.get(`${prefix}${key}`)?.node, `${prefix}${key}`, reading, unknown);
  const top = readPart(RECIPE, prefix === '' ? root : undefined, '', reading, unknown);
  const { gpu_type: gpuType, time_limit: timeLimit, ...rest } = part(RESOURCES, 'resources');
  const recipe: Recipe = {
    file: path,
    name: top.name,
    container: prefix === '' ? part(CONTAINER, 'container') : complete(CONTAINER, {}),
    resources: { ...rest, gpuType, timeLimit },
    environment: top.environment ?? new Map(),
    ports: top.ports ?? [],
    slurm: part(SLURM, 'slurm'),
    unknown,
    locate: ([first = '', ...keys]) => whereIn(source, { start: findKey(root, [`${prefix}${first}`, ...keys]) }),
  };
  return { recipe, diagnostics: sortDiagnostics(problems) };
}

/** One map of a recipe by its table; keys that the table does not have go to `unknown`, keys without a value are ignored. */
function readPart<F extends Fields>(
  fields: F,
  node: Node | undefined,
  owner: string,
  reading: Reading,
  unknown: UnknownKey[],
): Complete<F> {
  if (node === undefined || isNull(node)) return complete(fields, {});
  if (node.kind !== 'map') {
    object(fields, { owner: `\`${owner}\`` }).read(node, `\`${owner}\``, reading);
    return complete(fields, {});
  }
  const entries = [...node.entries].filter(([key, one]) => Object.hasOwn(fields, key) && !isNull(one.node));
  for (const [key, { keySpan, node: value }] of node.entries) {
    if (Object.hasOwn(fields, key)) continue;
    const name = owner === '' ? key : `${owner}.${key}`;
    const near = nearest(key, Object.keys(fields));
    const advice = near === null ? null : `write \`${near}\` if that is what it means`;
    unknown.push({ key: name, text: briefOf(value), advice, where: whereIn(reading.source, keySpan) });
  }
  const rest = { ...node, entries: new Map(entries) };
  return complete(fields, readFields(fields, rest, { owner: 'a recipe' }, reading).given);
}

const isNull = (node: Node): boolean => node.kind === 'scalar' && node.value === null;

/** The offset of the last key of a path that exists. */
function findKey(root: Node, keys: readonly string[]): number {
  if (keys.length === 0) return root.start;
  return locateKey(root, keys)?.start ?? findKey(root, keys.slice(0, -1));
}
