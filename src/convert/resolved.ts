// Prints a configuration of one or more files as one services.yaml that results in the same plan: merged, without anchors, with the
// origin of each value in a comment. Values of secrets stay in their files and variables. Reads no file.
import { type Config, readConfig } from '../config/config.ts';
import { fromFirst } from '../config/file-values.ts';
import type { Place } from '../config/range.ts';
import { coreValue, makeReading, REPLICA, SECRET } from '../config/reading.ts';
import { type ListNode, type MapNode, type Node, type ScalarNode, type Source, toPlace } from '../config/tree.ts';
import { dirname, isAbsolute, join, pathFrom } from '../paths.ts';
import { hidePasswords, isSecretName } from '../plan/secrets.ts';
import { printable } from '../text.ts';
import { writeEntry, writeKey, writeScalar } from './yaml-values.ts';

/** A text of services.yaml, and the origin of each of its lines; null: the line is from no file. */
export interface ResolvedText {
  readonly text: string;
  readonly places: readonly (Place | null)[];
}

export interface ResolvedInput {
  /** The tree that `config` was read from. */
  readonly root: Node;
  readonly config: Config;
  readonly environment: Readonly<Record<string, string>>;
  /**
   * `values`: variables are replaced, except those whose names suggest a secret, and paths are absolute. `references`: variables
   * are kept, and paths start at the folder of the first file.
   */
  readonly how: 'values' | 'references';
}

/** What stays the same while one text is printed. */
interface Printing {
  readonly source: Source;
  /**
   * Scalars with variables, and their texts with the variables replaced. `value`: the text is read as YAML reads a plain scalar.
   */
  readonly filled: ReadonlyMap<Node, { readonly text: string; readonly as: 'text' | 'value' }>;
  /** Scalars that are paths. */
  readonly paths: ReadonlySet<Node>;
  readonly how: ResolvedInput['how'];
}

interface ResolvedLine {
  readonly text: string;
  /** The node that the line shows; null: a value from no file. */
  readonly node: Node | null;
  /** Whether a value begins on the line, which then names its origin. */
  readonly isValue: boolean;
}

const valueLine = (text: string, node: Node | null): ResolvedLine => ({ text, node, isValue: true });
const otherLine = (text: string, node: Node): ResolvedLine => ({ text, node, isValue: false });

/** A list is written on one line if it has at most this many characters. */
const WIDTH = 100;

/** The whole configuration. `name` is written even if the name of the folder is the same, so that the text can be moved. */
export function writeResolved({ root, config, environment, how }: ResolvedInput, name: string): ResolvedText {
  const { source } = config;
  if (root.kind !== 'map') throw new Error('a configuration is a map');
  // The schema stops at an unset variable, and would not report all paths.
  const { paths } = observe(root, source, { ...standIns(source), ...environment });
  const { filled } = observe(root, source, environment);
  const printing: Printing = { source, how, filled, paths };
  const entries = new Map(root.entries);
  entries.delete('include');
  const lines = writeMap({ ...root, entries }, '', printing);
  if (!entries.has('name')) lines.unshift(valueLine(`name: ${writeScalar(name)}`, null));
  const folder = dirname(source.file);
  const places = lines.map(({ node }) => (node === null ? null : toPlace(source, node)));
  const text = lines.map((line, index) => {
    const origin = describePlace(places[index] ?? null, folder);
    return line.isValue ? `${line.text}  # ${printable(origin)}\n` : `${line.text}\n`;
  });
  return { text: text.join(''), places };
}

function describePlace(place: Place | null, folder: string): string {
  return place === null ? "the file's folder" : `${pathFrom(folder, place.file)}:${place.range.line}`;
}

/** Reads the tree by the schema, and returns which scalars have variables and which are paths. */
function observe(root: Node, source: Source, environment: Readonly<Record<string, string>>) {
  const filled = new Map<Node, { text: string; as: 'text' | 'value' }>();
  const paths = new Set<Node>();
  const observer = {
    filled: (node: ScalarNode, text: string, as: 'text' | 'value') => void filled.set(node, { text, as }),
    path: (node: Node) => void paths.add(node),
  };
  readConfig(root, { ...makeReading(source, environment, []), observer });
  return { filled, paths };
}

/** An arbitrary value for each variable that the text names. */
function standIns({ text }: Source): Readonly<Record<string, string>> {
  return Object.fromEntries([...text.matchAll(/\$\{([A-Za-z_]\w*)/g)].map(([, variable = '']) => [variable, '1']));
}

function writeMap({ entries }: MapNode, pad: string, printing: Printing): ResolvedLine[] {
  return [...entries.values()].flatMap(({ key, node }) => writePair(key, node, pad, printing));
}

function writePair(key: string, node: Node, pad: string, printing: Printing): ResolvedLine[] {
  const head = `${pad}${writeKey(key)}:`;
  if (node.kind === 'scalar') {
    const { text, isText } = resolveScalar(node, key, printing);
    if (!isText || !text.includes('\n')) return [valueLine(`${head} ${isText ? writeScalar(text) : text}`, node)];
    return writeEntry([key], text, pad.length).map((line, at) => ({ text: line.text, node, isValue: at === 0 }));
  }
  if (node.kind === 'map') {
    if (node.entries.size === 0) return [valueLine(`${head} {}`, node)];
    return [otherLine(head, node), ...writeMap(node, `${pad}  `, printing)];
  }
  const line = writeOnOneLine(node, printing);
  if (line !== null) return [valueLine(`${head} ${line}`, node.items[0] ?? node)];
  return [otherLine(head, node), ...node.items.flatMap((item) => writeItem(item, `${pad}  `, printing))];
}

function writeItem(item: Node, pad: string, printing: Printing): ResolvedLine[] {
  if (item.kind !== 'map' || item.entries.size === 0)
    return [valueLine(`${pad}- ${writeFlow(item, printing, false)}`, item)];
  const lines = writeMap(item, `${pad}  `, printing);
  return lines.map((line, at) => (at === 0 ? { ...line, text: `${pad}- ${line.text.trimStart()}` } : line));
}

/** A list on one line; null: it is too long, has other items than scalars, or has items of several files. */
function writeOnOneLine(list: ListNode, printing: Printing): string | null {
  const files = new Set(list.items.map((item) => toPlace(printing.source, item).file));
  if (files.size > 1 || list.items.some(({ kind }) => kind !== 'scalar')) return null;
  const line = writeFlow(list, printing);
  return line.length > WIDTH ? null : line;
}

/** A value on one line. `isInside`: whether it is within `[]` or `{}`, where more characters need quotes. */
function writeFlow(node: Node, printing: Printing, isInside = true, key: string | null = null): string {
  if (node.kind === 'list') return `[${node.items.map((item) => writeFlow(item, printing)).join(', ')}]`;
  if (node.kind === 'map') {
    const pairs = [...node.entries.values()].map(
      (entry) => `${writeKey(entry.key)}: ${writeFlow(entry.node, printing, true, entry.key)}`,
    );
    return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
  }
  const { text, isText } = resolveScalar(node, key, printing);
  return isText ? writeScalar(text, isInside) : text;
}

/** The text of a scalar, and whether it must be read as a text. `key`: that of the scalar in its map. */
function resolveScalar(
  node: ScalarNode,
  key: string | null,
  { source, filled, paths, how }: Printing,
): { text: string; isText: boolean } {
  const placed = (path: string): string => (paths.has(node) ? placePath(path, node, source, how) : path);
  const found = filled.get(node);
  // A secret, and the number of a replica, are known later.
  const isKept = how === 'references' || isSecret(node, key, found?.text ?? '') || node.text.includes(REPLICA);
  if (found === undefined || isKept) {
    if (typeof node.value === 'string') return { text: placed(node.value), isText: true };
    return { text: node.value === null ? 'null' : node.text, isText: false };
  }
  const text = placed(found.text);
  // A text that YAML reads as null stays a text: a field takes it as one from a variable, and no field takes null.
  const value = found.as === 'text' ? text : coreValue(text);
  return { text: text.replaceAll('${', () => '$${'), isText: typeof value !== 'number' && typeof value !== 'boolean' };
}

/** The path, relative to the place where the text will be read. A path that begins with a variable counts as absolute. */
function placePath(path: string, node: Node, source: Source, how: Printing['how']): string {
  if (isAbsolute(path) || path.startsWith('${')) return path;
  const own = fromFirst(path, node, source);
  return how === 'values' && !isAbsolute(own) ? join(dirname(source.file), own) : own;
}

/** Whether the variables of a scalar are probably secret: by their names, by its key, or by the text that they make. */
function isSecret(node: ScalarNode, key: string | null, text: string): boolean {
  return SECRET.test(node.text) || (key !== null && isSecretName(key)) || hidePasswords(text) !== text;
}
