// Completion scripts for shells, generated from the table of commands: commands, flags, and the names of services, which are
// requested from the supervisor at completion time. Pure.
import type { Command } from './command.ts';

export type Shell = 'bash' | 'zsh' | 'fish';
export const SHELLS: readonly Shell[] = ['bash', 'zsh', 'fish'];

type Commands = Readonly<Record<string, Command>>;

/** Flags whose value is a file. */
const FILES: ReadonlySet<string> = new Set(['file', 'svg', 'socket']);

/** Prints one name per line, or nothing if no supervisor responds. */
const NAMES = 'svc-super completion names 2>/dev/null';

export function renderCompletion(shell: Shell, commands: Commands): string {
  return { bash, zsh, fish }[shell](commands);
}

function flagsOf({ flags }: Command): string[] {
  return Object.entries({ ...flags, help: { short: 'h' } }).flatMap(([name, flag]) => [
    `--${name}`,
    ...('short' in flag && flag.short !== undefined ? [`-${flag.short}`] : []),
  ]);
}

function bash(commands: Commands): string {
  const names = Object.keys(commands);
  const cases = Object.entries(commands).map(([name, command]) => {
    const services = command.completes === 'services' ? ` $(${NAMES})` : '';
    const words = name === 'help' ? names.join(' ') : name === 'completion' ? SHELLS.join(' ') : '';
    return `    ${name}) words="${[...flagsOf(command), words].join(' ').trim()}${services}" ;;`;
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
    const specs = Object.entries(command.flags).map(([flag, { type, short, summary }]) => {
      const value = type === 'boolean' ? '' : `:${flag}:${FILES.has(flag) ? '_files' : ' '}`;
      const names = short === undefined ? `'--${flag}[` : `{-${short},--${flag}}'[`;
      return `${names}${quote(summary)}]${value}'`;
    });
    if (command.completes === 'services') specs.push(`'*:service:($(${NAMES}))'`);
    if (name === 'help') specs.push(`'*:command:(${Object.keys(commands).join(' ')})'`);
    if (name === 'completion') specs.push(`'*:shell:(${SHELLS.join(' ')})'`);
    return `    ${name}) _arguments ${["'(-h --help)'{-h,--help}'[show this help]'", ...specs].join(' ')} ;;`;
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
    const flags = Object.entries(command.flags).map(([flag, { type, short, summary }]) => {
      const brief = short === undefined ? '' : ` -s ${short}`;
      const value = type === 'boolean' ? '' : FILES.has(flag) ? ' -rF' : ' -x';
      return `${here} -l ${flag}${brief}${value} -d ${quote(summary)}`;
    });
    const words =
      command.completes === 'services'
        ? [`${here} -a '(${NAMES})'`]
        : name === 'help'
          ? [`${here} -a ${quote(Object.keys(commands).join(' '))}`]
          : name === 'completion'
            ? [`${here} -a ${quote(SHELLS.join(' '))}`]
            : [];
    return [
      `complete -c svc-super -n __fish_use_subcommand -a ${name} -d ${quote(command.summary)}`,
      ...flags,
      ...words,
    ];
  });
  return `# fish completion for svc-super: svc-super completion fish | source\ncomplete -c svc-super -f\n${lines.join('\n')}\n`;
}
