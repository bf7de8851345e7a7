// The thorough reader of YAML: finds every mistake of a text, and continues after each. It is slow to load and to run, so it
// reads only texts that the quick reader does not support. The only file that imports `yaml`.

import type * as Yaml from 'yaml';
// The node build of the library prints its tokens if LOG_STREAM or LOG_TOKENS is in the environment; the environment of the
// services must not change what the supervisor prints. The browser build is the same code without that.
// @ts-expect-error the package declares no types at this path
import * as browserBuild from '../../node_modules/yaml/browser/index.js';
import { emptyAt, MAX_DEPTH, type Raw } from './raw.ts';
import type { Reading } from './reading.ts';
import { coreValue } from './reading.ts';
import type { MergeTag, Span } from './tree.ts';
import { Marks, reportSyntax, reportTags } from './yaml-mistakes.ts';

const { Composer, isAlias, isMap, isScalar, isSeq, Lexer, Parser } = browserBuild as typeof Yaml;

const MAX_SYNTAX_ERRORS = 20;
/** Errors about tags, left out because `reportTags` rejects every tag. */
const OF_TAGS: ReadonlySet<string> = new Set(['TAG_RESOLVE_FAILED', 'BAD_COLLECTION_TYPE', 'MULTIPLE_TAGS']);

/** Tags that a file may have which is merged with others (merge.ts). */
const MERGE_TAGS: Readonly<Record<string, MergeTag>> = { '!reset': 'reset', '!override': 'override' };

/**
 * Reads YAML 1.2. null: there is nothing usable, and this has been reported. All tags are reported, with `tags` all except
 * `!reset` and `!override`.
 */
export function readThoroughly(text: string, reading: Reading, tags?: 'tags'): Raw | null {
  const whole: Span = { start: 0, end: Math.max(0, text.indexOf('\n')) };
  if (text.includes('\r') && !text.includes('\n')) {
    const suggestion = 'save it with the line ends of Unix (LF)';
    const at = text.indexOf('\r');
    reading.report({ start: at, end: at + 1 }, 'yaml-syntax', 'YAML: the lines end with CR alone', { suggestion });
    return null;
  }
  const marks = new Marks();
  let deep: Span | null = null;
  function* tokens(): Generator<Yaml.CST.Token, void> {
    const parser = new Parser();
    let wrong = 0;
    for (const lexeme of new Lexer().lex(text)) {
      marks.add(lexeme, parser.offset);
      for (const token of parser.next(lexeme)) {
        if (token.type === 'error') wrong += 1;
        yield token;
      }
      if (wrong > MAX_SYNTAX_ERRORS) return;
      // The parser supports any depth, but code that walks its result recurses.
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
    // The library's own check compares every key with every other key; `growTree` uses a set.
    uniqueKeys: false,
    resolveKnownTags: false,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const documents: Yaml.Document.Parsed[] = [];
  for (const one of composer.compose(tokens(), true, text.length)) {
    // One document is expected and a second one is an error; the rest could be two hundred thousand more.
    if (documents.push(one) > 2) break;
  }
  if (deep !== null) {
    reading.report(deep, 'too-deep', `the file is nested more than ${MAX_DEPTH} levels deep`);
    return null;
  }
  const [document, second] = documents;
  reportTags(marks, text, MAX_SYNTAX_ERRORS, reading, tags === undefined ? [] : Object.keys(MERGE_TAGS));
  const errors = documents.flatMap((one) => [...one.errors, ...one.warnings]).filter(({ code }) => !OF_TAGS.has(code));
  let until = 0;
  for (const error of helpfulErrors(errors, text).slice(0, MAX_SYNTAX_ERRORS))
    if (error.pos[0] >= until) until = reportSyntax(error, marks, text, reading);
  if (second !== undefined && (second.contents !== null || documents.length > 2)) {
    const at = second.range[0];
    const message = 'the file holds more than one document: it must have one document';
    reading.report({ start: at, end: at + 3 }, 'several-documents', message, { suggestion: 'remove the `---`' });
  }
  if (document?.contents === null || document === undefined) {
    if (errors.length === 0) {
      const what = text.trim() === '' ? 'is empty' : 'has only comments';
      const suggestion = 'add a service: `services: {web: {command: …}}`';
      reading.report(whole, 'empty-file', `the file ${what}: it needs a service`, { suggestion });
    }
    return null;
  }
  return toRaw(document.contents);
}

function toRaw(node: Yaml.Node): Raw {
  const [start, end] = node.range ?? [0, 0];
  if (isAlias(node)) return { kind: 'alias', name: node.source, start, end };
  const merge = node.tag === undefined ? undefined : MERGE_TAGS[node.tag];
  const common = { anchor: node.anchor ?? null, start, end, ...(merge === undefined ? {} : { tag: merge }) };
  if (isSeq(node)) return { kind: 'list', items: (node.items as readonly Yaml.Node[]).map(toRaw), ...common };
  if (isMap(node)) {
    const pairs = (node.items as readonly Yaml.Pair<Yaml.Node, Yaml.Node | null>[]).map((pair): [Raw, Raw] => {
      const key = toRaw(pair.key);
      return [key, pair.value === null ? emptyAt(key.end) : toRaw(pair.value)];
    });
    return { kind: 'map', pairs, ...common };
  }
  const { value, source, type } = isScalar(node) ? node : { value: null, source: '', type: 'PLAIN' };
  const plain = type === undefined || type === 'PLAIN';
  // The parser takes every value with a tag for a text.
  const typed = merge !== undefined && plain ? coreValue(source ?? '') : value;
  const simple = typeof typed === 'string' || typeof typed === 'number' || typeof typed === 'boolean' ? typed : null;
  return { kind: 'scalar', value: simple, text: source ?? String(simple ?? ''), plain, ...common };
}

/**
 * The parser's errors that help: one per line, and none of the errors that follow when the parser has lost track and
 * reports every further token as `unexpected`.
 */
function helpfulErrors(errors: readonly Yaml.YAMLError[], text: string): readonly Yaml.YAMLError[] {
  const lost = errors.findIndex(({ message }) => /token in YAML stream|^Not a YAML token/.test(message));
  const helpful = lost < 0 ? errors : errors.slice(0, Math.max(1, lost));
  const lines = new Set<number>();
  return helpful.filter(({ pos: [start] }) => {
    const lineStart = text.lastIndexOf('\n', start - 1);
    return !lines.has(lineStart) && lines.add(lineStart);
  });
}
