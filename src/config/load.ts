// Loads a configuration: bytes to text, text to a tree with positions, tree to a Config, with all diagnostics on the way.
// schema.ts defines the keys.
import { type Config, readConfig } from './config.ts';
import { type Diagnostic, type Failure, type Result, sortDiagnostics } from './diagnostic.ts';
import { type FileReader, readText } from './file.ts';
import { type Draft, type ParsedFile, parseFile } from './parse.ts';
import { makeReading } from './reading.ts';
import type { Scale } from './replicas.ts';
import { makeSource } from './tree.ts';

/** Reads and checks a file and those that it includes; environment files and secrets are not opened. */
export function loadConfig(
  path: string,
  files: FileReader,
  environment: Readonly<Record<string, string>>,
): Result<Config, Failure> {
  const { config, diagnostics, sources } = loadDraft([path], files, environment);
  if (config !== null && diagnostics.length === 0) return { ok: true, value: config };
  return { ok: false, error: { diagnostics: sortDiagnostics(diagnostics), sources } };
}

/**
 * Reads the files, each with those that it includes; later ones win (merge.ts). Returns the valid parts even if other parts
 * are invalid.
 */
export function loadDraft(
  paths: readonly string[],
  files: FileReader,
  environment: Readonly<Record<string, string>>,
  scale?: Scale,
): Draft {
  const [path = ''] = paths;
  if (paths.length > 1) return several().loadSeveral(paths, files, environment, scale);
  const read = readText(files, path);
  if (read.ok) {
    const parsed = parseFile(path, read.text, environment);
    return needsMerge(parsed)
      ? several().loadSeveral(paths, files, environment, scale)
      : toDraft(parsed, environment, scale);
  }
  const { code, why, suggestion, lossy } = read;
  const diagnostics: Diagnostic[] = [];
  const reading = makeReading(makeSource(path, lossy?.text ?? ''), {}, diagnostics);
  const start = lossy?.offset ?? 0;
  reading.report({ start, end: start + 1 }, code, `cannot read ${path}: ${why}`, { suggestion });
  return { config: null, diagnostics, sources: new Map(lossy === undefined ? [] : [[path, lossy.text]]) };
}

/** Loaded only for a configuration that has more than one file: most have one. */
const several = () => require('./several.ts') as typeof import('./several.ts');

function needsMerge({ root, source: { text } }: ParsedFile): boolean {
  const includes = root?.kind === 'map' && root.entries.has('include');
  return includes || text.includes('!reset') || text.includes('!override');
}

/** `loadDraft` for a given text, which includes nothing. `path` is the name of the file in diagnostics. */
export function parseDraft(path: string, text: string, environment: Readonly<Record<string, string>>): Draft {
  return toDraft(parseFile(path, text, environment), environment);
}

function toDraft(
  { source, root, diagnostics, broken, hasHoles }: ParsedFile,
  environment: Readonly<Record<string, string>>,
  scale?: Scale,
): Draft {
  const sources = new Map([[source.file, source.text]]);
  if (root === null) return { config: null, diagnostics, sources };
  const found: Diagnostic[] = [];
  const config = readConfig(root, makeReading(source, environment, found), scale);
  const trusted = found.filter(({ code, range }) => {
    const seemsMissing = code === 'missing-key' || code === 'empty-value';
    return !(hasHoles && seemsMissing) && (broken === null || range.endLine < broken.range.line);
  });
  return { config: broken === null ? config : null, root, diagnostics: [...diagnostics, ...trusted], sources };
}
