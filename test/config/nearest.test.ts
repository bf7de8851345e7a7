// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// The name that was probably meant.
import { describe, expect, test } from 'bun:test';
import { didYouMean, editDistance, nearest } from '../../src/config/nearest.ts';

describe('did you mean', () => {
  const fields = ['command', 'depends_on', 'env', 'env_file', 'port', 'ports', 'user', 'umask'];
  const cases: Readonly<Record<string, string | null>> = {
    comand: 'command',
    dependson: 'depends_on',
    dependsOn: 'depends_on',
    'depends-on': 'depends_on',
    DEpend_SoN: 'depends_on',
    dependOn: 'depends_on',
    PORT: 'port',
    pot: 'port',
    envfile: 'env_file',
    usre: 'user',
    xyz: null,
    command_line_of_it: null,
    '': null,
  };
  for (const [word, expected] of Object.entries(cases)) {
    test(`${JSON.stringify(word)} means ${expected}`, () => expect(nearest(word, fields)).toBe(expected));
  }

  test('takes capitals, `-` and `_` between words for the same', () => {
    expect(['aBCd', 'a-b-c-d', 'abc_D'].map((word) => nearest(word, ['a_b_c_d']))).toEqual(Array(3).fill('a_b_c_d'));
  });

  test('counts transposed neighbours as one mistake', () => {
    expect(editDistance('ab', 'ba')).toBe(1);
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('', 'abc')).toBe(3);
  });

  test('suggests nothing if nothing is close', () => {
    expect(didYouMean('zzz', fields)).toBeUndefined();
    expect(nearest('x'.repeat(1000), fields)).toBeNull();
  });
});
