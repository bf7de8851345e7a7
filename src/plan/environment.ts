// The environment of each service: five layers merged, secrets read, the supervisor's variables added. Never shows a value.
// SVC_RUN and NOTIFY_SOCKET differ from run to run and are added at the spawn.
import type { Config, ServiceConfig } from '../config/config.ts';
import { type Dotenv, parseDotenv } from '../config/dotenv.ts';
import { type FileReader, readBytesAsText } from '../config/file.ts';
import type { EnvFile } from '../config/file-values.ts';
import type { EnvValue } from '../config/service-values.ts';
import { makeSource, toRange } from '../config/tree.ts';
import { dirname, isAbsolute, join } from '../paths.ts';
import type { Path, Problems } from './problems.ts';
import type { User } from './process.ts';
import { activate, putFirst, whyNoVenv } from './venv.ts';

export interface Environment {
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
}

/** Set by the supervisor for every service. Other values of these are ignored, also those of an outer supervisor. */
const OURS: ReadonlySet<string> = new Set(['SVC_NAME', 'SVC_REPLICA', 'SVC_RUN', 'SPT_NOENV', 'NOTIFY_SOCKET']);

/** `SVC_SUPER_SOCKET` selects the supervisor for commands: that of an outer supervisor is passed on only if configured. */
const NOT_INHERITED: ReadonlySet<string> = new Set([...OURS, 'SVC_SUPER_SOCKET']);

type Layer = ReadonlyMap<string, { readonly text: string; readonly secret: boolean }>;

/** Reads the layers that all services share, and returns a function that merges the layers of one service. */
export function makeEnvironments(
  config: Config,
  files: FileReader,
  environment: Readonly<Record<string, string>>,
  problems: Problems,
): (service: ServiceConfig, user: User | null) => Environment {
  const layers = new LayerReader(dirname(config.source.file), files, problems);
  const container = Object.entries(environment).filter(([key]) => !NOT_INHERITED.has(key));
  const shared = [layers.ofFiles(config.env_file, ['env_file']), layers.ofValues(config.env, ['env'])];
  return (service, user) => {
    const path = ['services', service.name];
    const own = [
      layers.ofFiles(service.env_file, [...path, 'env_file']),
      layers.ofValues(service.env, [...path, 'env']),
    ];
    const venv = layers.findVenv(service);
    return mergeLayers(filterInherited(container, service.env_inherit), [...shared, ...own], service, user, venv);
  };
}

/** Reads `env_file`, `env` and `venv`, each file once, and reports problems. Relative paths start at `folder`. */
class LayerReader {
  readonly #folder: string;
  readonly #files: FileReader;
  readonly #problems: Problems;
  readonly #read = new Map<string, Dotenv>();

  constructor(folder: string, files: FileReader, problems: Problems) {
    this.#folder = folder;
    this.#files = files;
    this.#problems = problems;
  }

  ofFiles(list: readonly EnvFile[], path: Path): Layer {
    const layer = new Map<string, { text: string; secret: boolean }>();
    list.forEach(({ path: name, required }, index) => {
      const place = [...path, index, 'path'];
      const values = this.#readEnvFile(within(this.#folder, name), required, place)?.values ?? [];
      for (const [key, text] of values) if (!OURS.has(key)) layer.set(key, { text, secret: false });
    });
    return layer;
  }

  ofValues(values: ReadonlyMap<string, EnvValue>, path: Path): Layer {
    const layer = new Map<string, { text: string; secret: boolean }>();
    for (const [key, value] of values) {
      const place = [...path, key];
      if (OURS.has(key)) {
        this.#problems.error(place, 'reserved-variable', `\`${key}\` is set by svc-super`, { key: true });
      } else if (typeof value === 'string') layer.set(key, { text: value, secret: false });
      else if (value.file !== undefined) {
        const text = this.#readSecret(within(this.#folder, value.file), [...place, 'file']);
        if (text !== null) layer.set(key, { text, secret: true });
      }
    }
    return layer;
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

  #readEnvFile(file: string, required: boolean, path: Path): Dotenv | null {
    const known = this.#read.get(file);
    if (known !== undefined) return known;
    const result = readBytesAsText(this.#files, file);
    if (!result.ok) {
      if (required || result.code !== 'file-missing') {
        const suggestion =
          result.code === 'file-missing'
            ? 'write `{path: …, required: false}` if it may be missing'
            : result.suggestion;
        this.#problems.error(path, result.code, `cannot read ${file}: ${result.why}`, { suggestion });
      }
      return null;
    }
    const parsed = parseDotenv(result.text);
    this.#read.set(file, parsed);
    this.#reportProblems(parsed, file, result.text);
    return parsed;
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

  #readSecret(file: string, path: Path): string | null {
    const result = readBytesAsText(this.#files, file);
    if (!result.ok) {
      const { code, why, suggestion } = result;
      this.#problems.error(path, code, `cannot read ${file}: ${why}`, { suggestion });
      return null;
    }
    if (result.text.includes('\0')) {
      this.#problems.error(path, 'nul-character', `${file} contains a NUL character, which a variable cannot contain`);
      return null;
    }
    return result.text.replace(/\r?\n$/, '');
  }
}

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
  const secrets = new Set<string>();
  for (const layer of layers) {
    for (const [key, { text, secret }] of layer) {
      merged.set(key, text);
      if (secret) secrets.add(key);
      else secrets.delete(key);
    }
  }
  if (venv !== null) putFirst(merged, venv);
  // A process that renames itself overwrites its environment; with this, setproctitle keeps the run's mark readable.
  merged.set('SVC_NAME', name).set('SPT_NOENV', '1');
  // A service with `replicas` has a number even if there is only one replica: `replicas: ${N:-1}`.
  if (replicas !== null) merged.set('SVC_REPLICA', String(replica?.index ?? 0));
  // `fromEntries` makes `__proto__` an ordinary property.
  return { env: Object.fromEntries(merged), secrets: [...secrets] };
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
