// YAML and JSON sources as trees with positions, and maps that record which keys were read, so that the others can be reported.
// Knows no format.
import { type Diagnostic, sortDiagnostics } from '../config/diagnostic.ts';
import { parseTree } from '../config/parse.ts';
import { makeReading } from '../config/reading.ts';
import type { MapEntry, MapNode, Node, ScalarNode, Source, Span } from '../config/tree.ts';
import type { Where } from './findings.ts';
import { readBoolean } from './quantities.ts';
import { sourceOf, whereIn } from './source-text.ts';

export type YamlRead =
  | { readonly ok: true; readonly root: Node; readonly source: Source }
  | { readonly ok: false; readonly where: Where; readonly message: string; readonly code: string };

/** A text of YAML 1.2, which JSON is too, as a tree; aliases and merge keys are resolved. `root` is null where it is no YAML. */
export function parseYaml(file: { readonly path: string; readonly text: string }): {
  readonly root: Node | null;
  readonly source: Source;
  readonly diagnostics: readonly Diagnostic[];
} {
  const source = sourceOf(file);
  const diagnostics: Diagnostic[] = [];
  const root = parseTree(source.text, makeReading(source, {}, diagnostics));
  return { root, source, diagnostics: sortDiagnostics(diagnostics) };
}

/** The same, failing at the first mistake. */
export function readYaml(file: { readonly path: string; readonly text: string }): YamlRead {
  const { root, source, diagnostics } = parseYaml(file);
  const [first] = diagnostics;
  if (root !== null && first === undefined) return { ok: true, root, source };
  return { ok: false, ...failureOf(file.path, first) };
}

/** The first mistake of a file as an import reports it. */
export function failureOf(file: string, first: Diagnostic | undefined): Omit<Extract<YamlRead, { ok: false }>, 'ok'> {
  const where = { file, line: first?.range.line ?? 1, column: first?.range.column ?? 1 };
  return { where, message: first?.message ?? 'the file is empty', code: first?.code ?? 'empty-file' };
}

/** A map of a source file, of which keys are taken. A node that is no map is an empty one. */
export class Section {
  readonly source: Source;
  readonly node: Node | undefined;
  readonly #entries: ReadonlyMap<string, MapEntry>;
  readonly #taken = new Set<string>();

  constructor(node: Node | undefined, source: Source) {
    this.source = source;
    this.node = node;
    this.#entries = node?.kind === 'map' ? node.entries : new Map();
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  keys(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** The value of a key, which then counts as taken. */
  take(key: string): Node | undefined {
    this.#taken.add(key);
    return this.peek(key);
  }

  /** The value of a key, which does not count as taken. */
  peek(key: string): Node | undefined {
    return this.#entries.get(key)?.node;
  }

  /** The value of a key that has a scalar, as it is written; undefined for none, and for null. The key counts as taken. */
  text(key: string): string | undefined {
    return textOf(this.take(key));
  }

  section(key: string): Section {
    return new Section(this.take(key), this.source);
  }

  /** The sections of a list of maps. */
  sections(key: string): readonly Section[] {
    return itemsOf(this.take(key)).map((node) => new Section(node, this.source));
  }

  /** Another map in the place of this one, of which the same keys are taken. */
  with(node: Node): Section {
    const section = new Section(node, this.source);
    for (const key of this.#taken) section.take(key);
    return section;
  }

  /** Where a key is written, or else the map. */
  where(key?: string): Where {
    const span: Span = (key === undefined ? undefined : this.#entries.get(key)?.keySpan) ??
      this.node ?? { start: 0, end: 0 };
    return whereIn(this.source, span);
  }

  /** Keys that have not been taken. */
  rest(): readonly MapEntry[] {
    return [...this.#entries.values()].filter(({ key }) => !this.#taken.has(key));
  }
}

/** A scalar as it is written; undefined for null and for what is no scalar. */
export function textOf(node: Node | undefined): string | undefined {
  return node?.kind === 'scalar' && node.value !== null ? node.text : undefined;
}

/** `true y yes on 1`, `false n no off 0` in any case, as Compose takes them; undefined for anything else. */
export function switchOf(node: Node | undefined): boolean | undefined {
  const text = textOf(node) ?? '';
  if (/^[yn]$/i.test(text)) return text.toLowerCase() === 'y';
  return readBoolean(text) ?? undefined;
}

/** The items of a list; a single value is a list of one; nothing is an empty list. */
export function itemsOf(node: Node | undefined): readonly Node[] {
  if (node === undefined || (node.kind === 'scalar' && node.value === null)) return [];
  return node.kind === 'list' ? node.items : [node];
}

/** The scalars of a list as they are written. */
export function textsOf(node: Node | undefined): readonly string[] {
  return itemsOf(node).flatMap((one) => textOf(one) ?? []);
}

/** The entries of a map; none for anything else. */
export function entriesOf(node: Node | undefined): readonly MapEntry[] {
  return node?.kind === 'map' ? [...node.entries.values()] : [];
}

/**
 * A scalar as the readers of YAML in Go and Python turn it into a text: numbers lose underscores, leading and trailing zeros
 * (`1.10` is `1.1`, `010` is 8).
 */
export function printedOf(node: ScalarNode): string {
  const { text, plain, value } = node;
  if (!plain || typeof value === 'boolean') return text;
  if (/^[-+]?0[0-7]+$/.test(text)) return String(Number.parseInt(text, 8));
  if (/^[-+]?\d[\d_]*$/.test(text)) return String(BigInt(text.replaceAll('_', '').replace('+', '')));
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : text;
}

/** A value as one line, for findings: maps and lists in flow form. */
export function briefOf(node: Node | undefined): string {
  if (node === undefined) return '';
  if (node.kind === 'scalar') return node.text;
  if (node.kind === 'list') return `[${node.items.map(briefOf).join(', ')}]`;
  return `{${[...node.entries.values()].map((one) => `${one.key}: ${briefOf(one.node)}`).join(', ')}}`;
}

/** A map node with these entries at the place of `at`. */
export function mapNode(entries: readonly MapEntry[], at: Span): MapNode {
  return { kind: 'map', entries: new Map(entries.map((entry) => [entry.key, entry])), start: at.start, end: at.end };
}
