// Runs a command line: selects the command, parses its flags, and reports a mistake with the usage. Ends no process.
import { printable } from '../text.ts';
import { type Command, type CommandContext, EXIT, type GivenFlags } from './command.ts';
import { findConfiguration } from './config-file.ts';
import { COMMANDS, type CommandName } from './table.ts';
import { reportUsage } from './usage.ts';

/** Flags that stand for a command if they come first. */
const ALIASES: Readonly<Record<string, CommandName>> = {
  '-h': 'help',
  '--help': 'help',
  '-V': 'version',
  '--version': 'version',
};

const isCommand = (word: string): word is CommandName => Object.hasOwn(COMMANDS, word);

/** Runs a command line; returns the exit code. */
export async function runCommand(argv: readonly string[], context: CommandContext): Promise<number> {
  const [first = 'up', ...rest] = argv;
  const alias = Object.hasOwn(ALIASES, first) ? ALIASES[first] : undefined;
  if (alias !== undefined) return runWith(alias, [], context);
  if (isCommand(first)) return runWith(first, rest, context);
  if (first.startsWith('-') || argv.some(isFileFlag) || findConfiguration(context) !== null)
    return runWith('up', argv, context, describeOrder);
  const { didYouMean } = await import('../config/nearest.ts');
  const names = Object.keys(COMMANDS);
  const close = didYouMean(first, names);
  const known = `the commands are ${names.join(', ')}${close === undefined ? '' : `; ${close}`}`;
  context.err(
    `svc-super: ${printable(`there is no command ${first}, and no configuration with a service of that name`)}; ${known}\n`,
  );
  return EXIT.usage;
}

/** `-f`, `-fFILE`, `--file`, `--file=FILE`. */
const isFileFlag = (argument: string): boolean => argument.startsWith('-f') || argument.startsWith('--file');

/** `describe`: a mistake that is likelier than that of the parser; null: there is none. */
async function runWith(
  name: CommandName,
  args: readonly string[],
  context: CommandContext,
  describe: (args: readonly string[]) => string | null = () => null,
): Promise<number> {
  const command: Command = (await COMMANDS[name]()).default;
  const plain = name === 'up' ? parseEntrypoint(args) : args.length === 0 ? NOTHING_GIVEN : null;
  if (plain !== null) return execute(command, plain, context);
  const { describeMistake, parseFlags } = await import('./parse.ts');
  const given = parseFlags(command, args);
  if (!given.ok) {
    const mistake = describe(args) ?? describeMistake(given.message, command);
    return reportUsage(context, mistake, command.usage);
  }
  if (given.flags.values.help !== true) return execute(command, given.flags, context);
  const { renderCommandHelp } = await import('./help.ts');
  context.out(renderCommandHelp(command));
  return EXIT.ok;
}

/**
 * The mistake of flags before their command, in a command line that does not begin with a command: `up` took the command for the name
 * of a service. null: it is another mistake.
 */
function describeOrder(args: readonly string[]): string | null {
  const [flag = ''] = args;
  const meant = args.find((word) => word !== 'up' && isCommand(word));
  if (!flag.startsWith('-') || meant === undefined) return null;
  return `the command comes before its flags: svc-super ${meant} ${flag} ...`;
}

/** Runs a command, against a supervisor on another machine if a flag or a variable names one. */
async function execute(command: Command, given: GivenFlags, context: CommandContext): Promise<number> {
  const { url, token, socket } = given.values;
  const isNamed = socket === undefined && (context.environment.SVC_SUPER_URL ?? '') !== '';
  if (command.connects === undefined || (url === undefined && token === undefined && !isNamed))
    return command.run(context, given, COMMANDS);
  const { reachRemote } = await import('./remote.ts');
  const reached = reachRemote(context, given.values);
  if (reached.ok) return command.run(reached.context, given, COMMANDS);
  return reportUsage(context, reached.why, command.usage);
}

const NOTHING_GIVEN: GivenFlags = { values: {}, positionals: [] };

/** Parses the arguments of a typical ENTRYPOINT, none or `-f FILE`, without loading the parser, which takes a millisecond; null: other arguments. */
function parseEntrypoint(args: readonly string[]): GivenFlags | null {
  if (args.length === 0) return NOTHING_GIVEN;
  const [flag, file = '', ...more] = args;
  const isFile = flag === '-f' && more.length === 0 && file !== '' && !file.startsWith('-');
  return isFile ? { values: {}, positionals: [], lists: { file: [file] } } : null;
}
