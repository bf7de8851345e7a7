// The format of log lines, the ring buffer, and the removal of escape sequences.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { BufferPool, type Frame, JsonFrame, renderPrefix, stripAnsi, TextFrame } from '../../src/logs/frame.ts';
import { Ring } from '../../src/logs/ring.ts';
import { decodeEscaped } from '../../src/logs/utf8.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

function framed(frame: Frame, lines: readonly (string | { readonly text: string; readonly cut: true })[]): string {
  for (const line of lines) {
    const text = bytes(typeof line === 'string' ? line : line.text);
    frame.take(text, 0, text.length, typeof line !== 'string');
  }
  return Buffer.from(frame.flush()).toString('latin1');
}

describe('text', () => {
  test('follows its prefix, byte for byte, UTF-8 or not', () => {
    expect(framed(new TextFrame('vllm | ', new BufferPool()), ['one', '', 'caf\xe9 \xff\x00'])).toBe(
      'vllm | one\nvllm | \nvllm | caf\xe9 \xff\x00\n',
    );
  });

  test('has the time after the prefix, also that of a later line', () => {
    let now = Date.UTC(2026, 0, 31, 12);
    const frame = new TextFrame('a | ', new BufferPool(), () => now);
    const first = framed(frame, ['one', 'two']);
    now += 1;
    expect(first + framed(frame, ['three'])).toBe(
      'a | 2026-01-31T12:00:00.000Z one\na | 2026-01-31T12:00:00.000Z two\na | 2026-01-31T12:00:00.001Z three\n',
    );
  });

  test('has a mark at the end of each piece of a line except the last', () => {
    expect(framed(new TextFrame('a | ', new BufferPool()), [{ text: 'xx', cut: true }, 'yy'])).toBe(
      'a | xx [...]\na | yy\n',
    );
  });

  test('does not depend on earlier lines, for any lines', () => {
    const frame = new TextFrame('p | ', new BufferPool());
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 60 }), (lines) => {
        for (const line of lines) frame.take(line, 0, line.length, false);
        const all = Buffer.concat(lines.flatMap((line) => [Buffer.from('p | '), Buffer.from(line), Buffer.from('\n')]));
        expect(Buffer.from(frame.flush()).equals(all)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('has prefixes of equal width, with or without colour', () => {
    expect(renderPrefix('web', 9, null)).toBe('web       | ');
    expect(renderPrefix('web', 9, 1)).toBe('\x1b[33mweb       | \x1b[0m');
  });
});

describe('JSON', () => {
  const frame = (): JsonFrame => new JsonFrame('web', 'stderr', true, () => 0);
  const base = { time: '1970-01-01T00:00:00.000Z', service: 'web', stream: 'stderr' };

  test('is one object per line', () => {
    const lines = framed(frame(), ['one', 'two']).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { ...base, msg: 'one' },
      { ...base, msg: 'two' },
    ]);
  });

  test('merges a line that is an object, with its `time`, without its `service` and `stream`', () => {
    const own = { time: 'then', level: 'info', msg: 'hello', service: 'other', n: 1 };
    expect(JSON.parse(framed(frame(), [JSON.stringify(own)]))).toEqual({ ...own, service: 'web', stream: 'stderr' });
    for (const text of ['[1]', '{broken', '"text"', '12']) {
      expect(JSON.parse(framed(frame(), [text]))).toEqual({ ...base, msg: text });
    }
  });

  const merged = (text: string): string => framed(frame(), [text]);
  const head = '"service":"web","stream":"stderr"';
  const time = '"time":"1970-01-01T00:00:00.000Z"';

  test('keeps the text of the members that a program wrote: long numbers, repeated keys, escapes', () => {
    const own = String.raw`"id":12345678901234567890,"f":1.0,"e":1e400,"a":1,"a":2,"s":"\u00e9\ud800\/","o":{"service":-0}`;
    expect(merged(`{${own}}`)).toBe(`{${time},${head},${own}}\n`);
    expect(merged(`{"time":1700000000000000001,${own}}`)).toBe(`{${head},"time":1700000000000000001,${own}}\n`);
    expect(merged('{ "a" : [ 1.50, {} ] } \t')).toBe(`{${time},${head},"a" : [ 1.50, {} ]}\n`);
  });

  test('merges an empty object', () => {
    for (const text of ['{}', '{ }', '{\t} ']) expect(merged(text)).toBe(`{${time},${head}}\n`);
    expect(merged('{"service":1}')).toBe(`{${time},${head}}\n`);
    expect(merged('{"time":null}')).toBe(`{${head},"time":null}\n`);
  });

  test("removes a program's `service` and `stream`, in any notation, and no other member", () => {
    for (const [text, kept] of [
      ['{"service":"x","id":12345678901234567890}', '"id":12345678901234567890'],
      ['{"id":1.0 , "stream" : {"a":[1,2],"b":"},\\""} , "z":"service"}', '"id":1.0,"z":"service"'],
      [
        String.raw`{"\u0073ervice":1,"service\\":2,"service":3,"n":{"service":4}}`,
        String.raw`"service\\":2,"n":{"service":4}`,
      ],
    ] as const) {
      expect(merged(text)).toBe(`{${time},${head},${kept}}\n`);
    }
  });

  test('equals the result of parsing and printing the object, for any object', () => {
    const key = fc.oneof(fc.constantFrom('time', 'service', 'stream', 'msg', '__proto__', 'a"\\'), fc.string());
    fc.assert(
      fc.property(fc.dictionary(key, fc.jsonValue()), fc.constantFrom(0, 1, '\t'), (object, space) => {
        const own = JSON.parse(JSON.stringify(object)) as Record<string, unknown>;
        const text = JSON.stringify(own, null, space).replaceAll('\n', ' ');
        const { service: _service, stream: _stream, ...kept } = own;
        const entry = JSON.parse(Buffer.from(merged(Buffer.from(text).toString('latin1')), 'latin1').toString());
        const wanted = { ...('time' in own ? {} : { time: base.time }), service: 'web', stream: 'stderr', ...kept };
        const byKey = (one: object) => Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1));
        expect(byKey(entry)).toEqual(byKey(wanted));
      }),
    );
  });

  test('marks a piece of a line as `cut`', () => {
    expect(JSON.parse(framed(frame(), [{ text: '{"a":1}', cut: true }]))).toEqual({
      ...base,
      msg: '{"a":1}',
      cut: true,
    });
  });

  test('escapes bytes that are not UTF-8, and no others', () => {
    expect(decodeEscaped(Buffer.from('naïve 模型 🚀'))).toBe('naïve 模型 🚀');
    expect(decodeEscaped(Buffer.concat([Buffer.from('é'), bytes('\xff\xc3'), Buffer.from('é')]))).toBe('é\\xff\\xc3é');
    // A byte order mark is an ordinary part of a line.
    expect(decodeEscaped(Buffer.from('\ufeffa'))).toBe('\ufeffa');
    expect(decodeEscaped(bytes('\xed\xa0\x80\xf5\x80\x80\x80'))).toBe('\\xed\\xa0\\x80\\xf5\\x80\\x80\\x80');
  });

  test('the escaped bytes are those that a strict decoder refuses', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const decodes = (given: Uint8Array): string | null => {
      try {
        return strict.decode(given);
      } catch {
        return null;
      }
    };
    /** Decodes the shortest valid piece at each position, and otherwise escapes one byte. */
    const slowly = (given: Uint8Array): string => {
      let text = '';
      for (let at = 0; at < given.length; ) {
        const sizes = [1, 2, 3, 4].filter((size) => at + size <= given.length);
        const size = sizes.find((one) => decodes(given.subarray(at, at + one)) !== null);
        text +=
          size === undefined
            ? `\\x${given[at]?.toString(16).padStart(2, '0')}`
            : decodes(given.subarray(at, at + size));
        at += size ?? 1;
      }
      return text;
    };
    const tricky = fc.constantFrom(
      0x41,
      0x80,
      0x8f,
      0x90,
      0x9f,
      0xa0,
      0xbf,
      0xc1,
      0xc2,
      0xdf,
      0xe0,
      0xe1,
      0xed,
      0xee,
      0xf0,
      0xf1,
      0xf4,
      0xf5,
      0xff,
    );
    const anything = fc.array(fc.oneof(tricky, fc.integer({ min: 0, max: 255 })), { maxLength: 40 });
    fc.assert(
      fc.property(anything, (numbers) => {
        const given = Uint8Array.from(numbers);
        expect(decodeEscaped(given)).toBe(slowly(given));
      }),
      { numRuns: 3_000 },
    );
  });
});

test('colours, cursor movements and titles are removed, and nothing else', () => {
  expect(stripAnsi(bytes('\x1b[1;31mred\x1b[0m \x1b]0;title\x07plain \xff\x1b[2K')).toString()).toBe(
    bytes('red plain \xff').toString(),
  );
  // Character sets, as `tput sgr0` prints them; a saved cursor; a string that a terminal does not show.
  expect(stripAnsi(bytes('\x1b(Bplain\x1b7\x1bPq#0\x1b\\!')).toString()).toBe('plain!');
});

test('the text around a removed sequence forms no new sequence', () => {
  expect(stripAnsi(bytes('\x1b\x1b[0m[31mred')).toString()).toBe('[31mred');
  expect(stripAnsi(bytes('\x1b\x1b]0;x\x07]0;y\x07')).toString()).toBe(']0;y\x07');
  expect(stripAnsi(bytes('cut off \x1b[3')).toString()).toBe('cut off 3');
  expect(stripAnsi(bytes('cut off \x1b')).toString()).toBe('cut off ');
});

describe('the ring', () => {
  const block = (text: string, time = 0, prefix = 0) => ({
    bytes: bytes(text),
    time,
    stream: 'stdout' as const,
    prefix,
  });
  const texts = (ring: Ring, count: number, of: 'latest run' | 'all runs' = 'all runs') =>
    ring.tail(count, of).map(({ text }) => text);

  test('returns the last lines, oldest first, without their prefix', () => {
    const ring = new Ring(1_000);
    ring.push(block('a | one\na | two\n', 0, 4));
    ring.push(block('a | three\n', 100, 4));
    expect(texts(ring, 2)).toEqual(['two', 'three']);
    expect(texts(ring, 9)).toEqual(['one', 'two', 'three']);
  });

  test('returns the last lines of a block with more lines than a call takes arguments', () => {
    const ring = new Ring(4_000_000);
    ring.push(block('\n'.repeat(1_999_999)));
    ring.push(block('end\n', 100));
    expect(texts(ring, 2_000_000).length).toBe(2_000_000);
    expect(texts(ring, 2)).toEqual(['', 'end']);
  });

  test('never exceeds its size, for any blocks', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(400), fc.nat(200)), { maxLength: 60 }), (pushes) => {
        const ring = new Ring(512);
        let time = 0;
        const all: string[] = [];
        for (const [size, pause] of pushes) {
          time += pause;
          const line = `${all.length}`.padEnd(size, '.');
          all.push(line);
          ring.push(block(`${line}\n`, time));
        }
        const kept = texts(ring, 1_000);
        expect(kept.join('\n').length).toBeLessThanOrEqual(512);
        expect(all.slice(all.length - kept.length)).toEqual(kept);
        if (all.length > 0) expect(kept.length).toBeGreaterThan(0);
      }),
    );
  });

  test('keeps the last whole lines of a block that is larger than the ring', () => {
    const ring = new Ring(20);
    ring.push(block(`${'x'.repeat(30)}\nlast one\nand last\n`));
    expect(texts(ring, 9)).toEqual(['last one', 'and last']);
    ring.push(block(`${'y'.repeat(40)}\n`, 100));
    expect(texts(ring, 9)).toEqual(['y'.repeat(19)]);
    ring.push(block(`a | ${'x'.repeat(40)}end\n`, 200, 4));
    expect(texts(ring, 9)).toEqual([`${'x'.repeat(12)}end`]);
    ring.push({ ...block('', 300, 4), bytes: Buffer.from(`a | one\na | ${'é'.repeat(40)}\n`) });
    expect(texts(ring, 9)).toEqual(['é'.repeat(7)]);
  });

  test('distinguishes the runs of a service', () => {
    const ring = new Ring(1_000);
    ring.beginRun();
    ring.push(block('first\n'));
    ring.beginRun();
    expect(texts(ring, 9, 'latest run')).toEqual([]);
    ring.push(block('second\n'));
    expect(texts(ring, 9, 'latest run')).toEqual(['second']);
    expect(texts(ring, 9)).toEqual(['first', 'second']);
  });
});
