// The wrapper around a service's command for what an engine has no field for (virtual environment, values from files, umask,
// nice, `before_start`), its environment, and what runs before its stop signal. Runs nothing.
import { resolve } from '../../paths.ts';
import { quoteWord, quoteWords } from '../words.ts';
import { CONFIG_FOLDER } from './format.ts';
import type { ExportService, ExportSource } from './source.ts';

/** The lines of shell that precede the program; empty if none is needed. */
function preamble(source: ExportSource, service: ExportService): readonly string[] {
  const { venv, umask } = service.config;
  const lines: string[] = [];
  if (venv !== null) {
    const folder = resolve(CONFIG_FOLDER, venv);
    lines.push(
      `export VIRTUAL_ENV=${quoteWord(folder)} PATH=${quoteWord(`${folder}/bin`)}:"$PATH"`,
      'unset PYTHONHOME',
    );
  }
  // `$(…)` removes every newline at the end, where svc-super removes one: more of them are not a part of any usual secret.
  for (const [name, path] of secretsOf(source, service)) {
    lines.push(`${name}="$(cat ${quoteWord(resolve(CONFIG_FOLDER, path))})" || exit 1`, `export ${name}`);
  }
  if (umask !== null) lines.push(`umask ${umask.toString(8).padStart(3, '0')}`);
  const { beforeStart } = service.hooks;
  if (beforeStart !== null) lines.push(`${quoteWords(beforeStart.argv)} || exit`);
  return lines;
}

/** The command of a service with what has to happen before it in its own container. */
export function wrappedCommand(source: ExportSource, service: ExportService): readonly string[] {
  const { nice } = service.config;
  const lines = preamble(source, service);
  if (lines.length === 0 && nice === null) return service.argv;
  const run = nice === null ? 'exec "$@"' : `exec nice -n ${nice} "$@"`;
  return ['/bin/sh', '-c', [...lines, run].join('\n'), 'sh', ...service.argv];
}

/** The commands that run before the stop signal: `before_stop`, then `stop.command`. */
export function preStopCommands({ hooks, config }: ExportService): readonly (readonly string[])[] {
  const { command } = config.stop;
  return [
    ...(hooks.beforeStop !== null && 'argv' in hooks.beforeStop ? [hooks.beforeStop.argv] : []),
    ...(command === null ? [] : [typeof command === 'string' ? ['/bin/sh', '-c', command] : command]),
  ];
}

/** The variables whose values are in files: name and path. */
export function secretsOf(source: ExportSource, service: ExportService): readonly (readonly [string, string])[] {
  const all = new Map([...source.config.env, ...service.config.env]);
  return [...all].flatMap(([name, value]) =>
    typeof value === 'object' && value.file !== undefined ? [[name, value.file] as const] : [],
  );
}

/** The variables whose values are in services.yaml, and those that svc-super sets itself: PORT and SVC_REPLICA. */
export function literalEnvironment(source: ExportSource, service: ExportService): Readonly<Record<string, string>> {
  const { ports, replica, env } = service.config;
  const own = {
    ...(ports[0] === undefined ? {} : { PORT: String(ports[0]) }),
    ...(replica === null ? {} : { SVC_REPLICA: String(replica.index) }),
  };
  const all = new Map([...source.config.env, ...env]);
  const literal = [...all].filter((pair): pair is [string, string] => typeof pair[1] === 'string');
  return { ...own, ...Object.fromEntries(literal) };
}

/** Environment files in ascending precedence, as paths in the container. */
export function environmentFiles(
  source: ExportSource,
  service: ExportService,
): readonly { readonly path: string; readonly required: boolean }[] {
  return [...source.config.env_file, ...service.config.env_file].map(({ path, required }) => ({
    path: resolve(CONFIG_FOLDER, path),
    required,
  }));
}
