// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// The references to variables that an export finds.
import { expect, test } from 'bun:test';
import { findReferences } from '../../../src/convert/export/variables.ts';

const find = (text: string) =>
  findReferences({ kind: 'scalar', value: text, text, plain: true, start: 0, end: 0 }).map(({ written }) => written);

test('references are found at every depth, each one before those in its default', () => {
  expect(find('a ${A:-${B:-${C:-1}}} ${D}')).toEqual(['${A:-${B:-${C:-1}}}', '${B:-${C:-1}}', '${C:-1}', '${D}']);
});

test('a brace in a default is a text, and `$${` is no reference', () => {
  expect(find('${A:-{x}} $${B} ${C:-$${D}} ${E')).toEqual(['${A:-{x}}', '${C:-$${D}}']);
});
