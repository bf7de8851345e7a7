// Names and ports of services, guessed from the words of their command.
import { readPort } from '../quantities.ts';

/** Options with a port as their value. */
const PORT_OPTION = /^(?:-p|--port|--http-port|--listen-port|--server-port|--server\.port|--web-port|-P)$/;
const PORT_VALUE = /^--(?:http-|listen-|server-|web-|server\.)?port=(\d{1,5})$/;
const ADDRESS_OPTION = /^(?:-b|--bind|--host|--listen|--addr|--address|--http-address|-l)$/;
const ADDRESS_VALUE = /^(?:--?[\w-]+=)?(?:https?:\/\/)?(?:[\d.]+|localhost|\*|\[::\])?:(\d{1,5})$/;

/** The port that the words of a command name; null: none. */
export function portOf(words: readonly string[], env: Readonly<Record<string, unknown>> = {}): number | null {
  const valid = (text: string | undefined): number | null => readPort(text ?? '');
  for (const [index, word] of words.entries()) {
    const next = words[index + 1];
    const found = PORT_OPTION.test(word)
      ? valid(next)
      : ADDRESS_OPTION.test(word)
        ? valid(ADDRESS_VALUE.exec(next ?? '')?.[1])
        : valid(PORT_VALUE.exec(word)?.[1] ?? (index > 0 ? ADDRESS_VALUE.exec(word)?.[1] : undefined));
    if (found !== null) return found;
  }
  return valid(typeof env.PORT === 'string' ? env.PORT : undefined);
}

/** Whether one of the words contains the port as a number of its own. */
export function hasPort(words: readonly string[], port: number): boolean {
  const named = new RegExp(`(?:^|\\D)${port}(?:\\D|$)`);
  return words.some((word) => named.test(word));
}

/** Names of scripts that say nothing about what they do. */
const GENERIC = /^(?:main|app|server|run|start|index|manage|entrypoint|handler|wsgi|__main__)$/;
const INTERPRETERS =
  /^(?:python[\d.]*|node|ruby|perl|php|bash|sh|java|deno|bun|tsx|ts-node|uv|poetry|pipenv|conda|micromamba|npx|pnpm|yarn|bundle|exec|env|nice|ionice|stdbuf|timeout|numactl|tini|dumb-init)$/;

/** Programs that arrange files for others. */
const PREPARES = /^(?:mkdir|cat|cp|mv|ln|rm|touch|chown|chmod|sed|install|tar|unzip|rsync|tee|envsubst)$/;

/** Whether a command line only arranges files, so that it is no service. */
export function isPreparation(words: readonly string[]): boolean {
  const program = words.find((word) => word !== '') ?? '';
  return PREPARES.test(program.replace(/^.*\//, ''));
}

/**
 * The name of the service that a command line is: its program, or the script that an interpreter runs. `folder`: where it
 * runs, for a script with a generic name.
 */
export function serviceName(words: readonly string[], folder: string | null = null): string {
  const [first = 'service', ...rest] = words.filter((word) => word !== '');
  const program = first.replace(/^.*\//, '');
  if (/^(?:service|systemctl|rc-service)$/.test(program)) {
    return rest.find((word) => !/^(?:-|start$|restart$|enable$)/.test(word)) ?? program;
  }
  if (isPreparation(words)) return 'prepare';
  if (!INTERPRETERS.test(program))
    return withSubcommand(program.replace(/\.(?:sh|py|js|rb|pl)$/, ''), rest, first, folder);
  const at = rest.findIndex(
    (word) => !word.startsWith('-') && !/^(?:run|exec|--|\d+[smh]?|[A-Za-z_]\w*=.*)$/s.test(word),
  );
  const module = rest[rest.indexOf('-m') + 1];
  if (rest.includes('-m') && module !== undefined) return module.split('.')[0] ?? program;
  const target = at < 0 ? undefined : rest[at];
  if (target === undefined || rest.includes('-c')) return program;
  if (INTERPRETERS.test(target.replace(/^.*\//, ''))) return serviceName(rest.slice(at), folder);
  const last = target.replace(/^.*\//, '').replace(/\.(?:\w{1,4})$/, '');
  return GENERIC.test(last) ? (folderName(target, folder) ?? last) : last || program;
}

/** The folder that says what a program is: of its path, or else where it runs. */
function folderName(path: string, folder: string | null): string | null {
  const last = (text: string) =>
    text.split('/').findLast((part) => /^\w/.test(part) && !/^(?:s?bin|usr|local|opt)$/.test(part));
  return last(path.replace(/[^/]*$/, '')) ?? (path.startsWith('/') ? undefined : last(folder ?? '')) ?? null;
}

/** `celery worker`, `rails server`: the subcommand is part of the name. */
function withSubcommand(program: string, rest: readonly string[], first: string, folder: string | null): string {
  if (GENERIC.test(program) && first.includes('/')) return folderName(first, folder) ?? program;
  if (!/^(?:celery|rails|sidekiq|flask|manage)$/.test(program)) return program;
  const word = rest.find((one) => /^(?:worker|beat|flower|server|scheduler|run)$/.test(one));
  return word === undefined ? program : `${program}-${word}`;
}
