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

/** Why a text is no pattern; null where it is one. */
export function whyNotPattern(source: string): string | null {
  try {
    compilePattern(source);
    return null;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message.replace(/^error parsing regexp: /i, '') : String(cause);
    return /^invalid (or unsupported )?Perl syntax|invalid escape sequence: `?\\[1-9]/i.test(message)
      ? `${message}; look-around and back references are not offered, since patterns are matched in linear time`
      : message;
  }
}
