// The sequence that restores a terminal: the native program has it too, for a `top` that was killed.
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RESTORE } from '../../../src/cli/top/terminal.ts';

test('the native program restores the same', () => {
  const source = readFileSync(join(import.meta.dir, '../../../native/screen.c'), 'utf8');
  const [, text = ''] = /restore\[\] = "([^"]*)"/.exec(source) ?? [];
  expect(text.replaceAll('\\033', '\x1b')).toBe(RESTORE);
});
