// `completion`: scripts for shells, generated from the table of commands: commands, flags, and the names of services, which
// are requested from the supervisor at completion time.
import type { WireService } from '../../control/wire.ts';
import { type Command, type CommandContext, type CommandTable, EXIT, type GivenFlags } from '../command.ts';
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
  if (shell === 'names') return printNames(context);
  const found = SHELLS.find((name) => name === shell);
  if (found === undefined) {
    context.err(`svc-super: completion is for ${SHELLS.join(', ')}\n`);
    return EXIT.usage;
  }
  context.out(renderCompletion(found, await loadCommands(table)));
  return EXIT.ok;
}

/** Prints the names of the services, one per line; nothing if no supervisor responds. */
async function printNames(context: CommandContext): Promise<number> {
  const response = await callSupervisor(context, { path: '/v1/status' });
  const body = response.ok ? (response.body as { services?: readonly WireService[] }) : {};
  const all = (body.services ?? []).flatMap(({ name, replica }) =>
    replica?.index === 0 ? [replica.of, name] : [name],
  );
  context.out(all.map((name) => `${name}\n`).join(''));
  return EXIT.ok;
}

/** Prints one name per line, or nothing if no supervisor responds. */
const NAMES = 'svc-super completion names 2>/dev/null';

export function renderCompletion(shell: Shell, commands: Commands): string {
  return { bash, zsh, fish }[shell](commands);
}

/** The words that a command completes, other than services. */
function wordsOf({ completes }: Command, commands: Commands): readonly string[] {
  if (completes === undefined || completes === 'services') return [];
  return completes === 'commands' ? Object.keys(commands) : completes;
}

/** Each flag as it is written. */
function writtenFlags(command: Command): string[] {
  return Object.entries(flagsOf(command)).flatMap(([name, { short }]) => [
    `--${name}`,
    ...(short === undefined ? [] : [`-${short}`]),
  ]);
}

function bash(commands: Commands): string {
  const names = Object.keys(commands);
  const cases = Object.entries(commands).map(([name, command]) => {
    const services = command.completes === 'services' ? ` $(${NAMES})` : '';
    const words = [...writtenFlags(command), ...wordsOf(command, commands)];
    return `    ${name}) words="${words.join(' ')}${services}" ;;`;
  });
  return `# bash completion for svc-super: source <(svc-super completion bash)
_svc_super() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names.join(' ')}" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
    -f|--file|--svg|--socket) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    *) words="" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _svc_super svc-super
`;
}

function zsh(commands: Commands): string {
  const quote = (text: string) =>
    text.replaceAll("'", "'\\''").replaceAll(':', '\\:').replaceAll('[', '\\[').replaceAll(']', '\\]');
  const list = Object.entries(commands).map(([name, { summary }]) => `    '${name}:${quote(summary)}'`);
  const cases = Object.entries(commands).map(([name, command]) => {
    const specs = Object.entries(flagsOf(command)).map(([flag, { type, short, completes, summary }]) => {
      const value = type === 'boolean' ? '' : `:${flag}:${completes === 'files' ? '_files' : ' '}`;
      const names = short === undefined ? `'--${flag}[` : `{-${short},--${flag}}'[`;
      return `${names}${quote(summary)}]${value}'`;
    });
    if (command.completes === 'services') specs.push(`'*:service:($(${NAMES}))'`);
    const words = wordsOf(command, commands);
    if (words.length > 0) specs.push(`'*:word:(${words.join(' ')})'`);
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
  const lines = Object.entries(commands).flatMap(([name, command]) => {
    const here = `complete -c svc-super -n '__fish_seen_subcommand_from ${name}'`;
    const flags = Object.entries(flagsOf(command)).map(([flag, { type, short, completes, summary }]) => {
      const brief = short === undefined ? '' : ` -s ${short}`;
      const value = type === 'boolean' ? '' : completes === 'files' ? ' -rF' : ' -x';
      return `${here} -l ${flag}${brief}${value} -d ${quote(summary)}`;
    });
    const known = wordsOf(command, commands).join(' ');
    const words = command.completes === 'services' ? `(${NAMES})` : known;
    return [
      `complete -c svc-super -n __fish_use_subcommand -a ${name} -d ${quote(command.summary)}`,
      ...flags,
      ...(words === '' ? [] : [`${here} -a ${quote(words)}`]),
    ];
  });
  return `# fish completion for svc-super: svc-super completion fish | source\ncomplete -c svc-super -f\n${lines.join('\n')}\n`;
}
