// The table of all commands: summary, usage, flags, function. Commands that need a supervisor are in cli/table.ts. Each
// returns its exit code; none ends the process, and files are accessed only through the context.

import { type Command, type CommandContext, EXIT, type GivenFlags, JSON_FLAG } from './cli/command.ts';
import { HELP, renderCommandHelp, renderHelp } from './cli/help.ts';
import { CONTROL_COMMANDS, printNames } from './cli/table.ts';
import { resolve } from './paths.ts';

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
    usage: 'svc-super [up] [-f FILE] [--debug] [NAME...]',
    example: 'svc-super up -f services.yaml open-webui   # with its dependencies',
    flags: {
      file: FILE,
      debug: {
        type: 'boolean',
        summary:
          'for development of svc-super: print every event and its effects on standard error, and do not replace a supervisor that does not respond',
      },
    },
    run: (context, { values, positionals }) => {
      const file = findFile(context, values.file);
      return file === null ? EXIT.config : context.up(file, positionals, values.debug === true);
    },
  },
  ...CONTROL_COMMANDS,
  check: {
    summary: 'find every mistake in the configuration without starting anything',
    usage: 'svc-super check [-f FILE | FILE...] [--static | --build | --runtime] [--json]',
    example: 'RUN svc-super check --build   # in a Dockerfile',
    flags: {
      file: FILE,
      static: {
        type: 'boolean',
        summary:
          'the file alone, for editors, commits and CI: variables, env files and secrets that come at run time are only warned of',
      },
      build: {
        type: 'boolean',
        summary:
          'for an image that is being built: missing variables, env files and secrets are warnings; a program that is in no folder of PATH is an error, unless a task or a hook that runs before may install it',
      },
      runtime: {
        type: 'boolean',
        summary: 'for a running container: also check users, commands, folders, ports, /dev/shm, GPUs and their memory',
      },
      json: JSON_FLAG,
    },
    run: async (context, { values, positionals }) => {
      const { checkFiles } = await import('./cli/check.ts');
      const given = typeof values.file === 'string' ? [values.file, ...positionals] : positionals;
      if (given.length > 0) return checkFiles(context, given, values);
      const path = findFile(context, undefined);
      return path === null ? EXIT.config : checkFiles(context, [path], values);
    },
  },
  import: {
    summary: 'make a services.yaml from a file of another system, and report what is lost or changed',
    usage:
      'svc-super import compose|supervisord|s6|procfile|nosana|recipe|start.sh|auto FILE [-o FILE] [--image-config FILE] [--json]',
    example: 'svc-super import compose compose.yaml -o services.yaml',
    flags: {
      output: {
        type: 'string',
        short: 'o',
        value: 'FILE',
        summary: 'write services.yaml there instead of printing it',
      },
      'image-config': {
        type: 'string',
        multiple: true,
        value: 'FILE',
        summary: 'what `docker image inspect` prints about the images of a Compose file or a job; may be repeated',
      },
      json: JSON_FLAG,
    },
    run: async (context, given) => (await import('./cli/import.ts')).importFiles(context, given),
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
  export: {
    summary: 'write the same services for another system: nosana, compose, kubernetes, slurm, dockerfile, systemd',
    usage:
      'svc-super export FORMAT [-f FILE] [--image REF] [-o DIR] [--force] [--json] [--per-service] [--one-container] [--recipe FILE]',
    example: 'svc-super export kubernetes --image registry.example.org/chat:1 -o k8s',
    flags: {
      file: FILE,
      image: { type: 'string', value: 'REF', summary: 'the image that the services run from' },
      output: {
        type: 'string',
        short: 'o',
        value: 'DIR',
        summary: 'write the files into this folder instead of standard output',
      },
      force: { type: 'boolean', summary: 'replace files that exist in the folder' },
      'per-service': { type: 'boolean', summary: 'nosana: one operation per service instead of one container' },
      'one-container': {
        type: 'boolean',
        summary: 'kubernetes: one container with svc-super instead of one container per service',
      },
      recipe: {
        type: 'string',
        value: 'FILE',
        summary: 'slurm: resources and settings of the site from an HPC recipe',
      },
      json: JSON_FLAG,
    },
    run: async (context, given) => {
      const path = findFile(context, given.values.file);
      return path === null ? EXIT.config : (await import('./cli/export.ts')).exportFile(context, path, given);
    },
  },
  init: {
    summary: 'run one command under PID 1: forward signals, reap orphans, exit with its code (options: `init -h`)',
    usage: 'svc-super init [OPTION...] [--] CMD [ARG...]',
    example: 'ENTRYPOINT ["svc-super", "init", "--", "nginx", "-g", "daemon off;"]',
    flags: {},
    // The native program executes `init`; this entry is for the help only.
    run: () => EXIT.bug,
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
    summary: 'print the version; with --json also commit, runtime, C library and architecture',
    usage: 'svc-super version [--json]',
    example: 'svc-super version --json',
    flags: { json: JSON_FLAG },
    run: async (context, { values }) => {
      if (values.json === true) context.out((await import('./cli/json.ts')).renderJson(context.describeBuild(), 2));
      else context.out(`svc-super ${context.version}\n`);
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

/** Runs a command line; returns the exit code. */
export async function runCommand(argv: readonly string[], context: CommandContext): Promise<number> {
  const [first = 'up', ...rest] = argv;
  if (first === '-h' || first === '--help') return COMMANDS.help.run(context, { values: {}, positionals: [] });
  if (first === '-V' || first === '--version') return COMMANDS.version.run(context, { values: {}, positionals: [] });
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
      `svc-super: there is no command ${first}, and no configuration with a service of that name; the commands are ${known}\n`,
    );
    return EXIT.usage;
  }
  // All arguments after `init`, with or without `--`, belong to its command.
  if (named === COMMANDS.init)
    return command.run(context, { values: {}, positionals: args[0] === '--' ? args.slice(1) : args });
  try {
    const given = entrypoint(command, args) ?? (await parse(command, args));
    if (given.values.help === true) {
      context.out(renderCommandHelp(command));
      return EXIT.ok;
    }
    return await command.run(context, given);
  } catch (error) {
    if (!(error instanceof TypeError) || !('code' in error)) throw error;
    context.err(`svc-super: ${describeMistake(error.message, command.flags)}\nusage: ${command.usage}\n`);
    return EXIT.usage;
  }
}

/** The arguments of a typical ENTRYPOINT, none or `-f FILE`: without the parser the start is a millisecond faster. */
function entrypoint(command: Command, args: readonly string[]): GivenFlags | null {
  if (args.length === 0) return { values: {}, positionals: [] };
  const [flag, file = '', ...more] = args;
  const isFile = command === COMMANDS.up && flag === '-f' && more.length === 0 && file !== '' && !file.startsWith('-');
  return isFile ? { values: { file }, positionals: [] } : null;
}

async function parse(command: Command, args: readonly string[]): Promise<GivenFlags> {
  const { parseArgs } = await import('node:util');
  const options = Object.fromEntries(
    Object.entries({ ...command.flags, help: HELP }).map(([name, { type, ...flag }]) => [
      name,
      {
        type,
        ...('short' in flag && flag.short !== undefined && { short: flag.short }),
        ...('multiple' in flag && { multiple: true }),
      },
    ]),
  );
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const isList = (value: unknown): value is string[] => Array.isArray(value);
  const entries = Object.entries(values);
  return {
    values: Object.fromEntries(entries.filter(([, value]) => !isList(value))) as GivenFlags['values'],
    positionals,
    lists: Object.fromEntries(entries.flatMap(([name, value]) => (isList(value) ? [[name, value]] : []))),
  };
}

/** The error of parseArgs; rewritten if a value is missing or begins with a dash. */
function describeMistake(message: string, flags: Command['flags']): string {
  const [, first, last = first, how] =
    /^Option '-*([\w-]+)(?:, --([\w-]+))?[^']*' argument (is ambiguous|missing)/.exec(message) ?? [];
  const found = Object.entries(flags).find(([name, { short }]) => last === name || last === short);
  if (last === undefined || found === undefined) return message.split('. ', 1)[0] ?? message;
  const [name, { short, value = 'VALUE', summary }] = found;
  const written = last === short ? `-${short}` : `--${name}`;
  return `${written} takes ${value}${how === 'missing' ? '' : ', which cannot begin with a dash'}: ${summary}`;
}

const PLACES = ['./services.yaml', '/etc/svc-super/services.yaml', '/services.yaml'];

const isFileFlag = (argument: string): boolean => argument.startsWith('-f') || argument.startsWith('--file');

/** The path of the configuration; null if there is none, which is reported unless `how` is `quietly`. */
function findFile(context: CommandContext, given: string | boolean | undefined, how?: 'quietly'): string | null {
  if (typeof given === 'string') return resolve(context.cwd, given);
  const named = context.environment.SVC_SUPER_CONFIG;
  if (named !== undefined && named !== '') return resolve(context.cwd, named);
  const found = PLACES.find((path) => context.files.stat(path) !== null);
  if (found !== undefined) return resolve(context.cwd, found);
  if (how === 'quietly') return null;
  context.err(
    `svc-super: there is no configuration: searched ${PLACES.join(', ')}; specify one with -f FILE or SVC_SUPER_CONFIG\n`,
  );
  return null;
}
