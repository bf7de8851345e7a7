// A YAML text as a tree that keeps its positions: what lies between the parser and the schema. Aliases and merge keys are
// already resolved, so a node can hang in several places (never in itself). Checks nothing and imports no YAML.
import type { Range } from './diagnostic.ts';

/** Half-open stretch of a source text in UTF-16 offsets. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface ScalarNode extends Span {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** As it is written, without quotes and with escapes resolved: `1.10`, `0x1f`, `yes`. */
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
export type Node = ScalarNode | ListNode | MapNode;

/** A text with what is needed to turn offsets into lines. */
export interface Source {
  readonly file: string;
  readonly text: string;
  /** Offset at which each line begins; the first is 0. */
  readonly lines: readonly number[];
}

/** Prepares a text for positions; linear in its length. */
export function makeSource(file: string, text: string): Source {
  const lines = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.push(at + 1);
  return { file, text, lines };
}

/** Offsets to lines and columns. Offsets beyond the text mean its end. */
export function toRange(source: Source, span: Span): Range {
  const start = toPosition(source, span.start);
  const end = toPosition(source, Math.max(span.start, span.end));
  return { line: start.line, column: start.column, endLine: end.line, endColumn: end.column };
}

/** One step from a map to a value or from a list to an item; a text also finds the list item that has this text. */
export type PathStep = string | number;

/**
 * Where a path leads: the value's place if it is a scalar or a list item, else its key's. As far as the path exists: the
 * last step that does is the answer, so that something missing is reported at what it is missing from. A step 0 into a
 * map stays there, since one probe may stand without a list around it.
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

/** Where the key that a path ends in is written; null where it does not exist. */
export function locateKey(root: Node, path: readonly PathStep[]): Span | null {
  let node: Node = root;
  let span: Span | null = null;
  for (const step of path) {
    if (step === 0 && node.kind === 'map') continue;
    if (typeof step === 'number' && node.kind === 'list') {
      node = node.items[step] ?? node;
      span = node;
      continue;
    }
    const entry: MapEntry | undefined = node.kind === 'map' ? node.entries.get(String(step)) : undefined;
    if (entry === undefined) return null;
    node = entry.node;
    span = entry.keySpan;
  }
  return span;
}

/** A plain value as a tree without positions; for defaults that the schema writes as a user would. */
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

/** The plain value of a tree. Keys such as `__proto__` become ordinary properties. */
export function toValue(node: Node): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(toValue);
  return Object.fromEntries([...node.entries.values()].map((entry) => [entry.key, toValue(entry.node)]));
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
