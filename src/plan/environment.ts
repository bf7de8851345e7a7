// The environment of each service: five layers merged, secrets read, the supervisor's variables added. Never shows a value.
// SVC_RUN and NOTIFY_SOCKET differ from run to run and are added at the spawn.
import type { Config, ServiceConfig } from '../config/config.ts';
import type { Dotenv } from '../config/dotenv.ts';
import type { FileReader } from '../config/file.ts';
import type { EnvFile } from '../config/file-values.ts';
import type { EnvValue } from '../config/service-values.ts';
import { makeSource, toRange } from '../config/tree.ts';
import { dirname, isAbsolute, join } from '../paths.ts';
import { isMissing, RESERVED, readEnvFile, readSecret, type UnreadableFile } from './env-files.ts';
import type { EnvRecipe, EnvSource, Plan } from './plan.ts';
import type { Path, Problems } from './problems.ts';
import type { User } from './process.ts';
import { activate, putFirst, whyNoVenv } from './venv.ts';

export interface Environment {
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  /** How to make `env` again at a start; absent: no file is involved. */
  readonly recipe?: EnvRecipe;
}

/** `SVC_SUPER_SOCKET` selects the supervisor for commands: that of an outer supervisor is passed on only if configured. */
const NOT_INHERITED: ReadonlySet<string> = new Set([...RESERVED, 'SVC_SUPER_SOCKET']);

/** The environments of all services, and the files that did not exist but may be made before they are needed. */
export interface Environments {
  /** `canBeMade`: whether something runs before the service that could make a missing file. */
  of(service: ServiceConfig, user: User | null, canBeMade: boolean): Environment;
  late(): readonly string[];
}

interface EnvironmentContext {
  readonly files: FileReader;
  /** The container's environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly before?: Plan;
}

/** One source of variables, and what it gave when the configuration was read. */
interface Layer {
  readonly sources: readonly EnvSource[];
  /** `text` is null for a secret that does not exist yet. */
  readonly values: ReadonlyMap<string, { readonly text: string | null; readonly secret: boolean }>;
  readonly missing: readonly MissingFile[];
}

interface MissingFile {
  readonly file: string;
  report(): void;
}

/**
 * Reads the layers that all services share. `before`: the current plan, at a reload. Its `lateFiles`, which did not exist when it was
 * made, are read at starts only, so that a reload does not take what a task has written since then for a change. A missing file that
 * is not required is none of them: once it is made, it is a change for each service whose run has not read it (up/reload.ts).
 */
export function makeEnvironments(
  config: Config,
  { files, environment, before }: EnvironmentContext,
  problems: Problems,
): Environments {
  const layers = new LayerReader(dirname(config.source.file), files, new Set(before?.lateFiles), problems);
  const container = Object.entries(environment).filter(([key]) => !NOT_INHERITED.has(key));
  const shared = [layers.ofFiles(config.env_file, ['env_file']), layers.ofValues(config.env, ['env'])];
  const late = new Set<string>();
  return {
    of(service, user, canBeMade) {
      const path = ['services', service.name];
      const own = [
        layers.ofFiles(service.env_file, [...path, 'env_file']),
        layers.ofValues(service.env, [...path, 'env']),
      ];
      const all = [...shared, ...own];
      for (const { file, report } of all.flatMap(({ missing }) => missing)) {
        if (canBeMade || before?.lateFiles?.includes(file) === true) late.add(file);
        else report();
      }
      const venv = layers.findVenv(service);
      return mergeLayers(filterInherited(container, service.env_inherit), all, service, user, venv);
    },
    late: () => [...late],
  };
}

/** Reads `env_file`, `env` and `venv`, each file once, and reports problems. Relative paths start at `folder`. */
class LayerReader {
  readonly #folder: string;
  readonly #files: FileReader;
  readonly #late: ReadonlySet<string>;
  readonly #problems: Problems;
  readonly #read = new Map<string, ReturnType<typeof readEnvFile>>();

  constructor(folder: string, files: FileReader, late: ReadonlySet<string>, problems: Problems) {
    this.#folder = folder;
    this.#files = files;
    this.#late = late;
    this.#problems = problems;
  }

  ofFiles(list: readonly EnvFile[], path: Path): Layer {
    const values = new Map<string, { text: string; secret: boolean }>();
    const missing: MissingFile[] = [];
    const sources = list.map(({ path: name, required }, index): EnvSource => {
      const file = within(this.#folder, name);
      const found = this.#readEnvFile(file);
      if (found.ok)
        for (const [key, text] of found.parsed.values) if (!RESERVED.has(key)) values.set(key, { text, secret: false });
      if (!found.ok && (required || !isMissing(found))) {
        const suggestion = isMissing(found)
          ? 'write `{path: …, required: false}` if it may be missing'
          : found.suggestion;
        this.#note(file, found, [...path, index, 'path'], suggestion, missing);
      }
      return { file, required };
    });
    return { sources, values, missing };
  }

  ofValues(given: ReadonlyMap<string, EnvValue>, path: Path): Layer {
    const values = new Map<string, { text: string | null; secret: boolean }>();
    const missing: MissingFile[] = [];
    const texts = new Map<string, string>();
    const secrets = new Map<string, string>();
    for (const [key, value] of given) {
      const place = [...path, key];
      if (RESERVED.has(key)) {
        this.#problems.error(place, 'reserved-variable', `\`${key}\` is set by svc-super`, { key: true });
      } else if (typeof value === 'string') {
        texts.set(key, value);
        values.set(key, { text: value, secret: false });
      } else if (value.file !== undefined) {
        const file = within(this.#folder, value.file);
        secrets.set(key, file);
        const found = this.#late.has(file) ? LATE : readSecret(this.#files, file);
        values.set(key, { text: found.ok ? found.text : null, secret: true });
        if (!found.ok) this.#note(file, found, [...place, 'file'], found.suggestion, missing);
      }
    }
    const source: EnvSource = { values: Object.fromEntries(texts), secrets: Object.fromEntries(secrets) };
    return { sources: given.size === 0 ? [] : [source], values, missing };
  }

  /** A missing file may be made before the service starts; any other error is reported. */
  #note(file: string, found: UnreadableFile, path: Path, suggestion: string | undefined, missing: MissingFile[]): void {
    const report = () => this.#problems.error(path, found.code, `cannot read ${file}: ${found.why}`, { suggestion });
    if (isMissing(found)) missing.push({ file, report });
    else report();
  }

  /** The folder of a service's virtual environment. null: it has none, or the folder is not one, which is reported. */
  findVenv({ name, venv }: ServiceConfig): string | null {
    if (venv === null) return null;
    const place = within(this.#folder, venv).replace(/(?<=.)\/+$/, '');
    const why = whyNoVenv(place, this.#files);
    if (why === null) return place;
    const message = `\`venv\` is not a virtual environment: ${why}`;
    const suggestion = `create it in the image: \`python3 -m venv ${place}\``;
    this.#problems.error(['services', name, 'venv'], 'no-venv', message, { suggestion });
    return null;
  }

  #readEnvFile(file: string): ReturnType<typeof readEnvFile> {
    const known = this.#read.get(file);
    if (known !== undefined) return known;
    const found = this.#late.has(file) ? LATE : readEnvFile(this.#files, file);
    this.#read.set(file, found);
    if (found.ok) this.#reportProblems(found.parsed, file, found.text);
    return found;
  }

  #reportProblems({ problems }: Dotenv, file: string, text: string): void {
    if (problems.length === 0) return;
    // The file is not quoted, because the invalid line may contain a password.
    const source = makeSource(file, text);
    for (const { message, suggestion, ...span } of problems) {
      const more = suggestion === undefined ? {} : { suggestion };
      const range = toRange(source, span);
      this.#problems.elsewhere({ severity: 'error', code: 'env-file', message, file, range, ...more });
    }
  }
}

/** A file that is read at starts only. */
const LATE: UnreadableFile = { ok: false, code: 'file-missing', why: 'there is no such file' };

/** The environment of one service. Precedence: `inherited` is the lowest, then `layers` from first to last. */
function mergeLayers(
  inherited: readonly (readonly [string, string])[],
  layers: readonly Layer[],
  { name, ports, replicas, replica }: ServiceConfig,
  user: User | null,
  venv: string | null,
): Environment {
  const merged = new Map<string, string>(inherited);
  if (user !== null) {
    // As docker does for `--user`: postgres, ssh, git, pip and many others read these and not the password file.
    merged.set('HOME', user.home ?? '/');
    if (user.name !== null) merged.set('USER', user.name).set('LOGNAME', user.name);
  }
  if (venv !== null) activate(merged, venv);
  const [port] = ports;
  if (port !== undefined) merged.set('PORT', String(port));
  const below = new Map(merged);
  const secrets = new Set<string>();
  for (const { values } of layers) {
    for (const [key, { text, secret }] of values) {
      if (text !== null) merged.set(key, text);
      if (secret) secrets.add(key);
      else secrets.delete(key);
    }
  }
  const recipe = recipeOf(layers, below, venv);
  if (venv !== null) putFirst(merged, venv);
  // A process that renames itself overwrites its environment; with this, setproctitle keeps the run's mark readable.
  merged.set('SVC_NAME', name).set('SPT_NOENV', '1');
  // A service with `replicas` has a number even if there is only one replica: `replicas: ${N:-1}`.
  if (replicas !== null) merged.set('SVC_REPLICA', String(replica?.index ?? 0));
  // `fromEntries` makes `__proto__` an ordinary property.
  return { env: Object.fromEntries(merged), secrets: [...secrets], ...(recipe !== null && { recipe }) };
}

/** `below`: the variables without the layers. null: no file is involved. */
function recipeOf(layers: readonly Layer[], below: ReadonlyMap<string, string>, venv: string | null): EnvRecipe | null {
  const sources = layers.flatMap((layer) => layer.sources);
  if (sources.every((source) => 'secrets' in source && Object.keys(source.secrets).length === 0)) return null;
  // Only what a layer has replaced is needed to undo it.
  const replaced = new Set(layers.flatMap(({ values }) => [...values.keys()]));
  const under = Object.fromEntries([...replaced].map((key) => [key, below.get(key) ?? null]));
  // Assigned GPUs are added to `above` (gpus.ts).
  return { sources, under, venv, above: [] };
}

function within(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path);
}

function filterInherited(
  entries: readonly (readonly [string, string])[],
  wanted: ServiceConfig['env_inherit'],
): readonly (readonly [string, string])[] {
  if (wanted === 'all') return entries;
  if (wanted === 'none') return [];
  const patterns = wanted.map(toPattern);
  return entries.filter(([key]) => patterns.some((pattern) => pattern.test(key)));
}

function toPattern(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's');
}
