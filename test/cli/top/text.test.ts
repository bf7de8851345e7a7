// Texts in the cells of a terminal.
import { expect, test } from 'bun:test';
import { cut } from '../../../src/cli/top/text.ts';

test('a text is cut into pieces that are full, and loses no character', () => {
  expect(cut('abcdefg', 3)).toEqual(['abc', 'def', 'g']);
  expect(cut('abcdef', 3)).toEqual(['abc', 'def']);
  expect(cut('', 3)).toEqual(['']);
  expect(cut('漢字漢字', 5)).toEqual(['漢字', '漢字']);
  expect(cut('a漢字b', 2)).toEqual(['a', '漢', '字', 'b']);
  // A character that is wider than a piece cannot be shown.
  expect(cut('a漢', 1)).toEqual(['a', ' ']);
});
