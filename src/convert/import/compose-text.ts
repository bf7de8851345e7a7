// Texts of a Compose file: `$X`, `${X}` and its operators as references of services.yaml or of a shell, and command lines
// split into words. https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md. Replaces nothing itself.

import { literal, quoteWord, withReference } from '../words.ts';
import { splitCompose } from './compose-words.ts';

/** A piece of a text: literal, or a reference. */
type Piece =
  | { readonly literal: string }
  | { readonly name: string; readonly operator: string; readonly word: readonly Piece[] };

export interface ComposeText {
  /** For services.yaml: `${` of the source is escaped, and an unset variable is empty, as in Compose. */
  readonly text: string;
  /** For `/bin/sh`, which replaces the references itself. */
  readonly shell: string;
  /** As one word of a command line for `/bin/sh`. */
  readonly word: string;
  /** With every variable unset; for what the import parses itself: numbers, durations, names of images. */
  readonly bare: string;
  /** Names of the variables. */
  readonly variables: readonly string[];
  /** Those of them that are written without an operator, at any depth: they are empty where they are not set. */
  readonly withoutOperator: readonly string[];
  /** `-`, `?` or `+` without a colon, which services.yaml does not have: an empty variable counts as unset. */
  readonly loosened: boolean;
}

export type ComposeTextResult =
  | { readonly ok: true; readonly value: ComposeText }
  | { readonly ok: false; readonly why: string };

class Malformed extends Error {}

/** More references in references than any file has. */
const MAX_DEPTH = 20;

/** Reads the references of a text. Fails where Compose refuses it. */
export function readComposeText(text: string): ComposeTextResult {
  try {
    const { pieces } = parse(text, 0, 0);
    return { ok: true, value: toText(pieces) };
  } catch (error) {
    if (error instanceof Malformed) return { ok: false, why: error.message };
    throw error;
  }
}

function toText(pieces: readonly Piece[]): ComposeText {
  const variables = new Set<string>();
  const withoutOperator = new Set<string>();
  collect(pieces, variables, withoutOperator);
  return {
    text: toReferences(pieces),
    shell: pieces.map(toShell).join(''),
    word: pieces.map(toWord).join('') || "''",
    bare: pieces.map(toBare).join(''),
    variables: [...variables],
    withoutOperator: [...withoutOperator],
    loosened: pieces.some(isLoosened),
  };
}

/** Pieces from `at` on; within a reference up to its closing brace. */
function parse(text: string, at: number, depth: number): { readonly pieces: readonly Piece[]; readonly next: number } {
  const pieces: Piece[] = [];
  let from = at;
  /** How many literal braces are open. */
  let open = 0;
  const flush = (to: number): void => {
    if (to > from) pieces.push({ literal: text.slice(from, to) });
  };
  while (at < text.length) {
    if (depth > 0 && text[at] === '}' && open === 0) {
      flush(at);
      return { pieces, next: at + 1 };
    }
    if (text[at] === '{') open += 1;
    if (text[at] === '}') open -= 1;
    if (text[at] !== '$') {
      at += 1;
      continue;
    }
    flush(at);
    if (text[at + 1] === '$') {
      pieces.push({ literal: '$' });
      at += 2;
    } else if (text[at + 1] === '{') {
      const read = parseBraces(text, at, depth);
      pieces.push(read.piece);
      at = read.next;
    } else {
      const name = /^[A-Za-z_]\w*/.exec(text.slice(at + 1, at + 260))?.[0];
      if (name === undefined) throw new Malformed('a `$` that is no variable must be written `$$`');
      pieces.push({ name, operator: '', word: [] });
      at += 1 + name.length;
    }
    from = at;
  }
  if (depth > 0) throw new Malformed('a `${` is never closed');
  flush(text.length);
  return { pieces, next: text.length };
}

function parseBraces(text: string, start: number, depth: number): { readonly piece: Piece; readonly next: number } {
  if (depth >= MAX_DEPTH) throw new Malformed('references are nested too deep');
  const [head = '', name = '', operator = ''] =
    /^\$\{([A-Za-z_]\w*)(:?[-+?]|)/.exec(text.slice(start, start + 260)) ?? [];
  if (name === '') throw new Malformed('there is no variable name behind `${`');
  const at = start + head.length;
  if (operator === '') {
    if (text[at] !== '}') throw new Malformed(`\`\${${name}\` is followed by no operator that Compose knows`);
    return { piece: { name, operator, word: [] }, next: at + 1 };
  }
  const { pieces, next } = parse(text, at, depth + 1);
  return { piece: { name, operator, word: pieces }, next };
}

/** Adds the names of all references to `all`, and those without an operator to `bare`. */
function collect(pieces: readonly Piece[], all: Set<string>, bare: Set<string>): void {
  for (const piece of pieces) {
    if ('literal' in piece) continue;
    all.add(piece.name);
    if (piece.operator === '') bare.add(piece.name);
    collect(piece.word, all, bare);
  }
}

/** Literals that follow each other are one, so that a `${` between them is escaped. */
function toReferences(pieces: readonly Piece[]): string {
  let text = '';
  let run = '';
  for (const piece of pieces) {
    if ('literal' in piece) run += piece.literal;
    else {
      text = withReference(text + literal(run), toReference(piece));
      run = '';
    }
  }
  return text + literal(run);
}

function toReference(piece: Piece): string {
  if ('literal' in piece) return literal(piece.literal);
  const { name, operator, word } = piece;
  const inner = toReferences(word);
  return operator === '' ? `\${${name}:-}` : `\${${name}:${operator.replace(':', '')}${inner}}`;
}

function toShell(piece: Piece): string {
  if ('literal' in piece) return piece.literal;
  const { name, operator, word } = piece;
  // For a shell, the first brace that is not escaped closes the reference.
  const inner = word.map((one) => ('literal' in one ? one.literal.replaceAll('}', '\\}') : toShell(one))).join('');
  return operator === '' ? `\${${name}}` : `\${${name}${operator}${inner}}`;
}

function toWord(piece: Piece): string {
  if (!('literal' in piece)) return `"${toShell(inQuotes(piece))}"`;
  return piece.literal === '' ? '' : quoteWord(piece.literal);
}

/** The piece for double quotes of a shell. */
function inQuotes(piece: Piece): Piece {
  if ('literal' in piece) return { literal: piece.literal.replaceAll(/["\\$`]/g, '\\$&') };
  return { ...piece, word: piece.word.map(inQuotes) };
}

function toBare(piece: Piece): string {
  if ('literal' in piece) return piece.literal;
  return piece.operator.endsWith('-') ? piece.word.map(toBare).join('') : '';
}

function isLoosened(piece: Piece): boolean {
  if ('literal' in piece) return false;
  return (piece.operator !== '' && !piece.operator.startsWith(':')) || piece.word.some(isLoosened);
}

/** The text with its references again. */
function unmask(text: string, pieces: readonly Piece[]): string {
  return text.replaceAll(/[\ue000-\uf8ff]/g, (mark) => {
    const piece = pieces[mark.charCodeAt(0) - MARK];
    return piece === undefined ? mark : toShell(piece);
  });
}

/** A first character of the private use area: each reference is one such character while a line is split. */
const MARK = 0xe000;
const MAX_MARKS = 6_000;

export type ComposeWords =
  | {
      readonly ok: true;
      readonly words: readonly ComposeText[];
      readonly unquoted: boolean;
      readonly dropped: string | null;
    }
  | { readonly ok: false; readonly why: string };

/**
 * Splits a command line as Compose does, without a shell; references are kept whole. `unquoted`: one of them stands outside
 * of quotes, where Compose would split its value too.
 */
export function splitComposeWords(line: string): ComposeWords {
  try {
    const { pieces } = parse(line, 0, 0);
    if (pieces.length > MAX_MARKS) return { ok: false, why: 'it is too long' };
    if (/[\ue000-\uf8ff]/.test(line))
      return { ok: false, why: 'it has a character for private use (U+E000 to U+F8FF)' };
    const masked = pieces
      .map((piece, index) => ('literal' in piece ? piece.literal : String.fromCharCode(MARK + index)))
      .join('');
    const split = splitCompose(masked);
    if (!split.ok) return split;
    const words = split.words.map((word) => {
      const parts = word.split(/([\ue000-\uf8ff])/).map((part): Piece => {
        const marked = /^[\ue000-\uf8ff]$/.test(part) ? pieces[part.charCodeAt(0) - MARK] : undefined;
        return marked ?? { literal: part };
      });
      return toText(parts);
    });
    const dropped = split.dropped === null ? null : unmask(split.dropped, pieces);
    return { ok: true, words, unquoted: split.unquoted, dropped };
  } catch (error) {
    if (error instanceof Malformed) return { ok: false, why: error.message };
    throw error;
  }
}
