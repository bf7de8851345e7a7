// The pages of docs/migration: the result and the report that each shows are what the import makes of its example.
// SVC_TEST_WRITE=1 writes them anew.
import { expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { importSource } from '../../../../src/convert/import/import.ts';
import type { ImportInput } from '../../../../src/convert/import/source.ts';
import type { FormatName } from '../../../../src/convert/import/table.ts';
import { lines } from '../rig.ts';

const FOLDER = join(import.meta.dir, '../../../../docs/migration');

interface Page {
  readonly page: string;
  readonly format: FormatName;
  /** What the example is called. */
  readonly path: string;
  readonly language: string;
}

const PAGES: readonly Page[] = [
  { page: 'start-sh', format: 'start.sh', path: 'start.sh', language: 'sh' },
  { page: 'supervisord', format: 'supervisord', path: 'supervisord.conf', language: 'ini' },
  { page: 'compose', format: 'compose', path: 'compose.yaml', language: 'yaml' },
  { page: 's6', format: 's6', path: '.', language: 'tree' },
  { page: 'procfile', format: 'procfile', path: 'Procfile', language: 'procfile' },
  { page: 'nosana', format: 'nosana', path: 'job.json', language: 'json' },
  { page: 'recipe', format: 'recipe', path: 'recipe.yaml', language: 'yaml' },
];

const blockOf = (text: string, language: string): string | null =>
  new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(text)?.[1] ?? null;

/** The files of a `tree` block, which is printed as head(1) prints several files. */
function treeOf(block: string): ReadonlyMap<string, string> {
  const parts = block.split(/^==> (.+) <==\n/m).slice(1);
  return new Map(
    Array.from({ length: parts.length / 2 }, (_, index) => [parts[index * 2] ?? '', parts[index * 2 + 1] ?? '']),
  );
}

function inputOf({ path, language }: Page, before: string): ImportInput {
  const source = blockOf(before, language) ?? '';
  const none = { path, more: [], imageConfigs: [] };
  if (language !== 'tree') {
    const definition = blockOf(before, 'def');
    return { ...none, text: source, read: (name) => (name === 'chat.def' ? definition : null), list: () => null };
  }
  const files = treeOf(source);
  const list = (folder: string): readonly string[] | null => {
    const prefix = folder === '.' ? '' : `${folder}/`;
    const below = [...files.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
    const names = below.map((name) => (name.includes('/') ? `${name.slice(0, name.indexOf('/'))}/` : name));
    return names.length > 0 ? [...new Set(names)].sort() : null;
  };
  return { ...none, text: '', read: (name) => files.get(name) ?? null, list };
}

test.each(PAGES.map((page) => [page.page, page] as const))(
  'docs/migration/%s.md shows what the import makes of its example',
  async (_, page) => {
    const file = join(FOLDER, `${page.page}.md`);
    const text = readFileSync(file, 'utf8');
    const [before = '', rest = ''] = text.split('## After\n');
    const [, after = ''] = rest.split(/(?=^## What differs)/m);
    const result = await importSource(page.format, inputOf(page, before.slice(before.indexOf('## Before'))));
    if (!result.ok) throw new Error(result.message);
    const shown = `## After\n\n<!-- result: made by the test, do not edit -->\n\n\`\`\`yaml\n${result.text}\`\`\`\n\nThe report:\n\n\`\`\`text\n${lines(result.findings).join('\n')}\n\`\`\`\n\n`;
    const wanted = `${before}${shown}${after}`;
    if (process.env.SVC_TEST_WRITE === '1') writeFileSync(file, wanted);
    expect(readFileSync(file, 'utf8')).toBe(wanted);
  },
);

test('the table of start.sh and services.yaml in the README is made by the import', async () => {
  const text =
    readFileSync(join(FOLDER, '../../README.md'), 'utf8').split('## From start.sh to services.yaml')[1] ?? '';
  const source = blockOf(text, 'sh') ?? '';
  const result = await importSource('start.sh', {
    path: 'start.sh',
    text: source,
    more: [],
    imageConfigs: [],
    read: () => null,
    list: () => null,
  });
  expect(result.ok && result.text).toBe(blockOf(text, 'yaml') ?? '');
});
