// Bytes that are not UTF-8 are restored unchanged from text; UTF-8 is decoded as usual.
import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { decodeBytes, encodeBytes } from '../src/bytes.ts';

test('any bytes come back as they were', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      expect([...encodeBytes(decodeBytes(bytes))]).toEqual([...bytes]);
    }),
  );
});

test('mixtures of UTF-8 and other bytes come back as they were', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }).map((text) => [...Buffer.from(text.toWellFormed())]),
    fc.uint8Array({ maxLength: 4 }).map((bytes) => [...bytes]),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const bytes = Uint8Array.from(pieces.flat());
      expect([...encodeBytes(decodeBytes(bytes))]).toEqual([...bytes]);
    }),
  );
});

test('UTF-8 is decoded as usual, a byte order mark and characters beyond 16 bits too', () => {
  for (const text of ['', 'plain', 'Grüße', '日本', '😀', '\ufeffmark']) {
    expect(decodeBytes(Buffer.from(text))).toBe(text);
    expect(encodeBytes(text).toString()).toBe(text);
  }
});

test('a byte that is not UTF-8 is kept as a lone surrogate', () => {
  expect(decodeBytes(Uint8Array.from([0x61, 0xff, 0x62]))).toBe('a\udcffb');
  // An encoded surrogate is not UTF-8 either: each of its bytes is kept.
  expect(decodeBytes(Uint8Array.from([0xed, 0xb3, 0xbf]))).toBe('\udced\udcb3\udcbf');
});
