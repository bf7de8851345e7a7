// Checks the documents as text: every link to a file or a heading of this repository leads somewhere, every services.yaml in
// them is valid, and the README stays short enough for a new user. Opens no address of the network.
import { expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { checkConfiguration } from '../src/check/static.ts';
import { EXIT } from '../src/cli/command.ts';
import { EXIT_CODE, exitCodeOfSignal } from '../src/linux/exit-codes.ts';
import { memoryFiles, PATH } from './config/rig.ts';

const ROOT = join(import.meta.dir, '..');
const README_MOST = 250;
const DOCUMENTS = ['*.md', 'docs/**/*.md', 'examples/**/*.md']
  .flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: ROOT })])
  .sort();

/** The text without what is shown as it is: blocks and spans of code hold no links. */
function prose(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '');
}

/** The fragments of a document's headings, as GitHub makes them. */
function headings(path: string): ReadonlySet<string> {
  const titles = [...prose(path).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => title);
  return new Set(
    titles.map((title) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

function whyDead(document: string, link: string): string | null {
  const [path = '', fragment] = link.split('#');
  const target = path === '' ? document : normalize(join(dirname(document), path));
  if (!existsSync(join(ROOT, target))) return 'there is no such file';
  return fragment === undefined || !target.endsWith('.md') || headings(target).has(fragment) ? null : 'no such heading';
}

test('every link within the repository leads to a file and a heading', () => {
  expect(DOCUMENTS).toContain('docs/reference.md');
  const dead = DOCUMENTS.flatMap((document) =>
    [
      ...prose(document)
        .replaceAll(/`[^`]*`/g, '')
        .matchAll(/\]\(([^)\s]+)\)/g),
    ].flatMap(([, link = '']) => {
      const why = /^[a-z]+:/.test(link) ? null : whyDead(document, link);
      return why === null ? [] : [`${document}: ${link}: ${why}`];
    }),
  );
  expect(dead).toEqual([]);
});

test(`the README has at most ${README_MOST} lines`, () => {
  expect(readFileSync(join(ROOT, 'README.md'), 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(README_MOST);
});

const YAML_BLOCK = /^```yaml\n([\s\S]*?)^```$/gm;

test('every services.yaml in the documents is valid', () => {
  // Those of docs/migration are made by a test of the imports.
  const blocks = DOCUMENTS.filter((document) => !/^docs.migration/.test(document)).flatMap((document) =>
    [...readFileSync(join(ROOT, document), 'utf8').matchAll(YAML_BLOCK)].map(([, text = '']) => ({ document, text })),
  );
  const examples = blocks.filter(({ text }) => /^services:$/m.test(text));
  expect(examples.length).toBeGreaterThan(8);
  const refused = examples.flatMap(({ document, text }) => {
    const { result } = checkConfiguration(
      { path: PATH, files: memoryFiles({ [PATH]: text }), environment: {} },
      'static',
      undefined,
    );
    return result.ok ? [] : result.error.diagnostics.map(({ message }) => `${document}: ${message}`);
  });
  expect(refused).toEqual([]);
});

/** Folders of the repository whose files the documents name. */
const NAMED_PATH = /`((?:src|native|test|scripts|docs|examples|fuzz|chaos|bench|soak)\/[\w./-]*)`/g;

test('every file and folder of the repository that a document names exists', () => {
  const named = DOCUMENTS.filter((document) => document !== 'CHANGELOG.md').flatMap((document) =>
    [...readFileSync(join(ROOT, document), 'utf8').matchAll(NAMED_PATH)].map(([, path = '']) => ({ document, path })),
  );
  expect(named.length).toBeGreaterThan(50);
  const missing = named.filter(({ path }) => !/NAME|^fuzz.findings/.test(path) && !existsSync(join(ROOT, path)));
  expect(missing).toEqual([]);
});

/** The numbers in the first column of the table below the heading "Exit codes". */
function exitCodes(document: string): readonly number[] {
  const [, section = ''] = /^## Exit codes\n([\s\S]*?)^## /m.exec(readFileSync(join(ROOT, document), 'utf8')) ?? [];
  return [...section.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, codes = '']) => codes.split(', ').map(Number));
}

test('both tables of exit codes have each code of svc-super, and no other', () => {
  const own: readonly number[] = Object.values(EXIT_CODE);
  const known = new Set([...own, ...Object.values(EXIT), exitCodeOfSignal(9)]);
  for (const document of ['README.md', 'docs/commands.md']) {
    const codes = exitCodes(document);
    expect([document, own.filter((code) => !codes.includes(code))]).toEqual([document, []]);
    expect([document, codes.filter((code) => !known.has(code))]).toEqual([document, []]);
  }
});

test('the exit codes of the native program are those of the supervisor', () => {
  const files = [...new Bun.Glob('native/*.{c,h}').scanSync({ cwd: ROOT })];
  const codes = files.flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(/\bEXIT_[A-Z]+ = (\d+)/g)].map(([, code]) => Number(code)),
  );
  expect(codes.length).toBeGreaterThan(1);
  expect(codes.filter((code) => !Object.values<number>(EXIT_CODE).includes(code))).toEqual([]);
});
