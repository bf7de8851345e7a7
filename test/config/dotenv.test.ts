// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { parseDotenv } from '../../src/config/dotenv.ts';
import { processorTime } from '../helpers/processor.ts';

function values(text: string): Readonly<Record<string, string>> {
  const { values: found, problems } = parseDotenv(text);
  expect(problems).toEqual([]);
  return Object.fromEntries(found);
}

describe('an environment file', () => {
  test('contains keys and values, comments and blank lines', () => {
    expect(values('# first\nA=1\n\n  B = two words \nexport C=3\n\texport\tD=4\n')).toEqual({
      A: '1',
      B: 'two words',
      C: '3',
      D: '4',
    });
  });

  test('may be empty, and need not end with a newline', () => {
    expect(values('')).toEqual({});
    expect(values('A=1')).toEqual({ A: '1' });
  });

  test('accepts Windows line ends', () => {
    expect(values('A=1\r\nB="2"\r\n')).toEqual({ A: '1', B: '2' });
  });

  test('uses the last of several values', () => {
    expect(values('A=1\nA=2\n')).toEqual({ A: '2' });
  });

  test('starts a comment at a hash after a space, outside quotes', () => {
    expect(values('A=a # b\nB=a#b\nC="a # b" # c\nD=\'#\'\nE=# nothing\nF= # nothing\n')).toEqual({
      A: 'a',
      B: 'a#b',
      C: 'a # b',
      D: '#',
      E: '# nothing',
      F: '',
    });
  });

  test('takes single quotes literally, over several lines too', () => {
    expect(values("A='$X \\n \"'\nB='one\ntwo'\nC=3\n")).toEqual({ A: '$X \\n "', B: 'one\ntwo', C: '3' });
  });

  test('supports the escapes of double quotes and keeps other backslashes', () => {
    expect(values('A="a\\nb\\t\\"\\\\\\$ \\d"\nB="one\ntwo"\n')).toEqual({ A: 'a\nb\t"\\$ \\d', B: 'one\ntwo' });
  });

  test('does not expand variables: values are literal', () => {
    expect(values('A=${B} $C\nB="${C}"\n')).toEqual({ A: '${B} $C', B: '${C}' });
  });

  test('keeps equals signs and quotes inside a value', () => {
    expect(values('A=a=b==\nB=it\'s "so"\nC={"a": 1}\n')).toEqual({ A: 'a=b==', B: 'it\'s "so"', C: '{"a": 1}' });
  });

  test('may have variables with the names of JavaScript properties', () => {
    expect(parseDotenv('__proto__=x\nconstructor=y\n').values.get('__proto__')).toBe('x');
  });

  const wrong: Readonly<Record<string, readonly [string, number]>> = {
    'A=1\nnonsense\n': ['this line is not `KEY=VALUE`', 4],
    '=1\n': ['this line is not `KEY=VALUE`', 0],
    'A B=1\n': ['this line is not `KEY=VALUE`', 0],
    'A="x\n': ['this " is never closed', 2],
    "A='x\nB=1\n": ["this ' is never closed", 2],
    'A="x" y\n': ['text follows the closing "', 5],
    'K="pa"#ss\n': ['text follows the closing "', 6],
    "K='pa\\'#ss'\n": ["text follows the closing '", 7],
    "K='pa\\' # ss'\n": ["text follows the closing '", 7],
    'A="x"\'y\'\n': ['text follows the closing "', 5],
    'A="x\nB="y"\nC=1\n': ['the value that this " opens ends on a later line, and more text follows there', 2],
    'A=--title "a # b"\n': [
      'a comment begins within these quotes: a value that begins without a quote ends before ` #`',
      13,
    ],
    'A=x\0y\n': ['this value contains a NUL character', 0],
    'A\0B=x\n': ['this line is not `KEY=VALUE`', 0],
  };
  for (const [text, [message, start]] of Object.entries(wrong)) {
    test(`${JSON.stringify(text)} is refused: ${message}`, () => {
      expect(parseDotenv(text).problems).toMatchObject([{ message, start }]);
    });
  }

  test('never drops part of a value without an error', () => {
    const unit = fc.constantFrom('a', '"', "'", '\\', ' ', '#', '\t');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), (written) => {
        const { values: found, problems } = parseDotenv(`K=${written}\nL=1\n`);
        const value = found.get('K');
        if (problems.length > 0 || value === undefined) return;
        // Only quotes, escapes and a comment after a space are not in the value; the comment leaves no quote open.
        const comment = /(?<!\S)#.*$/.exec(written)?.[0] ?? '';
        const letters = (text: string) => text.replaceAll(/[^a]/g, '').length;
        expect(letters(value)).toBeGreaterThanOrEqual(letters(written) - letters(comment));
      }),
      { numRuns: 2_000 },
    );
  });

  test('continues after an invalid line', () => {
    const { values: found, problems } = parseDotenv('bad\nA=1\nworse\n');
    expect(Object.fromEntries(found)).toEqual({ A: '1' });
    expect(problems.length).toBe(2);
  });

  test('never throws, and is parsed in one pass', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('A', '=', '"', "'", '\\', '\n', ' ', '#') }), (text) => {
        parseDotenv(text);
      }),
    );
    const start = processorTime();
    parseDotenv('A="'.repeat(100_000));
    parseDotenv("A='\n".repeat(100_001));
    expect(processorTime() - start).toBeLessThan(2000);
  });

  test('returns every value that is written in double quotes', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        fc.pre(!value.includes('\0'));
        const written = value.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
        expect(values(`A="${written}"\n`)).toEqual({ A: value });
      }),
    );
  });
});
