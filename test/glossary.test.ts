// Holds the glossary of ARCHITECTURE.md: terms that were given up do not come back in src/, native/, test/, docs/ or the
// documents at the root.
import { expect, test } from 'bun:test';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

const ROOT = join(import.meta.dir, '..');
/** This file names the terms. */
const NAMES_THEM = 'test/glossary.test.ts';
/** Folders of files that others wrote, or that were built. */
const NOT_OURS = ['node_modules', 'packages', 'prebuilt', 'corpus'];
const TEXT = /\.(?:[ch]|html|js|md|pl|py|sh|ts|ya?ml)$/;
/** The table in ARCHITECTURE.md names them too. */
const GLOSSARY = /<!-- glossary -->[\s\S]*<!-- end of glossary -->/;

interface Term {
  readonly pattern: RegExp;
  /** Only in docs/ and the documents at the root: elsewhere it is an ordinary word, or a name that is still in use. */
  readonly inDocuments?: true;
}

/** By the term as the glossary writes it. */
const GIVEN_UP: Readonly<Record<string, Term>> = {
  bear: { pattern: /\bbears?\b/i },
  'bring forth': { pattern: /\bbr(?:ing|ings|ought) forth\b/i },
  census: { pattern: /\bcensus/i },
  crowd: { pattern: /\bcrowds?\b/i },
  foot: { pattern: /\bfoot\b/i },
  'for good': { pattern: /\bfor good\b/i },
  guest: { pattern: /\bguests?\b/i },
  hands: { pattern: /\bHands(?:Parts|[<(.;,]| [{}])|makeHands|\bhands(?:\.\w|,)/ },
  heir: { pattern: /\bheirs?(?:\b|Of)/i },
  ladder: { pattern: /\bladders?\b/i },
  'last words': { pattern: /\blast[ -]words\b/i },
  mend: { pattern: /\bmend(?:s|ed|ing)?\b/i },
  news: { pattern: /\bnews\b/i, inDocuments: true },
  nobody: { pattern: /\bnobody\b/i, inDocuments: true },
  'of its own accord': { pattern: /\bof (?:its|their) own accord\b/i },
  rehearse: { pattern: /\brehears/i },
  rung: { pattern: /\brungs?\b/i },
  somebody: { pattern: /\bsomebody\b/i, inDocuments: true },
  speaker: { pattern: /\bspeakers?\b/i },
  stranger: { pattern: /\bstrangers?\b/i },
  sweep: { pattern: /(?:\b|_)(?:sweep|swept|sweeps|sweeping)\b/i },
  weighed: { pattern: /\bweighed\b/i },
  whoever: { pattern: /\bwhoever\b/i, inDocuments: true },
};

const isDocument = (path: string) => path.endsWith('.md') && !/^(?:src|native|test)\//.test(path);

function* filesOf(folder: string): Generator<string> {
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!NOT_OURS.includes(entry.name)) yield* filesOf(path);
    } else if (entry.isFile() && TEXT.test(path) && path !== NAMES_THEM) yield path;
  }
}

function* allFiles(): Generator<string> {
  for (const folder of ['src', 'native', 'test', 'docs']) yield* filesOf(folder);
  for (const name of readdirSync(ROOT)) if (name.endsWith('.md') && statSync(join(ROOT, name)).isFile()) yield name;
}

/** `term: file` for each given-up term in each file, in its text or its path. */
function findAll(): string[] {
  const found: string[] = [];
  for (const path of allFiles()) {
    const text = `${relative('', path)}\n${readFileSync(join(ROOT, path), 'utf8').replace(GLOSSARY, '')}`;
    for (const [term, { pattern, inDocuments }] of Object.entries(GIVEN_UP)) {
      if ((inDocuments !== true || isDocument(path)) && pattern.test(text)) found.push(`${term}: ${path}`);
    }
  }
  return found.sort();
}

test('a term that was given up does not come back', () => {
  expect(findAll()).toEqual([]);
});

test('the glossary names each term that was given up', () => {
  const glossary = GLOSSARY.exec(readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8'))?.[0] ?? '';
  const names = new Set(
    glossary
      .split('\n')
      .flatMap((row) => row.split('|')[3]?.split(',') ?? [])
      .map((name) => name.trim()),
  );
  expect(Object.keys(GIVEN_UP).filter((term) => !names.has(term))).toEqual([]);
});
