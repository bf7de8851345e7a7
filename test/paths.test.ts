// Paths as text: the results of node:path, except that bytes that are not UTF-8 are kept.
import { expect, test } from 'bun:test';
import { posix } from 'node:path';
import fc from 'fast-check';
import { basename, dirname, isAbsolute, join, normalize, pathFrom, resolve } from '../src/paths.ts';

const path = fc
  .array(fc.constantFrom('/', '/', '.', '..', 'a', 'b c', 'é', './', '../'), { maxLength: 8 })
  .map((parts) => parts.join(''))
  // POSIX leaves two slashes at the beginning to the system; Linux takes them for one.
  .filter((text) => !text.startsWith('//'));

test('the results are those of node:path', () => {
  fc.assert(
    fc.property(path, path, (one, other) => {
      expect(isAbsolute(one)).toBe(posix.isAbsolute(one));
      expect(normalize(one)).toBe(posix.normalize(one));
      expect(join(one, other)).toBe(posix.join(one, other));
      expect(resolve('/from', one, other)).toBe(posix.resolve('/from', one, other));
      expect(dirname(one.replace(/\/+/g, '/'))).toBe(posix.dirname(one.replace(/\/+/g, '/')));
      expect(basename(one)).toBe(posix.basename(one));
    }),
    { numRuns: 2_000 },
  );
});

test('a path is written from a folder as node:path does, unless it is absolute and outside', () => {
  fc.assert(
    fc.property(path, path, (folder, one) => {
      const [from, to] = [resolve('/', folder), resolve('/', one)];
      const expected = posix.relative(from, to);
      expect(pathFrom(from, to)).toBe(/^\.\.(?:\/|$)/.test(expected) ? to : expected || '.');
      const relative = posix.relative(from, to) || '.';
      const [bare, own] = [from.slice(1) || '.', to.slice(1) || '.'];
      expect(pathFrom(bare, own)).toBe(relative);
    }),
    { numRuns: 2_000 },
  );
});

test('characters that stand for bytes that are not UTF-8 are kept', () => {
  expect(resolve('/f\udcff', 'c\udcfe.yaml')).toBe('/f\udcff/c\udcfe.yaml');
  expect(join('/f\udcff', '..', 'c\udcfe')).toBe('/c\udcfe');
  expect(dirname('/f\udcff/c\udcfe')).toBe('/f\udcff');
  expect(basename('/f\udcff/c\udcfe')).toBe('c\udcfe');
});
