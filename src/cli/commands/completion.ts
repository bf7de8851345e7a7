// `completion`: scripts for shells, generated from the table of commands: commands, flags and their values, and the names of
// services, groups and profiles, which the scripts request at completion time. Installs no script.
import type { WireService } from '../../control/wire.ts';
import { SIGNAL_NAMES } from '../../linux/signals.ts';
import {
  type Command,
  type CommandContext,
  type CommandTable,
  type Completion,
  EXIT,
  type GivenFlags,
} from '../command.ts';
import { findConfiguration } from '../config-file.ts';
import { flagsOf } from '../flags.ts';
import { type Commands, loadCommands } from '../help.ts';
import { callSupervisor } from '../request.ts';

export type Shell = 'bash' | 'zsh' | 'fish';
export const SHELLS: readonly Shell[] = ['bash', 'zsh', 'fish'];

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
  { positionals: [shell = ''] }: GivenFlags,
  table: CommandTable,
): Promise<number> {
  if (isRequested(shell)) return printNames(context, shell);
  const found = SHELLS.find((name) => name === shell);
  if (found === undefined) {
    context.err(`svc-super: completion is for ${SHELLS.join(', ')}\n`);
    return EXIT.usage;
  }
  context.out(renderCompletion(found, await loadCommands(table)));
  return EXIT.ok;
}

/** The names that the scripts request: `svc-super completion services`. */
const REQUESTED = ['services', 'groups', 'profiles'] as const;
type Requested = (typeof REQUESTED)[number];

const isRequested = (word: unknown): word is Requested => REQUESTED.some((name) => name === word);

/** What one service adds to each list of names. */
type Names = Readonly<Record<Requested, readonly string[]>>;

/**
 * Prints the names, one per line: those that the supervisor knows, or else those of the configuration; nothing if there is
 * neither. Profiles are turned on before a supervisor runs, so they are always those of the configuration.
 */
async function printNames(context: CommandContext, what: Requested): Promise<number> {
  const running = what === 'profiles' ? null : await readRunning(context);
  const names = (running ?? (await readConfigured(context))).flatMap((service) => service[what]);
  context.out([...new Set(names)].map((name) => `${name}\n`).join(''));
  return EXIT.ok;
}

async function readRunning(context: CommandContext): Promise<readonly Names[] | null> {
  const response = await callSupervisor(context, { path: '/v1/status' });
  if (!response.ok || response.status !== 200) return null;
  return (response.body as { services: readonly WireService[] }).services.map(({ name, group, replica }) => ({
    services: replica?.index === 0 ? [replica.of, name] : [name],
    groups: group === null ? [] : [group],
    profiles: [],
  }));
}

async function readConfigured(context: CommandContext): Promise<readonly Names[]> {
  const found = findConfiguration(context);
  if (found === null) return [];
  const { loadDraft } = await import('../../config/load.ts');
  const { config } = loadDraft([found.path, ...found.more], context.files, context.environment);
  return (config?.services ?? []).map(({ key, group, profiles }) => ({
    services: [key],
    groups: group === null ? [] : [group],
    profiles: profiles ?? [],
  }));
}

/** The script for a shell. */
export function renderCompletion(shell: Shell, commands: Commands): string {
  return { bash, zsh, fish }[shell](commands);
}

/** The words of a completion, as the shell writes them; '' for files and for what is not completed. */
function wordsOf(what: Completion | undefined, commands: Commands, shell: Shell): string {
  if (what === undefined || what === 'files') return '';
  if (what === 'commands') return Object.keys(commands).join(' ');
  if (what === 'signals') return SIGNAL_NAMES.join(' ');
  if (!isRequested(what)) return what.join(' ');
  return `${shell === 'fish' ? '' : '$'}(svc-super completion ${what} 2>/dev/null)`;
}

/** The completions of the first argument and of the others. */
function argumentsOf({ completes }: Command): { readonly first?: Completion; readonly rest?: Completion } {
  if (completes === undefined) return {};
  return typeof completes === 'object' && 'first' in completes ? completes : { first: completes, rest: completes };
}

/** A flag in its long form and, if it has one, its short form. */
const formsOf = (name: string, short: string | undefined): readonly string[] =>
  short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];

/** The flags of a command that take a value: the forms of each, and the completion of the value. */
function valueFlags(command: Command): readonly (readonly [forms: readonly string[], what: Completion | undefined])[] {
  return Object.entries(flagsOf(command)).flatMap(([name, { type, short, completes }]) =>
    type === 'boolean' ? [] : [[formsOf(name, short), completes] as const],
  );
}

/** All flags of a command in all forms. */
function allFlags(command: Command): readonly string[] {
  return Object.entries(flagsOf(command)).flatMap(([name, { short }]) => formsOf(name, short));
}

function bash(commands: Commands): string {
  const assign = (what: Completion | undefined) =>
    what === 'files' ? 'files=1' : `words="$words ${wordsOf(what, commands, 'bash')}"`;
  // Flags by what completes their value: `start --group`.
  const values = new Map<string, string[]>();
  for (const [name, command] of Object.entries(commands)) {
    for (const [flags, what] of valueFlags(command)) {
      // `up` may be left out: then the first word is the flag.
      const places = flags.flatMap((flag) => [`'${name} ${flag}'`, ...(name === 'up' ? [`'${flag} ${flag}'`] : [])]);
      values.set(assign(what), [...(values.get(assign(what)) ?? []), ...places]);
    }
  }
  const valued = [...values].map(([action, places]) => `    ${places.join('|')})\n      ${action} ;;`);
  const cases = Object.entries(commands).map(([name, command]) => {
    const { first, rest } = argumentsOf(command);
    const flags = `words="${allFlags(command).join(' ')}"`;
    if (first === undefined) return `        ${name}) ${flags} ;;`;
    if (first === rest) return `        ${name}) ${flags}; ${assign(first)} ;;`;
    return `        ${name}) ${flags}; if [ -n "$first" ]; then ${assign(first)}; else ${assign(rest)}; fi ;;`;
  });
  return `# bash completion for svc-super: source <(svc-super completion bash)
_svc_super() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words="" files="" first=1 at
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${Object.keys(commands).join(' ')}" -- "$current"))
    return
  fi
  for ((at = 2; at < COMP_CWORD; at++)); do
    case "\${COMP_WORDS[at]}" in -*) ;; *) first="" ;; esac
  done
  case "\${COMP_WORDS[1]} \${COMP_WORDS[COMP_CWORD-1]}" in
${valued.join('\n')}
    *)
      case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
      esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ -n "$files" ]; then COMPREPLY+=($(compgen -f -- "$current")); fi
}
complete -F _svc_super svc-super
`;
}

function zsh(commands: Commands): string {
  const quote = (text: string) =>
    text.replaceAll("'", "'\\''").replaceAll(':', '\\:').replaceAll('[', '\\[').replaceAll(']', '\\]');
  const action = (what: Completion | undefined) => {
    const words = wordsOf(what, commands, 'zsh');
    return what === 'files' ? '_files' : words === '' ? ' ' : `(${words})`;
  };
  const list = Object.entries(commands).map(([name, { summary }]) => `    '${name}:${quote(summary)}'`);
  const cases = Object.entries(commands).map(([name, command]) => {
    const specs = Object.entries(flagsOf(command)).map(([flag, { type, short, completes, summary }]) => {
      const value = type === 'boolean' ? '' : `:${flag}:${action(completes)}`;
      const names = short === undefined ? `'--${flag}[` : `{-${short},--${flag}}'[`;
      return `${names}${quote(summary)}]${value}'`;
    });
    const { first, rest } = argumentsOf(command);
    if (first !== undefined && first !== rest) specs.push(`'1:word:${action(first)}'`);
    if (rest !== undefined) specs.push(`'*:word:${action(rest)}'`);
    return `    ${name}) _arguments ${specs.join(' ')} ;;`;
  });
  return `#compdef svc-super
# zsh completion for svc-super: svc-super completion zsh > "\${fpath[1]}/_svc-super"
_svc_super() {
  local -a commands
  commands=(
${list.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = _svc-super ]; then _svc_super "$@"; else compdef _svc_super svc-super; fi
`;
}

function fish(commands: Commands): string {
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  // `-F` permits files, which the first line of the script switches off.
  const given = (what: Completion) => (what === 'files' ? '-F' : `-a ${quote(wordsOf(what, commands, 'fish'))}`);
  const lines = Object.entries(commands).flatMap(([name, command]) => {
    const seen = `__fish_seen_subcommand_from ${name}`;
    const flags = Object.entries(flagsOf(command)).map(([flag, { type, short, completes, summary }]) => {
      const brief = short === undefined ? '' : ` -s ${short}`;
      const value = type === 'boolean' ? '' : completes === undefined ? ' -x' : ` -r ${given(completes)}`;
      return `complete -c svc-super -n '${seen}' -l ${flag}${brief}${value} -d ${quote(summary)}`;
    });
    const { first, rest } = argumentsOf(command);
    const isFirst = 'test (count (commandline -opc)) -eq 2';
    const words =
      first === rest
        ? [[seen, first] as const]
        : [[`${seen}; and ${isFirst}`, first] as const, [`${seen}; and not ${isFirst}`, rest] as const];
    return [
      `complete -c svc-super -n __fish_use_subcommand -a ${name} -d ${quote(command.summary)}`,
      ...flags,
      ...words.flatMap(([when, what]) =>
        what === undefined ? [] : [`complete -c svc-super -n '${when}' ${given(what)}`],
      ),
    ];
  });
  return `# fish completion for svc-super: svc-super completion fish | source\ncomplete -c svc-super -f\n${lines.join('\n')}\n`;
}
