// Environment files: lines of `KEY=VALUE`. Values are literal; variables in them are not expanded. Reads no file itself.
import type { Span } from './tree.ts';

interface DotenvProblem extends Span {
  readonly message: string;
  readonly suggestion?: string;
}
export interface Dotenv {
  readonly values: ReadonlyMap<string, string>;
  readonly problems: readonly DotenvProblem[];
}

const KEY = /^(?:export[ \t]+)?([^\s=#'"\0]+)[ \t]*=/;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', $: '$' };

/**
 * Parses an environment file. Blank lines and `#` comments are skipped, `export ` before a key is dropped, and the last value
 * of a repeated key counts. A value without quotes ends at the end of its line or before ` #`, and is trimmed. In single
 * quotes everything is literal; in double quotes `\n`, `\r`, `\t`, `\"`, `\\`, `\$` are escapes. Both may span lines.
 */
export function parseDotenv(text: string): Dotenv {
  const values = new Map<string, string>();
  const problems: DotenvProblem[] = [];
  let at = 0;
  while (at < text.length) {
    const end = lineEnd(text, at);
    const line = text.slice(at, end);
    const start = at + (line.length - line.trimStart().length);
    const body = line.trim();
    at = end + 1;
    if (body === '' || body.startsWith('#')) continue;
    const key = KEY.exec(body);
    if (key === null) {
      const suggestion = 'write `KEY=VALUE`, a comment that begins with `#`, or nothing';
      problems.push({ start, end: start + body.length, message: 'this line is not `KEY=VALUE`', suggestion });
      continue;
    }
    const value = readValue(text, start + key[0].length);
    if (value.problem !== null) problems.push(value.problem);
    else if (value.text.includes('\0')) {
      problems.push({ start, end: start + body.length, message: 'this value contains a NUL character' });
    } else values.set(key[1] ?? '', value.text);
    at = Math.max(at, value.next);
  }
  return { values, problems };
}

interface Value {
  readonly text: string;
  /** Offset after the value's last line. */
  readonly next: number;
  readonly problem: DotenvProblem | null;
}

function readValue(text: string, from: number): Value {
  const end = lineEnd(text, from);
  let at = from;
  while (at < end && (text[at] === ' ' || text[at] === '\t')) at += 1;
  const quote = text[at];
  if (quote !== '"' && quote !== "'") return readBare(text, at, end, at > from);
  const closed = quote === '"' ? readDouble(text, at + 1) : readSingle(text, at + 1);
  const opening = { start: at, end: at + 1 };
  if (closed === null) {
    const message = `this ${quote} is never closed`;
    const suggestion = `write a ${quote} at the end of the value, or put the value in the other quotes`;
    return { text: '', next: end + 1, problem: { ...opening, message, suggestion } };
  }
  const last = lineEnd(text, closed.next);
  const rest = text.slice(closed.next, last);
  // A comment begins after a space, as it does after a value without quotes.
  if (/^\s*$|^\s+#/.test(rest) && !isEscapeMeant(quote, closed.text, rest)) {
    return { text: closed.text, next: last + 1, problem: null };
  }
  const where = { start: closed.next, end: closed.next + rest.trimEnd().length };
  if (closed.next > end) {
    const message = `the value that this ${quote} opens ends on a later line, and more text follows there`;
    const suggestion = `is the closing ${quote} missing on this line?`;
    return { text: '', next: last + 1, problem: { ...opening, message, suggestion } };
  }
  const message = `text follows the closing ${quote}`;
  const suggestion = isEscapeMeant(quote, closed.text, rest)
    ? 'in single quotes a backslash is a backslash and the next quote ends the value: use double quotes'
    : 'put the whole value in quotes, and write a space before the `#` of a comment';
  return { text: '', next: last + 1, problem: { ...where, message, suggestion } };
}

/** `'pa\'ss'`: single quotes have no escapes, but this value was probably written with one. */
function isEscapeMeant(quote: string, value: string, rest: string): boolean {
  return quote === "'" && value.endsWith('\\') && rest.includes("'");
}

/** A value without quotes: it ends with the line, or before ` #`. */
function readBare(text: string, at: number, end: number, isBehindBlank: boolean): Value {
  const bare = text.slice(at, end);
  // `KEY= # nothing` is empty; `KEY=a#b` contains a hash.
  const comment = isBehindBlank && bare.startsWith('#') ? 0 : bare.search(/[ \t]#/);
  const value = (comment < 0 ? bare : bare.slice(0, comment)).trim();
  const rest = comment < 0 ? '' : bare.slice(comment);
  const open = ['"', "'"].find((quote) => value.split(quote).length % 2 === 0 && rest.includes(quote));
  if (open === undefined) return { text: value, next: end + 1, problem: null };
  // `--title "a # b"`: the quotes are part of the value, so the comment would begin between them.
  const message = `a comment begins within these quotes: a value that begins without a quote ends before \` #\``;
  const suggestion = 'put the whole value in quotes';
  return {
    text: '',
    next: end + 1,
    problem: { start: at + comment + 1, end: at + bare.trimEnd().length, message, suggestion },
  };
}

function readSingle(text: string, from: number): { text: string; next: number } | null {
  const end = text.indexOf("'", from);
  return end < 0 ? null : { text: text.slice(from, end), next: end + 1 };
}

function readDouble(text: string, from: number): { text: string; next: number } | null {
  const parts: string[] = [];
  let start = from;
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === '"') return { text: parts.join('') + text.slice(start, at), next: at + 1 };
    if (text[at] !== '\\') continue;
    const replaced = ESCAPES[text[at + 1] ?? ''];
    parts.push(text.slice(start, at), replaced ?? '\\');
    if (replaced !== undefined) at += 1;
    start = at + 1;
  }
  return null;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}
