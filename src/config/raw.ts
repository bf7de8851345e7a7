// What a parser hands over, and what becomes of it: a text's own structure, in which aliases and merge keys still stand as
// they are written, turned into a tree in which they are resolved. Knows no parser; refuses what would make a small file
// large (aliases of aliases, chains of them).
import { didYouMean } from './nearest.ts';
import type { Reading } from './reading.ts';
import type { ListNode, MapEntry, MapNode, Node, ScalarNode, Span } from './tree.ts';

/** Collections in collections; the schema itself needs eight. */
export const MAX_DEPTH = 100;
/** Values after aliases are followed; a file of 1,000 services with merged defaults has some 50,000. */
const MAX_VALUES = 250_000;
const MAX_ADVISED = 200;

/** `anchor` is the name that a node is given by `&name`; null: none. */
interface Anchored {
  readonly anchor: string | null;
}
export interface RawScalar extends ScalarNode, Anchored {}
export interface RawList extends Span, Anchored {
  readonly kind: 'list';
  readonly items: readonly Raw[];
}
export interface RawMap extends Span, Anchored {
  readonly kind: 'map';
  readonly pairs: readonly (readonly [key: Raw, value: Raw])[];
}
/** `*name`. */
export interface RawAlias extends Span {
  readonly kind: 'alias';
  readonly name: string;
}
export type Raw = RawScalar | RawList | RawMap | RawAlias;

interface Grown {
  readonly node: Node;
  /** Values in it, aliases followed. */
  readonly size: number;
  readonly height: number;
}

/** What one growth carries along. */
interface Growth {
  readonly reading: Reading;
  /** What each anchor names; `open` while that is still being read. */
  readonly anchors: Map<string, Grown | 'open'>;
  /** Set once a limit is passed, from when on nothing more is read. */
  stopped: boolean;
}

/** The tree of a text; null past a limit, which has then been reported. Aliases share what they point to. */
export function growTree(root: Raw, reading: Reading): Node | null {
  const growth: Growth = { reading, anchors: new Map(), stopped: false };
  const { node } = grow(root, growth);
  return growth.stopped ? null : node;
}

function grow(raw: Raw, growth: Growth): Grown {
  if (growth.stopped) return nothingAt(raw);
  if (raw.kind === 'alias') return follow(raw, growth);
  const { anchors } = growth;
  if (raw.anchor !== null) anchors.set(raw.anchor, 'open');
  const grown =
    raw.kind === 'map'
      ? growMap(raw, growth)
      : raw.kind === 'list'
        ? growList(raw, growth)
        : { node: raw, size: 1, height: 0 };
  if (grown.height > MAX_DEPTH) stop(raw, 'too-deep', `is nested more than ${MAX_DEPTH} levels deep`, growth);
  if (raw.anchor !== null) anchors.set(raw.anchor, grown);
  return grown;
}

function follow(alias: RawAlias, { anchors, reading }: Growth): Grown {
  const { name } = alias;
  const target = anchors.get(name);
  if (typeof target === 'object') return target;
  const message =
    target === 'open'
      ? `the alias \`*${name}\` stands inside what it names`
      : `there is no anchor \`&${name}\` before this`;
  const advised = target === undefined && reading.count() < MAX_ADVISED;
  const suggestion = advised ? didYouMean(name, anchors.keys()) : undefined;
  reading.report(alias, 'unknown-alias', message, { suggestion });
  return nothingAt(alias);
}

function growList({ items: raws, start, end }: RawList, growth: Growth): Grown {
  const items: Node[] = [];
  let size = 1;
  let height = 0;
  for (const one of raws) {
    const grown = grow(one, growth);
    items.push(grown.node);
    size += grown.size;
    height = Math.max(height, grown.height + 1);
    if (tooMany(size, one, growth)) break;
  }
  const node: ListNode = { kind: 'list', items, start, end };
  return { node, size, height };
}

function growMap({ pairs, start, end }: RawMap, growth: Growth): Grown {
  const { reading } = growth;
  const entries = new Map<string, MapEntry>();
  const merged: MapEntry[] = [];
  let size = 1;
  let height = 0;
  for (const [name, value] of pairs) {
    const keySpan: Span = { start: name.start, end: name.end };
    const grown = grow(value, growth);
    size += grown.size;
    height = Math.max(height, grown.height + 1);
    if (tooMany(size, keySpan, growth)) break;
    const key = name.kind === 'scalar' ? name.text : null;
    if (key === null || key === '' || key.includes('\0')) reportKey(keySpan, key, reading);
    else if (key === '<<' && name.kind === 'scalar' && name.plain) {
      for (const entry of mergedEntries(grown.node, keySpan, reading)) merged.push(entry);
    } else {
      const earlier = entries.get(key);
      if (earlier === undefined) entries.set(key, { key, keySpan, node: grown.node });
      else {
        const related = [{ message: 'also declared here', span: earlier.keySpan }];
        reading.report(keySpan, 'duplicate-key', `the key \`${key}\` is declared twice`, { related });
      }
    }
  }
  // The map's own keys win, and of several merged maps the earlier one.
  for (const entry of merged) if (!entries.has(entry.key)) entries.set(entry.key, entry);
  const node: MapNode = { kind: 'map', entries, start, end };
  return { node, size, height };
}

function mergedEntries(node: Node, keySpan: Span, reading: Reading): readonly MapEntry[] {
  const maps = node.kind === 'list' ? node.items : [node];
  return maps.flatMap((one) => {
    if (one.kind === 'map') return [...one.entries.values()];
    const suggestion = 'write `<<: *anchor` with an anchor of a map';
    reading.report(keySpan, 'wrong-merge', '`<<` merges maps, and this is none', { suggestion });
    return [];
  });
}

function tooMany(size: number, span: Span, growth: Growth): boolean {
  if (size > MAX_VALUES) {
    stop(span, 'too-large', `holds more than ${MAX_VALUES} values when its aliases are followed`, growth);
  }
  return growth.stopped;
}

function stop(span: Span, code: string, what: string, growth: Growth): void {
  if (!growth.stopped) growth.reading.report(span, code, `the file ${what}`);
  growth.stopped = true;
}

/** Nothing where something could stand. */
export function emptyAt(at: number): RawScalar {
  return { kind: 'scalar', value: null, text: '', plain: true, anchor: null, start: at, end: at };
}

function nothingAt({ end }: Span): Grown {
  return { node: emptyAt(end), size: 1, height: 0 };
}

function reportKey({ start, end }: Span, key: string | null, reading: Reading): void {
  const span = { start, end: Math.max(end, start + 1) };
  if (key === null) {
    const suggestion = 'put it into quotes if that is its name';
    reading.report(span, 'wrong-key', 'a key must be a text', { suggestion });
  } else if (key === '') reading.report(span, 'wrong-key', 'a key is empty');
  else reading.report(span, 'nul-character', 'a key holds a NUL character');
}
