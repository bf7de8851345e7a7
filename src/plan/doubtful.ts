// Warnings about values that are valid and rarely meant: what a shell or Compose would read in another way. Each names the text
// to write instead. Changes nothing.
import { doubtsOf, hiddenProgram } from '../config/command.ts';
import type { Config, ServiceConfig } from '../config/config.ts';
import { isLoopback } from '../config/control-values.ts';
import type { EnvValue } from '../config/service-values.ts';
import { basename } from '../paths.ts';
import type { Path, Problems } from './problems.ts';

/** Reports doubtful commands, variables and probes of all services. */
export function reportDoubtful(config: Config, all: Problems): void {
  const problems = withoutRepetition(config, all);
  reportEnv(config.env, ['env'], config, problems);
  for (const service of config.services) {
    const path = ['services', service.name];
    reportCommand(service, problems);
    reportEnv(service.env, [...path, 'env'], config, problems);
    reportFolder(service, problems);
    for (const role of ['ready', 'live'] as const) reportDefaultPorts(service, role, problems);
  }
}

/** A value of `defaults` is found in each service, and is reported once. */
function withoutRepetition(config: Config, problems: Problems): Problems {
  const reported = new Set<string>();
  const warn: Problems['warn'] = (path, code, ...more) => {
    const key = `${code} ${JSON.stringify(config.locate(path))}`;
    if (!reported.has(key)) problems.warn(path, code, ...more);
    reported.add(key);
  };
  return { ...problems, warn };
}

function reportCommand(service: ServiceConfig, problems: Problems): void {
  const { name, key, command } = service;
  const path = ['services', name, 'command'];
  if (command === null) return;
  if (typeof command !== 'string') {
    reportWords(command, path, problems);
    return;
  }
  const { endsInBackground, bashWord, endsInTee } = doubtsOf(command);
  if (endsInBackground) {
    const message = `\`${key}\` ends with \`&\`: the shell starts the program in the background and exits at once`;
    problems.warn(path, 'background-command', message, { suggestion: 'remove the `&`' });
  }
  if (bashWord !== null) {
    const message = `\`${bashWord}\` is of bash, and \`${key}\` runs under /bin/sh, which is dash in Debian and Ubuntu`;
    const suggestion =
      bashWord === 'source'
        ? 'write `. FILE`; for a virtual environment of Python, `venv: FOLDER` in its place'
        : "write `[ … ]`, or `[bash, -c, '…']`";
    problems.warn(path, 'bash-word', message, { suggestion });
  }
  if (endsInTee) {
    const message = `the exit code of \`${key}\` is that of \`tee\`: a failure of the program before it counts as success`;
    problems.warn(path, 'hidden-exit', message, { suggestion: 'write `log: {file: {path: FILE}}` in place of `tee`' });
  }
  reportHiddenProgram(service, command, problems);
}

const SHELL_WORDS: ReadonlySet<string> = new Set(['&&', '||', '|', ';', '&', '>', '>>', '<', '2>&1']);
/** A word, or the value of an option, that begins with what a shell replaces. */
const SHELL_VALUE = /^(?:--?[\w-]+=)?(\$[A-Z_][A-Z0-9_]*|~)(?:\/.*)?$/;
const SHELLS: ReadonlySet<string> = new Set(['sh', 'bash', 'dash', 'ash', 'zsh', 'busybox']);

/** A list is executed without a shell, unless it starts one itself. */
function reportWords(argv: readonly string[], path: Path, problems: Problems): void {
  const word = argv.find((argument) => SHELL_WORDS.has(argument));
  if (word !== undefined) {
    const message = `a list is executed without a shell: \`${word}\` is passed to \`${argv[0]}\` as an argument`;
    problems.warn(path, 'shell-word', message, { key: true, suggestion: 'write the command as one text' });
  }
  if (argv.some((argument) => SHELLS.has(basename(argument)))) return;
  const found = argv.map((argument) => SHELL_VALUE.exec(argument)?.[1]).find(Boolean);
  if (found === undefined) return;
  const message = `a list is executed without a shell: \`${found}\` is passed to \`${argv[0]}\` as it is written`;
  const suggestion = `write the command as one text${found === '~' ? '' : `, or \`${inBraces(found)}\` for a variable of the container`}`;
  problems.warn(path, 'bare-variable', message, { key: true, suggestion });
}

/**
 * Warns if a shell runs between the supervisor and the program. Not with `stop.to: group`, which signals the program too,
 * nor with `stop.command`, nor for a task, which is rarely stopped.
 */
function reportHiddenProgram({ name, key, type, stop }: ServiceConfig, command: string, problems: Problems): void {
  if (type === 'task' || stop.to === 'group' || stop.command !== null) return;
  const program = hiddenProgram(command);
  if (program === null) return;
  const message = `the stop signal of \`${key}\` reaches the shell instead of \`${program}\`, which runs as its child`;
  const suggestion = `write \`exec ${program} …\`: the program then replaces the shell`;
  problems.warn(['services', name, 'command'], 'hidden-program', message, { suggestion });
}

/** A variable as a shell writes it, alone or as a part of a path, a list or an address. */
const BARE_VARIABLE = /(?:^|[/:=,@ ])(\$[A-Z_][A-Z0-9_]*)(?=$|[/:;,@ ])/;
/** The host and the port of an address. */
const ADDRESS = /\b[a-z][a-z0-9+.-]*:\/\/(?:[^@/\s]*@)?([A-Za-z0-9][\w.-]*)(?::(\d+))?(?=[/?,\s]|$)/g;

function reportEnv(env: ReadonlyMap<string, EnvValue>, path: Path, config: Config, problems: Problems): void {
  for (const [key, value] of env) {
    if (typeof value !== 'string') continue;
    const bare = BARE_VARIABLE.exec(value)?.[1];
    if (bare !== undefined) {
      const message = `\`${bare}\` in the value of \`${key}\` is not replaced`;
      const isSame = bare === value && bare === `$${key}`;
      const suggestion = isSame
        ? 'remove the line: a service inherits the variables of the container'
        : `write \`${inBraces(bare)}\` for a variable of the container`;
      problems.warn([...path, key], 'bare-variable', message, { suggestion });
    }
    if (!config.hosts) reportServiceHosts(value, [...path, key], config, problems);
  }
}

function reportFolder({ name, key, cwd }: ServiceConfig, problems: Problems): void {
  const found = cwd === null ? undefined : SHELL_VALUE.exec(cwd)?.[1];
  if (found === undefined) return;
  const message = `\`${found}\` in \`cwd\` of \`${key}\` is not replaced`;
  const suggestion =
    found === '~' ? 'write the whole path' : `write \`${inBraces(found)}\` for a variable of the container`;
  problems.warn(['services', name, 'cwd'], 'bare-variable', message, { suggestion });
}

/** In Compose the name of a service is a host. Here it is one with `hosts: true` only. */
function reportServiceHosts(value: string, path: Path, { services }: Config, problems: Problems): void {
  for (const [, host, port] of value.matchAll(ADDRESS)) {
    const service = services.find(({ key }) => key === host);
    // Another host may have the name of a service: the port tells them apart.
    if (service === undefined || host === 'localhost') continue;
    if (service.ports.length > 0 && (port === undefined || !service.ports.includes(Number(port)))) continue;
    const message = `\`${path.at(-1)}\` has the host \`${host}\`: the name of a service is not the name of a host`;
    problems.warn(path, 'service-host', message, { suggestion: 'write 127.0.0.1, or `hosts: true` at the top level' });
    return;
  }
}

/** A URL without a port means port 80 or 443, and not the port of the service. */
function reportDefaultPorts(
  { name, key, ports, ...service }: ServiceConfig,
  role: 'ready' | 'live',
  problems: Problems,
): void {
  for (const [index, { http }] of (service[role] ?? []).entries()) {
    if (!http || http.socket !== null || (http.port !== 80 && http.port !== 443)) continue;
    if (!isLoopback(http.host) || ports.length === 0 || ports.includes(http.port)) continue;
    const message = `this probe connects to port ${http.port}, and \`${key}\` listens on ${ports[0]}`;
    const suggestion = `write the path alone, \`http: ${http.path}\`: the port is then that of the service`;
    problems.warn(['services', name, role, index, 'http'], 'default-port', message, { suggestion });
  }
}

/** `${NAME}` for `$NAME`. */
function inBraces(variable: string): string {
  return `\${${variable.slice(1)}}`;
}
