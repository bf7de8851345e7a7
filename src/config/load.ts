// Loads services.yaml: bytes to text, text to a tree with positions, tree to a Config, with all diagnostics on the way.
// schema.ts defines the keys.
import { type Config, readConfig } from './config.ts';
import { type Diagnostic, type Failure, type Result, sortDiagnostics } from './diagnostic.ts';
import { type FileReader, readText } from './file.ts';
import { resolveTree } from './raw.ts';
import { makeReading, type Reading } from './reading.ts';
import { makeSource, type Node } from './tree.ts';
import { readQuickly } from './yaml-quick.ts';

/** The part of a configuration that could be read, and all diagnostics. `config` is null if nothing could be read. */
export interface Draft {
  readonly config: Config | null;
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: ReadonlyMap<string, string>;
}

/** Reads and checks a file; its environment files and secrets are not opened. */
export function loadConfig(
  path: string,
  files: FileReader,
  environment: Readonly<Record<string, string>>,
): Result<Config, Failure> {
  const { config, diagnostics, sources } = loadDraft(path, files, environment);
  if (config !== null && diagnostics.length === 0) return { ok: true, value: config };
  return { ok: false, error: { diagnostics: sortDiagnostics(diagnostics), sources } };
}

/** Reads a file; returns the valid parts even if other parts are invalid. */
export function loadDraft(path: string, files: FileReader, environment: Readonly<Record<string, string>>): Draft {
  const read = readText(files, path);
  if (read.ok) return parseDraft(path, read.text, environment);
  const { code, why, suggestion, lossy } = read;
  const diagnostics: Diagnostic[] = [];
  const reading = makeReading(makeSource(path, lossy?.text ?? ''), {}, diagnostics);
  const start = lossy?.offset ?? 0;
  reading.report({ start, end: start + 1 }, code, `cannot read ${path}: ${why}`, { suggestion });
  return { config: null, diagnostics, sources: new Map(lossy === undefined ? [] : [[path, lossy.text]]) };
}

/** `loadDraft` for a given text. `path` is the name of the file in diagnostics. */
export function parseDraft(path: string, text: string, environment: Readonly<Record<string, string>>): Draft {
  const source = makeSource(path, text);
  const sources = new Map([[path, text]]);
  const syntax: Diagnostic[] = [];
  const root = parseTree(text, makeReading(source, environment, syntax));
  const [first] = sortDiagnostics(syntax.filter(({ code }) => SYNTAX.has(code)));
  // After a syntax error the tree is a guess.
  const trustedSyntax = syntax.filter(
    ({ code, range }) => SYNTAX.has(code) || first === undefined || range.endLine <= first.range.endLine,
  );
  if (root === null) return { config: null, diagnostics: trustedSyntax, sources };
  const found: Diagnostic[] = [];
  const config = readConfig(root, makeReading(source, environment, found));
  // A key that seems to be missing may come after the syntax error, or in the target of an alias.
  const holes = syntax.some(({ code }) => HOLES.has(code));
  const trusted = found.filter(({ code, range }) => {
    const seemsMissing = code === 'missing-key' || code === 'empty-value';
    return !(holes && seemsMissing) && (first === undefined || range.endLine < first.range.line);
  });
  return { config: first === undefined ? config : null, diagnostics: [...trustedSyntax, ...trusted], sources };
}

/** Parses YAML. null: there is no usable tree, and this has been reported. */
export function parseTree(text: string, reading: Reading): Node | null {
  const raw = readQuickly(text) ?? thorough().readThoroughly(text, reading);
  return raw === null ? null : resolveTree(raw, reading);
}

/** Loaded only for texts that the quick reader does not support. */
const thorough = () => require('./yaml-thorough.ts') as typeof import('./yaml-thorough.ts');

const SYNTAX: ReadonlySet<string> = new Set(['yaml-syntax', 'unsupported-tag']);
/** After one of these, a part of the intended tree is missing. */
const HOLES: ReadonlySet<string> = new Set([...SYNTAX, 'unknown-alias', 'wrong-merge']);
