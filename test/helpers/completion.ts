// Completes lines in real shells, with the script of `svc-super completion` where each shell looks for it. Returns what a shell
// offers, sorted. Each shell prints it as lines, and `.` behind those of one line.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { renderCompletion, type Shell } from '../../src/cli/completion-scripts.ts';
import { type Commands, loadCommands } from '../../src/cli/help.ts';
import { COMMANDS } from '../../src/cli/table.ts';
import { binary } from './rig.ts';

export interface CompletionSetup {
  /** A folder for the files of the shells. */
  readonly home: string;
  /** The folder in which the lines are completed. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Where a shell looks for the script. */
const PLACES: Readonly<Record<Shell, string>> = {
  bash: 'completions/svc-super',
  zsh: 'functions/_svc-super',
  fish: '.config/fish/completions/svc-super.fish',
};

/** Splits a line as readline does, with `=` as a word of its own. */
const BASH = `
source "$HOME/completions/svc-super"
for line; do
  read -ra COMP_WORDS <<<"\${line//=/ = }"
  case "$line" in *' ') COMP_WORDS+=("") ;; esac
  COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)) COMPREPLY=()
  _svc_super
  printf '%s\\n' "\${COMPREPLY[@]}" .
done
`;

const FISH = `
for line in $argv
  complete -C $line | string replace -r '\\t.*' ''
  echo .
end
`;

/** The widget of completion works in an interactive zsh only, which zpty starts. It completes all lines before its first prompt. */
const ZSH = `
zmodload zsh/zpty || exit 1
print -rl -- "$@" >"$HOME/lines"
zpty shell zsh -f -i
zpty -w shell 'source "$HOME/inside.zsh"'
while zpty -r shell drained; do :; done
cat "$HOME/offered"
`;
const ZSH_INSIDE = `
unsetopt auto_list auto_menu beep
fpath=("$HOME/functions" $fpath)
autoload -Uz compinit && compinit -u -D
compadd() {
  local option
  for option; do
    case $option in
      (-|--) break ;;
      (-[OAD]) builtin compadd "$@"; return ;; # it only stores words
    esac
  done
  local -a words
  builtin compadd -O words "$@"
  offered+=($words)
  builtin compadd "$@"
}
zle -C complete-line complete-word _main_complete
zle-line-init() {
  typeset -ga offered
  local line
  while IFS= read -r line; do
    BUFFER=$line CURSOR=$#line offered=()
    zle complete-line
    print -rl -- $offered .
  done <"$HOME/lines" >"$HOME/offered"
  BUFFER=exit
  zle accept-line
}
zle -N zle-line-init
`;

const RUN: Readonly<Record<Shell, readonly string[]>> = {
  bash: ['bash', '--norc', '-c', BASH, 'bash'],
  zsh: ['zsh', '-f', '-c', ZSH, 'zsh'],
  fish: ['fish', '-c', FISH],
};

let loaded: Promise<Commands> | null = null;

/** What the shell offers at the end of each line. */
export async function completeIn(
  shell: Shell,
  lines: readonly string[],
  { home, cwd, env }: CompletionSetup,
): Promise<readonly (readonly string[])[]> {
  loaded ??= loadCommands(COMMANDS);
  const place = join(home, PLACES[shell]);
  mkdirSync(dirname(place), { recursive: true });
  writeFileSync(place, renderCompletion(shell, await loaded));
  writeFileSync(join(home, 'inside.zsh'), ZSH_INSIDE);
  const path = `${dirname(binary)}:/usr/local/bin:/usr/bin:/bin`;
  const { stdout, stderr, exitCode } = Bun.spawnSync([...RUN[shell], ...lines], {
    cwd,
    env: { HOME: home, PATH: path, TERM: 'xterm', LC_ALL: 'C.UTF-8', ...env },
    timeout: 60_000,
  });
  if (exitCode !== 0 || stderr.length > 0) throw new Error(`${shell} ended with ${exitCode}: ${stderr}`);
  const offered = stdout.toString().split(/^\.\n/m);
  return lines.map((_, at) =>
    (offered[at] ?? '')
      .split('\n')
      .filter((word) => word !== '')
      .sort(),
  );
}
