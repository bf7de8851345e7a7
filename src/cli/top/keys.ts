// Parses the bytes of a terminal in raw mode into keys and mouse events (ECMA-48; mouse encodings of
// https://invisible-island.net/xterm/ctlseqs/ctlseqs.html). Returns an incomplete sequence for the next call, because a slow link may
// deliver an arrow key in pieces. Knows no commands. Pure.

/** A key: `up`, `enter`, `ctrl-c`, or the character itself. */
export interface Key {
  readonly kind: 'key';
  readonly key: string;
}

/** A click or a turn of the wheel. `x` is the column and `y` the row; both count from 0. */
export interface Mouse {
  readonly kind: 'mouse';
  readonly action: 'press' | 'wheel-up' | 'wheel-down';
  readonly x: number;
  readonly y: number;
}

export type UserInput = Key | Mouse;

export interface ParsedKeys {
  readonly inputs: readonly UserInput[];
  /** The beginning of a sequence whose end has not arrived. */
  readonly pending: string;
}

const ESC = '\x1b';

/** Keys by the final character X of `ESC [ … X` and `ESC O X`. */
const FINAL: Readonly<Record<string, string>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  H: 'home',
  F: 'end',
  Z: 'shift-tab',
  M: 'enter',
};

/** Keys by the number N of `ESC [ N ~`. */
const NUMBERED: Readonly<Record<string, string>> = {
  1: 'home',
  2: 'insert',
  3: 'delete',
  4: 'end',
  5: 'page-up',
  6: 'page-down',
  7: 'home',
  8: 'end',
  11: 'f1',
};

/** Keys by their control character. */
const CONTROL: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\x7f': 'backspace',
  '\b': 'backspace',
};

/** `pending`: the incomplete sequence at the end of the previous call. */
export function parseInput(pending: string, chunk: string): ParsedKeys {
  const text = pending + chunk;
  const inputs: UserInput[] = [];
  for (let at = 0; at < text.length; ) {
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    if (character !== ESC) {
      const key = nameOf(character);
      if (key !== null) inputs.push({ kind: 'key', key });
      at += character.length;
      continue;
    }
    const sequence = readSequence(text, at);
    if (sequence === null) return { inputs, pending: text.slice(at) };
    if (sequence.input !== null) inputs.push(sequence.input);
    at += sequence.size;
  }
  return { inputs, pending: '' };
}

/** The input of an incomplete sequence that no byte has followed for a while: the Escape key was pressed. */
export function flushInput(pending: string): readonly UserInput[] {
  return pending === '' ? [] : [{ kind: 'key', key: 'escape' }];
}

/** The name of the key that sends a character; null: none that has a meaning. */
function nameOf(character: string): string | null {
  const named = CONTROL[character];
  if (named !== undefined) return named;
  const code = character.codePointAt(0) ?? 0;
  if (code > 0 && code < 27) return `ctrl-${String.fromCharCode(code + 96)}`;
  return code < 32 ? null : character;
}

interface Sequence {
  readonly input: UserInput | null;
  readonly size: number;
}

/** The sequence that begins at `at`; null: its end has not arrived. */
function readSequence(text: string, at: number): Sequence | null {
  const next = text[at + 1];
  if (next === undefined) return null;
  if (next === ESC) return { input: { kind: 'key', key: 'escape' }, size: 1 };
  if (next === 'O') {
    const final = text[at + 2];
    if (final === undefined) return null;
    return { input: keyInput(final === 'P' ? 'f1' : FINAL[final]), size: /[ -~]/.test(final) ? 3 : 2 };
  }
  // Escape and the next key, which the link has delivered together. Alt with a key sends the same, and is not used.
  if (next !== '[') return { input: { kind: 'key', key: 'escape' }, size: 1 };
  // The mouse encoding X10, of terminals without SGR encoding: three bytes follow.
  if (text[at + 2] === 'M')
    return text.length < at + 6 ? null : { input: x10Mouse(text.slice(at + 3, at + 6)), size: 6 };
  let end = at + 2;
  while (end < text.length && /[0-?\x20-/]/.test(text[end] ?? '')) end += 1;
  const final = text[end];
  if (final === undefined) return null;
  // Another sequence or key begins before the end of this one, which means nothing then.
  if (!/[@-~]/.test(final)) return { input: null, size: end - at };
  return { input: controlSequence(text.slice(at + 2, end), final), size: end + 1 - at };
}

function controlSequence(parameters: string, final: string): UserInput | null {
  if (parameters.startsWith('<')) {
    const [button = 0, column = 1, row = 1] = parameters.slice(1).split(';').map(Number);
    return final === 'M' ? mouseInput(button, column - 1, row - 1) : null;
  }
  if (final === '~') return keyInput(NUMBERED[parameters.split(';')[0] ?? '']);
  return keyInput(FINAL[final]);
}

function keyInput(key: string | undefined): Key | null {
  return key === undefined ? null : { kind: 'key', key };
}

function x10Mouse(bytes: string): Mouse | null {
  const [button = 0, column = 1, row = 1] = [...bytes].map((byte) => byte.charCodeAt(0) - 32);
  return mouseInput(button, column - 1, row - 1);
}

/** Bits of `button`: 64 is the wheel, 32 a movement; 4, 8 and 16 are modifiers, which are ignored. */
function mouseInput(button: number, x: number, y: number): Mouse | null {
  const plain = button & ~(4 | 8 | 16);
  if (plain === 0) return { kind: 'mouse', action: 'press', x, y };
  if (plain === 64) return { kind: 'mouse', action: 'wheel-up', x, y };
  return plain === 65 ? { kind: 'mouse', action: 'wheel-down', x, y } : null;
}
