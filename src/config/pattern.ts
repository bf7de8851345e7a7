// Compiles regular expressions of the configuration, at load and at run time. They follow RE2, not the engine of the
// runtime: RE2 matches in linear time, so no pattern and no line can block the supervisor. The price is that look-around
// and back references do not exist.

export interface Pattern {
  /** Whether the pattern matches anywhere in the text. */
  test(text: string): boolean;
}

/** Throws an Error that explains why the source is not a valid pattern. */
export function compilePattern(source: string): Pattern {
  // Loaded with the first pattern: most files have none, and the load would delay the first spawn.
  const { RE2JS } = require('re2js') as typeof import('re2js');
  const compiled = RE2JS.compile(source);
  return { test: (text) => compiled.matcher(text).find() };
}

/** Features of other engines that RE2 lacks, by the piece of the pattern that RE2 rejects (RE2's syntax, "NOT SUPPORTED"). */
const NOT_IN_RE2: readonly { readonly piece: RegExp; readonly lacks: string; readonly instead?: string }[] = [
  { piece: /^\(\?<[=!]/, lacks: 'no look-behind' },
  { piece: /^\(\?[=!]/, lacks: 'no look-ahead' },
  { piece: /^\\[1-9k]|^\(\?P=/, lacks: 'no back references' },
  { piece: /^\(\?>|^(?:[*+?]|\{[\d,]+\})\+$/, lacks: 'no atomic groups and no possessive repetition' },
  {
    piece: /^(?:[*+?]|\{[\d,]+\}){2}/,
    lacks: 'no repetition of a repetition',
    instead: 'write the inner one in `(?: )`',
  },
  { piece: /^\(\?-?[A-Za-z]*x/, lacks: 'no extended syntax (the flag `x`)' },
  { piece: /^\(\?(?:P>|&|R|\+|-?\d)/, lacks: 'no recursion' },
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
    // RE2 stops at `(?P`, and reports the rest of the pattern if `(?<` does not begin a name.
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
