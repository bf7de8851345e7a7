// Formats log lines for output: as text with a prefix, or as JSON objects. A Frame collects the lines of one chunk in one
// buffer, so that they are written with one system call. Pure.
import type { TakeLine } from './lines.ts';
import { decodeEscaped } from './utf8.ts';

/** Appended to each piece of a long line, except the last. */
const CUT_MARK = Buffer.from(' [...]');
const NEWLINE = 10;
const NOTHING = Buffer.alloc(0);
const FIRST_SIZE = 4 * 1_024;

export interface Frame {
  readonly take: TakeLine;
  /** Returns the formatted lines that were taken since the last call. The caller owns the buffer. */
  flush(): Uint8Array;
  /** Returns a buffer of flush(), after it has been written, for reuse. */
  recycle(bytes: Uint8Array): void;
}

/** Buffers for reuse. All frames share one pool, because few frames are busy at the same time. */
export class BufferPool {
  readonly #buffers: Buffer[] = [];

  /** Removes a buffer from the pool, of any size; undefined if the pool is empty. */
  take(): Buffer | undefined {
    return this.#buffers.pop();
  }

  /** Adds a buffer. Ignores it if the pool is full, if little of it was used, or if it is very large: to keep it would waste memory. */
  add({ buffer, byteLength }: Uint8Array): void {
    if (this.#buffers.length >= POOL_SIZE || buffer.byteLength > MOST_POOLED || byteLength < FIRST_SIZE) return;
    this.#buffers.push(Buffer.from(buffer as ArrayBuffer));
  }
}

/** The most buffers in the pool. */
const POOL_SIZE = 8;
/** The largest buffer in the pool, bytes. */
const MOST_POOLED = 256 * 1_024;

/** Characters of a time and the space after it. */
export const TIME_LENGTH = '2026-01-31T12:00:00.000Z '.length;

/**
 * Writes each line after `prefix`, and after the time if there is a clock. The bytes of the line do not change, even if they are
 * not UTF-8.
 */
export class TextFrame implements Frame {
  readonly #prefix: Buffer;
  readonly #pool: BufferPool;
  readonly #now: (() => number) | null;
  /** The time that the prefix contains. */
  #stamped = Number.NaN;
  #out: Buffer = NOTHING;
  #at = 0;

  /** `now` returns wall time, milliseconds; null: lines have no time. */
  constructor(prefix: string, pool: BufferPool, now: (() => number) | null = null) {
    this.#prefix = Buffer.from(now === null ? prefix : `${prefix}${' '.repeat(TIME_LENGTH)}`);
    this.#now = now;
    this.#pool = pool;
  }

  readonly take: TakeLine = (source, from, to, cut) => {
    if (this.#now !== null) this.#stamp(this.#now());
    const prefix = this.#prefix;
    const most = prefix.length + (to - from) + CUT_MARK.length + 1;
    if (this.#at + most > this.#out.length) this.#grow(most);
    const out = this.#out;
    let at = this.#at;
    // Copies byte by byte: for a short prefix this takes a quarter of the time of Buffer.copy.
    for (let index = 0; index < prefix.length; index += 1) out[at + index] = prefix[index] as number;
    at += prefix.length;
    at += Buffer.prototype.copy.call(source, out, at, from, to);
    if (cut) at += CUT_MARK.copy(out, at);
    out[at] = NEWLINE;
    this.#at = at + 1;
  };

  #stamp(time: number): void {
    if (time === this.#stamped) return;
    this.#stamped = time;
    this.#prefix.write(new Date(time).toISOString(), this.#prefix.length - TIME_LENGTH, 'latin1');
  }

  #grow(most: number): void {
    const size = this.#at + most;
    // One that is too small is dropped, so that a larger one can take its place in the pool.
    const pooled = this.#at === 0 ? this.#pool.take() : undefined;
    const isLargeEnough = pooled !== undefined && pooled.length >= size;
    const grown = isLargeEnough ? pooled : Buffer.allocUnsafeSlow(Math.max(FIRST_SIZE, size * 2));
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
    this.#pool.add(bytes);
  }
}

/** Writes each line as one JSON object: `time`, `service`, `stream`, `msg`. */
export class JsonFrame implements Frame {
  readonly #name: string;
  readonly #merge: boolean;
  readonly #now: () => number;
  #text = '';

  /**
   * `merge`: if a line is itself a JSON object, its members become members of the entry. `now` returns wall time,
   * milliseconds.
   */
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
   * Keeps the text of the program's object: parsing and printing it again would change long numbers. Keeps its `time`, and
   * replaces its `service` and `stream`.
   */
  #merged(text: string, own: object): string {
    const inside = text.slice(1, text.lastIndexOf('}')).trim();
    const hasReserved = Object.hasOwn(own, 'service') || Object.hasOwn(own, 'stream');
    const members = hasReserved ? membersWithout(inside, RESERVED) : inside;
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
    // Each flush() allocates a new buffer.
  }
}

/** Members that the supervisor sets, and a program cannot. */
const RESERVED: ReadonlySet<string> = new Set(['service', 'stream']);

/** Removes the members with these names from the text between the braces of a JSON object, which must be valid. */
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
      // JSON.parse, because a name may contain escapes.
      if (!names.has(JSON.parse(member.slice(0, endOfString(member, 0) + 1)))) kept.push(member);
    }
  }
  return kept.join(',');
}

/** The position of the closing quote of the JSON string that begins at `from`. */
function endOfString(text: string, from: number): number {
  let at = from + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

/** Parses a line that is a JSON object; null if it is not one. */
function parseObject(text: string): object | null {
  if (!text.startsWith('{')) return null;
  try {
    // Valid JSON that begins with a brace is an object.
    return JSON.parse(text) as object;
  } catch {
    return null;
  }
}

/**
 * Escape sequences of terminals: CSI (colours, cursor), strings up to their end (titles, links), the other sequences of
 * ECMA-35 (character sets), and an escape that begins no sequence. That one is removed too, because together with the text
 * after a removed sequence it could begin a new one.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const ANSI = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])?/g;

/** Removes escape sequences. Treats each byte as one character, so that bytes that are not UTF-8 do not change. */
export function stripAnsi(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(0x1b)) return bytes;
  return Buffer.from(Buffer.from(bytes).toString('latin1').replace(ANSI, ''), 'latin1');
}

/** ANSI colours. Neighbours in this list are easy to distinguish on dark and on light backgrounds. */
const COLOURS = [36, 33, 35, 32, 34, 96, 93, 95, 92, 94];

/** `vllm       | `: the name, padded to `width`. `colour` is an index into COLOURS; null: no colour. */
export function renderPrefix(name: string, width: number, colour: number | null): string {
  const text = `${name.padEnd(width)} | `;
  return colour === null ? text : `\x1b[${COLOURS[colour % COLOURS.length]}m${text}\x1b[0m`;
}
