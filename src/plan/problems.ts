// Collects the errors and warnings of turning a Config into a Plan, each with its position in services.yaml.
import type { Config } from '../config/config.ts';
import type { Diagnostic, Related } from '../config/diagnostic.ts';
import { nearest } from '../config/nearest.ts';
import type { Place } from '../config/range.ts';

/** Steps into services.yaml: `['services', 'web', 'user']`. The name of a replica stands for the key of its service. */
export type Path = readonly (string | number)[];

export interface More {
  readonly suggestion?: string | undefined;
  readonly related?: readonly Related[];
  /** Point at the key instead of its value. */
  readonly key?: boolean;
}

export interface Problems {
  error(path: Path, code: string, message: string, more?: More): void;
  warn(path: Path, code: string, message: string, more?: More): void;
  /** The position of a path, for a related range; with `key`, the position of its key instead of its value. */
  place(path: Path, message: string, key?: boolean): Related;
  /** A suggestion for a name that does not exist; undefined once there are hundreds of diagnostics. */
  suggest(name: string, known: () => readonly string[]): string | undefined;
  /** Adds a diagnostic about a file other than services.yaml, which is read once for all services. */
  elsewhere(diagnostic: Diagnostic): void;
  readonly all: readonly Diagnostic[];
}

// A suggestion costs a comparison with all known names, and does not help at the thousandth wrong name.
const MAX_ADVISED = 200;

/** Codes of problems with files and folders: with `${SVC_REPLICA}` in a path, each replica has its own. */
const OF_PATHS: ReadonlySet<string> = new Set([
  'file-missing',
  'file-unreadable',
  'file-too-large',
  'not-utf8',
  'no-venv',
]);

/** An empty collection for the diagnostics of one Config. */
export function makeProblems(config: Config): Problems {
  const all: Diagnostic[] = [];
  const copies = new Set(config.services.filter(({ replica }) => (replica?.index ?? 0) > 0).map(({ name }) => name));
  const reported = new Set<string>();
  /** A problem of one replica is a problem of all replicas of the service, and is reported once; one with its own path is not. */
  const isRepeated = (path: Path, code: string, message: string, at: Place): boolean => {
    if (copies.size === 0 || path[0] !== 'services') return false;
    const { line, column } = at.range;
    const key = `${code} ${at.file}:${line}:${column} ${OF_PATHS.has(code) ? message : ''}`;
    const wasReported = reported.has(key);
    reported.add(key);
    return wasReported && copies.has(`${path[1]}`);
  };
  const placeOf = (path: Path, key = false): Place => (key ? config.locateKey(path) : config.locate(path));
  const add =
    (severity: 'error' | 'warning') =>
    (path: Path, code: string, message: string, { suggestion, related, key }: More = {}): void => {
      const at = placeOf(path, key);
      if (isRepeated(path, code, message, at)) return;
      all.push({
        severity,
        code,
        message,
        ...at,
        ...(suggestion === undefined ? {} : { suggestion }),
        ...(related === undefined ? {} : { related }),
      });
    };
  return {
    error: add('error'),
    warn: add('warning'),
    place: (path, message, key) => ({ message, ...placeOf(path, key) }),
    suggest: (name, known) => (all.length < MAX_ADVISED ? suggestName(name, known()) : undefined),
    elsewhere: (diagnostic) => void all.push(diagnostic),
    all,
  };
}

/** Whether services.yaml contains a field. A missing field has the place of its parent. */
export function isWritten(config: Pick<Config, 'locate'>, path: Path): boolean {
  const placeOf = (at: Path): string => JSON.stringify(config.locate(at));
  return placeOf(path) !== placeOf(path.slice(0, -1));
}

/** The closest existing name, or up to eight names. */
function suggestName(name: string, known: readonly string[]): string | undefined {
  const near = nearest(name, known);
  if (near !== null) return `did you mean \`${near}\`?`;
  if (known.length === 0) return undefined;
  return `there is ${known.slice(0, 8).join(', ')}${known.length > 8 ? ', …' : ''}`;
}
