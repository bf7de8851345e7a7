// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// Durations and sizes: what is read, what is refused, and how a duration is printed.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { DURATION_PATTERN, formatDuration, parseDuration, parseSize, SIZE_PATTERN } from '../../src/config/quantity.ts';

describe('a duration', () => {
  const right: Readonly<Record<string, number>> = {
    '250ms': 250,
    '10s': 10_000,
    '15m': 900_000,
    '1h30m': 5_400_000,
    '2d': 172_800_000,
    '1.5s': 1500,
    '0.5h': 1_800_000,
    '0s': 0,
    '1d2h3m4s5ms': 93_784_005,
    '24d': 2_073_600_000,
  };
  for (const [text, value] of Object.entries(right)) {
    test(`${text} is ${value} ms`, () => {
      expect(parseDuration(text)).toEqual({ ok: true, value });
      expect(new RegExp(DURATION_PATTERN).test(text)).toBe(true);
    });
  }

  const wrong: Readonly<Record<string, string>> = {
    '10': 'write `10s` or `10ms`',
    '1.5': 'write `1.5s`',
    '99999999': 'write `99999999ms`',
    '9999999999': 'the longest possible is `24d`',
    '1.5ms': '`ms` takes no fraction: write `2ms`',
    '0.1 msec': '`ms` takes no fraction: write `1ms`',
    '30 days': 'the longest possible is `24d`',
    '10 s': 'write `10s`',
    '10S': 'write `10s`',
    '5 minutes': 'write `5m`',
    '3sec': 'write `3s`',
    '500us': 'the smallest unit is `ms`',
    '30m1h': 'write it like `250ms`, `10s`, `15m` or `1h30m`',
    '': 'write it like `250ms`, `10s`, `15m` or `1h30m`',
    '-1s': 'write it like `250ms`, `10s`, `15m` or `1h30m`',
    '25d': 'the longest possible is `24d`',
  };
  for (const [text, suggestion] of Object.entries(wrong)) {
    test(`${JSON.stringify(text)} is not a duration: ${suggestion}`, () => {
      expect(parseDuration(text)).toEqual({ ok: false, suggestion });
      expect(text === '25d' || !new RegExp(DURATION_PATTERN).test(text)).toBe(true);
    });
  }

  test('is unchanged when it is printed and parsed again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2_000_000_000 }), (value) => {
        expect(parseDuration(formatDuration(value))).toEqual({ ok: true, value });
      }),
    );
  });
});

describe('a size', () => {
  const right: Readonly<Record<string, number>> = {
    '64KiB': 65_536,
    '20MB': 20_000_000,
    '1B': 1,
    '2kB': 2000,
    '1.5GiB': 1_610_612_736,
    '1TB': 1e12,
  };
  for (const [text, value] of Object.entries(right)) {
    test(`${text} is ${value} bytes`, () => {
      expect(parseSize(text)).toEqual({ ok: true, value });
      expect(new RegExp(SIZE_PATTERN).test(text)).toBe(true);
    });
  }

  const wrong: Readonly<Record<string, string>> = {
    '64': 'write `64B`, `64KiB` or `64MiB`',
    '64k': 'write `64KiB`',
    '64 KiB': 'write `64KiB`',
    '64kib': 'write `64KiB`',
    '1g': 'write `1GiB`',
    '64G': 'write `64GB`',
    '1Mbit': 'write it like `64KiB` or `20MB`',
    '2 megabytes': 'write it like `64KiB` or `20MB`',
    big: 'write it like `64KiB` or `20MB`',
    '1PB': 'write it like `64KiB` or `20MB`',
    '99999 TiB': 'the largest possible is `8191TiB`',
    '99999TiB': 'the largest possible is `8191TiB`',
  };
  for (const [text, suggestion] of Object.entries(wrong)) {
    test(`${text} is not a size: ${suggestion}`, () => {
      expect(parseSize(text)).toEqual({ ok: false, suggestion });
    });
  }
});
