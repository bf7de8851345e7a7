// The reference of commands in Markdown, of commands that the tests make.
import { expect, test } from 'bun:test';
import { renderReference } from '../../src/cli/reference.ts';

test('a `|` in a flag or in its summary does not end the cell', () => {
  const flags = { output: { type: 'string', value: 'json|yaml', summary: 'a | b' } } as const;
  const command = { summary: 'x', usage: 'x', example: 'x', flags, run: () => Promise.resolve(0) };
  expect(renderReference({ x: command }, '')).toContain('| `--output json\\|yaml` | a \\| b |\n');
});
