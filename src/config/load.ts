// services.yaml as a tree with positions: the only place that knows the YAML library. Takes YAML 1.2, aliases and merge
// keys; refuses what could make a small file large (nesting, aliases of aliases). What the keys mean is the schema's business.

import type * as Yaml from 'yaml';
// The node build of the library prints its tokens when LOG_STREAM or LOG_TOKENS is in the environment; PID 1 must not care
// what the environment of its services holds. The browser build is the same code without that, and loads 1 ms sooner.
// @ts-expect-error the package declares no types at this path
import * as browserBuild from '../../node_modules/yaml/browser/index.js';
import { type Config, readConfig } from './config.ts';
import { type Diagnostic, type Failure, type Result, sortDiagnostics } from './diagnostic.ts';
import { type FileReader, readText } from './file.ts';
import { didYouMean } from './nearest.ts';
import { makeReading, type Reading } from './reading.ts';
import { type Entry, type ListNode, type MapNode, makeSource, type Node, type ScalarNode, type Span } from './tree.ts';

const { Composer, isAlias, isMap, isScalar, isSeq, Lexer, Parser } = browserBuild as typeof Yaml;

/** Collections in collections; the schema itself needs eight. */
const MAX_DEPTH = 100;
/** Values after aliases are followed; a file of 1,000 services with merged defaults has some 50,000. */
const MAX_VALUES = 250_000;
const MAX_SYNTAX_ERRORS = 20;
const MAX_ADVISED = 200;

/** As much of a configuration as could be read, with all that is wrong. `config` is null where nothing could be. */
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

/** Reads a file; what is right in it comes back even where something else is wrong. */
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

/** The same for a text that is at hand. `path` is what diagnostics call it. */
export function parseDraft(path: string, text: string, environment: Readonly<Record<string, string>>): Draft {
  const source = makeSource(path, text);
  const sources = new Map([[path, text]]);
  const syntax: Diagnostic[] = [];
  const root = parseTree(text, makeReading(source, environment, syntax));
  if (root === null) return { config: null, diagnostics: syntax, sources };
  const found: Diagnostic[] = [];
  const config = readConfig(root, makeReading(source, environment, found));
  // Behind a syntax error the tree is a guess, and what seems to be missing may stand there, or where an alias points.
  const [first] = sortDiagnostics(syntax.filter(({ code }) => SYNTAX.has(code)));
  const holes = syntax.some(({ code }) => HOLES.has(code));
  const trusted = found.filter(({ code, range }) => {
    const seemsMissing = code === 'missing-key' || code === 'empty-value';
    return !(holes && seemsMissing) && (first === undefined || range.endLine < first.range.line);
  });
  return { config: first === undefined ? config : null, diagnostics: [...syntax, ...trusted], sources };
}

/** Parses a text of YAML; null where there is no usable tree, which has then been reported. */
export function parseTree(text: string, reading: Reading): Node | null {
  const whole: Span = { start: 0, end: Math.max(0, text.indexOf('\n')) };
  let deep: Span | null = null;
  function* tokens(): Generator<Yaml.CST.Token, void> {
    const parser = new Parser();
    let wrong = 0;
    for (const lexeme of new Lexer().lex(text)) {
      for (const token of parser.next(lexeme)) {
        if (token.type === 'error') wrong += 1;
        yield token;
      }
      if (wrong > MAX_SYNTAX_ERRORS) return;
      // The parser itself copes with any depth, but whatever walks its result does so on the stack.
      if (parser.stack.length > MAX_DEPTH) {
        deep = { start: parser.offset, end: parser.offset + 1 };
        return;
      }
    }
    yield* parser.end();
  }
  const composer = new Composer({
    version: '1.2',
    schema: 'core',
    merge: false,
    // The library's own check compares every key with every other; `convertMap` has a set.
    uniqueKeys: false,
    resolveKnownTags: false,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const documents: Yaml.Document.Parsed[] = [];
  for (const one of composer.compose(tokens(), true, text.length)) {
    // One is wanted, a second is an error, and a third could be the first of two hundred thousand.
    if (documents.push(one) > 2) break;
  }
  if (deep !== null) {
    reading.report(deep, 'too-deep', `the file is nested more than ${MAX_DEPTH} levels deep`);
    return null;
  }
  const [document, second] = documents;
  const errors = documents.flatMap((one) => [...one.errors, ...one.warnings]);
  for (const error of tellingErrors(errors, text).slice(0, MAX_SYNTAX_ERRORS)) reportSyntax(error, text, reading);
  if (second !== undefined && (second.contents !== null || documents.length > 2)) {
    const at = second.range[0];
    const message = 'the file holds more than one document: everything must be in one';
    reading.report({ start: at, end: at + 3 }, 'several-documents', message, { suggestion: 'remove the `---`' });
  }
  if (document?.contents === null || document === undefined) {
    if (errors.length === 0) {
      const suggestion = 'the least it can hold is `services: {web: {command: …}}`';
      reading.report(whole, 'empty-file', 'the file is empty', { suggestion });
    }
    return null;
  }
  return convert(document.contents, reading);
}

const SYNTAX: ReadonlySet<string> = new Set(['yaml-syntax', 'unsupported-tag']);
/** After these something that was meant to be in the tree is not. */
const HOLES: ReadonlySet<string> = new Set([...SYNTAX, 'unknown-alias', 'wrong-merge']);

const ADVICE: Readonly<Partial<Record<Yaml.ErrorCode, string>>> = {
  BLOCK_AS_IMPLICIT_KEY: 'a text with `: ` in it must stand in quotes',
  BAD_SCALAR_START: 'a text that begins like this must stand in quotes',
  TAB_AS_INDENT: 'indent with spaces',
  BAD_INDENT: 'keys of one map must begin in the same column',
  MULTILINE_IMPLICIT_KEY: 'is a `:` missing behind the key?',
  BAD_DQ_ESCAPE: 'in double quotes a backslash is written `\\\\`; single quotes take it as it is',
};

/**
 * Of the parser's errors those that tell something: one a line, and none of what follows once it has lost its way, when
 * every further token is `unexpected`.
 */
function tellingErrors(errors: readonly Yaml.YAMLError[], text: string): readonly Yaml.YAMLError[] {
  const lost = errors.findIndex(({ message }) => message.includes('token in YAML stream'));
  const telling = lost < 0 ? errors : errors.slice(0, Math.max(1, lost));
  const lines = new Set<number>();
  return telling.filter(({ pos: [start] }) => {
    const lineStart = text.lastIndexOf('\n', start - 1);
    return !lines.has(lineStart) && lines.add(lineStart);
  });
}

function reportSyntax(error: Yaml.YAMLError, text: string, reading: Reading): void {
  const [start, end] = error.pos;
  const span = { start, end: Math.max(start + 1, Math.min(end, start + 200)) };
  if (error.code === 'TAG_RESOLVE_FAILED') {
    const suggestion = 'remove the tag: the schema says what each value is';
    reading.report(span, 'unsupported-tag', `${lowerFirst(error.message)}: tags mean nothing here`, { suggestion });
    return;
  }
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const lineEnd = text.indexOf('\n', start);
  const line = text.slice(lineStart, Math.min(lineEnd < 0 ? text.length : lineEnd, lineStart + 2000));
  const inFlow = /(?:[[,]|(?:^|[^$]){)[^"']*\$\{/.test(line);
  const suggestion = inFlow
    ? 'inside `[ ]` and `{ }` a reference to a variable must stand in quotes'
    : ADVICE[error.code];
  reading.report(span, 'yaml-syntax', `YAML: ${lowerFirst(error.message).slice(0, 300)}`, { suggestion });
}

interface Converted {
  readonly node: Node;
  /** Values in it, aliases followed. */
  readonly size: number;
  readonly height: number;
}

/** What one conversion carries along. */
interface Conversion {
  readonly reading: Reading;
  /** What each anchor names; `open` while that is still being read. */
  readonly anchors: Map<string, Converted | 'open'>;
  /** Set once a limit is passed, from when on nothing more is read. */
  stopped: boolean;
}

/** Turns the library's nodes into ours. Each node is visited once; aliases share what they point to. */
function convert(root: Yaml.ParsedNode, reading: Reading): Node | null {
  const conversion: Conversion = { reading, anchors: new Map(), stopped: false };
  const { node } = convertNode(root, conversion);
  return conversion.stopped ? null : node;
}

function convertNode(node: Yaml.Node, conversion: Conversion): Converted {
  const span = spanOf(node);
  if (conversion.stopped) return nothingAt(span);
  if (isAlias(node)) return convertAlias(node.source, span, conversion);
  const { anchors } = conversion;
  if (node.anchor !== undefined) anchors.set(node.anchor, 'open');
  const done = isMap(node)
    ? convertMap(node, span, conversion)
    : isSeq(node)
      ? convertList(node.items as readonly Yaml.Node[], span, conversion)
      : { node: convertScalar(node, span), size: 1, height: 0 };
  if (done.height > MAX_DEPTH) stop(span, 'too-deep', `is nested more than ${MAX_DEPTH} levels deep`, conversion);
  if (node.anchor !== undefined) anchors.set(node.anchor, done);
  return done;
}

function convertScalar(node: Yaml.Scalar, span: Span): ScalarNode {
  const { value, source, type } = node;
  const plain = type === undefined || type === 'PLAIN';
  const simple = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
  return { kind: 'scalar', value: simple, text: source ?? String(simple ?? ''), plain, ...span };
}

function convertAlias(name: string, span: Span, { anchors, reading }: Conversion): Converted {
  const target = anchors.get(name);
  if (typeof target === 'object') return target;
  const message =
    target === 'open'
      ? `the alias \`*${name}\` stands inside what it names`
      : `there is no anchor \`&${name}\` before this`;
  const advised = target === undefined && reading.count() < MAX_ADVISED;
  const suggestion = advised ? didYouMean(name, anchors.keys()) : undefined;
  reading.report(span, 'unknown-alias', message, { suggestion });
  return nothingAt(span);
}

function convertList(nodes: readonly Yaml.Node[], span: Span, conversion: Conversion): Converted {
  const items: Node[] = [];
  let size = 1;
  let height = 0;
  for (const one of nodes) {
    const done = convertNode(one, conversion);
    items.push(done.node);
    size += done.size;
    height = Math.max(height, done.height + 1);
    if (tooMany(size, spanOf(one), conversion)) break;
  }
  const node: ListNode = { kind: 'list', items, ...span };
  return { node, size, height };
}

function convertMap(map: Yaml.YAMLMap, span: Span, conversion: Conversion): Converted {
  const { reading } = conversion;
  const entries = new Map<string, Entry>();
  const merged: Entry[] = [];
  let size = 1;
  let height = 0;
  for (const pair of map.items as readonly Yaml.Pair<Yaml.Node, Yaml.Node | null>[]) {
    const keySpan = spanOf(pair.key);
    const done = pair.value === null ? nothingAt(keySpan) : convertNode(pair.value, conversion);
    const key = isScalar(pair.key) ? (pair.key.source ?? '') : null;
    size += done.size;
    height = Math.max(height, done.height + 1);
    if (tooMany(size, keySpan, conversion)) break;
    if (key === null || key === '' || key.includes('\0')) reportKey(keySpan, key, reading);
    else if (key === '<<' && isScalar(pair.key) && pair.key.type === 'PLAIN') {
      for (const entry of mergedEntries(done.node, keySpan, reading)) merged.push(entry);
    } else {
      const earlier = entries.get(key);
      if (earlier === undefined) entries.set(key, { key, keySpan, node: done.node });
      else {
        const related = [{ message: 'also declared here', span: earlier.keySpan }];
        reading.report(keySpan, 'duplicate-key', `the key \`${key}\` is declared twice`, { related });
      }
    }
  }
  // The map's own keys win, and of several merged maps the earlier one.
  for (const entry of merged) if (!entries.has(entry.key)) entries.set(entry.key, entry);
  const node: MapNode = { kind: 'map', entries, ...span };
  return { node, size, height };
}

function mergedEntries(node: Node, keySpan: Span, reading: Reading): readonly Entry[] {
  const maps = node.kind === 'list' ? node.items : [node];
  return maps.flatMap((one) => {
    if (one.kind === 'map') return [...one.entries.values()];
    const suggestion = 'write `<<: *anchor` with an anchor of a map';
    reading.report(keySpan, 'wrong-merge', '`<<` merges maps, and this is none', { suggestion });
    return [];
  });
}

function tooMany(size: number, span: Span, conversion: Conversion): boolean {
  if (size > MAX_VALUES) {
    stop(span, 'too-large', `holds more than ${MAX_VALUES} values when its aliases are followed`, conversion);
  }
  return conversion.stopped;
}

function stop(span: Span, code: string, what: string, conversion: Conversion): void {
  if (!conversion.stopped) conversion.reading.report(span, code, `the file ${what}`);
  conversion.stopped = true;
}

function nothingAt({ end }: Span): Converted {
  return { node: { kind: 'scalar', value: null, text: '', plain: true, start: end, end }, size: 1, height: 0 };
}

function spanOf(node: Yaml.Node): Span {
  const [start, end] = node.range ?? [0, 0];
  return { start, end };
}

function reportKey({ start, end }: Span, key: string | null, reading: Reading): void {
  const span = { start, end: Math.max(end, start + 1) };
  if (key === null) {
    const suggestion = 'put it into quotes if that is its name';
    reading.report(span, 'wrong-key', 'a key must be a text', { suggestion });
  } else if (key === '') reading.report(span, 'wrong-key', 'a key is empty');
  else reading.report(span, 'nul-character', 'a key holds a NUL character');
}

function lowerFirst(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
