// `completion`: prints a completion script for a shell (cli/completion-scripts.ts), and the names of services, groups and profiles, which
// the scripts request at completion time. Installs no script.
import type { WireService } from '../../control/wire.ts';
import { join } from '../../paths.ts';
import { type Command, type CommandContext, type CommandTable, EXIT, type GivenFlags } from '../command.ts';
import { isRequested, type Requested, renderCompletion, SHELLS } from '../completion-scripts.ts';
import { findConfiguration } from '../config-file.ts';
import { FILE_FLAG } from '../flags.ts';
import { loadCommands } from '../help.ts';
import { callSupervisor } from '../request.ts';

export default {
  summary: 'print a completion script for a shell',
  usage: 'svc-super completion bash|zsh|fish',
  example: 'source <(svc-super completion bash)',
  connects: 'quietly',
  completes: SHELLS,
  flags: {},
  run: printCompletion,
} satisfies Command;

async function printCompletion(
  context: CommandContext,
  { positionals: [shell = '', ...words] }: GivenFlags,
  table: CommandTable,
): Promise<number> {
  if (isRequested(shell)) return printNames(context, shell, words, table);
  const found = SHELLS.find((name) => name === shell);
  if (found === undefined) {
    context.err(`svc-super: completion is for ${SHELLS.join(', ')}\n`);
    return EXIT.usage;
  }
  context.out(renderCompletion(found, await loadCommands(table)));
  return EXIT.ok;
}

/** What one service adds to each list of names. */
type Names = Readonly<Record<Requested, readonly string[]>>;

/**
 * Prints the names, one per line: those that the supervisor knows, or else those of the configuration; nothing if there is
 * neither. `up`, and profiles, are about the configuration in any case. `words`: the command line before the cursor.
 */
async function printNames(
  context: CommandContext,
  what: Requested,
  words: readonly string[],
  table: CommandTable,
): Promise<number> {
  const line = await readLine(context, words, table);
  const running = what === 'profiles' || line.command === 'up' ? null : await readRunning(context);
  const names = (running ?? (await readConfigured(context, line.files))).flatMap((service) => service[what]);
  context.out([...new Set(names)].map((name) => `${name}\n`).join(''));
  return EXIT.ok;
}

/** The command of an unfinished command line, and the files of its `--file`. */
async function readLine(context: CommandContext, words: readonly string[], table: CommandTable) {
  const [first = ''] = words;
  const isNamed = Object.hasOwn(table, first);
  const command = isNamed ? first : words.length === 0 ? null : 'up';
  const about = command === null ? undefined : (await table[command]?.())?.default;
  if (about?.flags.file !== FILE_FLAG) return { command, files: [] };
  const { parseFlags } = await import('../parse.ts');
  const args = joinValues(isNamed ? words.slice(1) : words);
  // The last word may be a flag whose value is being completed.
  const parsed = [args, args.slice(0, -1)].map((some) => parseFlags(about, some)).find(({ ok }) => ok);
  const files = parsed?.ok === true ? (parsed.flags.lists?.file ?? []) : [];
  const home = context.environment.HOME ?? '';
  return { command, files: files.map((path) => (path.startsWith('~/') ? join(home, path.slice(2)) : path)) };
}

/** bash splits `--file=PATH` into three words. */
function joinValues(words: readonly string[]): readonly string[] {
  return words.flatMap((word, at) => {
    if (word === '=' || words[at - 1] === '=') return [];
    return words[at + 1] === '=' ? [`${word}=${words[at + 2] ?? ''}`] : [word];
  });
}

async function readRunning(context: CommandContext): Promise<readonly Names[] | null> {
  const response = await callSupervisor(context, { path: '/v1/status' });
  if (!response.ok || response.status !== 200) return null;
  return (response.body as { services: readonly WireService[] }).services.map(({ name, group, replica }) => ({
    services: replica?.index === 0 ? [replica.of, name] : [name],
    scales: [`${replica?.of ?? name}=`],
    groups: group === null ? [] : [group],
    profiles: [],
  }));
}

async function readConfigured(context: CommandContext, files: readonly string[]): Promise<readonly Names[]> {
  const found = findConfiguration(context, files);
  if (found === null) return [];
  const { loadDraft } = await import('../../config/load.ts');
  const { config } = loadDraft([found.path, ...found.more], context.files, context.environment);
  return (config?.services ?? []).map(({ key, group, profiles }) => ({
    services: [key],
    scales: [`${key}=`],
    groups: group === null ? [] : [group],
    profiles: profiles ?? [],
  }));
}
