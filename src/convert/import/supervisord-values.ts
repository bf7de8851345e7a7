// Values of supervisord.conf: numbers, sizes, `KEY="value"` lists and `%(name)s` expansions, read as
// supervisor/datatypes.py and Python's `%` operator read them. Pure text to value; a wrong text gives null or a reason.
import { literal, withReference } from '../words.ts';

/** A whole number; null for anything else. */
export function readInteger(text: string): number | null {
  return /^\s*[+-]?\d{1,15}\s*$/.test(text) ? Number(text) : null;
}

const MULTIPLIERS: Readonly<Record<string, number>> = { kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30 };

/** Bytes: a number, or one with KB, MB or GB, which are powers of 1024 there. */
export function readSize(text: string): number | null {
  const [, digits = '', unit] = /^\s*(\d{1,12})\s*(kb|mb|gb)?\s*$/i.exec(text) ?? [];
  if (digits === '') return null;
  return Number(digits) * (unit === undefined ? 1 : (MULTIPLIERS[unit.toLowerCase()] ?? 1));
}

/** Around the name of a variable that supervisord replaces before it splits a list. */
const [MARK, END] = ['\uE000', '\uE001'];
const WORD = /[A-Za-z0-9_/.+():\uE000\uE001-]/;

/** Tokens as Python's `shlex.shlex(text)` gives them with `/.+-():` added to its word characters; null: an open quote. */
function tokenize(text: string): readonly string[] | null {
  const tokens: string[] = [];
  for (let at = 0; at < text.length; ) {
    const one = text[at] ?? '';
    if (/[ \t\r\n]/.test(one)) at += 1;
    else if (one === '#') at = endOfLine(text, at);
    else if (one === "'" || one === '"') {
      const end = text.indexOf(one, at + 1);
      if (end < 0) return null;
      tokens.push(text.slice(at, end + 1));
      at = end + 1;
    } else if (!WORD.test(one)) {
      tokens.push(one);
      at += 1;
    } else {
      let word = '';
      // A comment ends in the middle of a word, which then goes on in the next line.
      for (let next = one; at < text.length; next = text[at] ?? '') {
        if (next === '#') at = endOfLine(text, at);
        else if (WORD.test(next) || next === "'" || next === '"') {
          word += next;
          at += 1;
        } else break;
      }
      tokens.push(word);
    }
  }
  return tokens;
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end + 1;
}

export type Pairs =
  | { readonly ok: true; readonly pairs: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly why: string };

/** A value of `readPairs` for services.yaml, appended to `before`, and for a shell. */
export function fromMarks(value: string, before = ''): { readonly text: string; readonly shell: string } {
  let [text, shell] = [before, ''];
  for (const [index, part] of value.split(/\uE000(\w+)\uE001/).entries()) {
    text = index % 2 === 0 ? text + literal(part) : withReference(text, `\${${part}}`);
    shell += index % 2 === 0 ? part : `\${${part}}`;
  }
  return { text, shell };
}

/** Whether a value without quotes has a reference: what stands for it may contain characters at which supervisord splits. */
export const hasBareReference = (marked: string): boolean => /=\s*[^"',\s]*\uE000/.test(marked);

/** `KEY="a b",KEY2=c`. Every fourth token is a separator, whatever it is. */
export function readPairs(text: string): Pairs {
  const tokens = tokenize(text);
  if (tokens === null) return { ok: false, why: 'a quote is never closed' };
  const pairs = new Map<string, string>();
  for (let at = 0; at < tokens.length; at += 4) {
    const [key, equals, value] = tokens.slice(at, at + 3);
    if (key === undefined || equals !== '=' || value === undefined) {
      return { ok: false, why: 'it is not a list of KEY="value" with commas between them' };
    }
    pairs.set(key, value.replace(/^['"]+|['"]+$/g, ''));
  }
  return { ok: true, pairs };
}

/**
 * What `%(name)s` stands for. `fixed`: known now, but for references between MARK and END. `reference`: known when svc-super reads
 * the file.
 */
export type Expansion =
  | { readonly kind: 'fixed'; readonly value: string | number }
  | { readonly kind: 'reference'; readonly variable: string };

export interface Expanded {
  /** As services.yaml has it: `${` of the source is escaped, references are `${NAME}`. */
  readonly text: string;
  /** For a shell: nothing is escaped, references are `${NAME}`, which the shell replaces. */
  readonly shell: string;
  /** For `readPairs`: nothing is escaped, references are names between MARK and END, which fromMarks() replaces. */
  readonly marked: string;
}

export type ExpansionResult =
  | { readonly ok: true; readonly value: Expanded }
  | { readonly ok: false; readonly why: string };

const CONVERSION = /%(?:\(([^)]*)\)([#0 +-]*)(\d*)(?:\.\d+)?([sdirou])|%)/y;

/** Applies Python's `%` with named values. `find` gives null for a name that supervisord does not know. */
export function expandPercent(text: string, find: (name: string) => Expansion | null): ExpansionResult {
  let plain = '';
  let shell = '';
  let marked = '';
  let at = 0;
  for (let next = text.indexOf('%'); next >= 0; next = text.indexOf('%', at)) {
    plain += literal(text.slice(at, next));
    shell += text.slice(at, next);
    marked += text.slice(at, next);
    CONVERSION.lastIndex = next;
    const found = CONVERSION.exec(text);
    if (found === null) return { ok: false, why: `a \`%\` that is no \`%(name)s\` must be written \`%%\`` };
    at = next + found[0].length;
    const [whole, name, flags = '', width = ''] = found;
    if (name === undefined) {
      plain += '%';
      shell += '%';
      marked += '%';
      continue;
    }
    const expansion = find(name);
    if (expansion === null) return { ok: false, why: `supervisord does not know \`${whole}\`` };
    if (expansion.kind === 'reference') {
      plain = withReference(plain, `\${${expansion.variable}}`);
      shell += `\${${expansion.variable}}`;
      marked += `${MARK}${expansion.variable}${END}`;
    } else {
      const value = pad(String(expansion.value), flags, Number(width));
      const forms = fromMarks(value, plain);
      plain = forms.text;
      shell += forms.shell;
      marked += value;
    }
  }
  plain += literal(text.slice(at));
  shell += text.slice(at);
  marked += text.slice(at);
  return { ok: true, value: { text: plain, shell, marked } };
}

function pad(value: string, flags: string, width: number): string {
  if (flags.includes('-')) return value.padEnd(width);
  return value.padStart(width, flags.includes('0') && /^\d+$/.test(value) ? '0' : ' ');
}
