// Compares the table of limits with the kernel's: its rows in /proc and its numbers in the same order as there.
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { LIMITS, LOCKS, limitName } from '../../src/linux/limits.ts';

test('limits have the rows and numbers of the kernel', () => {
  const rows = readFileSync('/proc/self/limits', 'utf8').split('\n').slice(1).filter(Boolean);
  const names = rows.map((row) => row.slice(0, 26).trim());
  const byNumber = [...Object.values(LIMITS), LOCKS].sort((a, b) => a.number - b.number);
  expect(byNumber.map(({ row }) => row as string)).toEqual(names);
});

test('a limit is named by its number', () => {
  expect([7, 8, 99].map(limitName)).toEqual(['nofile', 'memlock', '99']);
});
