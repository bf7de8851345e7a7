// The references to variables in services.yaml, as an export treats them: a default replaces its reference, except where the
// output (Compose) has references of the same form; a variable without a default keeps its reference. Never reads the environment
// of the exporting machine, so that the output depends on the file only and contains none of that machine's secrets.
import { REPLICA } from '../../config/reading.ts';
import type { Node, PathStep, ScalarNode } from '../../config/tree.ts';

/** One reference in a value that `up` interpolates. */
export interface Reference {
  readonly name: string;
  /** As it is written: `${PORT:-8000}`. */
  readonly written: string;
  /** null: neither `:-` nor `:+`, so that the variable has to be set. */
  readonly fallback: string | null;
  /** Where the value stands in the file. */
  readonly path: readonly PathStep[];
}

/** The beginning of a reference, up to its operator or its end. */
const HEAD = /^\$\{([A-Za-z_]\w*)(:[-+?]|(?=\}))/;
/** The longest beginning that is searched for. */
const HEAD_MOST = 260;

/** Fields whose text form is left to a shell. */
const SHELL: ReadonlySet<string> = new Set([
  'command',
  'exec',
  'before_start',
  'after_ready',
  'before_stop',
  'after_exit',
]);

/** All references below a node, in the order of the file. References in texts for a shell are not included. */
export function findReferences(node: Node, path: readonly PathStep[] = []): readonly Reference[] {
  if (node.kind === 'map')
    return [...node.entries.values()].flatMap((entry) => findReferences(entry.node, [...path, entry.key]));
  if (node.kind === 'list') return node.items.flatMap((item, index) => findReferences(item, [...path, index]));
  return SHELL.has(String(path.at(-1))) || typeof node.value !== 'string' ? [] : ofScalar(node, path);
}

function ofScalar({ text }: ScalarNode, path: readonly PathStep[]): readonly Reference[] {
  return outermost(text).flatMap(({ written, name, operator, rest }) => {
    if (name === REPLICA) return [];
    const nested = operator === ':-' || operator === ':+' ? ofText(rest, path) : [];
    const fallback = operator === ':-' ? rest : operator === ':+' ? '' : null;
    return [{ name, written, fallback, path }, ...nested];
  });
}

interface Match {
  readonly written: string;
  readonly name: string;
  readonly operator: string;
  /** The text behind the operator, which may contain references. */
  readonly rest: string;
}

/** The references of a text that are in no other reference, by the rules of config/interpolate.ts. */
function outermost(text: string): readonly Match[] {
  const found: Match[] = [];
  for (let at = text.indexOf('${'), next = 0; at >= 0; at = text.indexOf('${', next)) {
    const [head = '', name = '', operator = ''] =
      text[at - 1] === '$' ? [] : (HEAD.exec(text.slice(at, at + HEAD_MOST)) ?? []);
    const end = head === '' ? -1 : closingOf(text, at + head.length);
    next = end < 0 ? at + '${'.length : end + 1;
    if (end >= 0)
      found.push({ written: text.slice(at, end + 1), name, operator, rest: text.slice(at + head.length, end) });
  }
  return found;
}

/** The index of the brace that closes the reference whose text begins at `from`; -1: there is none. */
function closingOf(text: string, from: number): number {
  const brace = /[{}]/g;
  brace.lastIndex = from;
  let depth = 1;
  for (let found = brace.exec(text); found !== null; found = brace.exec(text)) {
    depth += found[0] === '{' ? 1 : -1;
    if (depth === 0) return found.index;
  }
  return -1;
}

function ofText(text: string, path: readonly PathStep[]): readonly Reference[] {
  return text.includes('${')
    ? ofScalar({ kind: 'scalar', value: text, text, plain: true, start: 0, end: 0 }, path)
    : [];
}

/** What stands in the output for a variable that has no default: the reference itself. */
export const placeholder = (name: string): string => `\${${name}}`;

/** What stands for a reference in a value until the output is written: characters that no text has (private use). */
export const mark = (name: string): string => `\uE000${name}\uE001`;

/** Replaces the marks in a text. */
export function replaceMarks(text: string, reference: (name: string) => string): string {
  return text.replaceAll(/\uE000(\w+)\uE001/g, (_mark, name: string) => reference(name));
}

/** The names of the variables that must be set, each once. */
export function requiredNames(references: readonly Reference[]): readonly string[] {
  return [...new Set(references.flatMap(({ name, fallback }) => (fallback === null ? [name] : [])))];
}

/** Fields in which a reference may stand as it is, because nothing reads a part of their texts. */
const FREE: ReadonlySet<string> = new Set(['env', 'command', 'cwd']);

/**
 * The references that an output with variables of the same form (Compose) can keep, by name: those with one default that contains
 * no reference and no brace, and only in texts that nothing else reads.
 */
export function keptReferences(references: readonly Reference[]): ReadonlyMap<string, string> {
  const kept = new Map<string, string>();
  const refused = new Set<string>();
  for (const { name, written, fallback, path } of references) {
    const [first, , third] = path.map(String);
    const field = first === 'services' ? third : first;
    const isPlain = fallback !== null && !/[${}]/.test(fallback) && written.startsWith(`\${${name}:-`);
    const isSame = (kept.get(name) ?? written) === written;
    if (isPlain && isSame && FREE.has(field ?? '')) kept.set(name, written);
    else refused.add(name);
  }
  for (const name of refused) kept.delete(name);
  return kept;
}

/** Values that a field may accept where it refuses the placeholder: a number, a boolean, a duration, a size. */
export const STAND_INS = ['1', '1s', '1MiB'] as const;
