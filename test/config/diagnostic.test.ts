import { describe, expect, test } from 'bun:test';
import { type Diagnostic, render, sortDiagnostics, toJson } from '../../src/config/diagnostic.ts';
import { drawExcerpt } from '../../src/config/excerpt.ts';
import type { Range } from '../../src/config/range.ts';
import { printable } from '../../src/text.ts';

const at = (line: number, column: number, endLine = line, endColumn = column + 1): Range => ({
  line,
  column,
  endLine,
  endColumn,
});
const diagnostic = (range: Range, more: Partial<Diagnostic> = {}): Diagnostic => ({
  severity: 'error',
  code: 'wrong-value',
  message: 'wrong',
  file: 'f.yaml',
  range,
  ...more,
});

/** The characters of the shown line that the squiggle stands under; all of one column each. */
function underlined(lines: readonly string[]): string {
  const [shown = '', squiggle = ''] = lines;
  const from = squiggle.indexOf('~');
  return shown.slice(from, squiggle.lastIndexOf('~') + 1);
}

describe('an excerpt', () => {
  test('puts the squiggle under the range', () => {
    expect(drawExcerpt('a: b\nport: http\n', at(2, 7, 2, 11), 4)).toEqual(['   2 | port: http', '     |       ~~~~']);
  });

  test('shows a range of several lines on its first one', () => {
    expect(drawExcerpt('a:\n  b: c\n', at(1, 1, 2, 7), 4)).toEqual(['   1 | a:', '     | ~~']);
  });

  test('marks an empty range with one squiggle, at the end of the line too', () => {
    expect(drawExcerpt('a:', at(1, 3, 1, 3), 4)).toEqual(['   1 | a:', '     |   ~']);
    expect(drawExcerpt('', at(1, 1, 1, 1), 4)).toEqual(['   1 |', '     | ~']);
  });

  test('widens tabs and keeps the squiggle aligned', () => {
    expect(drawExcerpt('\tx: y', at(1, 5, 1, 6), 4)).toEqual(['   1 |     x: y', '     |        ~']);
  });

  test('counts wide characters as two columns and combining ones as none', () => {
    expect(drawExcerpt('名前: x', at(1, 5, 1, 6), 4)).toEqual(['   1 | 名前: x', '     |       ~']);
    expect(drawExcerpt('e\u0301: x', at(1, 5, 1, 6), 4)).toEqual(['   1 | e\u0301: x', '     |    ~']);
    expect(drawExcerpt('x: 🚀y', at(1, 4, 1, 6), 4)).toEqual(['   1 | x: 🚀y', '     |    ~~']);
  });

  test('escapes control characters of the terminal', () => {
    const [shown, squiggle] = drawExcerpt('a: \u001b[31m\u0000\u202ex', at(1, 4, 1, 5), 4);
    expect(shown).toBe('   1 | a: \\x1b[31m\\x00\\u202ex');
    expect(squiggle).toBe('     |    ~~~~');
  });

  test('drops the carriage return of a file with Windows line ends', () => {
    expect(drawExcerpt('a: b\r\nc: d\r\n', at(1, 4, 1, 5), 4)[0]).toBe('   1 | a: b');
  });

  test('is empty for a line that does not exist', () => {
    expect(drawExcerpt('a', at(7, 1), 4)).toEqual([]);
  });

  for (const position of [1, 60, 119, 5000, 9990]) {
    test(`cuts a long line around the squiggle at column ${position}`, () => {
      const line = `${'x'.repeat(position - 1)}HERE${'y'.repeat(10_000 - position)}`;
      const lines = drawExcerpt(line, at(1, position, 1, position + 4), 4);
      expect(underlined(lines)).toBe('HERE');
      expect(lines[0]?.length).toBeLessThanOrEqual(7 + 120);
      expect(lines[0]?.length).toBeGreaterThan(60);
    });
  }

  test('cuts a squiggle that is longer than the line limit', () => {
    const lines = drawExcerpt('z'.repeat(100_000), at(1, 1, 1, 100_001), 4);
    expect(lines.every((line) => line.length <= 7 + 120)).toBe(true);
  });
});

describe('printing', () => {
  test('has the position, the message, the suggestion and a second place', () => {
    const text = 'a: 1\na: 2\n';
    const related = [{ message: 'also declared here', file: 'f.yaml', range: at(1, 1) }];
    const one = diagnostic(at(2, 1), { message: 'twice', suggestion: 'remove it', related });
    expect(render([one], new Map([['f.yaml', text]]))).toBe(
      [
        'f.yaml:2:1: error: twice',
        '   2 | a: 2',
        '     | ~',
        '     help: remove it',
        'f.yaml:1:1: note: also declared here',
        '   1 | a: 1',
        '     | ~',
        '',
      ].join('\n'),
    );
  });

  test('has no excerpt if the text is not available', () => {
    expect(render([diagnostic(at(1, 1))], new Map())).toBe('f.yaml:1:1: error: wrong\n');
  });

  test('widens the gutter for high line numbers', () => {
    const text = `${'x\n'.repeat(12_344)}y\n`;
    expect(render([diagnostic(at(12_345, 1))], new Map([['f.yaml', text]]))).toBe(
      'f.yaml:12345:1: error: wrong\n  12345 | y\n        | ~\n',
    );
  });

  test('escapes control characters of messages, suggestions and file names', () => {
    const one = diagnostic(at(1, 1), { message: 'a\u001b]0;x\u0007', suggestion: '\u009b', file: 'f\n.yaml' });
    expect(render([one], new Map())).toBe('f\\n.yaml:1:1: error: a\\x1b]0;x\\x07\n     help: \\x9b\n');
  });

  test('stops after fifty and counts the rest', () => {
    const many = Array.from({ length: 60 }, (_, index) => diagnostic(at(index + 1, 1)));
    const lines = render(many, new Map()).trimEnd().split('\n');
    expect(lines.length).toBe(51);
    expect(lines.at(-1)).toBe('... and 10 more');
  });

  test('cuts a message that quotes a very long text', () => {
    expect(render([diagnostic(at(1, 1), { message: 'x'.repeat(1e6) })], new Map()).length).toBeLessThan(600);
  });

  test('prints nothing for no diagnostics', () => {
    expect(render([], new Map())).toBe('');
  });
});

describe('diagnostics', () => {
  test('are sorted by file, line and column, without duplicates', () => {
    const [a, b, c] = [diagnostic(at(2, 1)), diagnostic(at(1, 5)), diagnostic(at(1, 1), { file: 'g' })];
    expect(sortDiagnostics([a, b, c, a])).toEqual([b, a, c]);
  });

  test('are printed as flat JSON with positions from 1', () => {
    const related = [{ message: 'here', file: 'f.yaml', range: at(1, 1) }];
    expect(toJson(diagnostic(at(3, 5, 3, 9), { related }))).toEqual({
      severity: 'error',
      code: 'wrong-value',
      message: 'wrong',
      file: 'f.yaml',
      line: 3,
      column: 5,
      endLine: 3,
      endColumn: 9,
      suggestion: null,
      related: [{ message: 'here', file: 'f.yaml', line: 1, column: 1, endLine: 1, endColumn: 2 }],
    });
  });

  test('ordinary text is printed unchanged', () => {
    expect(printable('grüße, 名前 🚀 `x`')).toBe('grüße, 名前 🚀 `x`');
    expect(printable('\ud800')).toBe('\\ud800');
  });
});
