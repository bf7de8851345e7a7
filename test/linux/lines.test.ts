// What of a tool's output goes into the supervisor's own sentences.
import { expect, test } from 'bun:test';
import { lastLineOf, linesOf } from '../../src/linux/lines.ts';

test('lines that say something, as text: no colours, no titles, no bell, nothing that moves the cursor', () => {
  const printed = 'one\r\n\n  \n\x1b[31mtwo\x1b[0m\n\x1b]0;title\x07three\x07\x08\u009b2J\n';
  expect(linesOf(printed)).toEqual(['one', 'two', 'three']);
  expect(linesOf('a\tb')).toEqual(['a b']);
  expect(lastLineOf('one\n\x1b[0m\n\x07\n')).toBe('one');
  expect(lastLineOf('')).toBe('');
  expect(lastLineOf('x'.repeat(1_000))).toHaveLength(200);
});
