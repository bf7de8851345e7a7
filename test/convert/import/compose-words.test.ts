// A command line as Compose splits it: what it drops.
import { expect, test } from 'bun:test';
import { splitCompose } from '../../../src/convert/import/compose-words.ts';

test.each([
  ['run a > log', ['run', 'a'], '> log'],
  ['run a 2>log', ['run', 'a'], '2>log'],
  ['run a 2>&1; b', ['run', 'a'], '2>&1; b'],
  ['run a | tee b', ['run', 'a'], '| tee b'],
])('%s', (line, words, dropped) => {
  expect(splitCompose(line)).toMatchObject({ ok: true, words, dropped });
});
