// Text from outside as it is shown: characters that a terminal interprets or hides become escapes.
import { expect, test } from 'bun:test';
import { joinNames, printable, printableJson, printableLine, renderSize } from '../src/text.ts';

test('everything that a terminal interprets or hides is escaped, and nothing else', () => {
  expect(printable('a\n\t\r\x1b[31m\x7f')).toBe('a\\n\\t\\r\\x1b[31m\\x7f');
  expect(printable('\u0080\u009b31m\u009d0;t\u009f')).toBe('\\x80\\x9b31m\\x9d0;t\\x9f');
  for (const code of [0x200e, 0x200f, 0x202a, 0x202e, 0x2066, 0x2069, 0x2028, 0x2029, 0x200b, 0xfeff, 0xd800, 0xdcff])
    expect(printable(`a${String.fromCharCode(code)}b`)).toBe(`a\\u${code.toString(16)}b`);
  expect(printable('grüße, 名前 🚀 \\ `x` العربية')).toBe('grüße, 名前 🚀 \\ `x` العربية');
});

test('escaping twice is escaping once', () => {
  const once = printable('a\x1b\u202e\\n');
  expect(printable(once)).toBe(once);
});

test('a line that a program has printed is shown without colours, titles, links and bells', () => {
  expect(printableLine('\x1b[1;31merror\x1b[0m: \x1b]8;;http://x\x07link\x1b]8;;\x1b\\ \u009b2Jdone\x07')).toBe(
    'error: link done',
  );
  expect(printableLine('50%\r100%\tok \u202e')).toBe('50% 100% ok \\u202e');
});

test('JSON keeps its meaning, and has no unsafe character but its line ends', () => {
  const value = { 'k\u202e': ['\u009b', '\u007f', 'é\n', '\ud800', '\ufeff'], n: 1 };
  const json = printableJson(JSON.stringify(value, null, 2));
  expect(JSON.parse(json)).toEqual(value);
  expect(json).toMatch(/^[\n\x20-\x7eé]*$/);
});

test('lists of names for people', () => {
  expect([joinNames([]), joinNames(['a']), joinNames(['a', 'b', 'c']), joinNames([...'abcdefgh'])]).toEqual([
    ...['', 'a', 'a, b and c', 'a, b, c, d, e and 3 more'],
  ]);
});

test('sizes have fewer than 1024 of their unit', () => {
  const sizes = [0, 1_023, 1_024, 1024 ** 2 - 1, 1024 ** 2, 1024 ** 3 - 1];
  expect(sizes.map(renderSize)).toEqual(['0 B', '1023 B', '1.0 KiB', '1.0 MiB', '1.0 MiB', '1.0 GiB']);
});
