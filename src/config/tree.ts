// A YAML text as a tree with positions, between the parser and the schema. Aliases and merge keys are resolved, so a node
// can occur in several places (never within itself). Checks nothing and imports no YAML parser.
import type { Place, Range } from './range.ts';

/** Half-open stretch of a source text in UTF-16 offsets. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface ScalarNode extends Span {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** The text as written, without quotes and with escapes resolved: `1.10`, `0x1f`, `yes`. */
  readonly text: string;
  /** Written without quotes and not as a block. */
  readonly plain: boolean;
}
export interface ListNode extends Span {
  readonly kind: 'list';
  readonly items: readonly Node[];
}
export interface MapEntry {
  readonly key: string;
  readonly keySpan: Span;
  readonly node: Node;
}
export interface MapNode extends Span {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, MapEntry>;
}
export type Node = (ScalarNode | ListNode | MapNode) & {
  /** How the value changes the value of an earlier file (merge.ts); absent: by the usual rules. */
  readonly tag?: MergeTag;
};
export type MergeTag = 'reset' | 'override';

/** A text and the offsets of its lines. */
export interface Source {
  readonly file: string;
  readonly text: string;
  /** Offset at which each line begins; the first is 0. */
  readonly lines: readonly number[];
  /** The files whose texts follow each other in `text`, in order; absent: `file` is the only one. */
  readonly parts?: readonly Part[];
}

/** One file of a source: where it begins. */
export interface Part {
  readonly file: string;
  readonly start: number;
}

/** Computes the line offsets of a text; linear in its length. */
export function makeSource(file: string, text: string): Source {
  const lines = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.push(at + 1);
  return { file, text, lines };
}

/** The texts of several sources one after the other. The spans of each tree must be moved by the start of its part. */
export function joinSources(sources: readonly Source[]): Source {
  const parts: Part[] = [];
  let length = 0;
  for (const { file, text } of sources) {
    parts.push({ file, start: length });
    length += text.length + 1;
  }
  const joined = makeSource(sources[0]?.file ?? '', sources.map(({ text }) => text).join('\n'));
  return { ...joined, parts };
}

/** The file that has an offset. */
export function partAt(source: Source, offset: number): Part {
  return source.parts?.findLast(({ start }) => start <= offset) ?? { file: source.file, start: 0 };
}

/** Converts offsets to lines and columns. Offsets after the end of the text mean its end. */
export function toRange(source: Source, span: Span): Range {
  const start = toPosition(source, span.start);
  const end = toPosition(source, Math.max(span.start, span.end));
  const before = toPosition(source, partAt(source, span.start).start).line - 1;
  return {
    line: start.line - before,
    column: start.column,
    endLine: end.line - before,
    endColumn: end.column,
  };
}

/** `toRange`, and the file. */
export function toPlace(source: Source, span: Span): Place {
  return { file: partAt(source, span.start).file, range: toRange(source, span) };
}

/** One step from a map to a value or from a list to an item. In `locateIn` a text also finds the list item that has this text. */
export type PathStep = string | number;

/**
 * The position of a path: that of the value if it is a scalar or a list item, else that of its key. If the path does not
 * exist, the position of its last existing step, so that something missing is reported at its parent. A step 0 into a map
 * stays at the map, because a single probe may be written without a list around it.
 */
export function locateIn(root: Node, path: readonly PathStep[]): { readonly span: Span; readonly complete: boolean } {
  let node = root;
  let span: Span = { start: root.start, end: root.start };
  for (const step of path) {
    if (step === 0 && node.kind === 'map') continue;
    if (node.kind === 'map') {
      const entry = node.entries.get(String(step));
      if (entry === undefined) return { span, complete: false };
      node = entry.node;
      span = node.kind === 'scalar' && node.end > node.start ? node : entry.keySpan;
    } else if (node.kind === 'list') {
      const item: Node | undefined =
        typeof step === 'number'
          ? node.items[step]
          : node.items.find((one) => one.kind === 'scalar' && one.text === step);
      if (item === undefined) return { span, complete: false };
      node = item;
      span = item;
    } else return { span, complete: false };
  }
  return { span, complete: true };
}

/** Where the last key or list item of a path is written; null if it does not exist. */
export function locateKey(root: Node, path: readonly PathStep[]): Span | null {
  let node: Node = root;
  let span: Span | null = null;
  for (const step of path) {
    if (step === 0 && node.kind === 'map') continue;
    if (typeof step === 'number' && node.kind === 'list') {
      const item = node.items[step];
      if (item === undefined) return null;
      node = item;
      span = item;
      continue;
    }
    const entry: MapEntry | undefined = node.kind === 'map' ? node.entries.get(String(step)) : undefined;
    if (entry === undefined) return null;
    node = entry.node;
    span = entry.keySpan;
  }
  return span;
}

/** A plain value as a tree without positions; for defaults that the schema contains in the user's notation. */
export function toNode(value: unknown): Node {
  const nowhere: Span = { start: 0, end: 0 };
  if (Array.isArray(value)) return { kind: 'list', items: value.map(toNode), ...nowhere };
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, item]): [string, MapEntry] => [
      key,
      { key, keySpan: nowhere, node: toNode(item) },
    ]);
    return { kind: 'map', entries: new Map(entries), ...nowhere };
  }
  const scalar = value as string | number | boolean | null;
  return { kind: 'scalar', value: scalar, text: String(scalar ?? ''), plain: typeof scalar !== 'string', ...nowhere };
}

function toPosition(source: Source, offset: number): { readonly line: number; readonly column: number } {
  const at = Math.min(Math.max(0, offset), source.text.length);
  let low = 0;
  let high = source.lines.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((source.lines[middle] ?? 0) <= at) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: at - (source.lines[low] ?? 0) + 1 };
}
