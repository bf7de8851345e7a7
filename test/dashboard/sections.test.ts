// The sections of the table of services, and when they stay as they are while a person uses the table.
import { expect, test } from 'bun:test';
import { NO_SECTIONS, nextSections } from '../../src/dashboard/sections.ts';

type Member = Parameters<typeof nextSections>[1][number];

const member = (name: string, group: string | null, state: Member['state'] = 'ready'): Member => ({
  name,
  group,
  state,
  type: 'service',
});
const shownBy = (members: readonly Member[], groups: readonly string[]) =>
  nextSections(NO_SECTIONS, members, groups, false);
const a = member('a', 'x');
const b = member('b', null);

test('services that need a person come first, then each group, then the others', () => {
  const { sections } = shownBy([a, b, member('c', 'x', 'failed')], ['x', 'y']);
  expect(sections).toEqual([
    { group: null, isUrgent: true, names: ['c'] },
    { group: 'x', isUrgent: false, names: ['a'] },
    { group: 'y', isUrgent: false, names: [] },
    { group: null, isUrgent: false, names: ['b'] },
  ]);
});

test('rows that are held stay where they are when a state changes', () => {
  const shown = shownBy([a, b], ['x']);
  const failed = [member('a', 'x', 'failed'), b];
  expect(nextSections(shown, failed, ['x'], true)).toBe(shown);
  expect(nextSections(shown, failed, ['x'], false).sections[0]?.names).toEqual(['a']);
});

test.each<[string, readonly Member[], readonly string[]]>([
  ['services', [a], ['x']],
  ['the group of a service', [a, member('b', 'x')], ['x']],
  ['the list of groups', [a, b], ['x', 'y']],
])('rows that are held do not survive a reload that changes %s', (_, members, groups) => {
  const next = nextSections(shownBy([a, b], ['x']), members, groups, true);
  expect(next.sections).toEqual(shownBy(members, groups).sections);
});
