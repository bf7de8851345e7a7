// The commands as a table: name, summary, usage, flags, what runs. Offline ones read the configuration, client ones ask
// the supervisor. Each returns its exit code; nothing here ends the process or touches a file but through the context.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Failure, type Result, render, renderDiagnostics, toJson } from './config/diagnostic.ts';
import { socketPlaces } from './control/address.ts';
import type { StatusBody } from './control/api.ts';
import type { Asked } from './control/client.ts';
import { type LoadInput, loadPlan, type Planned } from './plan/expand.ts';

/** Exit codes of the command line itself (SPEC section 4, sysexits.h). */
export const EXIT = { ok: 0, unhealthy: 1, notReady: 3, usage: 64, noSupervisor: 69, bug: 70, config: 78 } as const;

export interface Context {
  readonly environment: Readonly<Record<string, string>>;
  readonly files: LoadInput['files'];
  readonly uid: number;
  /** What relative file names are relative to. */
  readonly cwd: string;
  readonly version: string;
  readonly colour: boolean;
  out(text: string): void;
  err(text: string): void;
  /** Supervises until all is over. */
  up(file: string, names: readonly string[]): Promise<number>;
  /** One command under PID 1's duties. */
  init(argv: readonly string[]): Promise<number>;
}

interface Flag {
  readonly type: 'boolean' | 'string';
  readonly short?: string;
  readonly summary: string;
}

interface Command {
  readonly summary: string;
  readonly usage: string;
  readonly example: string;
  readonly flags: Readonly<Record<string, Flag>>;
  run(context: Context, given: Given): Promise<number> | number;
}

interface Given {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
}

const FILE = {
  type: 'string',
  short: 'f',
  summary:
    'the configuration (default: $SVC_SUPER_CONFIG, ./services.yaml, /etc/svc-super/services.yaml, /services.yaml)',
} as const;
const JSON_FLAG = { type: 'boolean', summary: 'print one JSON object instead of text' } as const;

export const COMMANDS = {
  up: {
    summary: 'start the services and supervise them (the default)',
    usage: 'svc-super [up] [-f FILE] [NAME...]',
    example: 'svc-super up -f services.yaml open-webui   # it and what it needs',
    flags: { file: FILE },
    run: (context, { values, positionals }) => {
      const file = findFile(context, values.file);
      return file === null ? EXIT.config : context.up(file, positionals);
    },
  },
  status: {
    summary: 'show how each service stands',
    usage: 'svc-super status [NAME...] [--json]',
    example: 'svc-super status vllm',
    flags: { json: JSON_FLAG },
    run: showStatus,
  },
  health: {
    summary: 'exit 0 when every essential service is ready, else 1; for HEALTHCHECK and exec probes',
    usage: 'svc-super health [--json]',
    example: 'HEALTHCHECK CMD ["svc-super", "health"]',
    flags: { json: JSON_FLAG },
    run: showHealth,
  },
  check: {
    summary: 'find every mistake in the configuration without starting anything',
    usage: 'svc-super check [-f FILE] [--build] [--json]',
    example: 'RUN svc-super check --build   # in a Dockerfile',
    flags: {
      file: FILE,
      build: {
        type: 'boolean',
        summary: 'while the image is built: variables, env files and secrets that come at run time are only warned of',
      },
      json: JSON_FLAG,
    },
    run: checkFile,
  },
  schema: {
    summary: 'print the JSON Schema of services.yaml, for editors',
    usage: 'svc-super schema',
    example: 'svc-super schema > services.schema.json',
    flags: {},
    run: async (context) => {
      const { jsonSchema } = await import('./config/schema.ts');
      context.out(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
      return EXIT.ok;
    },
  },
  init: {
    summary: 'run one command under PID 1: forward signals, reap orphans, end with its code',
    usage: 'svc-super init -- CMD [ARG...]',
    example: 'ENTRYPOINT ["svc-super", "init", "--", "nginx", "-g", "daemon off;"]',
    flags: {},
    run: (context, { positionals }) => {
      if (positionals.length > 0) return context.init(positionals);
      context.err('svc-super: init needs a command: svc-super init -- CMD [ARG...]\n');
      return EXIT.usage;
    },
  },
  version: {
    summary: 'print the version',
    usage: 'svc-super version',
    example: 'svc-super version',
    flags: {},
    run: (context) => {
      context.out(`svc-super ${context.version}\n`);
      return EXIT.ok;
    },
  },
  help: {
    summary: 'explain a command',
    usage: 'svc-super help [COMMAND]',
    example: 'svc-super help status',
    flags: {},
    run: (context, { positionals: [name] }) => {
      const command = name === undefined ? undefined : commandOf(name);
      context.out(name === undefined || command === undefined ? renderHelp() : renderCommandHelp(command));
      return EXIT.ok;
    },
  },
} as const satisfies Readonly<Record<string, Command>>;

function commandOf(name: string): Command | undefined {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name as keyof typeof COMMANDS] : undefined;
}

/** Runs what a command line asks for and returns the exit code. */
export async function runCommand(argv: readonly string[], context: Context): Promise<number> {
  const [first = 'up', ...rest] = argv;
  if (first === '-h' || first === '--help') return COMMANDS.help.run(context, { values: {}, positionals: [] });
  if (first === '-V' || first === '--version') return COMMANDS.version.run(context);
  const named = commandOf(first);
  const command: Command = named ?? COMMANDS.up;
  const args = named === undefined ? argv : rest;
  if (
    named === undefined &&
    !first.startsWith('-') &&
    findFile(context, undefined, 'quietly') === null &&
    !args.some(isFileFlag)
  ) {
    const known = Object.keys(COMMANDS).join(', ');
    context.err(
      `svc-super: there is no command ${first}, and no configuration that could name a service so; commands are ${known}\n`,
    );
    return EXIT.usage;
  }
  // What stands behind `init`, with or without `--`, belongs to the command that it runs.
  if (named === COMMANDS.init)
    return command.run(context, { values: {}, positionals: args[0] === '--' ? args.slice(1) : args });
  try {
    const options = Object.fromEntries(
      Object.entries({ ...command.flags, help: HELP }).map(([name, { type, ...flag }]) => [
        name,
        { type, ...('short' in flag && flag.short !== undefined && { short: flag.short }) },
      ]),
    );
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    if (values.help === true) {
      context.out(renderCommandHelp(command));
      return EXIT.ok;
    }
    return await command.run(context, { values: values as Given['values'], positionals });
  } catch (error) {
    if (!(error instanceof TypeError) || !('code' in error)) throw error;
    context.err(`svc-super: ${error.message.split('. ', 1)[0]}\nusage: ${command.usage}\n`);
    return EXIT.usage;
  }
}

const HELP = { type: 'boolean', short: 'h', summary: 'show this help' } as const;

function renderHelp(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    'svc-super: the process supervisor for containers that hold more than one service',
    '',
    'usage: svc-super [COMMAND] [OPTION...]',
    '',
    ...lines,
    '',
    'svc-super help COMMAND explains one of them.',
    '',
  ].join('\n');
}

function renderCommandHelp({ summary, usage, flags, example }: Command): string {
  const all: Readonly<Record<string, Flag>> = { ...flags, help: HELP };
  const rows = Object.entries(all).map(([name, flag]) => {
    const short = flag.short !== undefined ? `-${flag.short}, ` : '    ';
    return [`${short}--${name}${flag.type === 'string' ? ' VALUE' : ''}`, flag.summary] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length));
  const options = rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
  return `${summary}\n\nusage: ${usage}\n\n${options.join('\n')}\n\nexample: ${example}\n`;
}

const PLACES = ['./services.yaml', '/etc/svc-super/services.yaml', '/services.yaml'];

const isFileFlag = (argument: string): boolean => argument.startsWith('-f') || argument.startsWith('--file');

/** The configuration that is meant; says where it looked when there is none, unless asked to be quiet. */
function findFile(context: Context, given: string | boolean | undefined, how?: 'quietly'): string | null {
  if (typeof given === 'string') return resolve(context.cwd, given);
  const named = context.environment.SVC_SUPER_CONFIG;
  if (named !== undefined && named !== '') return resolve(context.cwd, named);
  const found = PLACES.find((path) => context.files.stat(path) !== null);
  if (found !== undefined) return resolve(context.cwd, found);
  if (how === 'quietly') return null;
  context.err(
    `svc-super: there is no configuration: looked for ${PLACES.join(', ')}; name one with -f FILE or SVC_SUPER_CONFIG\n`,
  );
  return null;
}

/** What an image lacks while it is built and has when it runs. */
const ABSENT: ReadonlySet<string> = new Set(['unset-variable', 'file-missing', 'file-unreadable']);

type Checked = Result<Pick<Planned, 'warnings' | 'sources'>, Failure>;

/** Turns errors about what is not there yet into warnings; a failure of nothing else is none. */
function forgiveAbsence(loaded: Checked): Checked {
  if (loaded.ok) return loaded;
  const diagnostics = loaded.error.diagnostics.map((diagnostic) =>
    ABSENT.has(diagnostic.code) ? { ...diagnostic, severity: 'warning' as const } : diagnostic,
  );
  const { sources } = loaded.error;
  return diagnostics.every(({ severity }) => severity === 'warning')
    ? { ok: true, value: { warnings: diagnostics, sources } }
    : { ok: false, error: { diagnostics, sources } };
}

function checkFile(context: Context, { values }: Given): number {
  const path = findFile(context, values.file);
  if (path === null) return EXIT.config;
  const result = loadPlan({ path, files: context.files, environment: context.environment });
  const loaded = values.build === true && context.files.stat(path) !== null ? forgiveAbsence(result) : result;
  if (values.json === true) {
    const diagnostics = loaded.ok ? loaded.value.warnings : loaded.error.diagnostics;
    context.out(`${JSON.stringify({ ok: loaded.ok, file: path, diagnostics: diagnostics.map(toJson) }, null, 2)}\n`);
    return loaded.ok ? EXIT.ok : EXIT.config;
  }
  if (!loaded.ok) {
    context.err(renderDiagnostics(loaded.error));
    return EXIT.config;
  }
  context.err(render(loaded.value.warnings, loaded.value.sources));
  const count = loaded.value.warnings.length;
  context.out(
    `${path}: ok${result.ok ? countServices(result.value) : ''}${count === 0 ? '' : `; ${count} ${count === 1 ? 'warning' : 'warnings'}`}\n`,
  );
  return EXIT.ok;
}

function countServices({ plan: { services } }: Planned): string {
  const enabled = services.filter((service) => service.enabled).length;
  const rest = enabled === services.length ? '' : `, ${services.length - enabled} not enabled`;
  return `, ${enabled} ${enabled === 1 ? 'service' : 'services'}${rest}`;
}

/** The client is loaded here and not above: what it needs would delay the first spawn of `up`. */
async function askSupervisor(context: Context, path: string): Promise<Asked> {
  const { ask } = await import('./control/client.ts');
  return ask(socketPlaces(context.environment, context.uid), path);
}

function sayNobody(context: Context, looked: readonly string[]): number {
  context.err(`svc-super: no supervisor answers; looked at\n${looked.map((line) => `  ${line}\n`).join('')}`);
  return EXIT.noSupervisor;
}

async function showStatus(context: Context, { values, positionals }: Given): Promise<number> {
  const asked = await askSupervisor(context, '/v1/status');
  if (!asked.ok) return sayNobody(context, asked.looked);
  const body = asked.body as StatusBody;
  const unknown = positionals.filter((name) => !body.services.some((service) => service.name === name));
  if (unknown.length > 0) {
    const known = body.services.map(({ name }) => name).join(', ');
    context.err(`svc-super: there is no service ${unknown.join(', ')}; there are ${known}\n`);
    return EXIT.unhealthy;
  }
  const services = body.services.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const { renderStatus } = await import('./control/table.ts');
  context.out(
    values.json === true
      ? `${JSON.stringify({ ...body, services }, null, 2)}\n`
      : renderStatus(services, context.colour),
  );
  return services.every(({ ready, state }) => ready || state === 'skipped') ? EXIT.ok : EXIT.notReady;
}

async function showHealth(context: Context, { values }: Given): Promise<number> {
  const asked = await askSupervisor(context, '/v1/health');
  if (!asked.ok) return sayNobody(context, asked.looked) && EXIT.unhealthy;
  const body = asked.body as {
    healthy: boolean;
    waiting: readonly { name: string; state: string; reason: string | null }[];
  };
  if (values.json === true) context.out(`${JSON.stringify(body)}\n`);
  else if (body.healthy) context.out('healthy\n');
  else
    for (const { name, state, reason } of body.waiting)
      context.out(`${name} is ${state}${reason === null ? '' : `: ${reason}`}\n`);
  return body.healthy ? EXIT.ok : EXIT.unhealthy;
}
