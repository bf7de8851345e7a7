// Durations of Go, and milliseconds as a duration of services.yaml.
import { expect, test } from 'bun:test';
import { readGoDuration, writeDuration } from '../../src/convert/quantities.ts';

test.each([
  ['1m30s', 90_000],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['1.s', 1_000],
  ['2000\u00b5s', 2],
  ['2000\u03bcs', 2],
  ['2000us', 2],
  ['0', 0],
  ['.s', null],
  ['1..5s', null],
  ['5', null],
  ['1 s', null],
  ['', null],
])('a Go duration: %p is %p', (text, millis) => {
  expect(readGoDuration(text)).toBe(millis);
});

test.each([
  [0.4, '1ms'],
  [1.4, '1ms'],
  [1_500.6, '1s501ms'],
  [1e12, '24d'],
])('%p milliseconds become %p', (millis, text) => {
  expect(writeDuration(millis)).toBe(text);
});
