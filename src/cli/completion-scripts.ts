// The completion scripts of `completion`, generated from the table of commands: commands, flags and their values. Names of services,
// groups and profiles are requested from `svc-super completion` at completion time. Pure.
import { SIGNAL_NAMES } from '../linux/signals.ts';
import type { Command, Completion } from './command.ts';
import { flagsOf } from './flags.ts';
import type { Commands } from './help.ts';

export type Shell = 'bash' | 'zsh' | 'fish';
export const SHELLS: readonly Shell[] = ['bash', 'zsh', 'fish'];

/** The names that the scripts request: `svc-super completion services -- WORDS`, with the command line before the cursor. */
const REQUESTED = ['services', 'scales', 'groups', 'profiles'] as const;
export type Requested = (typeof REQUESTED)[number];

export const isRequested = (word: unknown): word is Requested => REQUESTED.some((name) => name === word);

/** Flags in place of a command. */
const LONE_FLAGS = ['--version', '-V'];

/** The script for a shell. */
export function renderCompletion(shell: Shell, commands: Commands): string {
  return { bash, zsh, fish }[shell](commands);
}

/** The words of a completion that are known now; null: files, or names to request. */
function knownWords(what: Completion, commands: Commands): readonly string[] | null {
  if (what === 'commands') return Object.keys(commands);
  if (what === 'signals') return SIGNAL_NAMES;
  return what === 'files' || isRequested(what) ? null : what;
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

/** `logs -n`, `logs --lines`: each flag that takes a value, in all forms, behind its command. */
function valuePlaces(commands: Commands): readonly string[] {
  return Object.entries(commands).flatMap(([name, command]) =>
    valueFlags(command).flatMap(([forms]) => forms.map((form) => `${name} ${form}`)),
  );
}

/** All flags of a command in all forms. */
function allFlags(command: Command): readonly string[] {
  return Object.entries(flagsOf(command)).flatMap(([name, { short }]) => formsOf(name, short));
}

function bash(commands: Commands): string {
  const assign = (what: Completion | undefined) => {
    if (what === undefined) return ':';
    if (what === 'files') return 'files=1';
    const words = knownWords(what, commands)?.join(' ');
    return `words="$words ${words ?? `$(svc-super completion ${what} -- "\${before[@]}" 2>/dev/null)`}"`;
  };
  // Flags by what completes their value: `start --group`.
  const values = new Map<string, string[]>();
  for (const [name, command] of Object.entries(commands)) {
    for (const [forms, what] of valueFlags(command)) {
      const places = forms.map((form) => `'${name} ${form}'`);
      values.set(assign(what), [...(values.get(assign(what)) ?? []), ...places]);
    }
  }
  const valued = [...values].map(([action, places]) => `    ${places.join('|')})\n      ${action} ;;`);
  const places = valuePlaces(commands).map((place) => `'${place}'`);
  const cases = Object.entries(commands).map(([name, command]) => {
    const { first, rest } = argumentsOf(command);
    const lone = name === 'up' ? `; if [ "$COMP_CWORD" -eq 1 ]; then flags="$flags ${LONE_FLAGS.join(' ')}"; fi` : '';
    const flags = `flags="${allFlags(command).join(' ')}"${lone}`;
    if (first === undefined) return `        ${name}) ${flags} ;;`;
    if (first === rest) return `        ${name}) ${flags}; ${assign(first)} ;;`;
    return `        ${name}) ${flags}; if [ -n "$first" ]; then ${assign(first)}; else ${assign(rest)}; fi ;;`;
  });
  return `# bash completion for svc-super: source <(svc-super completion bash)
_svc_super() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words="" flags="" files="" first=1 command="\${COMP_WORDS[1]}" start=2 at
  local last=$((COMP_CWORD - 1)) before=("\${COMP_WORDS[@]:1:COMP_CWORD-1}")
  # \`up\` may be left out before its flags.
  case "$command" in -*) command=up start=1 ;; esac
  if [ "$COMP_CWORD" -eq 1 ] && [ "$command" != up ]; then
    COMPREPLY=($(compgen -W "${Object.keys(commands).join(' ')}" -- "$current"))
    return
  fi
  for ((at = start; at < COMP_CWORD; at++)); do
    case "$command \${COMP_WORDS[at]}" in
      ${places.join('|')})
        ((at++))
        if [ "\${COMP_WORDS[at]}" = = ]; then ((at++)); fi ;;
      "$command "-*) ;;
      *) first="" ;;
    esac
  done
  # bash splits \`--flag=value\` into three words.
  if [ "$current" = = ]; then current=""; elif [ "\${COMP_WORDS[last]}" = = ]; then ((last--)); fi
  case "$command \${COMP_WORDS[last]}" in
${valued.join('\n')}
    *)
      if [ "\${COMP_WORDS[COMP_CWORD]}" = = ] || [ "\${COMP_WORDS[COMP_CWORD-1]}" = = ]; then return; fi
      case "$command" in
${cases.join('\n')}
      esac
      case "$current" in -*) words="$flags" files="" ;; esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  case "\${COMPREPLY[0]}" in *=) compopt -o nospace 2>/dev/null ;; esac
  if [ -n "$files" ]; then COMPREPLY+=($(compgen -f -- "$current")); fi
}
complete -F _svc_super svc-super
`;
}

function zsh(commands: Commands): string {
  const quote = (text: string) =>
    text.replaceAll("'", "'\\''").replaceAll(':', '\\:').replaceAll('[', '\\[').replaceAll(']', '\\]');
  const action = (what: Completion | undefined) => {
    if (what === undefined) return ' ';
    if (what === 'files') return '_files';
    const names = `$(svc-super completion ${what} -- $svc_super_words 2>/dev/null)`;
    if (what === 'scales') return ` compadd -S "" - ${names}`;
    return `(${knownWords(what, commands)?.join(' ') ?? names})`;
  };
  const list = Object.entries(commands).map(([name, { summary }]) => `    '${name}:${quote(summary)}'`);
  const cases = Object.entries(commands).map(([name, command]) => {
    const specs = Object.entries(flagsOf(command)).map(([flag, { type, short, multiple, completes, summary }]) => {
      const [mark, value] = type === 'boolean' ? ['', ''] : ['=', `:${flag}:${action(completes)}`];
      const forms = formsOf(flag, short);
      const long = `--${flag}${mark}`;
      const names = short === undefined ? `'${long}` : `{-${short}${mark && '+'},${long}}'`;
      const once = multiple === true ? "'*'" : short === undefined ? '' : `'(${forms.join(' ')})'`;
      return `${once}${names}[${quote(summary)}]${value}'`;
    });
    const { first, rest } = argumentsOf(command);
    if (first !== undefined && first !== rest) specs.push(`'1:word:${action(first)}'`);
    if (rest !== undefined) specs.push(`'*:word:${action(rest)}'`);
    const lone = name === 'up' ? ' $svc_super_lone' : '';
    return `    ${name}) _arguments -S ${specs.join(' ')}${lone} ;;`;
  });
  return `#compdef svc-super
# zsh completion for svc-super: svc-super completion zsh > "\${fpath[1]}/_svc-super"
_svc_super() {
  local -a commands svc_super_words svc_super_lone
  commands=(
${list.join('\n')}
  )
  local command=$words[2]
  svc_super_words=("\${(@)words[2,CURRENT-1]}")
  # \`up\` may be left out before its flags.
  if [[ $command == -* ]]; then
    command=up
    if (( CURRENT == 2 )); then svc_super_lone=(${LONE_FLAGS.map((flag) => `'${flag}'`).join(' ')}); fi
  elif (( CURRENT == 2 )); then
    _describe command commands
    return
  else
    shift words
    (( CURRENT-- ))
  fi
  case $command in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = _svc-super ]; then _svc_super "$@"; else compdef _svc_super svc-super; fi
`;
}

/** Functions of the script for fish. */
const FISH_FUNCTIONS = `# The words before the cursor, without \`svc-super\`; \`up\` may be left out before its flags.
function __svc_super_words
  set -l words (commandline -opc)
  set -e words[1]
  string match -q -- '-*' "$words[1]"; and set -p words up
  string join \\n -- $words
end
# Whether the command is one of these; '' stands for no command yet.
function __svc_super_is
  set -l words (__svc_super_words)
  contains -- "$words[1]" $argv
end
# Whether the cursor is at the first argument: neither a flag nor the value of one is an argument.
function __svc_super_is_first
  set -l words (__svc_super_words)
  set -l command $words[1]
  set -l is_value 0
  set -e words[1]
  for word in $words
    if test $is_value = 1
      set is_value 0
    else if string match -q -- '-*' $word
      contains -- "$command $word" $__svc_super_values; and set is_value 1
    else
      return 1
    end
  end
  return 0
end
function __svc_super_names
  svc-super completion $argv[1] -- (__svc_super_words) 2>/dev/null
end`;

function fish(commands: Commands): string {
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  // `-F` permits files, which the first line of the script switches off.
  const given = (what: Completion) =>
    what === 'files' ? '-F' : `-a ${quote(knownWords(what, commands)?.join(' ') ?? `(__svc_super_names ${what})`)}`;
  const value = (what: Completion | undefined) =>
    what === undefined ? ' -x' : what === 'files' ? ' -r -F' : ` -x ${given(what)}`;
  const lines = Object.entries(commands).flatMap(([name, command]) => {
    const is = `__svc_super_is ${name}`;
    const flags = Object.entries(flagsOf(command)).map(([flag, { type, short, completes, summary }]) => {
      const brief = short === undefined ? '' : ` -s ${short}`;
      const when = name === 'up' ? `${is} ""` : is;
      const taken = type === 'boolean' ? '' : value(completes);
      return `complete -c svc-super -n '${when}' -l ${flag}${brief}${taken} -d ${quote(summary)}`;
    });
    const { first, rest } = argumentsOf(command);
    const words =
      first === rest
        ? [[is, first] as const]
        : [[`${is}; and __svc_super_is_first`, first] as const, [`${is}; and not __svc_super_is_first`, rest] as const];
    return [
      `complete -c svc-super -n '__svc_super_is ""' -a ${name} -d ${quote(command.summary)}`,
      ...flags,
      ...words.flatMap(([when, what]) =>
        what === undefined ? [] : [`complete -c svc-super -n '${when}' ${given(what)}`],
      ),
    ];
  });
  const values = valuePlaces(commands).map(quote).join(' ');
  return `# fish completion for svc-super: svc-super completion fish | source
set -g __svc_super_values ${values}
${FISH_FUNCTIONS}
complete -c svc-super -f
complete -c svc-super -n '__svc_super_is ""' -s V -l version -d 'print the version'
${lines.join('\n')}
`;
}
