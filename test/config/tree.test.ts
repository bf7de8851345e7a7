// Positions of paths in a tree: of keys, list items, and of what does not exist.
import { expect, test } from 'bun:test';
import { locateIn, locateKey, type MapEntry, type Node } from '../../src/config/tree.ts';

const scalar = (text: string, start: number): Node => ({
  kind: 'scalar',
  value: text,
  text,
  plain: true,
  start,
  end: start + text.length,
});
// `list: [ab, cd]`
const list: Node = { kind: 'list', items: [scalar('ab', 7), scalar('cd', 11)], start: 6, end: 14 };
const entry: MapEntry = { key: 'list', keySpan: { start: 0, end: 4 }, node: list };
const root: Node = { kind: 'map', entries: new Map([['list', entry]]), start: 0, end: 14 };

test('a key, and an item of a list', () => {
  expect(locateKey(root, ['list'])).toEqual({ start: 0, end: 4 });
  expect(locateKey(root, ['list', 1])).toMatchObject({ start: 11, end: 13 });
  expect(locateIn(root, ['list', 'cd'])).toMatchObject({ span: { start: 11, end: 13 }, complete: true });
});

test('what does not exist has no key, and the place of its parent', () => {
  expect(locateKey(root, ['list', 2])).toBeNull();
  expect(locateKey(root, ['other'])).toBeNull();
  expect(locateIn(root, ['list', 2])).toMatchObject({ span: { start: 0, end: 4 }, complete: false });
});
