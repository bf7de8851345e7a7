// Sources of other systems for `svc-super import`, derived from the corpus of the tests: an import must end in time, with the same
// result each time; `check` must accept its output; each finding must have a text and a position in the source.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type ImportResult, importSource } from '../../src/convert/import/import.ts';
import { findRefusals } from '../../src/convert/import/readback.ts';
import type { ImportInput } from '../../src/convert/import/source.ts';
import type { FormatName } from '../../src/convert/import/table.ts';
import type { Dice } from '../../test/helpers/nonsense.ts';
import { must, mustBeQuick, type Target, type Trial } from '../target.ts';

const CORPUS = join(import.meta.dir, '../../test/convert/import/corpus');
/** Separates the files of a tree in one text. Each file begins with a line that is its path. */
const SEPARATOR = '\x1e';
/** Limit of the processor time of one import, milliseconds. */
const mayTake = (length: number): number => 500 + length / 8;

/** The sources of a format in the corpus. A tree of files is one text. */
function seedsOf(format: FormatName): readonly string[] {
  const folder = join(CORPUS, format);
  const names = readdirSync(folder).sort();
  if (format !== 's6')
    return names
      .filter((name) => statSync(join(folder, name)).isFile())
      .map((name) => readFileSync(join(folder, name), 'utf8'));
  return names.map((name) => {
    const files = readdirSync(join(folder, name), { recursive: true, encoding: 'utf8' }).sort();
    const kept = files.filter((file) => statSync(join(folder, name, file)).isFile());
    return kept.map((file) => `${file}\n${readFileSync(join(folder, name, file), 'utf8')}`).join(SEPARATOR);
  });
}

/** The arguments of the importer for an input. */
function inputOf(format: FormatName, text: string): ImportInput {
  const none = { more: [], imageConfigs: [] };
  if (format !== 's6') return { ...none, path: 'source', text, read: () => null, list: () => null };
  const files = new Map(
    text.split(SEPARATOR).map((part): [string, string] => {
      const [path = '', ...lines] = part.split('\n');
      return [`tree/${path}`, lines.join('\n')];
    }),
  );
  const list = (folder: string): readonly string[] | null => {
    const prefix = folder === '.' ? '' : `${folder.replace(/\/$/, '')}/`;
    const below = [...files.keys()].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
    const names = new Set(below.map((path) => (path.includes('/') ? `${path.slice(0, path.indexOf('/'))}/` : path)));
    return names.size > 0 ? [...names].filter((name) => name !== '' && name !== '/').sort() : null;
  };
  return { ...none, path: 'tree', text: '', read: (path) => files.get(path) ?? null, list };
}

function featuresOf(format: FormatName, result: ImportResult): readonly string[] {
  if (!result.ok) return [`refused ${result.message.replaceAll(/[^a-z ]+/gi, '').slice(0, 40)}`];
  const kinds = result.findings.map(({ kind, why }) => `${kind} ${why.replaceAll(/[^a-z ]+/gi, '').slice(0, 40)}`);
  const fields = [...result.text.matchAll(/^ {4}([a-z_]+):/gm)].map(([, name]) => `~${format} ${name}`);
  return [...new Set([...kinds, ...fields])];
}

class ImportTrial implements Trial {
  readonly #dice: Dice;
  readonly #format: FormatName;
  readonly #seeds: readonly string[];

  constructor(dice: Dice, format: FormatName) {
    this.#dice = dice;
    this.#format = format;
    this.#seeds = seedsOf(format);
  }

  /** A source of the corpus in which lines are removed, doubled, moved, or replaced by lines of another source. */
  fresh(): Uint8Array {
    const dice = this.#dice;
    const lines = dice.one(this.#seeds).split('\n');
    const others = dice.one(this.#seeds).split('\n');
    for (let count = dice.below(5); count > 0; count -= 1) {
      const at = dice.below(lines.length + 1);
      const how = dice.below(4);
      if (how === 0) lines.splice(at, 1 + dice.below(3));
      else if (how === 1) lines.splice(at, 0, dice.one(others));
      else if (how === 2) lines.splice(at, 0, dice.one(lines) ?? '');
      else lines.splice(dice.below(lines.length + 1), 0, ...lines.splice(at, 1 + dice.below(4)));
    }
    return Buffer.from(lines.join('\n'));
  }

  async attempt(input: Uint8Array): Promise<readonly string[]> {
    const text = new TextDecoder().decode(input);
    const run = () => importSource(this.#format, inputOf(this.#format, text));
    const result = await mustBeQuick('the import', () => mayTake(input.length), run);
    must(JSON.stringify(await run()) === JSON.stringify(result), 'the result differs the second time');
    if (!result.ok) {
      must(result.problems.length === 0, () => `its output is refused: ${result.problems[0]?.code}`);
      must(result.message !== '', 'it is refused without a message');
      return featuresOf(this.#format, result);
    }
    const [refusal] = findRefusals(result.text);
    must(refusal === undefined, () => `the printed output is refused: ${refusal?.code}`);
    for (const { what, why, where } of result.findings) {
      must(what.trim() !== '' && why.trim() !== '', () => `a finding has no text: ${why}`);
      must(where === null || (where.line > 0 && where.column > 0), 'a finding has no position');
    }
    return featuresOf(this.#format, result);
  }

  async end(): Promise<void> {}
}

const WORDS: Readonly<Record<FormatName, readonly string[]>> = {
  supervisord: [
    '[program:',
    ']\n',
    'command=',
    '%(',
    ')s',
    'process_num',
    'numprocs=9',
    'environment=',
    '=',
    '"',
    ' ;',
    '\n ',
  ],
  compose: [
    'services:',
    'command:',
    '${',
    '}',
    ':-',
    '$$',
    'extends:',
    'depends_on:',
    'healthcheck:',
    '<<: *x',
    '&x ',
    'ports:',
    '!reset',
  ],
  procfile: ['web: ', ':', '$PORT', ' && ', 'release: '],
  nosana: ['"ops"', '"args"', '"expose"', '%%', '"depends_on"', '"group"', '[', '{', 'null'],
  recipe: ['container:', 'resources:', 'ports:', 'gpu: ', 'environment:', '- '],
  'start.sh': [
    ' &\n',
    'wait -n\n',
    'exec ',
    'until ',
    'do ',
    'done',
    'if [ -n "$X" ]; then\n',
    'fi\n',
    'f() {',
    '}\n',
    '$(',
    '<<E\n',
    "'",
    '"',
    '`',
    'cd ',
    'sleep 1\n',
    '|',
    '((',
  ],
  s6: [
    '/type\nlongrun',
    '/run\n#!/bin/sh\nexec x',
    SEPARATOR,
    'exec ',
    's6-setuidgid ',
    'contents.d/',
    'dependencies.d/',
  ],
};

/** The target of one format. */
export function importTarget(format: FormatName): Target {
  return {
    about: `sources of ${format} for \`svc-super import\``,
    words: WORDS[format],
    pure: true,
    longest: 16 * 1_024,
    begin: async (dice) => new ImportTrial(dice, format),
  };
}
