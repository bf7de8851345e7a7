// The difference between two environments, as the checkpoint keeps it.
import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { changesOf, withChanges } from '../../src/runtime/run-env.ts';

test('the changes make one environment of the other', () => {
  const variables = fc.dictionary(fc.constantFrom('A', 'B', 'C', '__proto__'), fc.constantFrom('', '1', '2'));
  fc.assert(
    fc.property(variables, variables, (before, after) => {
      const changes = changesOf(before, after);
      const kept = JSON.parse(JSON.stringify(changes)) as typeof changes;
      expect(Object.entries(withChanges(before, kept)).sort()).toEqual(Object.entries(after).sort());
      expect(Object.keys(changesOf(after, after))).toEqual([]);
    }),
  );
});
