// What each service finds in its environment: the five layers merged, secrets read, what the supervisor adds. Shows no
// value to anyone; SVC_RUN and NOTIFY_SOCKET, which differ from run to run, are not its business.
import type { Config, ServiceConfig } from '../config/config.ts';
import { type Dotenv, parseDotenv } from '../config/dotenv.ts';
import { type FileReader, readBytesAsText } from '../config/file.ts';
import type { EnvFile } from '../config/schema.ts';
import type { EnvValue } from '../config/service-values.ts';
import { makeSource, toRange } from '../config/tree.ts';
import { dirname, isAbsolute, join } from '../paths.ts';
import type { Complaints, Path } from './complaints.ts';
import type { User } from './plan.ts';
import { activate, putFirst, whyNoVenv } from './venv.ts';

export interface Environment {
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
}

/** Set by the supervisor for every service: nobody else's value counts, least of all that of a supervisor around us. */
const OURS: ReadonlySet<string> = new Set(['SVC_NAME', 'SVC_REPLICA', 'SVC_RUN', 'SPT_NOENV', 'NOTIFY_SOCKET']);

/** Names the supervisor that is asked: one around us is not meant, unless the configuration says so. */
const NOT_INHERITED: ReadonlySet<string> = new Set([...OURS, 'SVC_SUPER_SOCKET']);

type Layer = ReadonlyMap<string, { readonly text: string; readonly secret: boolean }>;

/** Prepares the layers that all services share and returns what merges one service's. Each file is read once. */
export function makeEnvironments(
  config: Config,
  files: FileReader,
  environment: Readonly<Record<string, string>>,
  complaints: Complaints,
): (service: ServiceConfig, user: User | null) => Environment {
  const folder = dirname(config.source.file);
  const read = new Map<string, Dotenv | null>();

  function fileLayer(list: readonly EnvFile[], path: Path): Layer {
    const layer = new Map<string, { text: string; secret: boolean }>();
    list.forEach(({ path: name, required }, index) => {
      const place = [...path, index, 'path'];
      const values = readEnvFile(within(folder, name), required, place)?.values ?? [];
      for (const [key, text] of values) if (!OURS.has(key)) layer.set(key, { text, secret: false });
    });
    return layer;
  }

  function readEnvFile(file: string, required: boolean, path: Path): Dotenv | null {
    const known = read.get(file);
    if (known !== undefined && known !== null) return known;
    const result = readBytesAsText(files, file);
    if (!result.ok) {
      if (required || result.code !== 'file-missing') {
        const suggestion =
          result.code === 'file-missing'
            ? 'write `{path: …, required: false}` if it may be missing'
            : result.suggestion;
        complaints.error(path, result.code, `cannot read ${file}: ${result.why}`, { suggestion });
      }
      return null;
    }
    const parsed = parseDotenv(result.text);
    read.set(file, parsed);
    if (parsed.problems.length > 0) {
      // Its text stays out of what is printed: the line that is wrong may well hold a password.
      const source = makeSource(file, result.text);
      for (const { message, suggestion, ...span } of parsed.problems) {
        const more = suggestion === undefined ? {} : { suggestion };
        complaints.elsewhere({
          severity: 'error',
          code: 'env-file',
          message,
          file,
          range: toRange(source, span),
          ...more,
        });
      }
    }
    return parsed;
  }

  function valueLayer(values: ReadonlyMap<string, EnvValue>, path: Path): Layer {
    const layer = new Map<string, { text: string; secret: boolean }>();
    for (const [key, value] of values) {
      const place = [...path, key];
      if (OURS.has(key)) {
        complaints.error(place, 'reserved-variable', `\`${key}\` is set by svc-super`, { key: true });
      } else if (typeof value === 'string') layer.set(key, { text: value, secret: false });
      else if (value.file !== undefined) {
        const text = readSecret(within(folder, value.file), [...place, 'file']);
        if (text !== null) layer.set(key, { text, secret: true });
      }
    }
    return layer;
  }

  function readSecret(file: string, path: Path): string | null {
    const result = readBytesAsText(files, file);
    if (!result.ok) {
      complaints.error(path, result.code, `cannot read ${file}: ${result.why}`, { suggestion: result.suggestion });
      return null;
    }
    if (result.text.includes('\0')) {
      complaints.error(path, 'nul-character', `${file} holds a NUL character, which no variable can`);
      return null;
    }
    return result.text.replace(/\r?\n$/, '');
  }

  /** Its folder; what is not there has been reported. */
  function venvOf({ name, venv }: ServiceConfig): string | null {
    if (venv === null) return null;
    const place = within(folder, venv).replace(/(?<=.)\/+$/, '');
    const why = whyNoVenv(place, files);
    if (why === null) return place;
    const message = `\`venv\` names no virtual environment: ${why}`;
    const suggestion = `make it while the image is built: \`python3 -m venv ${place}\``;
    complaints.error(['services', name, 'venv'], 'no-venv', message, { suggestion });
    return null;
  }

  const container = Object.entries(environment).filter(([key]) => !NOT_INHERITED.has(key));
  const shared = [fileLayer(config.env_file, ['env_file']), valueLayer(config.env, ['env'])];

  return (service, user) => {
    const path = ['services', service.name];
    const own = [fileLayer(service.env_file, [...path, 'env_file']), valueLayer(service.env, [...path, 'env'])];
    const merged = new Map<string, string>(filterInherited(container, service.env_inherit));
    if (user !== null) {
      // As docker does for `--user`; postgres, ssh, git, pip and many others look here and not into the password file.
      merged.set('HOME', user.home ?? '/');
      if (user.name !== null) merged.set('USER', user.name).set('LOGNAME', user.name);
    }
    const venv = venvOf(service);
    if (venv !== null) activate(merged, venv);
    const [port] = service.ports;
    if (port !== undefined) merged.set('PORT', String(port));
    const secrets = new Set<string>();
    for (const layer of [...shared, ...own]) {
      for (const [key, { text, secret }] of layer) {
        merged.set(key, text);
        if (secret) secrets.add(key);
        else secrets.delete(key);
      }
    }
    if (venv !== null) putFirst(merged, venv);
    // A process that renames itself writes over its environment; with this, setproctitle leaves the mark readable.
    merged.set('SVC_NAME', service.name).set('SPT_NOENV', '1');
    // A service that may have copies has its number even where there is but one: `replicas: ${N:-1}`.
    if (service.replicas !== null) merged.set('SVC_REPLICA', String(service.replica?.index ?? 0));
    // `fromEntries` makes even `__proto__` an ordinary property.
    return { env: Object.fromEntries(merged), secrets: [...secrets] };
  };
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
