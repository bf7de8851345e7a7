// Loads a configuration that has several files: those of the command line, each followed by the files that it includes. Does not merge
// their trees: merge.ts does.
import { dirname, isAbsolute, join, normalize } from '../paths.ts';
import { readConfig } from './config.ts';
import type { Diagnostic } from './diagnostic.ts';
import { type FileReader, readText } from './file.ts';
import { type Include, includes } from './file-values.ts';
import { type Layer, mergeLayers } from './merge.ts';
import { type Draft, type ParsedFile, parseFile } from './parse.ts';
import type { Place } from './range.ts';
import { INVALID, makeReading, withoutReplica } from './reading.ts';
import type { Scale } from './replicas.ts';
import { joinSources, toPlace } from './tree.ts';

/** The most files of a configuration: a pattern that matches more is probably a mistake. */
const MAX_FILES = 500;

/** A file to read, and the entry of `include` that names it; null: the command line does. */
interface Step {
  readonly path: string;
  readonly namedAt: Place | null;
}

interface Loaded extends ParsedFile {
  /** The files that lead to it, the one of the command line first. */
  readonly parents: readonly string[];
}

/** What all functions of one load share. */
interface Load {
  readonly files: FileReader;
  readonly environment: Readonly<Record<string, string>>;
  readonly loaded: Map<string, Loaded>;
  readonly sources: Map<string, string>;
  readonly problems: Diagnostic[];
}

/** Reads the files of the command line and those that they include. A file that is named twice is read where it is named first. */
export function loadSeveral(
  paths: readonly string[],
  files: FileReader,
  environment: Readonly<Record<string, string>>,
  scale?: Scale,
): Draft {
  const load: Load = { files, environment, loaded: new Map(), sources: new Map(), problems: [] };
  for (const path of paths) loadFile([{ path: normalize(path), namedAt: null }], load);
  const { sources, problems } = load;
  const loaded = [...load.loaded.values()];
  const diagnostics = [...loaded.flatMap((one) => one.diagnostics), ...problems];
  const isBroken = problems.length > 0 || loaded.some(({ broken, root }) => broken !== null || root === null);
  if (isBroken) return { config: null, isMerged: true, diagnostics, sources };
  const found: Diagnostic[] = [];
  const reading = makeReading(joinSources(loaded.map(({ source }) => source)), environment, found);
  const root = mergeLayers(loaded.map(toLayer), reading);
  const config = found.length === 0 ? readConfig(root, reading, scale) : null;
  const hasHoles = loaded.some((one) => one.hasHoles);
  const trusted = found.filter(({ code }) => !(hasHoles && (code === 'missing-key' || code === 'empty-value')));
  return { config, root, isMerged: true, diagnostics: [...diagnostics, ...trusted], sources };
}

function toLayer({ source, root, parents }: Loaded): Layer {
  if (root === null) throw new Error('a file without a tree is not merged');
  return { file: source.file, root, parents };
}

/** Reads the last file of `chain` and the files that it includes, unless it has been read. `chain`: each file includes the next. */
function loadFile(chain: readonly Step[], load: Load): void {
  const { path, namedAt } = chain.at(-1) as Step;
  const { files, loaded, problems, sources, environment } = load;
  if (loaded.has(path)) {
    if (chain.slice(0, -1).some((step) => step.path === path)) problems.push(describeCycle(chain));
    return;
  }
  if (loaded.size >= MAX_FILES) {
    if (problems.every(({ code }) => code !== 'too-many-files')) {
      const message = `the configuration has more than ${MAX_FILES} files`;
      problems.push({ severity: 'error', code: 'too-many-files', message, ...placeOf(path, namedAt) });
    }
    return;
  }
  const read = readText(files, path);
  if (!read.ok) {
    if (read.lossy !== undefined) sources.set(path, read.lossy.text);
    problems.push(describeUnreadable(path, namedAt, read));
    return;
  }
  sources.set(path, read.text);
  const parsed = parseFile(path, isBlank(read.text) ? '{}' : read.text, environment);
  loaded.set(path, { ...parsed, parents: chain.slice(0, -1).map((step) => step.path) });
  for (const step of includedBy(parsed, chain, load)) loadFile([...chain, step], load);
}

/** Whether a file has only comments: of several files it adds nothing then, such as a sample whose lines are commented out. */
const isBlank = (text: string): boolean =>
  text.split('\n').every((line) => line.trim() === '' || line.trimStart().startsWith('#'));

function describeUnreadable(
  path: string,
  namedAt: Place | null,
  { why, code, suggestion }: Extract<ReturnType<typeof readText>, { readonly ok: false }>,
): Diagnostic {
  const about = { severity: 'error', message: `cannot read ${path}: ${why}`, ...placeOf(path, namedAt) } as const;
  if (code === 'file-missing' && namedAt !== null) {
    const help = 'create the file, or write `{path: …, required: false}` if it may be missing';
    return { ...about, code: 'include-missing', suggestion: help };
  }
  return { ...about, code, ...(suggestion !== undefined && { suggestion }) };
}

/** Where a file is named, or else the beginning of the file. */
const placeOf = (path: string, namedAt: Place | null): Place =>
  namedAt ?? { file: path, range: { line: 1, column: 1, endLine: 1, endColumn: 2 } };

/** `chain` ends with a file that is in it already. */
function describeCycle(chain: readonly Step[]): Diagnostic {
  const { path, namedAt } = chain.at(-1) as Step;
  const steps = chain.slice(chain.findIndex((step) => step.path === path));
  const related = steps.slice(1, -1).map((step) => ({
    message: `${step.path} is included here`,
    ...placeOf(step.path, step.namedAt),
  }));
  const cycle = steps.map((step) => step.path).join(' → ');
  return {
    severity: 'error',
    code: 'include-cycle',
    message: `${path} includes itself: ${cycle}`,
    ...placeOf(path, namedAt),
    suggestion: 'remove one of these entries of `include`',
    related,
  };
}

/** The files that the last file of `chain` includes, in order. */
function includedBy({ source, root, broken }: ParsedFile, chain: readonly Step[], load: Load): readonly Step[] {
  const entry = root?.kind === 'map' && broken === null ? root.entries.get('include') : undefined;
  if (entry === undefined) return [];
  const reading = withoutReplica(makeReading(source, load.environment, load.problems));
  const list = includes.read(entry.node, '`include`', reading);
  if (list === INVALID) return [];
  return list.flatMap((include) => {
    const namedAt = toPlace(source, include.node);
    const found = findIncluded(include, dirname(source.file), load.files);
    // A pattern such as *.yaml may match the file that has it.
    const paths = isPattern(include.path) ? found.filter((path) => chain.every((step) => step.path !== path)) : found;
    if (paths.length === 0 && include.required === true) {
      const suggestion = 'create such a file, or remove `required: true`';
      reading.report(include.node, 'include-missing', `no file matches \`${include.path}\``, { suggestion });
    }
    return paths.map((path) => ({ path, namedAt }));
  });
}

/** The paths of an entry; of a pattern, those of the files that match it, sorted. */
function findIncluded({ path, required }: Include, folder: string, files: FileReader): readonly string[] {
  if (isPattern(path)) return matchingFiles(folder, path, files);
  const file = isAbsolute(path) ? normalize(path) : join(folder, path);
  return required === false && isMissing(file, files) ? [] : [file];
}

const isPattern = (path: string): boolean => /[*?[]/.test(path);

function isMissing(path: string, files: FileReader): boolean {
  try {
    return files.stat(path) === null;
  } catch {
    return false;
  }
}

/** The files that match a pattern, in the order of their names. As in a shell, `*`, `?` and `[` match no `/` and no leading `.`. */
function matchingFiles(folder: string, pattern: string, files: FileReader): readonly string[] {
  let found: readonly string[] = [isAbsolute(pattern) ? '/' : folder];
  for (const part of pattern.split('/').filter((one) => one !== '')) {
    if (!isPattern(part)) found = found.map((one) => join(one, part));
    else {
      const expression = toExpression(part);
      found = found.flatMap((one) =>
        (files.list(one) ?? [])
          .filter((name) => expression.test(name))
          .sort()
          .map((name) => join(one, name)),
      );
    }
  }
  return found.filter((path) => {
    try {
      return files.stat(path)?.isFile === true;
    } catch {
      return false;
    }
  });
}

/** A component of a pattern as a regular expression. */
function toExpression(glob: string): RegExp {
  const source = glob.replace(/[.+^${}()|\\\]]|\[[^\]]+\]|[*?[]/g, (part) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    return part.length > 1
      ? `[${part
          .slice(1, -1)
          .replace(/^!/, '^')
          .replace(/[\\[\]]/g, '\\$&')}]`
      : `\\${part}`;
  });
  try {
    return new RegExp(`^${glob.startsWith('.') ? '' : '(?!\\.)'}${source}$`, 's');
  } catch {
    // A range such as [z-a] matches nothing.
    return /(?!)/;
  }
}
