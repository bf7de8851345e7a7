// Round trips: what is exported and imported again is what it was, except for what the report of the export names.
import { describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { literalEnvironment } from '../../src/convert/export/shell.ts';
import { type ExportSource, readSource } from '../../src/convert/export/source.ts';
import type { ExportFormatName } from '../../src/convert/export/table.ts';
import type { Finding } from '../../src/convert/findings.ts';
import { exported } from './export/rig.ts';

/** The importer is loaded by its path: it is a room of its own, and these tests need both. */
const IMPORTER = join(import.meta.dir, '../../src/convert/import/import.ts');
type ImportSource = (
  format: string,
  input: object,
) => Promise<{ readonly ok: boolean; readonly text: string; readonly findings: readonly Finding[] }>;

function read(text: string): ExportSource {
  const source = readSource('services.yaml', text);
  if (!source.ok) throw new Error(`${JSON.stringify(source.error.diagnostics, null, 1)}\n${text}`);
  return source.value;
}

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/);
const argument = fc.oneof(word, fc.constantFrom('two words', '$HOME', '$$', '--x=1', "it's", '#no', '${'.slice(0, 1)));
const list = fc.tuple(word, fc.array(argument, { maxLength: 3 })).map(([program, rest]) => [program, ...rest]);
const line = fc.constantFrom('a && b "$HOME"', 'exec a $$', 'a | b; c', 'while :; do sleep 1; done');
const probe = fc.oneof(
  fc.record({ exec: list }),
  fc.record({
    http: fc.record({
      path: fc.constantFrom('/', '/health', '/v1/models?x=1'),
      port: fc.integer({ min: 1, max: 65_535 }),
    }),
  }),
  fc.record({ tcp: fc.integer({ min: 1, max: 65_535 }) }),
);

/** One service without what no target has. `before` are services that it may depend on. */
const service = (before: readonly string[]) =>
  fc.record(
    {
      command: fc.oneof(list, line),
      env: fc.dictionary(fc.stringMatching(/^[A-Z]{1,4}$/), fc.constantFrom('x', '$5', 'a b', 'no', '1.10', ''), {
        maxKeys: 3,
      }),
      cwd: fc.constantFrom('/', '/srv/app'),
      user: fc.constantFrom('1000', '1000:50'),
      ready: probe,
      restart: fc.constantFrom('always', 'on-failure', 'never'),
      stop: fc.record({ signal: fc.constantFrom('INT', 'QUIT', 'TERM') }),
      ...(before.length === 0
        ? {}
        : { depends_on: fc.dictionary(fc.constantFrom(...before), fc.constant('started'), { maxKeys: 2 }) }),
    },
    { requiredKeys: ['command'] },
  );

const NAMES = ['one', 'two', 'three', 'four'];
const file = fc.integer({ min: 1, max: NAMES.length }).chain((count) =>
  fc.tuple(...NAMES.slice(0, count).map((_, index) => service(NAMES.slice(0, index)))).map((services) =>
    JSON.stringify({
      name: 'trip',
      services: Object.fromEntries(services.map((one, index) => [NAMES[index], one])),
    }),
  ),
);

/** What is compared of a service. */
function facts(source: ExportSource, name: string): Readonly<Record<string, unknown>> {
  const found = source.services.find((one) => one.name === name);
  if (found === undefined) return {};
  const { PORT: _own, ...env } = literalEnvironment(source, found);
  const { config, argv, edges, ready } = found;
  return {
    command: argv,
    env,
    cwd: config.cwd,
    user: config.user,
    restart: config.restart.policy,
    stop: config.stop.signal,
    depends_on: Object.fromEntries(edges.map(({ on, condition }) => [on, condition])),
    ready: ready.map((one) =>
      one.kind === 'http'
        ? [one.port, one.path]
        : one.kind === 'tcp'
          ? one.port
          : one.kind === 'exec'
            ? one.argv
            : one.kind,
    ),
  };
}

/** Whether the report of the export names a field of a service. */
const isNamed = (findings: readonly Finding[], field: string, name: string): boolean =>
  findings.some(({ kind, what }) => kind !== 'look' && what.startsWith(`\`${field}`) && what.endsWith(` of ${name}`));

const TRIPS: readonly (readonly [format: ExportFormatName, perService: boolean])[] = [
  ['compose', false],
  ['nosana', true],
];

// Without the importer there is nothing to compare.
const trips = existsSync(IMPORTER) ? TRIPS : [];

describe('import(export(x)) is x minus what was reported', () => {
  for (const [format, perService] of trips)
    test(format, async () => {
      const { importSource } = (await import(IMPORTER)) as { importSource: ImportSource };
      await fc.assert(
        fc.asyncProperty(file, async (text) => {
          const { files, findings } = await exported(text, { format, perService });
          const [made] = files;
          const outside = { more: [], imageConfigs: [], read: () => null, list: () => null };
          const back = await importSource(format, { path: made?.name, text: made?.text, ...outside });
          expect(back).toMatchObject({ ok: true });
          const [before, after] = [read(text), read(back.text)];
          for (const { name } of before.services) {
            const [was, is] = [facts(before, name), facts(after, name)];
            const differs = Object.keys(was).filter(
              (field) => !Bun.deepEquals(was[field], is[field]) && !isNamed(findings, field, name),
            );
            expect({ name, differs, was, is, text }).toEqual({ name, differs: [], was, is, text });
          }
        }),
        { numRuns: 60 },
      );
    });
});
