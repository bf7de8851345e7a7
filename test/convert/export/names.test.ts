// Names as the targets allow them: DNS labels, all different and none too long.
import { expect, test } from 'bun:test';
import { toLabels } from '../../../src/convert/export/names.ts';

test('hundreds of names with one label get different labels of at most 63 characters', () => {
  const names = Array.from({ length: 1_100 }, (_, index) => `${'x'.repeat(70)}${index}`);
  const labels = [...toLabels(names).values()];
  expect(new Set(labels).size).toBe(names.length);
  expect(Math.max(...labels.map(({ length }) => length))).toBe(63);
});
