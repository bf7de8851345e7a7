// Command lines split into words as supervisord splits them (Python's shlex.split, https://docs.python.org/3/library/shlex.html),
// without any expansion; texts quoted for a shell or for services.yaml; words of another system looked up in a table.

export type Words =
  | { readonly ok: true; readonly words: readonly string[] }
  | { readonly ok: false; readonly why: string };

const BLANK = /[ \t\r\n]/;

/**
 * Splits a text. Quotes are removed; in double quotes a backslash escapes `"` and `\` only, outside of quotes any
 * character. A shell also escapes `$` and the backquote in double quotes, and drops a backslash before a newline: text of a real shell
 * is not for this function. A text without words gives an empty list.
 */
export function splitWords(text: string): Words {
  const words: string[] = [];
  let word: string | null = null;
  for (let at = 0; at < text.length; at += 1) {
    const one = text[at] ?? '';
    if (BLANK.test(one)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (one === "'") {
      const end = text.indexOf("'", at + 1);
      if (end < 0) return { ok: false, why: 'a single quote is never closed' };
      word = (word ?? '') + text.slice(at + 1, end);
      at = end;
    } else if (one === '"') {
      const inner = readDoubleQuotes(text, at + 1);
      if (inner === null) return { ok: false, why: 'a double quote is never closed' };
      word = (word ?? '') + inner.text;
      at = inner.end;
    } else if (one === '\\') {
      if (at + 1 >= text.length) return { ok: false, why: 'it ends with a backslash' };
      at += 1;
      word = (word ?? '') + text[at];
    } else word = (word ?? '') + one;
  }
  if (word !== null) words.push(word);
  return { ok: true, words };
}

/** The text up to the closing quote, and the index of that quote; null: there is none. */
function readDoubleQuotes(text: string, from: number): { readonly text: string; readonly end: number } | null {
  let inner = '';
  for (let at = from; at < text.length; at += 1) {
    const one = text[at] ?? '';
    if (one === '"') return { text: inner, end: at };
    const next = text[at + 1];
    if (one === '\\' && (next === '"' || next === '\\')) {
      inner += next;
      at += 1;
    } else inner += one;
  }
  return null;
}

/** A word as a shell reads it back: in single quotes where it has to be. */
export function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** An argument vector as one command line. */
export const quoteWords = (argv: readonly string[]): string => argv.map(quoteWord).join(' ');

/**
 * A literal text in which `${` must not begin a reference of services.yaml. Not for a `command` that is a text: there `${` is the
 * shell's (config/command.ts), while in a list it begins a reference.
 */
export function literal(text: string): string {
  return text.replaceAll('${', () => '$${');
}

/** `sh -c TEXT` of any POSIX shell at its usual places: the text; null for another command. */
export function shellText(words: readonly string[]): string | null {
  const [program = '', flag, text, ...more] = words;
  const isShell = /^(?:\/(?:usr\/)?bin\/)?(?:sh|dash|ash)$/.test(program);
  return isShell && flag === '-c' && text !== undefined && text.trim() !== '' && more.length === 0 ? text : null;
}

/**
 * A text of services.yaml, followed by a reference. A `$` at the end of the text would escape the reference, and becomes one
 * itself.
 */
export function withReference(before: string, reference: string): string {
  const dollars = /\$+$/.exec(before)?.[0];
  if (dollars === undefined) return before + reference;
  return `${before.slice(0, -dollars.length)}\${DOLLAR:-${dollars}}${reference}`;
}

/**
 * The folder of a virtual environment and the command in it, of words that only set that environment up in a shell, as the exports
 * of a service with `venv` do; null for other words.
 */
export function unwrapVenv(words: readonly string[]): { readonly venv: string; readonly skip: number } | null {
  const [shell = '', flag, text = '', zero, program] = words;
  const setup = /^export VIRTUAL_ENV=([\w./-]+) PATH=\1\/bin:"\$PATH"\nunset PYTHONHOME\nexec "\$@"\n?$/.exec(text);
  const isShell = /^(?:\/bin\/)?sh$/.test(shell) && flag === '-c' && zero !== undefined && program !== undefined;
  return isShell && setup?.[1] !== undefined ? { venv: setup[1], skip: 4 } : null;
}

/** What a table has for a word of a foreign file; undefined: nothing, also for words such as `constructor`. */
export function meaningOf<T>(table: Readonly<Record<string, T>>, word: string): T | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined;
}

/** A signal as services.yaml takes it: its name in capitals without `SIG`. A text with a variable stays, since case counts there. */
export function shortSignal(text: string): string {
  return text.includes('$') ? text : text.toUpperCase().replace(/^SIG/, '');
}
