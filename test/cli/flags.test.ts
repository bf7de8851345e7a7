// The values of flags: a time, or a duration before now.
import { expect, test } from 'bun:test';
import { readTime } from '../../src/cli/flags.ts';

const NOW = Date.parse('2026-01-02T03:04:05Z');

test('a duration before now, and a time', () => {
  expect(readTime(undefined, NOW)).toBeUndefined();
  expect(readTime('90s', NOW)).toBe(NOW - 90_000);
  expect(readTime('20d', 1_000)).toBe(0);
  expect(readTime('2026-01-02T03:04:05Z', 0)).toBe(NOW);
  expect(readTime('2026-01-02 04:04:05.500+01:00', 0)).toBe(NOW + 500);
  expect(readTime('2024-02-29t03:04:05z', 0)).toBe(Date.parse('2024-02-29T03:04:05Z'));
});

test.each(['soon', '2026-13-01', '2026-02-31', '2026-02-29t03:04:05z', '2026-01-02T99:00Z', '5'])(
  '%p is neither',
  (text) => {
    expect(readTime(text, NOW)).toEndWith('or a time: 2026-01-02T03:04:05Z');
  },
);
