// The fuzzer itself: it finds a mistake, shrinks the input and reports the mistake once. And the inputs of the corpus, which once
// had a finding or a new outcome: none has a finding now.
import { afterEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate, print } from '../../fuzz/generate.ts';
import { mutate, shrink } from '../../fuzz/mutate.ts';
import { fuzz, readCorpus } from '../../fuzz/runner.ts';
import { Finding, type Target } from '../../fuzz/target.ts';
import { beginConfig } from '../../fuzz/targets/config.ts';
import { parseInput } from '../../fuzz/targets/logs.ts';
import { parseDatagrams, saysReady } from '../../fuzz/targets/notify.ts';
import { jsonSchema } from '../../src/config/schema.ts';
import { load } from '../config/rig.ts';
import { Dice } from '../helpers/nonsense.ts';

const folder = mkdtempSync(join(tmpdir(), 'svc-super-fuzz-test-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Fails if the input contains `bug`. Otherwise the outcome is the letters that it contains. */
const broken: Target = {
  about: 'a target with a mistake',
  words: ['b', 'ug', 'x'],
  pure: true,
  longest: 200,
  begin: async () => ({
    fresh: () => Buffer.from('a line\nand another\n'),
    attempt: (input) => {
      const text = Buffer.from(input).toString('latin1');
      if (text.includes('bug')) throw new Finding('it breaks on that word');
      return ['b', 'u', 'x'].filter((letter) => text.includes(letter));
    },
    end: async () => undefined,
  }),
};
/** The same, with an attempt that ends later. */
const brokenLater: Target = {
  ...broken,
  begin: async (dice) => {
    const trial = await broken.begin(dice);
    return { ...trial, attempt: async (input) => trial.attempt(input) };
  },
};
const options = (more: object) => ({
  seconds: Number.POSITIVE_INFINITY,
  attempts: 5_000,
  seed: 1,
  corpus: join(folder, 'corpus'),
  findings: join(folder, 'findings'),
  keep: false,
  say: () => undefined,
  ...more,
});

describe('the runner', () => {
  test.each([
    ['synchronous', broken],
    ['asynchronous', brokenLater],
  ])('finds a mistake of a target that is %s, shrinks its input, and reports it once', async (_kind, target) => {
    const reports: string[] = [];
    const { findings, attempts } = await fuzz(target, options({ say: (text: string) => reports.push(text) }));
    expect(attempts).toBe(5_000);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toContain('it breaks on that word\n  input: "bug"');
    const [file = ''] = readdirSync(join(folder, 'findings'));
    expect(readFileSync(join(folder, 'findings', file), 'utf8')).toBe('bug');
    expect(reports).toHaveLength(1);
  });

  test('reports an error that is not a finding with its place in the code', async () => {
    const bad: Target = {
      ...broken,
      begin: async (dice) => {
        const trial = await broken.begin(dice);
        return { ...trial, attempt: (input) => (input.includes(120) ? null : { length: 1 })?.length as never };
      },
    };
    const { findings } = await fuzz(bad, options({ attempts: 500 }));
    expect(findings.length).toBeGreaterThan(0);
    expect(findings.join('\n')).toContain('it threw');
  });

  test('keeps inputs with a new outcome, and begins with them', async () => {
    const harmless: Target = { ...broken, words: ['b', 'u', 'x'] };
    const { features } = await fuzz(harmless, options({ attempts: 2_000, keep: true }));
    expect(features).toBe(3);
    const kept = readCorpus(join(folder, 'corpus')).map(([, bytes]) => Buffer.from(bytes).toString());
    expect(kept.length).toBeGreaterThan(0);
    const again = await fuzz(broken, options({ attempts: 0 }));
    expect([again.attempts, again.features]).toEqual([kept.length, 3]);
  });
});

describe('mutations', () => {
  test('depend on the dice only, stay within the limit and change the input', () => {
    const from = Buffer.from('services:\n  a: { command: x }\n');
    const make = (seed: number) => Buffer.from(mutate(new Dice(seed), from, ['word'], Buffer.from('other'), 64));
    const all = Array.from({ length: 500 }, (_, seed) => make(seed));
    expect(all.map(String)).toEqual(Array.from({ length: 500 }, (_, seed) => String(make(seed))));
    expect(Math.max(...all.map(({ length }) => length))).toBeLessThanOrEqual(64);
    expect(all.filter((one) => !one.equals(from)).length).toBeGreaterThan(450);
    expect(all.some((one) => one.includes('word'))).toBe(true);
    expect(mutate(new Dice(1), Buffer.alloc(0), ['word'], Buffer.alloc(0), 64).length).toBeLessThanOrEqual(64);
  });

  test('an input is shrunk as far as possible', async () => {
    const long = Buffer.from(`${'x'.repeat(500)}needle${'y'.repeat(300)}`);
    expect(String(await shrink(long, (one) => Buffer.from(one).includes('needle')))).toBe('needle');
    expect(String(await shrink(long, async () => false))).toBe(String(long));
  });
});

describe('the inputs', () => {
  test('of the configuration are valid often enough', () => {
    const dice = new Dice(7);
    const schema = jsonSchema() as Readonly<Record<string, unknown>>;
    const around = { environment: { PATH: '/bin' } };
    const accepted = Array.from({ length: 600 }, () => {
      const value = generate(dice, schema, schema, 0) as { services?: Record<string, object> };
      return load(print(dice, value), around).ok;
    }).filter(Boolean).length;
    expect(accepted).toBeGreaterThan(3);
  }, 60_000);

  test('of the notify target are ready only if READY=1 is complete, on its own line, from the right user', () => {
    const datagram = (text: string, how = 0) => {
      const [found] = parseDatagrams(Buffer.concat([Buffer.from([how, text.length]), Buffer.from(text)]));
      return found === undefined ? null : saysReady(found);
    };
    expect(['READY=1', 'a\nREADY=1\nb', 'READY=11', ' READY=1', 'READY=1\r'].map((text) => datagram(text))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(datagram('READY=1', 0x80)).toBe(false);
    expect(parseDatagrams(Buffer.from([0, 200, 1]))).toHaveLength(1);
    expect(parseDatagrams(Buffer.alloc(1))).toEqual([]);
  });

  test('of the log target are never longer than a few of the longest lines', () => {
    for (const how of [0, 251, 252, 255]) {
      expect(parseInput(Buffer.from([1, 2, 3, 4, how, 65, 66])).bytes.length).toBeLessThan(200_000);
    }
    expect(parseInput(Buffer.from([1])).bytes).toHaveLength(0);
  });
});

test('no text of the corpus has a finding', async () => {
  const trial = beginConfig(new Dice(1), null);
  const corpus = readCorpus(join(import.meta.dir, '../../fuzz/corpus/config'));
  expect(corpus.length).toBeGreaterThan(4);
  for (const [name, bytes] of corpus) expect(() => trial.attempt(bytes), name).not.toThrow();
  await trial.end();
}, 120_000);
