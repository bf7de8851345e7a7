// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// Variables in values.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { interpolate } from '../../src/config/interpolate.ts';

describe('interpolation', () => {
  const environment = { A: 'one', EMPTY: '', B: '$A', constructor_: 'x' };
  const right: Readonly<Record<string, string>> = {
    'x ${A} y': 'x one y',
    '${A}${A}': 'oneone',
    '${EMPTY}': '',
    '${A:-no}': 'one',
    '${EMPTY:-no}': 'no',
    '${NONE:-no}': 'no',
    '${NONE:-}': '',
    '${NONE:-${A}}': 'one',
    '${NONE:-a ${OTHER:-b} c}': 'a b c',
    '${A:?why}': 'one',
    '${A:-${NOT_NEEDED}}': 'one',
    '${A:+yes}': 'yes',
    '${A:+${A}-${EMPTY:-two}}': 'one-two',
    '${EMPTY:+${NOT_NEEDED}}': '',
    '${NONE:+yes}': '',
    '${B}': '$A',
    '$${A}': '${A}',
    '$$${A}': '$${A}',
    $: '$',
    '$A $$ $(x) $5': '$A $$ $(x) $5',
    'a } b { c': 'a } b { c',
    '${NONE:-$${x}}': '${x}',
    '${A:-$${x}}': 'one',
    '${NONE:-{"a": {"b": "${A}"}}}': '{"a": {"b": "one"}}',
    '${A:-{"a": {"b": 1}}}!': 'one!',
    '{${A:+{}}}': '{{}}',
  };
  for (const [text, expected] of Object.entries(right)) {
    test(`${text} becomes ${JSON.stringify(expected)}`, () => {
      expect(interpolate(text, environment)).toMatchObject({ ok: true, text: expected });
    });
  }

  const wrong: Readonly<Record<string, string>> = {
    '${NONE}': 'NONE is not set',
    '${NONE:?no token}': 'NONE is not set: no token',
    '${EMPTY:?no token}': 'EMPTY is empty: no token',
    '${NONE:?}': 'NONE is not set',
    '${': 'this `${` is never closed',
    '${A': 'this `${` is never closed',
    '${NONE:-${A}': 'this `${` is never closed',
    '${}': 'there is no variable name after this `${`',
    '${1}': 'there is no variable name after this `${`',
    '${A-x}': '`${A-x}` is not a supported form',
    '${A+x}': '`${A+x}` is not a supported form',
    '${A:+${NONE}}': 'NONE is not set',
    '${NONE:+${A}': 'this `${` is never closed',
    '${A:-${NONE} y': 'this `${` is never closed',
    '${NONE:-$${x}': 'this `${` is never closed',
    '${A:-{}': 'this `${` is never closed',
    '${A:-${B y': 'this `${` is never closed',
    '${A/x/y}': '`${A/x/y}` is not a supported form',
    '${ A }': 'there is no variable name after this `${`',
    '${__proto__}': '__proto__ is not set',
    '${constructor}': 'constructor is not set',
  };
  for (const [text, message] of Object.entries(wrong)) {
    test(`${text} is refused: ${message}`, () => {
      const result = interpolate(text, environment);
      expect(result.ok ? [] : result.problems.map((problem) => problem.message)).toEqual([message]);
    });
  }

  test('reports every invalid reference', () => {
    const result = interpolate('${X} ${A} ${Y}', environment);
    expect(result.ok ? [] : result.problems.map(({ reference }) => reference)).toEqual(['${X}', '${Y}']);
  });

  test('does not change a text without `${`', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('$', '{', '}', 'a', ':', '-', '\\') }), (text) => {
        fc.pre(!text.includes('${'));
        expect(interpolate(text, {})).toEqual({ ok: true, text, changed: false });
      }),
    );
  });

  test('never throws, and returns what an escaped text means', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('$', '{', '}', 'A', ':', '-', '?', 'x'), maxLength: 60 }),
        (text) => {
          interpolate(text, { A: 'x' });
          // A `$` directly before an escape would be taken as part of it.
          fc.pre(!text.includes('$${'));
          expect(
            interpolate(
              text.replaceAll('${', () => '$${'),
              {},
            ),
          ).toMatchObject({ ok: true, text });
        },
      ),
    );
  });

  test('stops at endlessly nested references', () => {
    const result = interpolate('${A:-'.repeat(50_000) + '}'.repeat(50_000), {});
    expect(result.ok).toBe(false);
  });
});
