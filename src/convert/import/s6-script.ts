// Scripts of s6-overlay: `run`, `up`, `finish` and those of cont-init.d. The simplest ones become a command; others are run
// by the interpreter that their first line names. `with-contenv` fails without s6 and is left out.

import { literal, splitWords } from '../words.ts';
import type { Value } from '../yaml-values.ts';

/** What a script comes to. `note`: why it stays a script that needs something in the image; null for nothing. */
export interface S6Command {
  readonly command: Value;
  readonly user: string | null;
  readonly cwd: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly note: string | null;
}

const bare = (command: Value, note: string | null = null): S6Command => ({
  command,
  user: null,
  cwd: null,
  env: {},
  note,
});

/** The interpreter that runs a script: the words of its first line without `with-contenv` and `env`. */
function interpreterOf(text: string): readonly string[] {
  const words = (/^#!\s*(.*)$/m.exec(text.split('\n', 1)[0] ?? '')?.[1] ?? '')
    .trim()
    .split(/\s+/)
    .filter((one) => one !== '');
  const rest =
    /(?:^|\/)with-contenv$/.test(words[0] ?? '') || /(?:^|\/)env$/.test(words[0] ?? '') ? words.slice(1) : words;
  // `#!/usr/bin/env -S a b`.
  return rest[0] === '-S' ? rest.slice(1) : rest;
}

/** A command in execline, which only the program of that name can run. */
export const execlineScript = (command: Value): S6Command =>
  bare(command, 'it is written in execline: keep execline in the image');

/** The command that runs a script which lies at `path` in the container. */
export function scriptCommand(text: string, path: string): S6Command {
  const [program, ...options] = interpreterOf(text);
  if (program === undefined) return bare([path]);
  if (/(?:^|\/)execlineb$/.test(program)) {
    return execlineCommand(text.replace(/^#!.*\n/, '')) ?? execlineScript([program, ...options, path]);
  }
  const simple = /(?:^|\/)(?:ba|da|a)?sh$/.test(program) ? shellCommand(text) : null;
  if (simple !== null) return simple;
  const note = /\bs6-setuidgid\b/.test(text)
    ? 'it uses s6-setuidgid: keep that in the image, or write `user` instead'
    : /(?:^|\/)bashio$/.test(program)
      ? 'it is written for bashio: keep bashio in the image'
      : null;
  return bare([program, ...options, path], note);
}

/** An `up` file, or a script in execline that is a chain of programs without blocks; null: it is more than that. */
export function execlineCommand(text: string): S6Command | null {
  const lines = text.split('\n').filter((line) => !/^\s*(?:#|$)/.test(line));
  if (lines.length === 0 || /[{}]|\$\{?\w/.test(lines.join('\n').replace(/"[^"$]*"/g, 'q'))) return null;
  const split = splitWords(lines.join(' '));
  return split.ok ? chain(split.words) : null;
}

/** Leaves out programs of s6 that only set something up for the next one. */
function chain(words: readonly string[]): S6Command | null {
  let rest = words;
  let user: string | null = null;
  let cwd: string | null = null;
  for (;;) {
    const name = rest[0]?.replace(/^.*\//, '');
    if (name === 'with-contenv' || name === 'exec') rest = rest.slice(1);
    else if (name === 's6-setuidgid') {
      user = rest[1] ?? null;
      rest = rest.slice(2);
    } else if (name === 'fdmove' && rest[1] === '-c') rest = rest.slice(4);
    else if (name === 'cd' || name === 's6-cd') {
      cwd = rest[1] ?? null;
      rest = rest.slice(2);
    } else break;
  }
  const odd =
    /^(?:if|ifelse|foreground|background|backtick|pipeline|importas|export|define|redirfd|s6-\w+|envdir|emptyenv|unexport|exit)$/;
  if (rest.length === 0 || odd.test(rest[0]?.replace(/^.*\//, '') ?? '')) return null;
  return { command: rest.map(literal), user, cwd, env: {}, note: null };
}

/** A shell script that contains only settings and one `exec` at its end; null: it contains more. */
function shellCommand(text: string): S6Command | null {
  const lines = text
    .replace(/^#!.*\n/, '')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const last = lines.pop() ?? '';
  const env: Record<string, string> = {};
  let cwd: string | null = null;
  for (const line of lines) {
    const [, name, value = ''] = /^export (\w+)=("[^"$`\\]*"|'[^']*'|[\w./:@%+,-]*)$/.exec(line) ?? [];
    const folder = /^cd ([\w./-]+)(?: \|\| exit(?: \d+)?)?$/.exec(line)?.[1];
    if (name !== undefined) env[name] = literal(value.replace(/^["']|["']$/g, ''));
    else if (folder?.startsWith('/')) cwd = folder;
    else if (!/^(?:set -[eux]+(?: -?o pipefail)?|set -o pipefail|exec 2>&1|umask 0?022|echo [^;&|<>`$]*)$/.test(line))
      return null;
  }
  if (!last.startsWith('exec ')) return null;
  const line = last.slice('exec '.length).replace(/\s+2>&1$/, '');
  if (/[;&|<>`()*?~[\]{}]/.test(line.replace(/"[^"`]*"|'[^']*'|\$\{\w+\}/g, 'q'))) return null;
  return fromLine(line, env, cwd);
}

function fromLine(line: string, env: Readonly<Record<string, string>>, cwd: string | null): S6Command | null {
  const [, user = null, rest = line] = /^(?:\/command\/|\/usr\/bin\/)?s6-setuidgid\s+(\S+)\s+(.+)$/s.exec(line) ?? [];
  if (user !== null && /[$"']/.test(user)) return null;
  const split = splitWords(rest);
  if (!split.ok || split.words.length === 0 || /^(?:s6-|with-contenv)/.test(split.words[0] ?? '')) return null;
  const isLiteral = !/\$/.test(rest.replace(/'[^']*'/g, 'q'));
  return { command: isLiteral ? split.words.map(literal) : `exec ${rest}`, user, cwd, env, note: null };
}

/** Whether a `finish` script ends the container. */
export function endsContainer(text: string): boolean {
  return /\/run\/s6\/basedir\/bin\/halt|s6-svscanctl\s+-\w*t|s6-linux-init-container-results|\bhalt\b|kill\s+(?:-\w+\s+)?1\b/.test(
    text,
  );
}
