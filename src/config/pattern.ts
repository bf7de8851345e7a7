// How a pattern of the configuration becomes something that can be tried on text, at load and at run time alike. RE2's
// rules and not the runtime's own: its time grows with the text and never explodes, so that no pattern and no line can
// stop PID 1. Look-around and back references are what that costs.

export interface Pattern {
  /** Whether the pattern matches anywhere in the text. */
  test(text: string): boolean;
}

/** Throws an Error that says in words why the source is no pattern. */
export function compilePattern(source: string): Pattern {
  // Loaded with the first pattern: most files have none, and the first spawn is not to wait for it.
  const { RE2JS } = require('re2js') as typeof import('re2js');
  const compiled = RE2JS.compile(source);
  return { test: (text) => compiled.matcher(text).find() };
}

/** Features of other engines that RE2 lacks, by the piece of the pattern that RE2 refuses (RE2's syntax, "NOT SUPPORTED"). */
const NOT_IN_RE2: readonly { readonly piece: RegExp; readonly lacks: string; readonly instead?: string }[] = [
  { piece: /^\(\?<[=!]/, lacks: 'no look-behind' },
  { piece: /^\(\?[=!]/, lacks: 'no look-ahead' },
  { piece: /^\\[1-9k]|^\(\?P=/, lacks: 'no back references' },
  { piece: /^\(\?>|^[*+?}]\+$/, lacks: 'no atomic groups and no possessive repetition' },
  { piece: /^\(\?(?:P>|&|R|[0-9+-])/, lacks: 'no recursion' },
  { piece: /^\(\?\(/, lacks: 'no conditions' },
  { piece: /^\\Z/, lacks: 'no such escape', instead: 'write `\\z` or `$`' },
  { piece: /^\\[A-Za-z]/, lacks: 'no such escape' },
  { piece: /^\{\d+/, lacks: 'no more than 1000 repetitions' },
];

/** Why a text is not a valid pattern, and what to write instead; null if it is valid. */
export function whyNotPattern(source: string): { readonly why: string; readonly suggestion?: string } | null {
  try {
    compilePattern(source);
    return null;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/^error parsing regexp: /i, '') : String(cause);
    const refused = /: `(.*)`$/s.exec(why)?.[1] ?? '';
    // The parser stops at `(?P`, and names the whole rest of the pattern where `(?<` begins no name.
    const piece = refused === '(?P' ? (/\(\?P[=>]/.exec(source)?.[0] ?? refused) : refused;
    const found = NOT_IN_RE2.find((one) => one.piece.test(piece));
    if (found === undefined) return { why };
    const shown = /^\(\?<?./.test(piece) ? piece.slice(0, piece[2] === '<' || piece[2] === 'P' ? 4 : 3) : piece;
    return {
      why: `RE2 has ${found.lacks}: \`${shown}\``,
      suggestion:
        found.instead ??
        'patterns follow RE2 (https://github.com/google/re2/wiki/Syntax), which matches in linear time',
    };
  }
}
