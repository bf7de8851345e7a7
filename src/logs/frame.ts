// How lines look on the way out: with a prefix, or as JSON objects. A Frame gathers the lines of one chunk into one piece
// of memory that is written at once. Pure.
import type { TakeLine } from './lines.ts';
import { decodeEscaped } from './utf8.ts';

/** What ends a piece of a line that goes on. */
const CUT_MARK = Buffer.from(' [...]');
const NEWLINE = 10;
const NOTHING = Buffer.alloc(0);
const FIRST_SIZE = 4 * 1_024;

export interface Frame {
  readonly take: TakeLine;
  /** What has been taken since the last call, ready to be written; its memory is the caller's. */
  flush(): Uint8Array;
  /** Gives memory that flush() handed out back, to be used again. */
  recycle(bytes: Uint8Array): void;
}

/** Memory that has been written out, to be written into again; one for all frames, of which few are busy at a time. */
export class Spares {
  readonly #pieces: Buffer[] = [];

  /** A piece of any size. */
  take(): Buffer | undefined {
    return this.#pieces.pop();
  }

  /** What is mostly empty, or very large, is not worth holding on to between two bursts. */
  give({ buffer, byteLength }: Uint8Array): void {
    if (this.#pieces.length >= SPARES || buffer.byteLength > MOST_SPARED || byteLength < FIRST_SIZE) return;
    this.#pieces.push(Buffer.from(buffer as ArrayBuffer));
  }
}

/** How many pieces are kept, and how large they may be, bytes. */
const SPARES = 8;
const MOST_SPARED = 256 * 1_024;

/** Each line behind `prefix`, its bytes as they came, UTF-8 or not. */
export class TextFrame implements Frame {
  readonly #prefix: Buffer;
  readonly #spares: Spares;
  #out: Buffer = NOTHING;
  #at = 0;

  constructor(prefix: string, spares: Spares) {
    this.#prefix = Buffer.from(prefix);
    this.#spares = spares;
  }

  readonly take: TakeLine = (source, from, to, cut) => {
    const prefix = this.#prefix;
    const most = prefix.length + (to - from) + CUT_MARK.length + 1;
    if (this.#at + most > this.#out.length) this.#grow(most);
    const out = this.#out;
    let at = this.#at;
    // Byte by byte: for the few of a prefix that is four times as fast as a copy.
    for (let index = 0; index < prefix.length; index += 1) out[at + index] = prefix[index] as number;
    at += prefix.length;
    at += Buffer.prototype.copy.call(source, out, at, from, to);
    if (cut) at += CUT_MARK.copy(out, at);
    out[at] = NEWLINE;
    this.#at = at + 1;
  };

  #grow(most: number): void {
    const size = this.#at + most;
    const spare = this.#at === 0 ? this.#spares.take() : undefined;
    const fits = spare !== undefined && spare.length >= size;
    const grown = fits ? spare : Buffer.allocUnsafeSlow(Math.max(FIRST_SIZE, size * 2));
    this.#out.copy(grown, 0, 0, this.#at);
    this.#out = grown;
  }

  flush(): Uint8Array {
    if (this.#at === 0) return NOTHING;
    const taken = this.#out.subarray(0, this.#at);
    this.#out = NOTHING;
    this.#at = 0;
    return taken;
  }

  recycle(bytes: Uint8Array): void {
    this.#spares.give(bytes);
  }
}

/** One object a line: `time`, `service`, `stream`, `msg`. */
export class JsonFrame implements Frame {
  readonly #name: string;
  readonly #merge: boolean;
  readonly #now: () => number;
  #text = '';

  /** `merge`: whether a program's own object becomes the entry. `now` is wall time, milliseconds. */
  constructor(service: string, stream: 'stdout' | 'stderr', merge: boolean, now: () => number) {
    this.#name = `"service":${JSON.stringify(service)},"stream":"${stream}"`;
    this.#merge = merge;
    this.#now = now;
  }

  readonly take: TakeLine = (source, from, to, cut) => {
    const text = decodeEscaped(source.subarray(from, to));
    const own = cut || !this.#merge ? null : parseObject(text);
    this.#text += own === null ? this.#wrapped(text, cut) : this.#merged(text, own);
  };

  #wrapped(text: string, cut: boolean): string {
    return `{"time":"${this.#time()}",${this.#name},"msg":${JSON.stringify(text)}${cut ? ',"cut":true' : ''}}\n`;
  }

  /**
   * Of a program's own object all is kept as it is written: read and written again, a long number would become another. Its
   * time is kept too, but it does not get to say which service it is.
   */
  #merged(text: string, own: object): string {
    const inside = text.slice(1, text.lastIndexOf('}')).trim();
    const claims = Object.hasOwn(own, 'service') || Object.hasOwn(own, 'stream');
    const members = claims ? membersWithout(inside, NAMED) : inside;
    const time = Object.hasOwn(own, 'time') ? '' : `"time":"${this.#time()}",`;
    return `{${time}${this.#name}${members === '' ? '' : ','}${members}}\n`;
  }

  #time(): string {
    return new Date(this.#now()).toISOString();
  }

  flush(): Uint8Array {
    const taken = Buffer.from(this.#text);
    this.#text = '';
    return taken;
  }

  recycle(): void {
    // Text makes new memory each time.
  }
}

/** What a program does not get to say of itself. */
const NAMED: ReadonlySet<string> = new Set(['service', 'stream']);

/** What stands between the braces of a JSON object, known to be valid, without the members of these names. */
function membersWithout(inside: string, names: ReadonlySet<string>): string {
  const kept: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at <= inside.length; at += 1) {
    const character = inside[at];
    if (character === '"') at = endOfString(inside, at);
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    else if (at === inside.length || (character === ',' && depth === 0)) {
      const member = inside.slice(start, at).trim();
      start = at + 1;
      // A name may be written with escapes.
      if (!names.has(JSON.parse(member.slice(0, endOfString(member, 0) + 1)))) kept.push(member);
    }
  }
  return kept.join(',');
}

/** Where the string that begins at `from` has its closing quote. */
function endOfString(text: string, from: number): number {
  let at = from + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

/** A line that is a JSON object of the program's own; null for anything else. */
function parseObject(text: string): object | null {
  if (!text.startsWith('{')) return null;
  try {
    // What begins with a brace and is valid is an object.
    return JSON.parse(text) as object;
  } catch {
    return null;
  }
}

/**
 * Escape sequences of terminals: CSI (colours, cursor), strings up to their end (titles, links), what else ECMA-35 knows
 * (character sets), and an escape that begins nothing: left there, it could begin something with what follows a removed one.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const ANSI = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])?/g;

/** Bytes as one character each, so that what is no UTF-8 passes through. */
export function stripAnsi(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(0x1b)) return bytes;
  return Buffer.from(Buffer.from(bytes).toString('latin1').replace(ANSI, ''), 'latin1');
}

/** ANSI colours that tell neighbours apart on dark and light grounds. */
const COLOURS = [36, 33, 35, 32, 34, 96, 93, 95, 92, 94];

/** `vllm       | `: aligned to the longest name, coloured by position where asked. */
export function renderPrefix(name: string, width: number, colour: number | null): string {
  const text = `${name.padEnd(width)} | `;
  return colour === null ? text : `\x1b[${COLOURS[colour % COLOURS.length]}m${text}\x1b[0m`;
}
