// Merges the trees of several files: later files add services and change fields. The rules are those of Compose: a value
// replaces, maps merge, lists are appended, commands are replaced; `!reset` removes and `!override` replaces. Two files of
// which neither includes the other must not give one field two values.
import { PROBE_KINDS } from './probe-schema.ts';
import type { Reading } from './reading.ts';
import { type ListNode, type MapEntry, type MapNode, type Node, partAt, type Span } from './tree.ts';

/** One file. */
export interface Layer {
  readonly file: string;
  readonly root: Node;
  /** The files that lead to it by `include`, the one of the command line first. */
  readonly parents: readonly string[];
}

/** The state of one merge. */
interface Merging {
  readonly reading: Reading;
  readonly layers: ReadonlyMap<string, Layer>;
}

/** Keys to a value. `service` stands for a service, and for `defaults`. */
type Place = readonly string[];

/** One tree of all layers; its spans are those of `reading.source`, which has a part for each layer. Reports conflicts. */
export function mergeLayers(layers: readonly Layer[], reading: Reading): Node {
  const merging: Merging = { reading, layers: new Map(layers.map((layer) => [layer.file, layer])) };
  const starts = new Map((reading.source.parts ?? []).map(({ file, start }) => [file, start]));
  const [first, ...later] = layers.map(({ file, root }) => move(root, starts.get(file) ?? 0, new Map()));
  if (first?.kind !== 'map') return first ?? move(EMPTY, 0, new Map());
  let result = mergeMaps({ ...first, entries: new Map() }, first, [], merging);
  for (const root of later) {
    if (root.kind !== 'map') reading.report(root, 'wrong-value', 'the file must be a map, as services.yaml is');
    else result = mergeMaps(result, withoutInclude(root), [], merging);
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

/** The same tree, `by` characters later. Nodes that occur several times still do. */
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

function mergeMaps(earlier: MapNode, later: MapNode, place: Place, merging: Merging): MapNode {
  const entries = new Map(earlier.entries);
  for (const entry of later.entries.values()) {
    const known = entries.get(entry.key);
    if (entry.node.tag === 'reset') {
      if (known === undefined) reportNothing(entry, merging);
      entries.delete(entry.key);
      continue;
    }
    dropAlternatives(entries, earlier, entry, place, merging);
    const at = extend(place, entry.key);
    if (known === undefined || entry.node.tag === 'override') {
      entries.set(entry.key, { ...entry, node: cleared(entry.node, at, merging) });
    } else entries.set(entry.key, mergeEntries(known, entry, at, merging));
  }
  return { kind: 'map', entries, start: earlier.start, end: earlier.end };
}

function reportNothing({ key, node, keySpan }: MapEntry, { reading }: Merging): void {
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

/** A value that is not merged with an earlier one: its tags have no effect, except that a `!reset` in it is reported. */
function cleared(node: Node, place: Place, merging: Merging): Node {
  if (node.kind !== 'map') {
    const { tag: _, ...rest } = node;
    return rest;
  }
  return mergeMaps({ ...node, entries: new Map() }, node, place, merging);
}

function extend(place: Place, key: string): Place {
  if (place.length === 0 && key === 'defaults') return ['service'];
  return place.length === 1 && place[0] === 'services' ? ['service'] : [...place, key];
}

/** Maps that hold fields or names: another kind of value there is a mistake, and none means that nothing changes. */
function isStructure(place: Place): boolean {
  const [first = '', second = '', ...more] = place;
  if (first === 'service')
    return second === '' || (['env', 'limits', 'log', 'hooks'].includes(second) && more.length === 0);
  return place.length === 1 && ['services', 'env', 'control', 'supervisor'].includes(first);
}

function mergeEntries(earlier: MapEntry, later: MapEntry, place: Place, merging: Merging): MapEntry {
  if (isStructure(place) && (earlier.node.kind !== 'map' || later.node.kind !== 'map')) {
    if (isEmpty(later.node)) return earlier;
    if (isEmpty(earlier.node)) return { ...later, node: cleared(later.node, place, merging) };
    const message = `\`${later.key}\` must be a map here and in the file that it is merged with`;
    report(later, earlier, message, 'write both as maps', merging);
    return earlier;
  }
  const [one, other] = alike(earlier.node, later.node, place);
  if (one.kind === 'map' && other.kind === 'map' && !isWhole(one, place)) {
    return { ...earlier, node: mergeMaps(one, other, place, merging) };
  }
  if (one.kind === 'list' && other.kind === 'list' && !isWhole(one, place)) {
    return { ...earlier, node: append(one, other, place) };
  }
  reportConflict(earlier, later, merging);
  return { ...later, node: cleared(later.node, place, merging) };
}

const isEmpty = (node: Node): boolean => node.kind === 'scalar' && node.value === null;

/** Values that a later file replaces as a whole although they are lists or maps: commands, devices, a value to compare with. */
function isWhole({ kind }: Node, place: Place): boolean {
  const [first, field = ''] = place;
  const last = place.at(-1) ?? '';
  if (first !== 'service' || field === 'depends_on' || field === 'env') return false;
  if (['command', 'exec', 'equals', 'devices', 'share'].includes(last)) return true;
  return kind === 'list' && ((field === 'hooks' && place.length === 3) || (field === 'gpus' && place.length === 2));
}

/** The items of both lists. An item that is there already is not repeated, except that a later env file wins again. */
function append(earlier: ListNode, later: ListNode, place: Place): ListNode {
  const isNew = (item: Node): boolean =>
    place.at(-1) === 'env_file' || !earlier.items.some((one) => isEqual(one, item));
  return { ...earlier, items: [...earlier.items, ...later.items.filter(isNew)] };
}

/** Both values in one form where a field has a short one and a long one. */
function alike(earlier: Node, later: Node, place: Place): readonly [Node, Node] {
  const field = place[0] === 'service' ? place[1] : place[0];
  const depth = place[0] === 'service' ? place.length - 1 : place.length;
  const isList = (field === 'env_file' && depth === 1) || (field === 'log' && depth === 2 && place[2] === 'drop');
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

const WISHES = ['count', 'devices', 'share'];

const OF_SERVICE = [
  ['port', 'ports'],
  ['schedule', 'every'],
];

/** The keys of a map of which it has one only, by group. */
function alternativesOf(place: Place): readonly (readonly string[])[] {
  const [first, field = '', third] = place;
  if (first !== 'service') return [];
  if (place.length === 1) return OF_SERVICE;
  if (field === 'gpus') return place.length === 2 ? [WISHES] : [];
  if (field === 'ready' || field === 'live') return place.length === 2 ? [PROBE_KINDS] : [];
  if (field !== 'hooks' || third !== 'before_stop') return [];
  if (place.length === 3) return [['command', 'wait_for']];
  return place[3] === 'wait_for' && place.length === 4 ? [PROBE_KINDS] : [];
}

/** A later file that gives one of several alternatives removes the others of earlier files. */
function dropAlternatives(
  entries: Map<string, MapEntry>,
  earlier: MapNode,
  entry: MapEntry,
  place: Place,
  merging: Merging,
): void {
  const keys = alternativesOf(place).find((group) => group.includes(entry.key)) ?? [];
  for (const key of keys) {
    const other = key === entry.key ? undefined : earlier.entries.get(key);
    if (other === undefined || entries.get(key) !== other) continue;
    reportConflict(other, entry, merging);
    entries.delete(key);
  }
}

/** Reports two values of one field if it is an accident which of their files is read first. */
function reportConflict(earlier: MapEntry, later: MapEntry, merging: Merging): void {
  const { reading, layers } = merging;
  const [one, other] = [earlier, later].map(({ keySpan }) => layers.get(partAt(reading.source, keySpan.start).file));
  if (one === undefined || other === undefined || one === other || isEqual(earlier.node, later.node)) return;
  const topOf = ({ parents, file }: Layer): string => parents[0] ?? file;
  if (topOf(one) !== topOf(other) || other.parents.includes(one.file)) return;
  const message =
    earlier.key === later.key
      ? `\`${later.key}\` has another value in ${one.file}`
      : `\`${later.key}\` contradicts \`${earlier.key}\` in ${one.file}`;
  const suggestion = `remove one of the two; if this one is meant to win, write \`${later.key}: !override …\``;
  report(later, earlier, `${message}, and neither file includes the other`, suggestion, merging);
}

function report(later: MapEntry, earlier: MapEntry, message: string, suggestion: string, { reading }: Merging): void {
  const related = [{ message: 'the earlier value', span: earlier.keySpan }];
  reading.report(later.keySpan, 'merge-conflict', message, { suggestion, related });
}

/** Whether two values say the same. */
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
