// Compose files as compose-go, the library of `docker compose`, reads them: the same program, arguments and variables of each
// service, for the corpus and for generated texts.
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { importSource } from '../../../src/convert/import/import.ts';
import type { ServicePlan } from '../../../src/plan/plan.ts';
import { planOf } from '../../config/rig.ts';
import { skipWhen } from '../../helpers/skip.ts';
import { COMPOSE, noOracles } from './oracle.ts';
import { CORPUS, importText, inputOf, lines, yamlOf } from './rig.ts';

interface Loaded {
  readonly error: string;
  readonly services: Readonly<
    Record<
      string,
      {
        readonly entrypoint: readonly string[] | null;
        readonly command: readonly string[] | null;
        readonly environment: Readonly<Record<string, string | null>> | null;
      }
    >
  > | null;
}

const ENVIRONMENT = { SET: 'value', EMPTY: '', SECRET: 's', LOG_STATEMENT: 'all' };
const folder = mkdtempSync(join(tmpdir(), 'svc-super-compose-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function loadAll(files: readonly string[]): readonly Loaded[] {
  const { stdout, stderr, exitCode } = Bun.spawnSync([COMPOSE, ...files], { env: ENVIRONMENT });
  if (exitCode !== 0) throw new Error(stderr.toString());
  return stdout
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Loaded);
}

/** The program and its arguments; the shell of a text is left out on both sides. */
function wordsOf(argv: readonly string[]): readonly string[] {
  const [shell = '', flag, text = '', ...more] = argv;
  return /^(?:\/bin\/)?(?:sh|dash|ash)$/.test(shell) && flag === '-c' && more.length === 0
    ? ['sh', text.replace(/^exec /, '')]
    : argv;
}

const ownOf = (service: ServicePlan, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, service.env[name] ?? null]));

describe.skipIf(skipWhen([noOracles], 'compose-go beside its import'))('a Compose file', () => {
  test.each(['chat', 'blog', 'pipeline', 'extends', 'gpus'])(
    '%s.yaml of the corpus is what compose-go makes of it',
    async (name) => {
      const path = join(CORPUS, `compose/${name}.yaml`);
      const copy = join(CORPUS, 'compose', `${name}.yaml`);
      const [loaded] = loadAll([copy]);
      expect(loaded?.error, path).toBe('');
      const result = await importSource('compose', inputOf(`compose/${name}.yaml`));
      if (!result.ok) throw new Error(result.message);
      const files = { '/app/app.env': '' };
      const plan = planOf(result.text.replaceAll(/^ +(?:user|env_file): .*$/gm, ''), {
        environment: ENVIRONMENT,
        files,
      });
      for (const [key, { entrypoint, command, environment }] of Object.entries(loaded?.services ?? {})) {
        const service = plan.services.find(({ name: own }) => own === key || own === `${key}.0`);
        if (service === undefined) throw new Error(`${key} is missing`);
        const argv = [...(entrypoint ?? []), ...(command ?? [])];
        // Compose replaces variables of a text for a shell, which svc-super leaves to the shell.
        const ours = wordsOf(service.argv).map((word) => word.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1'));
        if (argv.length > 0) expect(ours, key).toEqual([...wordsOf(argv)]);
        const given = Object.entries(environment ?? {}).filter(
          ([one, value]) => value !== null && one !== 'NVIDIA_VISIBLE_DEVICES',
        );
        // A port of the service is exported as PORT; a value of the file's own stays.
        expect(
          ownOf(
            service,
            given.map(([one]) => one),
          ),
          key,
        ).toEqual(Object.fromEntries(given));
      }
    },
  );

  const piece = fc.constantFrom(
    'a',
    ' ',
    'b c',
    '"x y"',
    "'z'",
    '\\ ',
    '$$',
    '$SET',
    `\${SET}`,
    `\${NONE}`,
    `\${NONE:-d}`,
    `\${NONE-e f}`,
    `\${SET:+g}`,
    `\${EMPTY:-h}`,
    `\${NONE:-\${SET}}`,
    '--o=1',
    '#n',
    `$\${X}`,
    '"$SET"',
    '*',
    'é',
    '&&',
    ';',
  );
  const text = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(''));
  const list = fc.array(text, { minLength: 1, maxLength: 3 });
  const value = fc.oneof(text, fc.constantFrom(1, 0, 1.5, true, 'true', '010', 'x=y', ''));
  const service = fc.record({
    image: fc.constant('x'),
    entrypoint: fc.oneof(list, text),
    command: fc.option(fc.oneof(list, text), { nil: undefined }),
    environment: fc.oneof(
      fc.dictionary(fc.constantFrom('A', 'B', 'C'), value),
      fc.array(
        fc.tuple(fc.constantFrom('A', 'B'), text).map(([key, one]) => `${key}=${one}`),
        { maxLength: 2 },
      ),
    ),
  });

  test('generated commands and variables are what compose-go makes of them', async () => {
    const samples = fc.sample(service, { numRuns: 300, seed: 3 });
    const files = samples.map((sample, index) => {
      const path = join(folder, `${index}.yaml`);
      writeFileSync(path, JSON.stringify({ services: { a: sample } }));
      return path;
    });
    const loaded = loadAll(files);
    let compared = 0;
    for (const [index, one] of loaded.entries()) {
      const source = JSON.stringify({ services: { a: samples[index] } });
      const theirs = one.services?.a;
      const argv = [...(theirs?.entrypoint ?? []), ...(theirs?.command ?? [])];
      if (theirs === undefined || argv.length === 0 || argv[0] === '') continue;
      const result = await importText('compose', source);
      // A variable outside of quotes is one argument here: reported, and not compared.
      if (result.ok && lines(result.findings).some((line) => line.includes('one argument'))) continue;
      compared += 1;
      const plan = planOf(await yamlOf('compose', source), { environment: ENVIRONMENT });
      const [own] = plan.services;
      if (own === undefined) throw new Error('there is no service');
      expect(wordsOf(own.argv), source).toEqual(wordsOf(argv));
      const given = Object.entries(theirs.environment ?? {}).filter(([, text2]) => text2 !== null);
      expect(
        ownOf(
          own,
          given.map(([key]) => key),
        ),
        source,
      ).toEqual(Object.fromEntries(given));
    }
    expect(compared).toBeGreaterThan(80);
  });
});
