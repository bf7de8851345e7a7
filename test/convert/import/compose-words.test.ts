// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// A command line as Compose splits it: what it drops.
import { expect, test } from 'bun:test';
import { readComposeText, splitComposeWords } from '../../../src/convert/import/compose-text.ts';
import { splitCompose } from '../../../src/convert/import/compose-words.ts';

test.each([
  ['run a > log', ['run', 'a'], '> log'],
  ['run a 2>log', ['run', 'a'], '2>log'],
  ['run a 2>&1; b', ['run', 'a'], '2>&1; b'],
  ['run a | tee b', ['run', 'a'], '| tee b'],
])('%s', (line, words, dropped) => {
  expect(splitCompose(line)).toMatchObject({ ok: true, words, dropped });
});

test('a line that cannot be split says why', () => {
  expect(splitComposeWords('run \ue000')).toMatchObject({ ok: false, why: expect.stringContaining('private use') });
});

test('a variable without an operator is one at any depth', () => {
  const read = readComposeText('$A ${B:-$C} ${D:-x} ${E:+${A}}');
  expect(read.ok && read.value.withoutOperator).toEqual(['A', 'C']);
});
