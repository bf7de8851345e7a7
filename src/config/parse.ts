// Parses the text of a file into a tree: chooses the reader of YAML, resolves aliases, and drops diagnostics that may only follow from
// an earlier syntax error. Reads no file and knows no fields.
import type { Config } from './config.ts';
import { type Diagnostic, sortDiagnostics } from './diagnostic.ts';
import { resolveTree } from './raw.ts';
import { makeReading, type Reading } from './reading.ts';
import { makeSource, type Node, type Source } from './tree.ts';
import { readQuickly } from './yaml-quick.ts';

/** Parses YAML. null: there is no usable tree, and this has been reported. `tags`: `!reset` and `!override` are allowed. */
export function parseTree(text: string, reading: Reading, tags?: 'tags'): Node | null {
  const raw = readQuickly(text) ?? thorough().readThoroughly(text, reading, tags);
  return raw === null ? null : resolveTree(raw, reading);
}

/** Loaded only for texts that the quick reader does not support. */
const thorough = () => require('./yaml-thorough.ts') as typeof import('./yaml-thorough.ts');

/** Codes of syntax errors. */
const SYNTAX: ReadonlySet<string> = new Set(['yaml-syntax', 'unsupported-tag']);
/** Codes of errors because of which a part of the tree is missing. */
const HOLES: ReadonlySet<string> = new Set([...SYNTAX, 'unknown-alias', 'wrong-merge']);

/** The part of a configuration that could be read, and all diagnostics. `config` is null if nothing could be read. */
export interface Draft {
  readonly config: Config | null;
  /** The tree of all files, if `config` was read from it. */
  readonly root?: Node;
  /** Set if `config` has other sources than one file: files are included or merged, or could not be. */
  readonly isMerged?: true;
  readonly diagnostics: readonly Diagnostic[];
  /** The text of each file, in the order in which they were read. */
  readonly sources: ReadonlyMap<string, string>;
}

/** A text and its tree. */
export interface ParsedFile {
  readonly source: Source;
  /** null: the text has no usable tree. */
  readonly root: Node | null;
  /** Without those that may only follow from a syntax error. */
  readonly diagnostics: readonly Diagnostic[];
  /** The first syntax error; null: there is none. After it the tree is a guess. */
  readonly broken: Diagnostic | null;
  /** A part of the tree is missing because of an error, so that a field which seems to be missing may be in that part. */
  readonly hasHoles: boolean;
}

/** Parses the text of a configuration file; `path` is its name in diagnostics. */
export function parseFile(path: string, text: string, environment: Readonly<Record<string, string>>): ParsedFile {
  const source = makeSource(path, text);
  const found: Diagnostic[] = [];
  const root = parseTree(text, makeReading(source, environment, found), 'tags');
  const [first] = sortDiagnostics(found.filter(({ code }) => SYNTAX.has(code)));
  const diagnostics = found.filter(
    ({ code, range }) => SYNTAX.has(code) || first === undefined || range.endLine <= first.range.endLine,
  );
  return { source, root, diagnostics, broken: first ?? null, hasHoles: found.some(({ code }) => HOLES.has(code)) };
}
