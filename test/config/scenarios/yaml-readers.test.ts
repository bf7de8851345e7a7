// The two readers of YAML give the same results for texts that the quick one supports; and the reduced js-yaml of the binary
// works like the full one.
import { describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { keepParser } from '../../../scripts/yaml-parser.ts';
import type { Diagnostic } from '../../../src/config/diagnostic.ts';
import type { Raw } from '../../../src/config/raw.ts';
import { makeReading } from '../../../src/config/reading.ts';
import { makeSource } from '../../../src/config/tree.ts';
import { readQuickly } from '../../../src/config/yaml-quick.ts';
import { readThoroughly } from '../../../src/config/yaml-thorough.ts';
import { processorTime } from '../../helpers/processor.ts';

const ROOT = join(import.meta.dir, '../../..');

function thoroughly(text: string): { readonly raw: Raw | null; readonly mistakes: readonly Diagnostic[] } {
  const mistakes: Diagnostic[] = [];
  return { raw: readThoroughly(text, makeReading(makeSource('x.yaml', text), {}, mistakes)), mistakes };
}

/** With its place, apart from the end of a block: there the thorough reader counts what follows to the next line. */
function outline(raw: Raw | null, text: string): unknown {
  if (raw === null) return null;
  const { start } = raw;
  const first = text.charAt(start);
  const isBlock = raw.kind === 'scalar' ? !raw.plain && /[|>]/.test(first) : !/[[{*]/.test(first);
  const place = [start, isBlock ? 'block' : raw.end];
  switch (raw.kind) {
    case 'alias':
      return [`*${raw.name}`, place];
    case 'list':
      return [raw.anchor, place, raw.items.map((item) => outline(item, text))];
    case 'map':
      return [raw.anchor, place, raw.pairs.map(([key, value]) => [outline(key, text), outline(value, text)])];
    case 'scalar':
      return [raw.anchor, place, raw.text, raw.plain, String(raw.value), typeof raw.value];
    default:
      return raw satisfies never;
  }
}

describe('both readers give the same result', () => {
  const cases: Readonly<Record<string, string>> = {
    'maps in maps': 'a:\n  b: c\n  d:\n    e: f\ng: h\n',
    'lists in maps': 'a:\n- b\n- c: d\n  e: f\n-  - g\n   - h\ni:\n  - j\n',
    'flow collections': 'a: [b, {c: d, "e": f}, [ ], { }]\ng: { h: [ i,\n  j ], # k }\n  l: m }\nn: {o: , p}\n',
    'pairs in a flow list': 'a: [b: c, d]\n',
    'texts in quotes': `a: "b\\n\\u00e4\\x41 \\"c\\""\nd: 'e ''f'' g'\n"h i": 'j'\nk: "l\n  m\n\n  n"\n`,
    'blocks of lines':
      'a: |\n  b\n   c\n\n  d\ne: >-\n  f\n  g\n\n  h\ni: | # j | k\n  l\n\nm: >\n    n\no: &p|#q |-\n  r\ns: # |#|#\n  |\n  t\n',
    'a block of lines in a list': 'a:\n  - |\n    b\n  - >\n    c\n',
    'a key with an angle bracket before a block': '"a|b>": |\n  c\n',
    'plain texts of several lines': 'a: b c\n  d\n\n  e\nf: g#h i:j -k\n',
    'nothing where something could stand': 'a:\nb: \nc: # d\ne:\n  - \n  -\n  - f\ng: ~\nh: {i: }\n',
    'numbers as YAML 1.2 has them':
      'a: [1, -2, +3, 0x1f, 0o17, 017, 1_000, 1e3, 1.50, .5, 5., -.inf, .NaN, 0b1, 1:20, 0x, 1e, .]\n',
    'words as YAML 1.2 has them':
      'a: [true, True, TRUE, tRUE, yes, no, on, off, null, Null, NULL, ~, nULL, y, n, "true"]\n',
    'anchors, aliases and merge keys':
      'a: &b {c: d}\ne: *b\nf:\n  <<: [*b, *b]\n  "<<": g\nh: &i\n  j: k\nl: &m\nn: &o p\n',
    comments: '# a\nb: c # d\n# e\nf:\n  # g\n  h: i#j\n',
    'nothing behind comments of every kind': 'a:\r\n  - b\r\n  # c\r\n  -\r\n',
    'nothing behind a comment with a separator': 'a:\n  - b # c\u2028d\n  -\ne: &f \n',
    'Windows line ends': 'a: b\r\nc:\r\n  - d\r\n  - |\r\n    e\r\n    f\r\n',
    'a start of the document': '--- # a\nb: c\n',
    'a list': '- a\n- b\n',
    'characters of every length': 'ä: ß\n"\u{1f4a5}": [\u{1f4a5}, "é"]\n',
    'no newline at the end': 'a: b',
  };
  for (const [title, text] of Object.entries(cases)) {
    test(title, () => {
      const { raw, mistakes } = thoroughly(text);
      expect(mistakes).toEqual([]);
      const quick = readQuickly(text);
      expect(quick).not.toBeNull();
      expect(outline(quick, text)).toEqual(outline(raw, text));
    });
  }

  test('the examples', () => {
    for (const folder of readdirSync(join(ROOT, 'examples'))) {
      const text = readFileSync(join(ROOT, 'examples', folder, 'services.yaml'), 'utf8');
      const quick = readQuickly(text);
      expect(quick).not.toBeNull();
      expect(outline(quick, text)).toEqual(outline(thoroughly(text).raw, text));
    }
  });
});

test('the quick reader rejects invalid, empty and unusual texts', () => {
  const left = [
    ...['', 'a\n', '|\n  a\n', '# a\n', '---\n', 'a: b\n---\nc: d\n', '...\na: b\n', 'a: b\n...\n'],
    ...['a: [b\n', 'a: b: c\n', 'a:\n\tb: c\n', 'a: @b\n', '  a: b\n c: d\n', 'a: "\\q"\n', 'a\0: b\n', 'a: b\rc: d\n'],
    ...['a: !b c\n', 'a: !!str 5\n', '%YAML 1.1\n---\na: yes\n', '? a\n: b\n', ': a\n', '*a: b\n', 'a: &b: c\n'],
    ...['a: |+\n  b\n', 'a: |2\n    b\n', 'a: >-1\n  b\n', 'a: "\\U00110000"\n', 'a: "x\\\n\n  y"\n', 'a: 1e400\n'],
    ...[
      ' ---\na: b\n',
      ' %x\n---\na: b\n',
      '%x\n---\na: b\n',
      'a: &x{b: c}\n',
      'a: &x[b]\n',
      '# a\n\ufeffb: c\n',
      'a:\n\t\n',
    ],
    ...['a:\n- "b"    c: d\n', `${'k'.repeat(1_100)}: a\n`, '['.repeat(200), '- '.repeat(200)],
  ];
  for (const text of left) expect([text, readQuickly(text)]).toEqual([text, null]);
});

test('both readers refuse a tag, wherever it is', () => {
  const text = 'a: b\nc: { d: e, "f": [g, \'h\'] }\ni:\n  - j\n  - k: |\n      l\nm: &n o\np: *n\nq: 5\n';
  const places = [0, 3, 8, 10, 13, 16, 21, 22, 25, 39, 45, 48, 58, 61, 66, 69];
  const tags = ['!', '!x', '!!str', '!!null', '!<y>', '!h!x'];
  fc.assert(
    fc.property(fc.constantFrom(...places), fc.constantFrom(...tags), (at, tag) => {
      const tagged = `${text.slice(0, at)}${tag} ${text.slice(at)}`;
      expect([tagged, readQuickly(tagged)]).toEqual([tagged, null]);
      const { mistakes } = thoroughly(tagged);
      const refused = mistakes.find(({ code }) => code === 'unsupported-tag');
      expect([tagged, refused?.message]).toEqual([tagged, `\`${tag}\` is a YAML tag, and tags are not supported`]);
    }),
    { numRuns: 500 },
  );
  expect(readQuickly(text)).not.toBeNull();
  // Where there is none, none is refused.
  const none = 'a: b!c\nd: "! e"\nf: |\n  !g\nh: \'!i\' # !j\n';
  expect(thoroughly(none).mistakes).toEqual([]);
});

test('the quick reader is linear in the length of the text', () => {
  const long = 200_000;
  const texts = [
    ...['&', '*', '# ', '? ', '- ', ': ', '|', '> ', '...', '[', '{a: ', ' ', '\r'].map((part) => part.repeat(long)),
    ...['# ', '|', ' ', ': '].map((part) => `a:${part.repeat(long)}\nb:\nc: |\n  d\n`),
    `{${Array.from({ length: long / 4 }, (_, index) => `"k${index}": {}, `).join('')}}`,
    `a: [${'b: c, '.repeat(long / 4)}]`,
    Array.from({ length: long / 4 }, (_, index) => `k${index}:\n`).join(''),
    `a: &${'|'.repeat(long)} |\n  b\n`,
    `a: # ${'|#'.repeat(long)}\n  |\n  b\n`,
    `a: &${'|#'.repeat(long)} |\n  b\n`,
    `${'&a\n'.repeat(long / 4)}b`,
    `a: ${'&b !c '.repeat(long / 4)}`,
  ];
  for (const text of texts) {
    const start = processorTime();
    readQuickly(text);
    const took = processorTime() - start;
    expect(took, text.slice(0, 20)).toBeLessThan(5_000);
  }
});

test('the reduced js-yaml of the binary reads like the full one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'svc-super-yaml-'));
  try {
    const whole = readFileSync(join(ROOT, 'node_modules/js-yaml/dist/js-yaml.mjs'), 'utf8');
    writeFileSync(join(folder, 'parser.mjs'), keepParser(whole));
    const source = readFileSync(join(ROOT, 'src/config/yaml-quick.ts'), 'utf8')
      .replace("'js-yaml'", "'./parser.mjs'")
      .replace("'./raw.ts'", `'${join(ROOT, 'src/config/raw.ts')}'`);
    writeFileSync(join(folder, 'quick.ts'), source);
    const kept = (await import(join(folder, 'quick.ts'))) as typeof import('../../../src/config/yaml-quick.ts');
    for (const text of [
      'a: [1, true, ~, 0.5, "b\\n", \'c\']\nd: |\n  e\nf: >\n  g\nh: &i {j: k}\nl: *i\n',
      '- a\n- b: c\n',
    ]) {
      expect(kept.readQuickly(text)).not.toBeNull();
      expect(kept.readQuickly(text)).toEqual(readQuickly(text));
    }
    // An error of its parser, not of a missing part.
    expect(kept.readQuickly('a: [b\n')).toBeNull();
    const parser = (await import(join(folder, 'parser.mjs'))) as typeof import('js-yaml');
    expect(() => parser.parseEvents('a: [b', {})).toThrow('unexpected end of the stream within a flow collection');
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(() => keepParser('export {};')).toThrow('js-yaml has no region tag.ts any more');
});
