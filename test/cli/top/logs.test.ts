// The log that `top` puts together from overlapping answers.
import { expect, test } from 'bun:test';
import { append, filtered, findText, hasText, NO_LINES, sinceOf } from '../../../src/cli/top/logs.ts';
import type { LogLineJson } from '../../../src/control/follow.ts';

const line = (second: number, text: string): LogLineJson => ({
  time: new Date(second * 1_000).toISOString(),
  service: 'a',
  stream: 'stdout',
  text,
});
const texts = (buffer: ReturnType<typeof append>) => buffer.lines.map(({ text }) => text);

test('the lines of the last known time come again, and only new ones are added', () => {
  const first = append(NO_LINES, [line(1, 'a'), line(2, 'b'), line(2, 'c')]);
  expect(sinceOf(first)).toBe(2_000);
  const second = append(first, [line(2, 'b'), line(2, 'c'), line(2, 'c'), line(3, 'd')]);
  expect(texts(second)).toEqual(['a', 'b', 'c', 'c', 'd']);
  expect(append(second, [line(3, 'd')])).toBe(second);
});

test('if the known lines are gone, a gap is marked', () => {
  const torn = append(append(NO_LINES, [line(1, 'a')]), [line(9, 'x')]);
  expect(torn.lines.map(({ stream }) => stream)).toEqual(['stdout', 'gap', 'stdout']);
  expect(filtered(torn, 'x').map(({ text }) => text)).toEqual(['x']);
});

test('a gap and the lines behind it have one time: they are not added again', () => {
  const torn = append(append(NO_LINES, [line(1, 'a')]), [line(9, 'x'), line(9, 'y')]);
  expect(append(torn, [line(9, 'x'), line(9, 'y')])).toBe(torn);
  expect(texts(append(torn, [line(9, 'x'), line(9, 'y'), line(9, 'z')])).slice(-3)).toEqual(['x', 'y', 'z']);
});

test('after the clock was set back, lines that are known are not added again', () => {
  const known = append(NO_LINES, [line(1, 'a'), line(7, 'b'), line(8, 'c')]);
  expect(append(known, [line(7, 'b'), line(8, 'c')])).toBe(known);
  expect(texts(append(known, [line(7, 'b'), line(8, 'c'), line(6, 'd')]))).toEqual(['a', 'b', 'c', 'd']);
});

test('known lines that the supervisor no longer keeps leave no gap if a later known one is there', () => {
  const known = append(NO_LINES, [line(2, 'a'), line(2, 'b')]);
  expect(texts(append(known, [line(2, 'b'), line(3, 'c')]))).toEqual(['a', 'b', 'c']);
});

test('an unfinished line is replaced by what it becomes, without a gap', () => {
  const open = (second: number, text: string) => ({ ...line(second, text), unfinished: true }) as const;
  const begun = append(NO_LINES, [line(1, 'a'), open(2, 'load')]);
  expect(append(begun, [line(1, 'a'), open(2, 'load')])).toBe(begun);
  const longer = append(begun, [line(1, 'a'), open(4, 'loading')]);
  expect(texts(longer)).toEqual(['a', 'loading']);
  // Lines of the other stream come before it, and it is requested again all the same.
  const other = append(longer, [line(1, 'a'), open(4, 'loading'), line(5, 'b')]);
  expect([texts(other), sinceOf(other)]).toEqual([['a', 'b', 'loading'], 4_000]);
  expect(texts(append(other, [line(5, 'b'), line(6, 'loading done')]))).toEqual(['a', 'b', 'loading done']);
});

test('control sequences, tabs and bidirectional characters of a service do nothing', () => {
  const { lines } = append(NO_LINES, [line(1, '\x1b[2J\x1b]0;title\x07red\x1b[31m\ttab \u202eevil\x9b5n')]);
  expect(lines[0]?.text).toBe('red  tab \\u202eevil');
});

test('only so many lines are kept, and it is known how many were dropped', () => {
  const many = append(
    NO_LINES,
    Array.from({ length: 6_000 }, (_, index) => line(index, `line ${index}`)),
  );
  expect([many.lines.length, many.dropped, many.lines[0]?.text]).toEqual([5_000, 1_000, 'line 1000']);
});

test('a search ignores case, unless it has a capital letter', () => {
  expect([hasText('An Error', 'error'), hasText('An error', 'Error')]).toEqual([true, false]);
});

test('a character that is longer in lower case does not move the place that is found', () => {
  expect(findText('\u0130\u0130 an Error', 'error')).toBe(6);
});
