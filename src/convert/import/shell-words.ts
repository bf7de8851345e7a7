// Words of a shell script as values: literal texts, and references to variables of the container's environment. A word that
// only a shell can compute gives null.
import type { Word, WordPart } from 'unbash';
import { literal, withReference } from '../words.ts';

/** Variables of the script whose value is known; null: the script computes it. */
export type Known = ReadonlyMap<string, string | null>;

/** The text of a word in which nothing is expanded but variables with a known literal value; null for any other. */
export function literalWord(word: Word, known: Known): string | null {
  const value = wordValue(word, known);
  return value?.isLiteral === true ? value.plain : null;
}

/** A word with references to the environment of the container. */
export interface WordValue {
  /** As services.yaml has it: `${X:-}` for `$X`. */
  readonly text: string;
  /** The text itself, if it is literal. */
  readonly plain: string;
  readonly isLiteral: boolean;
}

/** The value of a word; null: a shell is needed for it. */
export function wordValue(word: Word, known: Known): WordValue | null {
  if (/^~/.test(word.text)) return null;
  // Patterns of file names outside of quotes are parts of their own, for which partValue() returns null.
  if (word.parts === undefined) return /[*?]/.test(word.text) ? null : literalValue(word.value);
  return partsValue(word.parts, known, false);
}

const literalValue = (plain: string): WordValue => ({ text: literal(plain), plain, isLiteral: true });

function partsValue(parts: readonly WordPart[], known: Known, quoted: boolean): WordValue | null {
  let value = literalValue('');
  for (const part of parts) {
    const one = partValue(part, known, quoted);
    if (one === null) return null;
    value = join(value, one);
  }
  return value;
}

function join(a: WordValue, b: WordValue): WordValue {
  const text = b.isLiteral ? a.text + b.text : withReference(a.text, b.text);
  return { text, plain: a.plain + b.plain, isLiteral: a.isLiteral && b.isLiteral };
}

function partValue(part: WordPart, known: Known, quoted: boolean): WordValue | null {
  switch (part.type) {
    case 'Literal':
    case 'SingleQuoted':
    case 'AnsiCQuoted':
      return literalValue(part.value);
    case 'DoubleQuoted':
      return partsValue(part.parts, known, true);
    case 'SimpleExpansion':
      return reference(part.text.slice(1), '', known, quoted);
    case 'ParameterExpansion': {
      if (part.prefix !== undefined || part.index !== undefined) return null;
      const { operation } = part;
      if (operation === undefined) return reference(part.parameter, '', known, quoted);
      if (operation.type !== 'Default') return null;
      const inner = wordValue(operation.operand, known);
      // In a default of services.yaml braces are in pairs.
      return inner === null || !hasPairs(inner.text)
        ? null
        : reference(part.parameter, `${operation.operator} ${inner.text}`, known, quoted);
    }
    default:
      return null;
  }
}

function hasPairs(text: string): boolean {
  let open = 0;
  for (const one of text) {
    if (one === '{') open += 1;
    if (one === '}') open -= 1;
    if (open < 0) return false;
  }
  return open === 0;
}

/** `rest`: an operator, a space, and its word; empty for a plain reference. */
function reference(name: string, rest: string, known: Known, quoted: boolean): WordValue | null {
  if (!/^[A-Za-z_]\w*$/.test(name)) return null;
  const value = known.get(name);
  if (value === null) return null;
  if (value !== undefined) {
    // Without quotes the shell would split the value and match it with files.
    if (!quoted && /[\s*?[]/.test(value)) return null;
    if (rest === '') return fromKnown(value);
    return value === '' || value.includes('${') ? null : fromKnown(value);
  }
  const [, operator = '', word = ''] = /^(\S+) (.*)$/s.exec(rest) ?? [];
  const inner = operator === '' ? ':-' : `:${operator.replace(':', '').replace('=', '-')}${word}`;
  return { text: `\${${name}${inner}}`, plain: '', isLiteral: false };
}

/** A value as services.yaml has it. */
function fromKnown(value: string): WordValue {
  const isLiteral = !/(?<!\$)\$\{/.test(value);
  return { text: value, plain: value.replaceAll('$${', '${'), isLiteral };
}
