// Procfiles as honcho's own code reads them: the same names and commands, for generated texts; what it ignores is reported.
import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import fc from 'fast-check';
import { planOf } from '../../config/rig.ts';
import { skipWhen } from '../../helpers/skip.ts';
import { ask, noOracles, PYTHON } from '../oracle.ts';
import { importText, lines, yamlOf } from './rig.ts';

type Loaded =
  | { readonly ok: true; readonly processes: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly error: string };

const ORACLE = join(import.meta.dir, '../oracles/procfile.py');

const name = fc.constantFrom('web', 'worker', 'my-name', 'a_b', 'web2', 'my.name', 'x y', 'release', '9');
const command = fc.constantFrom(
  'run',
  'run $PORT',
  'a && b',
  '"quoted: text"',
  '  padded  ',
  'x # y',
  "a 'b",
  '',
  'é',
  '\\',
  '*',
  'a | b',
  'VAR=x cmd',
  `\${X}`,
  'true',
);
const line = fc.oneof(
  fc.tuple(name, fc.constantFrom(':', ': ', ' : ', ':  ', '='), command).map((parts) => parts.join('')),
  fc.constantFrom('', '# web: run', '  web: indented', '\t', 'no entry', ': x'),
);
const file = fc.array(line, { minLength: 1, maxLength: 6 }).map((all) => `${all.join('\n')}\n`);

describe.skipIf(skipWhen([noOracles], 'honcho beside its import'))('a Procfile', () => {
  test('has the entries that honcho finds', async () => {
    const texts = fc.sample(file, { numRuns: 500, seed: 5 });
    const loaded = ask<Loaded>([PYTHON, ORACLE], texts);
    let compared = 0;
    for (const [index, one] of loaded.entries()) {
      const text = texts[index] ?? '';
      const result = await importText('procfile', text);
      if (one.ok && Object.values(one.processes).some((value) => value.trim() === '')) continue;
      if (!one.ok || Object.keys(one.processes).length === 0) {
        expect(result.ok, text).toBe(false);
        continue;
      }
      compared += 1;
      const { services } = planOf(await yamlOf('procfile', text));
      // Keys that are numbers come first in JSON, so the order is left out here.
      const ours = Object.fromEntries(services.map(({ name: key, argv }) => [key, argv[2]?.replace(/^exec /, '')]));
      const theirs = Object.entries(one.processes).map(([key, value]) => [key, value.trimStart()]);
      expect(ours, text).toEqual(Object.fromEntries(theirs));
    }
    expect(compared).toBeGreaterThan(100);
  });

  test('every line that honcho ignores is reported, but for empty ones and comments', async () => {
    const text = 'web: run\nmy.worker: x\n indented: y\ncss : z\n\n# comment\n';
    const result = await importText('procfile', text);
    expect(result.ok && lines(result.findings).map((one) => one.slice(0, 'source:2:1: not'.length))).toEqual([
      'source:2:1: not',
      'source:3:1: not',
      'source:4:1: not',
    ]);
  });
});

test('`web` has a PORT without naming it, and other processes that may read it are reported', async () => {
  const result = await importText('procfile', 'web: node server.js\napi: serve $PORT\nworker: work\nother: x\n');
  if (!result.ok) throw new Error(result.message);
  expect(planOf(result.text).services.map(({ ports }) => ports)).toEqual([[5000], [5100], [], []]);
  expect(lines(result.findings).filter((line) => line.includes('PORT'))).toEqual([
    expect.stringContaining('changed meaning: PORT of worker: honcho and foreman set it for every process'),
  ]);
});

test.each([
  ['./migrate && exec ./serve', './migrate'],
  ['cd app && ./migrate && exec ./serve', 'cd app && ./migrate'],
  ['cd "my app" && . venv/bin/activate && A=1 && export B=2 && ./serve', null],
  ['bash -c "./migrate && ./serve"', null],
])('%p: what runs before every start is reported, unless it only prepares the shell', async (command, before) => {
  const result = await importText('procfile', `worker: ${command}\n`);
  expect(result.ok && lines(result.findings).filter((line) => line.includes('needs a look'))).toEqual(
    before === null
      ? []
      : [
          `source:1:1: needs a look: worker: ${before} && …: it runs before every start of the service. Make it a task of its own`,
        ],
  );
});
