// Compares the line splitter with a simple one: the lines do not depend on how the bytes are cut into chunks.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { LineSplitter, LONGEST_LINE } from '../../src/logs/lines.ts';

interface Taken {
  readonly text: string;
  readonly cut: boolean;
}

function split(chunks: readonly Uint8Array[]): Taken[] {
  const lines: Taken[] = [];
  const splitter = new LineSplitter((source, from, to, cut) => {
    lines.push({ text: Buffer.from(source.subarray(from, to)).toString('latin1'), cut });
  });
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return lines;
}

/**
 * Splits the whole text at once: a newline, a carriage return or both end a line. An empty text before a lone carriage return
 * is not a line.
 */
function expected(text: string): Taken[] {
  const lines: Taken[] = [];
  for (const [, line = '', end] of text.matchAll(/([^\r\n]*)(\r\n|\r|\n|$)/g)) {
    if (line === '' && (end === '' || end === '\r')) continue;
    let rest = line;
    for (; rest.length > LONGEST_LINE; rest = rest.slice(LONGEST_LINE)) {
      lines.push({ text: rest.slice(0, LONGEST_LINE), cut: true });
    }
    lines.push({ text: rest, cut: false });
  }
  return lines;
}

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

describe('lines', () => {
  test('do not depend on how the bytes are cut into chunks', () => {
    const piece = fc.oneof(
      fc.constantFrom('\n', '\r', '\r\n', '\n\n', 'a', 'bc\n', '\xff\xfe', ' 10%\r', ''),
      fc.string({ maxLength: 20 }).map((text) => Buffer.from(text).toString('latin1')),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.array(fc.nat(12), { maxLength: 60 }), (pieces, cuts) => {
        const text = pieces.join('');
        const chunks: Uint8Array[] = [];
        let at = 0;
        for (const cut of cuts) {
          chunks.push(bytes(text.slice(at, at + cut)));
          at += cut;
        }
        chunks.push(bytes(text.slice(at)));
        expect(split(chunks)).toEqual(expected(text));
      }),
      { numRuns: 2_000 },
    );
  });

  test('include a last line without a newline', () => {
    expect(split([bytes('one\ntw'), bytes('o')])).toEqual([
      { text: 'one', cut: false },
      { text: 'two', cut: false },
    ]);
  });

  test('include empty lines', () => {
    expect(split([bytes('a\n\nb\n')]).map(({ text }) => text)).toEqual(['a', '', 'b']);
  });

  test('end at the carriage returns of a progress bar, without empty lines in between', () => {
    expect(split([bytes('\r 10%\r 20%\r'), bytes(' 30%\r\ndone\n')]).map(({ text }) => text)).toEqual([
      ' 10%',
      ' 20%',
      ' 30%',
      'done',
    ]);
  });

  test('of carriage returns only are found without searching the rest of the chunk for each of them', () => {
    let searched = 0;
    const chunk = bytes('x\r'.repeat(500));
    const indexOf = chunk.indexOf.bind(chunk);
    chunk.indexOf = (...args: Parameters<Uint8Array['indexOf']>) => {
      const found = indexOf(...args);
      searched += (found < 0 ? chunk.length : found + 1) - (args[1] ?? 0);
      return found;
    };
    expect(split([chunk])).toHaveLength(500);
    expect(searched).toBeLessThan(4 * chunk.length);
  });

  for (const size of [LONGEST_LINE - 1, LONGEST_LINE, LONGEST_LINE + 1, 3 * LONGEST_LINE, 3 * LONGEST_LINE + 5]) {
    test(`of ${size} bytes come in pieces that are marked as cut`, () => {
      const text = 'x'.repeat(size);
      for (const step of [1_000, 65_536, size]) {
        const chunks = Array.from({ length: Math.ceil(size / step) }, (_, n) =>
          bytes(text.slice(n * step, (n + 1) * step)),
        );
        const lines = split([...chunks, bytes('\nend\n')]);
        expect(lines.map(({ text: piece, cut }) => [piece.length, cut])).toEqual(
          [...expected(text), { text: 'end', cut: false }].map(({ text: piece, cut }) => [piece.length, cut]),
        );
      }
    });
  }

  for (const character of ['é', '模', '🚀']) {
    test(`are not cut within a character such as ${character}, for any chunks`, () => {
      const width = Buffer.byteLength(character);
      for (let shift = 0; shift < 2 * width; shift += 1) {
        const text = Buffer.from(`${'x'.repeat(shift)}${character.repeat(Math.ceil((2 * LONGEST_LINE) / width) + 5)}`);
        const wanted = split([Buffer.concat([text, bytes('\n')])]);
        expect(wanted.map(({ cut }) => cut)).toEqual([true, true, false]);
        expect(wanted.map(({ text: piece }) => piece).join('')).toBe(text.toString('latin1'));
        for (const { text: piece, cut } of wanted) {
          expect(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes(piece))).not.toThrow();
          if (cut) expect(piece.length).toBeGreaterThan(LONGEST_LINE - width);
        }
        // The chunks end near the position where the line is cut.
        for (const first of [-4, -3, -2, -1, 0, 1, 2, 3, 4].map((more) => LONGEST_LINE + more)) {
          for (const second of [1, 2, 3, 4, LONGEST_LINE - 1, LONGEST_LINE, 2 * LONGEST_LINE]) {
            const chunks = [
              text.subarray(0, first),
              text.subarray(first, first + second),
              text.subarray(first + second),
            ];
            expect(split(chunks)).toEqual(wanted);
            expect(split([...chunks, bytes('\n')])).toEqual(wanted);
          }
        }
      }
    });
  }

  test('are cut at the longest size if the bytes there are not UTF-8', () => {
    const around = ['\xbf\xbf\xbf\xbf\xbf', '\xe6\xa8x', '\xf0\x9f\x9a\xff', '\xc0\x80\x80', '\xed\xa0\x80'];
    for (const odd of around) {
      for (let before = 0; before <= odd.length; before += 1) {
        const text = `${'x'.repeat(LONGEST_LINE - before)}${odd}y`;
        const line = bytes(`${text}\n`);
        expect(split([line])).toEqual(expected(text));
        expect(split([line.subarray(0, LONGEST_LINE), line.subarray(LONGEST_LINE)])).toEqual(expected(text));
      }
    }
  });

  test('without an end occupy at most the memory of one long line', () => {
    let taken = 0;
    const splitter = new LineSplitter((_source, from, to) => {
      taken += to - from;
    });
    const chunk = new Uint8Array(65_536).fill(120);
    for (let n = 0; n < 1_000; n += 1) splitter.push(chunk);
    expect(taken).toBeGreaterThanOrEqual(999 * 65_536);
    splitter.end();
    expect(taken).toBe(1_000 * 65_536);
  });
});
