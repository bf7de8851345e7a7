// The writer of services.yaml: what it prints, read as YAML, is the value again, for any value; and it prints what a person would
// write.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { parseTree } from '../../src/config/parse.ts';
import { makeReading } from '../../src/config/reading.ts';
import { makeSource, type Node } from '../../src/config/tree.ts';
import { renderFinding } from '../../src/convert/findings.ts';
import { makeDraft, writeServicesYaml } from '../../src/convert/services-yaml.ts';
import { type Value, writeEntry } from '../../src/convert/yaml-values.ts';

/** The value of a text of YAML by the reader of the product; fails on any mistake. */
function read(text: string): unknown {
  const mistakes: { message: string }[] = [];
  const root = parseTree(text, makeReading(makeSource('x', text), {}, mistakes as never));
  if (root === null || mistakes.length > 0) throw new Error(`${mistakes[0]?.message}\n${text}`);
  return plain(root);
}

function plain(node: Node): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plain);
  return Object.fromEntries([...node.entries.values()].map(({ key, node: value }) => [key, plain(value)]));
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ maxLength: 12 }),
  fc.constantFrom(
    '',
    ' ',
    'a: b',
    '# x',
    'x #y',
    '- a',
    '1.10',
    '0x1f',
    'yes',
    'null',
    '~',
    `\${X}`,
    "it's",
    '"q"',
    'a\nb',
    'a\n\n b\n',
    ' a\nb',
    'a\n',
    '\t',
    '\u0007',
    '\u2028',
    '[a]',
    '{a',
    '*a',
    '&a',
    '!a',
    '%a',
    '@a',
    '`a',
    '|',
    '>',
    '?',
    ':',
    'a:',
    '2026-01-01',
    '1_000',
    '.5',
    '-',
    '---',
    'é',
    '😀',
    'a\'b"c',
    '<<',
    '=',
    'a, b',
    'a]',
    'x: y, z',
  ),
  fc.array(fc.constantFrom('a b', '', '  c', 'd: e', '# f'), { maxLength: 5 }).map((lines) => lines.join('\n')),
);
const key = fc
  .oneof(
    fc.constantFrom('a', 'b_c', 'true', 'null', '1', 'a b', 'x: y', '<<x', '-', '#'),
    fc.string({ minLength: 1, maxLength: 6 }),
  )
  .filter((one) => one !== '<<' && one !== '__proto__' && !one.includes('\0'));
const value: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.integer(),
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4 }),
  ),
})).value;

describe('a value', () => {
  test.each(['+.0', '-.5', '.5', '+1', '-1.e5', '0x1f', '1_000', '12:30'])('%s as a text is no number', (one) => {
    expect(
      read(
        writeEntry(['key'], one, 0)
          .map(({ text: line }) => `${line}\n`)
          .join(''),
      ),
    ).toEqual({ key: one });
  });

  test.each([[[]], [{}]])('that is empty stands after a key of any length: %j', (one) => {
    const long = 'k'.repeat(120);
    const [line] = writeEntry([long], one, 0);
    expect(read(`${line?.text}\n`)).toEqual({ [long]: one });
  });

  test('is the same when it is read again', () => {
    fc.assert(
      fc.property(value, fc.constantFrom('flow' as const, 'block' as const), (one, form) => {
        const printed = writeEntry(['key'], one, 0, form)
          .map(({ text: line }) => `${line}\n`)
          .join('');
        expect(read(printed)).toEqual({ key: one });
      }),
      { numRuns: 1_500 },
    );
  });
});

describe('a services.yaml', () => {
  test('has the usual values too where `defaults` gives others', () => {
    const draft = makeDraft();
    draft.top = { defaults: { restart: 'always', essential: false, log: { prefix: false } } };
    const fields = { command: 'web', restart: 'never', essential: true, log: { prefix: true } };
    draft.services.push({ name: 'web', comments: [], todo: [], fields });
    expect(read(writeServicesYaml(draft).text)).toMatchObject({ services: { web: fields } });
  });

  test.each([{ start: 'manual' }, { schedule: '@daily' }, { every: '10m' }])(
    'has `essential: true` where it is not the default: beside %j',
    (when) => {
      const draft = makeDraft();
      const fields = { command: 'web', ...when, essential: true };
      draft.services.push({ name: 'web', comments: [], todo: [], fields });
      expect(read(writeServicesYaml(draft).text)).toMatchObject({ services: { web: fields } });
    },
  );

  test('has comments, TODOs, the order of the reference, and no defaults', () => {
    const draft = makeDraft('from somewhere');
    draft.top = { exit: 'first', env: { A: '1' }, stop_timeout: '30s', 'x-notes': 'kept' };
    draft.services.push({
      name: 'web',
      comments: ['Procfile:3'],
      todo: ['say what it runs'],
      fields: {
        port: 80,
        command: 'web --run',
        essential: true,
        restart: { policy: 'never' },
        stop: { signal: 'QUIT' },
        hooks: { after_ready: { command: 'x' } },
        ready: { http: '/', timeout: '5s' },
      },
    });
    expect(writeServicesYaml(draft).text).toBe(`# from somewhere
stop_timeout: 30s
env: { A: "1" }
x-notes: kept
services:
  # Procfile:3
  # TODO: say what it runs
  web:
    command: web --run
    ready: { http: / }
    stop: QUIT
    port: 80
    hooks: { after_ready: x }
`);
  });
});

test('a finding is one line, with what to do at its end', () => {
  const finding = {
    kind: 'changed',
    where: { file: 'a', line: 1, column: 2 },
    what: 'x\n',
    why: 'y',
    instead: 'do z',
  } as const;
  expect(renderFinding(finding)).toBe('a:1:2: changed meaning: x\\n: y. Do z');
});
