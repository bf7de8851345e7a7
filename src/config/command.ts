// Commands, and the names of services and groups: their shapes, and what can be told from the text of a command. The reader of
// the file refuses a NUL in any text, which execve(2) could not take.
import { byKind, listOf, refined, type Shape, text } from './shape.ts';

/** A text for `/bin/sh -c`, or an argument vector. */
export type CommandValue = string | readonly string[];

/** Names of services and groups. They appear in URLs, prefixes, host names, environment variables. */
export const NAME = { pattern: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, wanted: 'a name' } as const;
export const NAME_RULE = 'letters, digits, `_`, `.` and `-`, at most 63, beginning with a letter or digit';

/** The argument vector of a command. */
export function toArgv(command: CommandValue): readonly string[] {
  if (typeof command !== 'string') return command;
  return ['/bin/sh', '-c', isOneProgram(command) ? `exec ${command.trimStart()}` : command];
}

/** First words that `exec` cannot run: commands built into the shell, and its grammar (POSIX, dash). */
const OF_THE_SHELL: ReadonlySet<string> = new Set(
  (
    '. : [ alias bg break case cd chdir command continue do done echo elif else esac eval exec exit export false fc fg fi for ' +
    'function getopts hash if in jobs kill let local printf pwd read readonly return set shift source test then time ' +
    'times trap true type ulimit umask unalias unset until wait while'
  ).split(' '),
);

/**
 * Whether a command line is a single program with its arguments. `exec` may then replace the shell with it. Otherwise dash,
 * the `sh` of Debian, would stay as its parent, receive the stop signal alone, and replace its exit code.
 */
export function isOneProgram(line: string): boolean {
  const text = line.trim();
  return isSimple(withoutQuotes(text)) && !isOfTheShell(text.split(/[ \t]/, 1)[0] ?? '');
}

/** `word`: as it is written; the shell removes the quotes of `"cd" x` before it looks for the command. */
function isOfTheShell(word: string): boolean {
  return OF_THE_SHELL.has(word.replaceAll(/["'\\]/g, ''));
}

/** An escaped character, a quoted text, or a `${…}` whose value the shell splits into words and does not parse as grammar. */
const QUOTED = /\\[^\n]|'[^']*'|"(?:[^"\\]|\\.)*"|\$\{\w+(?:[:+=?-][^;&|()<>{}'"`$\\\n\r]*)?\}/gs;

/** The line with each quoted text and each `${…}` replaced by a word of the same length. */
function withoutQuotes(line: string): string {
  return line.replaceAll(QUOTED, (found) => (found.startsWith('$') ? '$' : 'q').padEnd(found.length, 'q'));
}

/** Whether a line without quotes is a single program with its arguments. */
function isSimple(bare: string): boolean {
  if (/[;&|()<>`{}!'"\\\n\r]/.test(bare)) return false;
  const [first = ''] = bare.split(/[ \t]/, 1);
  return /^[\w./+@:-]+$/.test(first) && !isOfTheShell(first);
}

/**
 * The last program of a list of commands, such as `python3` in `cd /app && python3 app.py`. The shell stays its parent and
 * receives the stop signal in its place. null: there is none; or the list needs the shell to its end; or the last command follows
 * `||`: in `python3 app.py || alert` the program is what stands before it.
 */
export function hiddenProgram(line: string): string | null {
  const text = line.trim();
  const bare = withoutQuotes(text).replaceAll(/\\\n/g, '  ');
  // Pipes, groups, substitutions and jobs need the shell; a line with a trap or a `wait` handles signals itself.
  if (
    /[`{}()!]|<<|(?<![|])[|](?![|])|(?<![&>])&(?![&>\d])|(?:^|[\s;&])(?:trap|wait|if|while|until|for|case)\b/.test(bare)
  )
    return null;
  const parts = bare.split(/(&&|\|\||[;\n])/);
  const separator = parts.at(-2);
  if (separator === undefined || separator === '||') return null;
  const last = (parts.at(-1) ?? '').replace(/^\s*(?:\w+=\S*\s+)*/, '');
  const command = last.replaceAll(/\s*\d*(?:>>?|<)\s*(?:&\d|[^\s&]\S*)/g, '').trimStart();
  const program = /^\S+/.exec(command)?.[0];
  if (program === undefined || !isSimple(command)) return null;
  const at = bare.length - last.length;
  // As it is written, with its quotes, unless a redirection stands before it.
  const written = bare.startsWith(program, at) ? text.slice(at, at + program.length) : program;
  return isOfTheShell(written) ? null : written;
}

/** What a command line does that its author rarely means. */
interface Doubts {
  /** The shell starts the program in the background and exits. */
  readonly endsInBackground: boolean;
  /** A word of bash that dash, the `sh` of Debian and Ubuntu, does not know; null: none. */
  readonly bashWord: 'source' | '[[' | null;
  /** The exit code is that of `tee`. */
  readonly endsInTee: boolean;
}

export function doubtsOf(line: string): Doubts {
  const bare = withoutQuotes(line.trim());
  return {
    endsInBackground: /[^&]&$/.test(bare),
    bashWord:
      (/(?:^|[;&|\n({!]|\b(?:if|then|do|else|while|until))\s*(source|\[\[)\s/.exec(bare)?.[1] as Doubts['bashWord']) ??
      null,
    endsInTee: /(?<!\|)\|&?\s*tee\b[^|;&\n]*$/.test(bare) && !/\bpipefail\b/.test(bare),
  };
}

/** A command. The shell, not svc-super, expands variables in the text form. */
export function command(): Shape<CommandValue> {
  const wanted = 'a command line, or a list of a program and its arguments';
  const line = refined(text({ wanted, raw: true }), (value, node, name, reading) =>
    value.trim() === '' ? reading.report(node, 'empty-value', `${name} is empty: it must be ${wanted}`) : value,
  );
  const words = refined(
    listOf(text({ wanted: 'a text', loose: true, empty: true }), { wanted, least: 1 }),
    (value, node, name, reading) =>
      value[0] === ''
        ? reading.report(node, 'empty-value', `${name} begins with an empty text: it must name a program`)
        : value,
  );
  return byKind<string, readonly string[]>(wanted, { scalar: line, list: words });
}

/** The name of a group. */
export function groupName(): Shape<string> {
  return text({ wanted: `a name (${NAME_RULE})`, pattern: NAME.pattern });
}
