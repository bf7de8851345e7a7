// The output of a YAML parser, in which aliases and merge keys are not yet resolved, and its conversion into a tree in which
// they are. Independent of the parser. Rejects what would expand a small file into a large one (aliases of aliases).
import { didYouMean } from './nearest.ts';
import { type Reading, silently } from './reading.ts';
import type { ListNode, MapEntry, MapNode, MergeTag, Node, ScalarNode, Span } from './tree.ts';

/** Nesting of collections; the schema itself needs eight levels. */
export const MAX_DEPTH = 100;
/** Limit of values after aliases are resolved; a file of 1,000 services with merged defaults has some 50,000. */
const MAX_VALUES = 250_000;
const MAX_ADVISED = 200;

/** `anchor` is the name of `&name`; null: none. */
interface Anchored {
  readonly anchor: string | null;
  readonly tag?: MergeTag;
}
export interface RawScalar extends ScalarNode, Anchored {}
interface RawList extends Span, Anchored {
  readonly kind: 'list';
  readonly items: readonly Raw[];
}
interface RawMap extends Span, Anchored {
  readonly kind: 'map';
  readonly pairs: readonly (readonly [key: Raw, value: Raw])[];
}
/** `*name`. */
interface RawAlias extends Span {
  readonly kind: 'alias';
  readonly name: string;
}
export type Raw = RawScalar | RawList | RawMap | RawAlias;

interface Resolved {
  readonly node: Node;
  /** Number of values in it, with aliases resolved. */
  readonly size: number;
  readonly height: number;
}

/** The state of one conversion. */
interface Resolution {
  readonly reading: Reading;
  /** The node of each anchor; `open` while that node is being read. */
  readonly anchors: Map<string, Resolved | 'open'>;
  /** Set when a limit is exceeded; after that nothing more is read. */
  stopped: boolean;
}

/** The tree of a text. null: a limit was exceeded, and this has been reported. Aliases share the node of their anchor. */
export function resolveTree(root: Raw, reading: Reading): Node | null {
  const resolution: Resolution = { reading, anchors: new Map(), stopped: false };
  const { node } = resolveNode(root, resolution);
  if (root.kind !== 'alias' && root.tag !== undefined) reportPlace(root, root.tag, resolution);
  return resolution.stopped ? null : node;
}

function resolveNode(raw: Raw, resolution: Resolution): Resolved {
  if (resolution.stopped) return emptyNodeAt(raw);
  if (raw.kind === 'alias') return resolveAlias(raw, resolution);
  const { anchors } = resolution;
  if (raw.anchor !== null) anchors.set(raw.anchor, 'open');
  let resolved: Resolved =
    raw.kind === 'map'
      ? resolveMap(raw, resolution)
      : raw.kind === 'list'
        ? resolveList(raw, resolution)
        : { node: raw, size: 1, height: 0 };
  if (raw.tag !== undefined && raw.kind !== 'scalar')
    resolved = { ...resolved, node: { ...resolved.node, tag: raw.tag } };
  if (resolved.height > MAX_DEPTH) stop(raw, 'too-deep', `is nested more than ${MAX_DEPTH} levels deep`, resolution);
  if (raw.anchor !== null) anchors.set(raw.anchor, resolved);
  return resolved;
}

function resolveAlias(alias: RawAlias, { anchors, reading }: Resolution): Resolved {
  const { name } = alias;
  const target = anchors.get(name);
  if (typeof target === 'object') return target;
  const message =
    target === 'open'
      ? `the alias \`*${name}\` is inside its own anchor`
      : `there is no anchor \`&${name}\` before this alias`;
  const advised = target === undefined && reading.count() < MAX_ADVISED;
  // After a syntax error the whole text is not known, and that error has the advice.
  const quoted =
    reading.count() === 0
      ? `mark the value that is meant with \`&${name}\`, or write \`'*${name}'\` if the \`*\` is part of the text`
      : undefined;
  const suggestion = advised ? (didYouMean(name, anchors.keys()) ?? quoted) : undefined;
  reading.report(alias, 'unknown-alias', message, { suggestion });
  return emptyNodeAt(alias);
}

function resolveList({ items: raws, start, end }: RawList, resolution: Resolution): Resolved {
  const items: Node[] = [];
  let size = 1;
  let height = 0;
  for (const one of raws) {
    const resolved = resolveNode(one, resolution);
    if (one.kind !== 'alias' && one.tag !== undefined) reportPlace(one, one.tag, resolution);
    items.push(resolved.node);
    size += resolved.size;
    height = Math.max(height, resolved.height + 1);
    if (stopIfTooLarge(size, one, resolution)) break;
  }
  const node: ListNode = { kind: 'list', items, start, end };
  return { node, size, height };
}

function resolveMap({ pairs, start, end }: RawMap, resolution: Resolution): Resolved {
  const { reading } = resolution;
  const entries = new Map<string, MapEntry>();
  const merged: MapEntry[] = [];
  let size = 1;
  let height = 0;
  for (const [name, value] of pairs) {
    const keySpan: Span = { start: name.start, end: name.end };
    const problems = reading.count();
    // Records the anchor of the key. A key that is no scalar is refused below.
    if (name.kind === 'scalar') resolveNode(name, resolution);
    const resolved = resolveNode(value, resolution);
    size += resolved.size;
    height = Math.max(height, resolved.height + 1);
    if (stopIfTooLarge(size, keySpan, resolution)) break;
    const key = name.kind === 'scalar' ? name.text : null;
    if (name.kind !== 'alias' && name.tag !== undefined) reportPlace(name, name.tag, resolution);
    if (key === null || key === '' || key.includes('\0')) reportKey(keySpan, key, reading);
    else if (key === '<<' && name.kind === 'scalar' && name.plain) {
      // An alias without an anchor has been reported, and is no map only because of that.
      const isKnown = reading.count() === problems;
      for (const entry of mergedEntries(resolved.node, keySpan, isKnown ? reading : silently(reading)))
        merged.push(entry);
    } else {
      const earlier = entries.get(key);
      if (earlier === undefined) entries.set(key, { key, keySpan, node: resolved.node });
      else {
        const related = [{ message: 'also declared here', span: earlier.keySpan }];
        reading.report(keySpan, 'duplicate-key', `the key \`${key}\` is declared twice`, { related });
      }
    }
  }
  // The map's own keys win; of several merged maps the earlier one wins.
  for (const entry of merged) if (!entries.has(entry.key)) entries.set(entry.key, entry);
  const node: MapNode = { kind: 'map', entries, start, end };
  return { node, size, height };
}

function reportPlace(span: Span, tag: MergeTag, { reading }: Resolution): void {
  const suggestion = `write it before the value of a key: \`command: !${tag} …\``;
  reading.report(span, 'unsupported-tag', `\`!${tag}\` has no meaning here`, { suggestion });
}

function mergedEntries(node: Node, keySpan: Span, reading: Reading): readonly MapEntry[] {
  const maps = node.kind === 'list' ? node.items : [node];
  return maps.flatMap((one) => {
    if (one.kind === 'map') return [...one.entries.values()];
    const suggestion = 'write `<<: *anchor` with an anchor of a map';
    reading.report(keySpan, 'wrong-merge', '`<<` merges maps, and this is not a map', { suggestion });
    return [];
  });
}

/** Ends the resolution of the file if an alias makes it too large. Returns whether it has ended, for this reason or another. */
function stopIfTooLarge(size: number, span: Span, resolution: Resolution): boolean {
  if (size > MAX_VALUES) {
    stop(span, 'too-large', `holds more than ${MAX_VALUES} values when its aliases are resolved`, resolution);
  }
  return resolution.stopped;
}

function stop(span: Span, code: string, what: string, resolution: Resolution): void {
  if (!resolution.stopped) resolution.reading.report(span, code, `the file ${what}`);
  resolution.stopped = true;
}

/** An empty scalar at a position where a value is missing. */
export function emptyAt(at: number): RawScalar {
  return { kind: 'scalar', value: null, text: '', plain: true, anchor: null, start: at, end: at };
}

function emptyNodeAt({ end }: Span): Resolved {
  return { node: emptyAt(end), size: 1, height: 0 };
}

function reportKey({ start, end }: Span, key: string | null, reading: Reading): void {
  const span = { start, end: Math.max(end, start + 1) };
  if (key === null) {
    const suggestion = 'put it in quotes if this is its name';
    reading.report(span, 'wrong-key', 'a key must be a text', { suggestion });
  } else if (key === '') reading.report(span, 'wrong-key', 'a key is empty');
  else reading.report(span, 'nul-character', 'a key contains a NUL character');
}
