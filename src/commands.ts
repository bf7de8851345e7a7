// The commands as a table: name, summary, usage, flags, what runs. Those that ask a supervisor are in cli/table.ts; those
// here need none. Each returns its exit code; nothing here ends the process or touches a file but through the context.
import { resolve } from 'node:path';
import { type Command, type Context, EXIT, type Given, JSON_FLAG } from './cli/command.ts';
import { HELP, renderCommandHelp, renderHelp } from './cli/help.ts';
import { CONTROL_COMMANDS, printNames } from './cli/table.ts';
import { type Failure, type Result, render, renderDiagnostics, toJson } from './config/diagnostic.ts';
import { type LoadInput, loadPlan, type Planned } from './plan/expand.ts';
import type { Plan } from './plan/plan.ts';

const FILE = {
  type: 'string',
  short: 'f',
  value: 'FILE',
  summary:
    'the configuration (default: $SVC_SUPER_CONFIG, ./services.yaml, /etc/svc-super/services.yaml, /services.yaml)',
} as const;

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
  ...CONTROL_COMMANDS,
  check: {
    summary: 'find every mistake in the configuration without starting anything',
    usage: 'svc-super check [-f FILE] [--build | --runtime] [--json]',
    example: 'RUN svc-super check --build   # in a Dockerfile',
    flags: {
      file: FILE,
      build: {
        type: 'boolean',
        summary: 'while the image is built: variables, env files and secrets that come at run time are only warned of',
      },
      runtime: {
        type: 'boolean',
        summary:
          'in the container, also what the services will find: users, commands, folders, ports, GPUs and their memory',
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
  completion: {
    summary: 'print a completion script for a shell',
    usage: 'svc-super completion bash|zsh|fish',
    example: 'source <(svc-super completion bash)',
    flags: {},
    run: async (context, { positionals: [shell = ''] }) => {
      if (shell === 'names') return printNames(context);
      const { renderCompletion, SHELLS } = await import('./cli/completion.ts');
      const found = SHELLS.find((name) => name === shell);
      if (found === undefined) {
        context.err(`svc-super: completion is for ${SHELLS.join(', ')}\n`);
        return EXIT.usage;
      }
      context.out(renderCompletion(found, COMMANDS));
      return EXIT.ok;
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
      context.out(name === undefined || command === undefined ? renderHelp(COMMANDS) : renderCommandHelp(command));
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
    const given = args.length === 0 ? { values: {}, positionals: [] } : await parse(command, args);
    if (given.values.help === true) {
      context.out(renderCommandHelp(command));
      return EXIT.ok;
    }
    return await command.run(context, given);
  } catch (error) {
    if (!(error instanceof TypeError) || !('code' in error)) throw error;
    context.err(`svc-super: ${sayMistake(error.message, command.flags)}\nusage: ${command.usage}\n`);
    return EXIT.usage;
  }
}

/** Loads what it needs when there is something to parse: an ENTRYPOINT has no arguments, and starts a millisecond sooner. */
async function parse(command: Command, args: readonly string[]): Promise<Given> {
  const { parseArgs } = await import('node:util');
  const options = Object.fromEntries(
    Object.entries({ ...command.flags, help: HELP }).map(([name, { type, ...flag }]) => [
      name,
      { type, ...('short' in flag && flag.short !== undefined && { short: flag.short }) },
    ]),
  );
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  return { values: values as Given['values'], positionals };
}

/** What parseArgs complains of; in our words where a value is missing, or begins with a dash as the next flag would. */
function sayMistake(message: string, flags: Command['flags']): string {
  const [, first, last = first, how] =
    /^Option '-*([\w-]+)(?:, --([\w-]+))?[^']*' argument (is ambiguous|missing)/.exec(message) ?? [];
  const found = Object.entries(flags).find(([name, { short }]) => last === name || last === short);
  if (found === undefined) return message.split('. ', 1)[0] ?? message;
  const [name, { short, value = 'VALUE', summary }] = found;
  const written = last === short ? `-${short}` : `--${name}`;
  return `${written} takes ${value}${how === 'missing' ? '' : ', which cannot begin with a dash'}: ${summary}`;
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

async function checkFile(context: Context, { values }: Given): Promise<number> {
  const path = findFile(context, values.file);
  if (path === null) return EXIT.config;
  if (values.build === true && values.runtime === true) {
    context.err(
      'svc-super: --build is for an image that is being built, --runtime for a container that runs: choose one\n',
    );
    return EXIT.usage;
  }
  const input = { path, files: context.files, environment: context.environment };
  // Where an image is built there is no GPU, and nothing follows from that.
  const result = loadPlan(values.build === true ? input : { ...input, gpus: () => context.gpus() });
  const loaded = values.build === true && context.files.stat(path) !== null ? forgiveAbsence(result) : result;
  const plan = result.ok ? result.value.plan : values.runtime === true ? planWithoutGpus(result.error, input) : null;
  const findings = values.runtime === true && plan !== null ? await context.inspect(plan) : [];
  const ok = loaded.ok && findings.every(({ verdict }) => verdict !== 'wrong');
  if (values.json === true) {
    const diagnostics = loaded.ok ? loaded.value.warnings : loaded.error.diagnostics;
    const found = values.runtime === true ? { findings } : {};
    context.out(`${JSON.stringify({ ok, file: path, diagnostics: diagnostics.map(toJson), ...found }, null, 2)}\n`);
    return ok ? EXIT.ok : EXIT.config;
  }
  context.err(loaded.ok ? render(loaded.value.warnings, loaded.value.sources) : renderDiagnostics(loaded.error));
  if (findings.length > 0) {
    const { renderFindings } = await import('./cli/preflight.ts');
    context.out(renderFindings(findings, context.colour));
  }
  if (!loaded.ok || !ok) return EXIT.config;
  const count = loaded.value.warnings.length;
  const warned = count === 0 ? '' : `; ${count} ${count === 1 ? 'warning' : 'warnings'}`;
  context.out(`${path}: ok${result.ok ? countServices(result.value) : ''}${warned}\n`);
  return EXIT.ok;
}

/** Codes of what plan/gpus.ts complains of. */
const LACKS_GPUS: ReadonlySet<string> = new Set(['no-such-gpu', 'too-few-gpus', 'gpu-taken']);

/** Where nothing is wrong but that GPUs are missing, the rest can be looked at all the same. */
function planWithoutGpus({ diagnostics }: Failure, input: LoadInput): Plan | null {
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  if (errors.some(({ code }) => !LACKS_GPUS.has(code))) return null;
  const loaded = loadPlan(input);
  return loaded.ok ? loaded.value.plan : null;
}

function countServices({ plan: { services } }: Planned): string {
  const enabled = services.filter((service) => service.enabled).length;
  const rest = enabled === services.length ? '' : `, ${services.length - enabled} not enabled`;
  return `, ${enabled} ${enabled === 1 ? 'service' : 'services'}${rest}`;
}
