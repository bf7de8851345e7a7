// `import auto`: every source of the corpus is recognized as what it is.
import { expect, test } from 'bun:test';
import { recogniseFormat } from '../../../src/convert/import/table.ts';
import { inputOf, SOURCES } from './rig.ts';

test.each(SOURCES.map(({ format, path }) => [path, format] as const))('%s is recognized as %s', (path, format) => {
  expect(recogniseFormat(inputOf(path))).toBe(format);
});
