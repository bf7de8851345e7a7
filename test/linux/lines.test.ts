// How messages quote the output of a tool.
import { expect, test } from 'bun:test';
import { lastLineOf, linesOf } from '../../src/linux/lines.ts';

test('lines that are not blank, without colours, titles, bells and cursor movements', () => {
  const printed = 'one\r\n\n  \n\x1b[31mtwo\x1b[0m\n\x1b]0;title\x07three\x07\x08\u009b2J\n';
  expect(linesOf(printed)).toEqual(['one', 'two', 'three']);
  expect(linesOf('a\tb')).toEqual(['a b']);
  expect(lastLineOf('one\n\x1b[0m\n\x07\n')).toBe('one');
  expect(lastLineOf('')).toBe('');
  expect(lastLineOf('x'.repeat(1_000))).toHaveLength(200);
});
