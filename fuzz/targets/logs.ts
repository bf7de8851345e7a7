// The output of services, as bytes: the lines must not depend on the pieces in which it arrives, and no byte may be lost. Text
// must pass through, JSON must be valid and contain the output, and stripped text must contain no escape sequence. A sample is
// run through the real binary.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { binary, Supervisor } from '../../soak/supervisor.ts';
import { BufferPool, JsonFrame, stripAnsi, TextFrame } from '../../src/logs/frame.ts';
import { LineSplitter, LONGEST_LINE } from '../../src/logs/lines.ts';
import { Ring } from '../../src/logs/ring.ts';
import { decodeEscaped } from '../../src/logs/utf8.ts';
import { Dice } from '../../test/helpers/nonsense.ts';
import { measure, must, type Target, type Trial } from '../target.ts';

const RING = 4_096;
/** Shortest interval between two runs of the binary, milliseconds. */
const BINARY_EVERY = 2_000;

/** Processor time of decoding the longest line, milliseconds. */
const MOST_TIME = 60;

interface Piece {
  readonly bytes: Buffer;
  readonly cut: boolean;
}

/** The first four bytes are a seed for the pieces. The fifth makes the input longer than the line limit. */
export function parseInput(input: Uint8Array): { readonly seed: number; readonly bytes: Buffer } {
  const head = Buffer.concat([input.subarray(0, 5), Buffer.alloc(5)]);
  const rest = Buffer.from(input.subarray(5));
  const how = head[4] ?? 0;
  if (how < 252 || rest.length === 0) return { seed: head.readUInt32LE(0), bytes: rest };
  const wanted = LONGEST_LINE * (1 + (how & 1)) + (how & 7) - 4;
  // One line; otherwise there would be a hundred thousand.
  const one = withoutEnds(rest);
  const filler = Buffer.alloc(wanted, how & 2 && one.length > 0 ? one : 'x');
  return { seed: head.readUInt32LE(0), bytes: Buffer.concat([rest, filler, rest]) };
}

function split(chunks: readonly Uint8Array[]): { readonly pieces: readonly Piece[]; readonly lines: number } {
  const pieces: Piece[] = [];
  const splitter = new LineSplitter((source, from, to, cut) => {
    pieces.push({ bytes: Buffer.from(source.subarray(from, to)), cut });
  });
  for (const chunk of chunks) {
    // Its memory is reused for the next piece, as with a stream.
    const lent = Buffer.from(chunk);
    splitter.push(lent);
    lent.fill(0xee);
  }
  splitter.end();
  return { pieces, lines: splitter.lines };
}

function chop(dice: Dice, bytes: Uint8Array): readonly Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const size = dice.one([1, 2, 7, 64, 4_096, 65_536, 200_000]);
  for (let at = 0; at < bytes.length; ) {
    const count = Math.max(1, Math.min(bytes.length - at, 1 + dice.below(size)));
    chunks.push(bytes.subarray(at, at + count));
    at += count;
  }
  return chunks;
}

const key = (pieces: readonly Piece[]): string =>
  pieces.map(({ bytes, cut }) => `${cut ? '+' : '.'}${bytes.toString('latin1')}`).join('\n');

const withoutEnds = (bytes: Uint8Array): Buffer => Buffer.from(bytes.filter((byte) => byte !== 10 && byte !== 13));

/** Decodes UTF-8 exactly by RFC 3629; invalid sequences byte by byte. */
function decodeSlowly(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] ?? 0;
    const size =
      first < 0x80
        ? 1
        : first >= 0xc2 && first < 0xe0
          ? 2
          : first >= 0xe0 && first < 0xf0
            ? 3
            : first >= 0xf0 && first < 0xf5
              ? 4
              : 0;
    const tail = bytes.subarray(at + 1, at + size);
    const least = size === 3 ? 0x800 : size === 4 ? 0x10000 : 0;
    const mask = [0, 0x7f, 0x1f, 0x0f, 0x07][size] ?? 0;
    const code = tail.reduce((sum, byte) => (sum << 6) | (byte & 0x3f), first & mask);
    const isWhole = size > 0 && tail.length === size - 1 && tail.every((byte) => (byte & 0xc0) === 0x80);
    const isCharacter = isWhole && code >= least && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    text += isCharacter ? String.fromCodePoint(code) : `\\x${first.toString(16).padStart(2, '0')}`;
    at += isCharacter ? size : 1;
  }
  return text;
}

function checkSplitting(dice: Dice, bytes: Buffer): readonly Piece[] {
  const whole = split([bytes]);
  const chopped = split(chop(dice, bytes));
  must(key(whole.pieces) === key(chopped.pieces), 'the lines depend on the pieces that they come in');
  must(whole.lines === chopped.lines, 'the number of lines depends on the pieces that they come in');
  const ends = whole.pieces.filter(({ cut }) => !cut).length;
  must(whole.lines === ends, 'lines are counted wrongly');
  must(Buffer.concat(whole.pieces.map((piece) => piece.bytes)).equals(withoutEnds(bytes)), 'bytes are lost or added');
  for (const [at, piece] of whole.pieces.entries()) {
    must(piece.bytes.length <= LONGEST_LINE, 'a piece is longer than the longest');
    if (!piece.cut) continue;
    const following = whole.pieces[at + 1]?.bytes ?? new Uint8Array(0);
    const early = LONGEST_LINE - piece.bytes.length;
    const [next = ''] = decodeSlowly(following.subarray(0, 4));
    must(early < Math.max(1, Buffer.byteLength(next)), 'a line is cut too early');
    const joined = decodeSlowly(Buffer.concat([piece.bytes, following]));
    const apart = decodeSlowly(piece.bytes) + decodeSlowly(following);
    must(joined === apart, 'a character is cut');
  }
  return whole.pieces;
}

/** Two services whose frames share the output buffer. */
function checkText(dice: Dice, pieces: readonly Piece[]): void {
  const pool = new BufferPool();
  const both = ['', 'vllm       | ', 'ä💥 | '].slice(dice.below(2)).map((prefix) => {
    return { prefix: Buffer.from(prefix), frame: new TextFrame(prefix, pool), written: [] as Buffer[] };
  });
  const flush = ({ frame, written }: (typeof both)[number]) => {
    const bytes = frame.flush();
    written.push(Buffer.from(bytes));
    bytes.fill(0xdd);
    if (dice.chance(70)) frame.recycle(bytes);
  };
  for (const { bytes, cut } of pieces) {
    const around = Buffer.concat([Buffer.alloc(3, 'y'), bytes, Buffer.alloc(2, 'z')]);
    for (const one of both) {
      one.frame.take(around, 3, 3 + bytes.length, cut);
      if (dice.chance(30)) flush(one);
    }
  }
  for (const one of both) {
    flush(one);
    const expected = pieces.map(({ bytes, cut }) => [one.prefix, bytes, Buffer.from(cut ? ' [...]\n' : '\n')]);
    must(Buffer.concat(one.written).equals(Buffer.concat(expected.flat())), 'text does not pass through unchanged');
  }
}

function checkJson(dice: Dice, pieces: readonly Piece[]): string {
  const merge = dice.chance(50);
  const frame = new JsonFrame('web', 'stdout', merge, () => 1_700_000_000_000);
  let merged = 0;
  for (const { bytes, cut } of pieces) {
    frame.take(bytes, 0, bytes.length, cut);
    const line = Buffer.from(frame.flush()).toString('utf8');
    must(line.indexOf('\n') === line.length - 1, 'an object is not one line');
    const entry = JSON.parse(line) as Record<string, unknown>;
    must(entry.service === 'web' && entry.stream === 'stdout' && 'time' in entry, 'an object has no origin');
    const slowly = decodeSlowly(bytes);
    must(decodeEscaped(bytes) === slowly, 'a line is decoded wrongly');
    if (bytes.length > 10_000) checkTime(bytes);
    const own = cut || !merge ? null : objectOf(slowly);
    if (own === null)
      must(entry.msg === slowly && (entry.cut === true) === cut, 'an object does not contain the output');
    else {
      merged += 1;
      const { service, stream, time: _time, ...kept } = own;
      const inside = slowly.slice(1, slowly.lastIndexOf('}')).trim();
      must(service !== undefined || stream !== undefined || line.endsWith(`${inside}}\n`), 'a number may be another');
      for (const [name, value] of Object.entries(kept))
        must(
          Object.hasOwn(entry, name) && JSON.stringify(entry[name]) === JSON.stringify(value),
          "part of a program's own object is lost",
        );
    }
  }
  return `merged ${Math.min(3, merged)}`;
}

/** One line must not block; the minimum of several runs, because a compiler or a collector may run in any of them. */
function checkTime(bytes: Uint8Array): void {
  const times = Array.from({ length: 3 }, () => measure(() => decodeEscaped(bytes)));
  must(Math.min(...times) < MOST_TIME, 'a line takes too long to decode');
}

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = text.startsWith('{') && typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function checkStripping(pieces: readonly Piece[]): void {
  for (const { bytes } of pieces) {
    const plain = Buffer.from(stripAnsi(bytes));
    must(!plain.includes(0x1b), 'stripped text contains an escape');
    must(bytes.includes(0x1b) || plain.equals(bytes), 'text without an escape sequence is changed');
    // Only bytes of the input, in their order.
    let at = 0;
    for (const byte of plain) {
      at = bytes.indexOf(byte, at) + 1;
      must(at > 0, 'stripping adds bytes');
    }
  }
}

function checkRing(dice: Dice, pieces: readonly Piece[]): void {
  const ring = new Ring(RING);
  const all: string[] = [];
  const prefix = dice.one(['', 'web | ']);
  for (let at = 0; at < pieces.length; ) {
    const some = pieces.slice(at, at + 1 + dice.below(5));
    at += some.length;
    if (dice.chance(10)) ring.beginRun();
    const lines = some.map(({ bytes }) => Buffer.concat([Buffer.from(prefix), bytes, Buffer.from('\n')]));
    const block = Buffer.concat(lines);
    if (block.length > RING / 2) continue;
    ring.push({ bytes: block, time: at, stream: 'stdout', prefix: prefix.length });
    block.fill(0xcc);
    all.push(...lines.map((line) => line.toString('utf8').slice(prefix.length, -1)));
  }
  const kept = ring.tail(1_000_000, 'all runs').map(({ text }) => text);
  must(
    JSON.stringify(kept) === JSON.stringify(all.slice(all.length - kept.length)),
    'the stored lines are not the last ones',
  );
  const few = ring.tail(3, 'all runs').map(({ text }) => text);
  must(JSON.stringify(few) === JSON.stringify(kept.slice(-3)), 'the last lines are not the last');
  const size = kept.reduce((sum, text) => sum + prefix.length + Buffer.byteLength(text) + 1, 0);
  must(kept.length === all.length || size > RING / 4, 'fewer lines are stored than there is space for');
}

class LogsTrial implements Trial {
  readonly #dice: Dice;
  readonly #folder = Supervisor.folder();
  #binaryAt = performance.now();

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  fresh(): Uint8Array {
    const dice = this.#dice;
    const pieces = Array.from({ length: 1 + dice.below(12) }, () =>
      dice.chance(80)
        ? Buffer.from(dice.one(WORDS), 'latin1')
        : Buffer.from(Array.from({ length: dice.below(40) }, () => dice.below(256))),
    );
    return Buffer.concat([Buffer.from([dice.below(256), dice.below(256), 0, 0, dice.below(256)]), ...pieces]);
  }

  attempt(input: Uint8Array): readonly string[] {
    const { seed, bytes } = parseInput(input);
    const dice = new Dice(seed);
    const pieces = checkSplitting(dice, bytes);
    checkText(dice, pieces);
    const merged = checkJson(dice, pieces);
    checkStripping(pieces);
    checkRing(dice, pieces);
    if (performance.now() - this.#binaryAt > BINARY_EVERY) {
      this.#binaryAt = performance.now();
      this.#checkBinary(bytes, pieces);
    }
    const log = (value: number) => Math.ceil(Math.log2(value + 1));
    const has = (what: RegExp) => what.test(bytes.toString('latin1'));
    return [
      merged,
      `~lines ${log(pieces.length)} longest ${log(Math.max(0, ...pieces.map((piece) => piece.bytes.length)))}`,
      `cut ${pieces.filter(({ cut }) => cut).length} empty ${pieces.some((piece) => piece.bytes.length === 0)}`,
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
      `~has ${[/\r\n/, /\r[^\n]/, /\r\r/, /\x1b\[/, /\x1b\]/, /[\x80-\xff]/, /\0/, /\{/, /__proto__/, /\n$/].map(has).map(Number).join('')}`,
    ];
  }

  /** Prints the input with a program under the real binary: once as text, once as JSON. */
  #checkBinary(bytes: Uint8Array, pieces: readonly Piece[]): void {
    const data = join(this.#folder, 'data');
    const config = join(this.#folder, 'services.yaml');
    writeFileSync(data, bytes);
    for (const format of ['text', 'json'] as const) {
      const print = { type: 'task', command: ['/bin/cat', data], log: { format } };
      writeFileSync(config, JSON.stringify({ services: { print } }));
      const { stdout, exitCode } = Bun.spawnSync([binary, 'up', '-f', config], {
        env: { PATH: '/usr/bin:/bin', SVC_SUPER_SOCKET: join(this.#folder, 'sock'), TMPDIR: this.#folder },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      must(exitCode === 0, `the binary ends with ${exitCode}`);
      if (format === 'text') {
        const expected = pieces.map((piece) => [
          Buffer.from('print     | '),
          piece.bytes,
          Buffer.from(piece.cut ? ' [...]\n' : '\n'),
        ]);
        must(Buffer.concat(expected.flat()).equals(stdout), 'the binary prints other text');
      } else {
        const said = stdout
          .toString('utf8')
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line) as Record<string, unknown>);
        must(said.length === pieces.length, 'the binary prints another number of objects');
        const right = said.every(
          ({ msg, service }, at) =>
            service === 'print' &&
            (msg === decodeSlowly(pieces[at]?.bytes ?? new Uint8Array(0)) ||
              objectOf(decodeSlowly(pieces[at]?.bytes ?? new Uint8Array(0))) !== null),
        );
        must(right, 'the binary prints other objects');
      }
    }
  }

  async end(): Promise<void> {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const WORDS = [
  '\n',
  '\r',
  '\r\n',
  '\n\n',
  '\r\r\n',
  'a line\n',
  'no end',
  ' 42%\r',
  '\x1b[31m',
  '\x1b[0m',
  '\x1b]0;title\x07',
  '\x1b]8;;x\x1b\\',
  '\x1b',
  '\x1b[',
  '\x1b[38;5;1',
  '\x9b31m',
  '\x1bM',
  '\x1b(B',
  '\x1b7',
  '\x1bPq#0\x1b\\',
  '\x07',
  '\xc3\xa4',
  '\xc3',
  '\xf0\x9f\x92\xa5',
  '\xf0\x9f',
  '\xed\xa0\x80',
  '\xc0\x80',
  '\xf4\x90\x80\x80',
  '\xff',
  '\0',
  '\\x41',
  '"',
  '\\',
  '{"msg":"x"}\n',
  '{"time":1,"service":"other","level":"warn"}\n',
  '{"__proto__":{"a":1}}\n',
  '{"a":1e400}\n',
  '{"id":12345678901234567890,"f":1.0}\n',
  '{"stream":[",",{}],"\\u0073ervice":"\\"","b" : 1}\n',
  '{"a":',
  '[1]\n',
  '{}\n',
  '{"a":1,"a":2}\n',
  '\u2028'.toString(),
  '\xef\xbb\xbf',
  '\xef\xbb\xbf{}\n',
]; // prettier-ignore

export const logs: Target = {
  about: 'what services print',
  words: WORDS,
  pure: true,
  longest: 2_048,
  begin: async (dice) => new LogsTrial(dice),
};
