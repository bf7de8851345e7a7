// Makes the environment of one run. Env files and secrets are read again at each start, so that a service gets what a task has
// written before. Reads files only through an argument. Never puts a value into a message.
import type { FileReader } from '../config/file.ts';
import { makeSource, toRange } from '../config/tree.ts';
import { isMissing, RESERVED, readEnvFile, readSecret, type UnreadableFile } from './env-files.ts';
import type { EnvRecipe, EnvSource, Plan, ServicePlan } from './plan.ts';
import { putFirst } from './venv.ts';

type Variables = Readonly<Record<string, string>>;

/** A file that could not be used. */
export interface EnvironmentFailure {
  readonly file: string;
  readonly isMissing: boolean;
  /** Follows "cannot read FILE: ". */
  readonly why: string;
}

/** The environment, and the first file that could not be used; null: none. Variables of that file are left out. */
export interface RunEnvironment {
  readonly env: Variables;
  readonly failure: EnvironmentFailure | null;
}

/** Reads the env files and secrets of a service, and makes the environment of its next run. */
export function readRunEnvironment({ env, envRecipe }: ServicePlan, files: FileReader): RunEnvironment {
  if (envRecipe === undefined) return { env, failure: null };
  const merged = new Map(Object.entries(env));
  for (const [key, value] of Object.entries(envRecipe.under)) {
    if (value === null) merged.delete(key);
    else merged.set(key, value);
  }
  let failure: EnvironmentFailure | null = null;
  for (const source of envRecipe.sources) {
    const read = readSource(source, files);
    for (const [key, text] of read.values) if (!RESERVED.has(key)) merged.set(key, text);
    failure ??= read.failure;
  }
  return { env: finish(merged, env, envRecipe), failure };
}

/** Adds the variables that are stronger than all files: those of the virtual environment, and `above`. */
function finish(merged: Map<string, string>, env: Variables, { venv, above }: EnvRecipe): Variables {
  if (venv !== null) putFirst(merged, venv);
  for (const key of above) merged.set(key, env[key] ?? '');
  return Object.fromEntries(merged);
}

interface SourceRead {
  readonly values: Iterable<readonly [string, string]>;
  readonly failure: EnvironmentFailure | null;
}

function readSource(source: EnvSource, files: FileReader): SourceRead {
  if ('file' in source) return readFileSource(source, files);
  const values = new Map(Object.entries(source.values));
  let failure: EnvironmentFailure | null = null;
  for (const [key, file] of Object.entries(source.secrets)) {
    const read = readSecret(files, file);
    if (read.ok) values.set(key, read.text);
    else failure ??= failureOf(file, read);
  }
  return { values, failure };
}

function readFileSource(
  { file, required }: Extract<EnvSource, { readonly file: string }>,
  files: FileReader,
): SourceRead {
  const read = readEnvFile(files, file);
  if (!read.ok) {
    const failure = required || !isMissing(read) ? failureOf(file, read) : null;
    return { values: [], failure };
  }
  const [problem] = read.parsed.problems;
  if (problem === undefined) return { values: read.parsed.values, failure: null };
  const { line } = toRange(makeSource(file, read.text), problem);
  return { values: [], failure: { file: `${file}:${line}`, isMissing: false, why: problem.message } };
}

function failureOf(file: string, read: UnreadableFile): EnvironmentFailure {
  return { file, isMissing: isMissing(read), why: read.why };
}

/**
 * The names of the tasks that a service waits for, directly or through others: one of them may make a file that the service
 * reads.
 */
export function tasksBefore({ services }: Pick<Plan, 'services'>, name: string): readonly string[] {
  const byName = new Map(services.map((service) => [service.name, service]));
  const seen = new Set<string>();
  const open = [name];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { edges = [], stageEdges = [] } = byName.get(next) ?? {};
    for (const { on } of [...edges, ...stageEdges]) {
      if (!seen.has(on)) open.push(on);
      seen.add(on);
    }
  }
  const tasks = services.filter((service) => seen.has(service.name) && service.type === 'task');
  return [...new Set(tasks.map((task) => task.replica?.of ?? task.name))];
}

/** Why a service does not start, and what to do. `tasks`: the result of `tasksBefore`. */
export function describeFailure(
  { file, isMissing: isAbsent, why }: EnvironmentFailure,
  tasks: readonly string[],
): string {
  const what = `cannot read ${file}: ${why}`;
  if (!isAbsent) return what;
  const [first = '', ...others] = tasks;
  if (first === '')
    return `${what}; create it, or write \`{path: …, required: false}\` for an env file that may be missing`;
  const named = others.length === 0 ? `the task ${first}` : `one of the tasks ${tasks.join(', ')}`;
  return `${what}; ${named}, which ran before, should have made it`;
}
