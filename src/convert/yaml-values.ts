// Values as YAML 1.2 text: scalars with quotes only where they need them, flow and block forms. The result, read as YAML, is
// the value again. Knows no field of services.yaml.
import { UNSAFE } from '../text.ts';

/** What a field of services.yaml can hold. An entry of a map that is undefined is not written. */
export type Value = string | number | boolean | readonly Value[] | ValueMap;
export interface ValueMap {
  readonly [key: string]: Value | undefined;
}

/** Columns that a line with a flow list or map may have. */
const WIDTH = 110;

export const isMap = (value: Value): value is ValueMap => typeof value === 'object' && !Array.isArray(value);

/** The entries of a map that are written. */
export function pairsOf(map: ValueMap): readonly (readonly [string, Value])[] {
  return Object.entries(map).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
}

/** Texts that some reader of YAML 1.1 or 1.2 takes for a boolean or null; for a number or a date. */
const WORDS = /^(?:true|false|yes|no|on|off|null|y|n|~)$/i;
const NUMBER = /^[-+]?\.?\d[\d_.,:eExobXOB+-]*[\da-fA-F]*$|^[-+]?\.(?:inf|nan)$/i;
/** What a plain scalar may begin with, and what it may not have in it; in flow form also that of IN_FLOW. */
const BEGINS = /^[\p{L}\p{N}_./$(\\^+-]/u;
const IN_BLOCK = /: |:$| #|\s$|^[-?:](?:\s|$)|^---|^\.\.\./;
const IN_FLOW = /[,[\]{}]/;

/** A key of a map. */
export function writeKey(key: string): string {
  return /^[A-Za-z_/][\w./-]*$/.test(key) && !WORDS.test(key) ? key : quoted(key);
}

/** A scalar on one line; `flow`: within `[]` or `{}`. */
export function writeScalar(value: string | number | boolean, flow = false): string {
  if (typeof value !== 'string') return String(value);
  const plain =
    BEGINS.test(value) &&
    !IN_BLOCK.test(value) &&
    !(flow && IN_FLOW.test(value)) &&
    !WORDS.test(value) &&
    !NUMBER.test(value) &&
    !hasUnsafe(value);
  return plain ? value : quoted(value);
}

/** Whether the text has a character that a file for people must not show as it is. */
const hasUnsafe = (text: string): boolean => text.search(UNSAFE) >= 0;

function quoted(text: string): string {
  if (text.includes('"') && !text.includes("'") && !hasUnsafe(text)) return `'${text}'`;
  return JSON.stringify(text).replace(UNSAFE, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A value in flow form; null where it is wider than `room` columns or has a text of several lines. */
function writeFlow(value: Value, room: number): string | null {
  const text = flow(value);
  return text === null || text.length > room ? null : text;
}

function flow(value: Value): string | null {
  if (typeof value === 'string' && isBlockText(value)) return null;
  if (typeof value !== 'object') return writeScalar(value, true);
  if (!isMap(value)) {
    const items = (value as readonly Value[]).map(flow);
    return items.includes(null) ? null : `[${items.join(', ')}]`;
  }
  const pairs = pairsOf(value).map(([key, one]) => {
    const text = flow(one);
    return text === null ? null : `${writeKey(key)}: ${text}`;
  });
  if (pairs.includes(null)) return null;
  return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
}

/** A text of several lines that a literal block shows as it is. */
function isBlockText(text: string): boolean {
  const lines = text.replace(/\n$/, '').split('\n');
  return (
    lines.length > 1 &&
    (lines[0] ?? '') !== '' &&
    !/^\s/.test(lines[0] ?? '') &&
    !lines.some(hasUnsafe) &&
    !lines.some((line) => line !== '' && line.trim() === '') &&
    !/\n\n$/.test(text)
  );
}

/** One line, and the path of the key that it belongs to. */
export interface Line {
  readonly text: string;
  readonly path: readonly string[];
}

/** How a map is written: in flow form if it fits, or always as a block. */
export type MapForm = 'flow' | 'block';

/** The lines of an entry of a map, with `indent` columns before them. A value in flow form stands on the line of its key. */
export function writeEntry(path: readonly string[], value: Value, indent: number, form: MapForm = 'flow'): Line[] {
  const pad = ' '.repeat(indent);
  const head = `${pad}${writeKey(path.at(-1) ?? '')}:`;
  const one = (text: string): Line => ({ text, path });
  if (typeof value === 'string' && isBlockText(value)) {
    const lines = value.replace(/\n$/, '').split('\n');
    const mark = value.endsWith('\n') ? '|' : '|-';
    return [one(`${head} ${mark}`), ...lines.map((line) => one(line === '' ? '' : `${pad}  ${line}`))];
  }
  if (typeof value !== 'object') return [one(`${head} ${writeScalar(value)}`)];
  const empty = isMap(value) ? pairsOf(value).length === 0 : (value as readonly Value[]).length === 0;
  // There is no other form of an empty map or list.
  const text = form === 'flow' || empty ? writeFlow(value, empty ? Infinity : WIDTH - head.length) : null;
  if (text !== null) return [one(`${head} ${text}`)];
  if (isMap(value)) {
    return [one(head), ...pairsOf(value).flatMap(([key, item]) => writeEntry([...path, key], item, indent + 2))];
  }
  return [one(head), ...(value as readonly Value[]).flatMap((item) => writeItem(path, item, indent + 2))];
}

/** The lines of an item of a list. */
function writeItem(path: readonly string[], item: Value, indent: number): Line[] {
  const pad = ' '.repeat(indent);
  if (typeof item === 'string' && isBlockText(item)) {
    const [, ...lines] = writeEntry([...path.slice(0, -1), 'x'], item, indent);
    return [
      { text: `${pad}- ${item.endsWith('\n') ? '|' : '|-'}`, path },
      ...lines.map(({ text }) => ({ text, path })),
    ];
  }
  if (typeof item !== 'object') return [{ text: `${pad}- ${writeScalar(item)}`, path }];
  const text = writeFlow(item, WIDTH - indent - 2);
  if (text !== null) return [{ text: `${pad}- ${text}`, path }];
  if (!isMap(item)) return [{ text: `${pad}- ${flow(item) ?? JSON.stringify(item)}`, path }];
  const lines = pairsOf(item).flatMap(([key, one]) => writeEntry([...path, key], one, indent + 2));
  return lines.map(({ text: line }, index) => ({ text: index === 0 ? `${pad}- ${line.trimStart()}` : line, path }));
}
