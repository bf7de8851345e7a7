// Makes text from outside (process names, probe results, file contents, arguments) safe to show on a terminal: every
// character that a terminal interprets or hides becomes an escape. No other file does this; every part of src may
// import it. Pure.

/**
 * C0 and C1 control characters, DEL, bidirectional formatting ("Trojan Source", CVE-2021-42574), line separators, invisible
 * characters and lone surrogates.
 */
export const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Surrogate}/gu;

/** Control sequences and control strings of ECMA-48: colours, cursor movements, titles, links. */
const SEQUENCES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what this looks for
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]*[0-~]/g;

/** One line that is safe to send to a terminal: unsafe characters become `\n`, `\x1b`, `\u202e`. Idempotent. */
export function printable(text: string): string {
  return text.replace(UNSAFE, escapeCharacter);
}

/**
 * Like `printable`, for a line that a program has printed: control sequences are removed, and control characters become
 * a space.
 */
export function printableLine(text: string): string {
  return printable(text.replace(SEQUENCES, '').replace(/\p{Cc}+/gu, ' ')).trimEnd();
}

/** Escapes the unsafe characters that `JSON.stringify` does not escape. Line ends stay. */
export function printableJson(json: string): string {
  return json.replace(UNSAFE, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x7f ? character : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0);
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  if (character === '\r') return '\\r';
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** `412 ms`, `6.2 s`, `2m10s`, `3h05m`, `2d04h`: milliseconds for people. */
export function renderDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  const two = (n: number) => String(n).padStart(2, '0');
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1_440) return `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`;
  return `${Math.floor(minutes / 1_440)}d${two(Math.floor(minutes / 60) % 24)}h`;
}

/** `1 replica`, `3 replicas`. */
export function renderCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** `a`, `a and b`, `a, b and c`; with more than six names `a, b, c, d, e and 4 more`. */
export function joinNames(names: readonly string[]): string {
  if (names.length <= 1) return names.join('');
  const shown = names.length > 6 ? names.slice(0, 5) : names.slice(0, -1);
  const last = names.length > 6 ? `${names.length - 5} more` : names.at(-1);
  return `${shown.join(', ')} and ${last}`;
}

/** `812 KiB`, `1.4 GiB`. */
export function renderSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (Math.round(value) >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
