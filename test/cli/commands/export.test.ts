// `svc-super export` as a command: what is refused before anything is written, in text and in JSON.
import { describe, expect, test } from 'bun:test';
import type { CommandContext } from '../../../src/cli/command.ts';
import command from '../../../src/cli/commands/export.ts';
import { memoryFiles } from '../../config/rig.ts';

async function run(
  files: Readonly<Record<string, string>>,
  positionals: readonly string[],
  values: Readonly<Record<string, string | boolean>>,
  file: readonly string[] = [],
) {
  const printed = { out: '', err: '' };
  const context = {
    cwd: '/w',
    environment: {},
    files: memoryFiles(files),
    out: (text: string) => {
      printed.out += text;
    },
    err: (text: string) => {
      printed.err += text;
    },
    save: () => {
      throw new Error('the disk is full');
    },
  } as unknown as CommandContext;
  const code = await command.run(context, { values, positionals, lists: file.length > 0 ? { file } : {} });
  return { code, ...printed };
}

const FILE = { '/w/services.yaml': 'services: { a: { command: run } }\n' };
const MADE = { image: 'x', output: 'k8s' };

describe('svc-super export', () => {
  test('replaces no file of the configuration, even with --force', async () => {
    const files = { ...FILE, '/w/more.yaml': 'services: { b: { command: run } }\n' };
    const values = { image: 'x', output: '.', force: true };
    const { code, err } = await run(files, ['dockerfile'], values, ['services.yaml', 'more.yaml']);
    expect([code, err]).toEqual([
      1,
      'svc-super: /w/services.yaml is one of the files that are exported, and is not replaced: give another folder to `-o`\n',
    ]);
  });

  test.each([[[]], [['word']], [['compose', 'more']]])('%p is refused before the file is read', async (names) => {
    const { code, err } = await run({}, names, {});
    expect(code).toBe(64);
    expect(err).toEndWith(': name one of nosana, compose, kubernetes, slurm, dockerfile, systemd\n');
  });

  test.each<[number, string, Readonly<Record<string, string>>, readonly string[], Readonly<Record<string, string>>]>([
    [64, 'export knows no format word', FILE, ['word'], {}],
    [64, '--recipe is for `export slurm` only', FILE, ['compose'], { recipe: 'r' }],
    [64, 'export compose needs the image', FILE, ['compose'], {}],
    [64, '--image a b is no reference of an image', FILE, ['compose'], { image: 'a b' }],
    [1, '/w/k8s/compose.yaml: there is another file', { ...FILE, '/w/k8s/compose.yaml': 'x' }, ['compose'], MADE],
    [1, 'cannot write to /w/k8s: the disk is full', FILE, ['compose'], MADE],
  ])('with --json, a failure with code %p is an object too: %s', async (wanted, words, files, names, values) => {
    const { code, out, err } = await run(files, names, { ...values, json: true });
    expect(code).toBe(wanted);
    expect(err).toContain(words);
    expect(JSON.parse(out)).toEqual({
      ok: false,
      message: expect.stringContaining(words),
      files: [],
      findings: [],
    });
  });
});
