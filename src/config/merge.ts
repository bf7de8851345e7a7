// Merges the trees of several files: later files add services and change fields. The rules are those of Compose: a value
// replaces, maps merge, lists are appended, commands are replaced; `!reset` removes and `!override` replaces. Reports a conflict if
// two files that one file of the command line leads to, neither of which includes the other, give one field two values. Reads no
// file.
import { PROBE_KINDS } from './probe-schema.ts';
import type { Reading } from './reading.ts';
import { type ListNode, type MapEntry, type MapNode, type Node, partAt, type Span } from './tree.ts';

/** The tree of one file. */
export interface Layer {
  readonly file: string;
  readonly root: Node;
  /** The files that lead to it by `include`, the one of the command line first. */
  readonly parents: readonly string[];
}

/** What all functions of one merge share. */
interface Merge {
  readonly reading: Reading;
  readonly layers: ReadonlyMap<string, Layer>;
}

/** The keys that lead to a value. `services` and a name become `service`, and so does `defaults`. */
type KeyPath = readonly string[];

/**
 * Merges the trees of all layers into one; later layers win. A file comes before those that it includes, and a file of the command
 * line, with all that it includes, before the next one. The spans are those of `reading.source`, which has a part for each layer.
 */
export function mergeLayers(layers: readonly Layer[], reading: Reading): Node {
  const merge: Merge = { reading, layers: new Map(layers.map((layer) => [layer.file, layer])) };
  const starts = new Map((reading.source.parts ?? []).map(({ file, start }) => [file, start]));
  const [first, ...later] = layers.map(({ file, root }) => move(root, starts.get(file) ?? 0, new Map()));
  if (first?.kind !== 'map') return first ?? move(EMPTY, 0, new Map());
  let result = mergeMaps({ ...first, entries: new Map() }, first, [], merge);
  for (const root of later) {
    if (root.kind !== 'map') reading.report(root, 'wrong-value', 'the file must be a map, as services.yaml is');
    else result = mergeMaps(result, withoutInclude(root), [], merge);
  }
  return result;
}

const EMPTY: MapNode = { kind: 'map', entries: new Map(), start: 0, end: 0 };

/** Each file's `include` is followed before the merge. */
function withoutInclude(root: MapNode): MapNode {
  const entries = new Map(root.entries);
  entries.delete('include');
  return { ...root, entries };
}

/** Copies a tree, with spans that are `by` characters later. A node that occurs several times, by an alias, is one node in the copy too. */
function move(node: Node, by: number, moved: Map<Node, Node>): Node {
  const known = moved.get(node);
  if (known !== undefined || by === 0) return known ?? node;
  const shift = ({ start, end }: Span): Span => ({ start: start + by, end: end + by });
  const result = ((): Node => {
    if (node.kind === 'scalar') return { ...node, ...shift(node) };
    if (node.kind === 'list') {
      return { ...node, ...shift(node), items: node.items.map((item) => move(item, by, moved)) };
    }
    const entries = [...node.entries.values()].map((entry): [string, MapEntry] => [
      entry.key,
      { key: entry.key, keySpan: shift(entry.keySpan), node: move(entry.node, by, moved) },
    ]);
    return { ...node, ...shift(node), entries: new Map(entries) };
  })();
  moved.set(node, result);
  return result;
}

function mergeMaps(earlier: MapNode, later: MapNode, path: KeyPath, merge: Merge): MapNode {
  const entries = new Map(earlier.entries);
  for (const entry of later.entries.values()) {
    const known = entries.get(entry.key);
    if (entry.node.tag === 'reset') {
      if (known === undefined) reportNothingToReset(entry, merge);
      entries.delete(entry.key);
      continue;
    }
    dropAlternatives(entries, earlier, entry, path, merge);
    const at = extend(path, entry.key);
    if (known === undefined || entry.node.tag === 'override') {
      entries.set(entry.key, { ...entry, node: removeTags(entry.node, at, merge) });
    } else entries.set(entry.key, mergeEntries(known, entry, at, merge));
  }
  return { kind: 'map', entries, start: earlier.start, end: earlier.end };
}

function reportNothingToReset({ key, node, keySpan }: MapEntry, { reading }: Merge): void {
  const suggestion = 'remove the key';
  reading.report(
    node.end > node.start ? node : keySpan,
    'nothing-to-reset',
    `there is no earlier \`${key}\` to reset`,
    {
      suggestion,
    },
  );
}

/** A value without its tags, for one that is not merged with an earlier one. A `!reset` in it is reported, because it removes nothing. */
function removeTags(node: Node, path: KeyPath, merge: Merge): Node {
  if (node.kind !== 'map') {
    const { tag: _, ...rest } = node;
    return rest;
  }
  return mergeMaps({ ...node, entries: new Map() }, node, path, merge);
}

function extend(path: KeyPath, key: string): KeyPath {
  if (path.length === 0 && key === 'defaults') return ['service'];
  return path.length === 1 && path[0] === 'services' ? ['service'] : [...path, key];
}

/** Whether the value must be a map of fields or of names. An empty value there changes nothing. */
function isStructure(path: KeyPath): boolean {
  const [first = '', second = '', ...more] = path;
  if (first === 'service')
    return second === '' || (['env', 'limits', 'log', 'hooks'].includes(second) && more.length === 0);
  return path.length === 1 && ['services', 'env', 'control', 'supervisor'].includes(first);
}

function mergeEntries(earlier: MapEntry, later: MapEntry, path: KeyPath, merge: Merge): MapEntry {
  if (isStructure(path) && (earlier.node.kind !== 'map' || later.node.kind !== 'map')) {
    if (isEmpty(later.node)) return earlier;
    if (isEmpty(earlier.node)) return { ...later, node: removeTags(later.node, path, merge) };
    const message = `\`${later.key}\` must be a map here and in the file that it is merged with`;
    report(later, earlier, message, 'write both as maps', merge);
    return earlier;
  }
  const [one, other] = toSameForm(earlier.node, later.node, path);
  if (one.kind === 'map' && other.kind === 'map' && !isWhole(one, path)) {
    return { ...earlier, node: mergeMaps(one, other, path, merge) };
  }
  if (one.kind === 'list' && other.kind === 'list' && !isWhole(one, path)) {
    return { ...earlier, node: append(one, other, path) };
  }
  reportConflict(earlier, later, merge);
  return { ...later, node: removeTags(later.node, path, merge) };
}

const isEmpty = (node: Node): boolean => node.kind === 'scalar' && node.value === null;

/** Whether a later file replaces a list or map as a whole: commands, devices, and the value that a probe compares with. */
function isWhole({ kind }: Node, path: KeyPath): boolean {
  const [first, field = ''] = path;
  const last = path.at(-1) ?? '';
  if (first !== 'service' || field === 'depends_on' || field === 'env') return false;
  if (['command', 'exec', 'equals', 'devices', 'share'].includes(last)) return true;
  return kind === 'list' && ((field === 'hooks' && path.length === 3) || (field === 'gpus' && path.length === 2));
}

/** The items of both lists. An item that is there already is not repeated, except that a later env file wins again. */
function append(earlier: ListNode, later: ListNode, path: KeyPath): ListNode {
  const isNew = (item: Node): boolean => path.at(-1) === 'env_file' || !earlier.items.some((one) => isEqual(one, item));
  return { ...earlier, items: [...earlier.items, ...later.items.filter(isNew)] };
}

/** Both values in the same form, if the field has a short and a long form. */
function toSameForm(earlier: Node, later: Node, path: KeyPath): readonly [Node, Node] {
  const field = path[0] === 'service' ? path[1] : path[0];
  const depth = path[0] === 'service' ? path.length - 1 : path.length;
  const isList = (field === 'env_file' && depth === 1) || (field === 'log' && depth === 2 && path[2] === 'drop');
  const isProbe = (field === 'ready' || field === 'live') && depth === 1;
  if (isList || (isProbe && (earlier.kind === 'list' || later.kind === 'list')))
    return [toList(earlier), toList(later)];
  if (earlier.kind === later.kind) return [earlier, later];
  const long = (node: Node): Node => (isEmpty(node) ? node : toLongForm(node, field ?? '', depth));
  return [long(earlier), long(later)];
}

const toList = (node: Node): Node =>
  node.kind === 'list' || isEmpty(node) ? node : { kind: 'list', items: [node], start: node.start, end: node.end };

function toLongForm(node: Node, field: string, depth: number): Node {
  if (depth === 1 && field === 'restart') return node.kind === 'scalar' ? wrap('policy', node) : node;
  if (depth === 1 && field === 'stop') return node.kind === 'scalar' ? wrap('signal', node) : node;
  if (depth === 2 && field === 'depends_on') return node.kind === 'scalar' ? wrap('condition', node) : node;
  if (depth === 2 && field === 'hooks') return node.kind === 'map' ? node : wrap('command', node);
  if (depth !== 1 || node.kind !== 'list') return node;
  if (field === 'depends_on') return toMap(node, ({ start, end }) => ({ ...EMPTY, start, end }));
  return field === 'forward' ? toMap(node, (item) => item) : node;
}

function wrap(key: string, node: Node): MapNode {
  const { start, end } = node;
  return { kind: 'map', entries: new Map([[key, { key, keySpan: { start, end }, node }]]), start, end };
}

function toMap(list: ListNode, toValue: (item: Node) => Node): Node {
  const entries = list.items.map((item): [string, MapEntry] | null =>
    item.kind === 'scalar' ? [item.text, { key: item.text, keySpan: item, node: toValue(item) }] : null,
  );
  if (entries.includes(null)) return list;
  return { kind: 'map', entries: new Map(entries.filter((one) => one !== null)), start: list.start, end: list.end };
}

/** Fields of `gpus` that exclude each other. */
const GPU_ALTERNATIVES = ['count', 'devices', 'share'];

/** Fields of a service that exclude each other. */
const SERVICE_ALTERNATIVES = [
  ['port', 'ports'],
  ['schedule', 'every'],
];

/** Groups of keys that exclude each other in a map. */
function alternativesOf(path: KeyPath): readonly (readonly string[])[] {
  const [first, field = '', third] = path;
  if (first !== 'service') return [];
  if (path.length === 1) return SERVICE_ALTERNATIVES;
  if (field === 'gpus') return path.length === 2 ? [GPU_ALTERNATIVES] : [];
  if (field === 'ready' || field === 'live') return path.length === 2 ? [PROBE_KINDS] : [];
  if (field !== 'hooks' || third !== 'before_stop') return [];
  if (path.length === 3) return [['command', 'wait_for']];
  return path[3] === 'wait_for' && path.length === 4 ? [PROBE_KINDS] : [];
}

/** A later file that gives one of several alternatives removes the others of earlier files. */
function dropAlternatives(
  entries: Map<string, MapEntry>,
  earlier: MapNode,
  entry: MapEntry,
  path: KeyPath,
  merge: Merge,
): void {
  const keys = alternativesOf(path).find((group) => group.includes(entry.key)) ?? [];
  for (const key of keys) {
    const other = key === entry.key ? undefined : earlier.entries.get(key);
    if (other === undefined || entries.get(key) !== other) continue;
    if (entry.node.tag !== 'override') reportConflict(other, entry, merge);
    entries.delete(key);
  }
}

/**
 * Reports two values of one field if one file of the command line leads to both files and neither includes the other: which value
 * would win is then accidental.
 */
function reportConflict(earlier: MapEntry, later: MapEntry, merge: Merge): void {
  const { reading, layers } = merge;
  const [one, other] = [earlier, later].map(({ keySpan }) => layers.get(partAt(reading.source, keySpan.start).file));
  if (one === undefined || other === undefined || one === other || isEqual(earlier.node, later.node)) return;
  const topOf = ({ parents, file }: Layer): string => parents[0] ?? file;
  if (topOf(one) !== topOf(other) || other.parents.includes(one.file)) return;
  const message =
    earlier.key === later.key
      ? `\`${later.key}\` has another value in ${one.file}`
      : `\`${later.key}\` contradicts \`${earlier.key}\` in ${one.file}`;
  const suggestion = `remove one of the two; if this one is meant to win, write \`${later.key}: !override …\``;
  report(later, earlier, `${message}, and neither file includes the other`, suggestion, merge);
}

function report(later: MapEntry, earlier: MapEntry, message: string, suggestion: string, { reading }: Merge): void {
  const related = [{ message: 'the earlier value', span: earlier.keySpan }];
  reading.report(later.keySpan, 'merge-conflict', message, { suggestion, related });
}

/** Whether two values are the same, apart from their places. */
function isEqual(one: Node, other: Node): boolean {
  if (one === other) return true;
  if (one.kind === 'scalar') return other.kind === 'scalar' && one.value === other.value && one.text === other.text;
  if (one.kind === 'list') {
    if (other.kind !== 'list' || one.items.length !== other.items.length) return false;
    return one.items.every((item, at) => isEqual(item, other.items[at] as Node));
  }
  if (other.kind !== 'map' || one.entries.size !== other.entries.size) return false;
  return [...one.entries.values()].every(({ key, node }) => {
    const same = other.entries.get(key);
    return same !== undefined && isEqual(node, same.node);
  });
}
