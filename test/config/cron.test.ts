// Expressions of cron are checked without the parser where that is possible: what passes, the parser takes, and finds a time for.
import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { nextTime, whyNotCron } from '../../src/config/cron.ts';

const BOUNDS = [
  [0, 59],
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 7],
] as const;
const WORDS = ['MON', 'sun', 'JAN', 'Dec', 'FRI', 'L', 'W', '15W', '?', '', 'x', '5#2', 'LW'];

/** A field, often valid: values around its bounds, ranges, steps, lists, words. */
const fieldOf = ([least, most]: readonly [number, number]) => {
  const value = fc.oneof(
    { weight: 30, arbitrary: fc.integer({ min: least, max: most }).map(String) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: most + 2 }).map(String) },
    { weight: 1, arbitrary: fc.constantFrom(...WORDS) },
  );
  const number = fc.integer({ min: least, max: most });
  const ordered = fc.tuple(number, number).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  const range = fc.oneof(
    { weight: 4, arbitrary: fc.constant('*') },
    { weight: 4, arbitrary: value },
    { weight: 2, arbitrary: ordered.map(([from, to]) => `${from}-${to}`) },
  );
  const part = fc
    .tuple(range, fc.option(fc.integer({ min: 0, max: most + 3 }), { nil: null, freq: 1 }))
    .map(([one, step]) => (step === null || (one !== '*' && !one.includes('-')) ? one : `${one}/${step}`));
  return fc.array(part, { minLength: 1, maxLength: 2 }).map((parts) => parts.join(','));
};
const expressions = fc
  .tuple(fc.boolean(), fc.tuple(...BOUNDS.map(fieldOf)))
  .map(([hasSeconds, fields]) => fields.slice(hasSeconds ? 0 : 1).join(' '));

test('the parser takes every expression that the check accepts, and finds a time', () => {
  let accepted = 0;
  fc.assert(
    fc.property(expressions, (expression) => {
      if (whyNotCron(expression) !== null) return;
      accepted += 1;
      expect([expression, nextTime(expression, 'UTC', Date.UTC(2025, 0, 1)) !== null]).toEqual([expression, true]);
    }),
    { numRuns: 2_000, seed: 1 },
  );
  expect(accepted).toBeGreaterThan(100);
});
