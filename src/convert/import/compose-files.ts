// The services of a Compose file with those of the files that it includes, each with what it extends. Reads no file but through
// its input. https://github.com/compose-spec/compose-spec/blob/main/05-services.md#extends, 14-include.md
import type { MapEntry, MapNode, Node, Source } from '../../config/tree.ts';
import { dirname, isAbsolute, join } from '../../paths.ts';
import type { Where } from '../findings.ts';
import { whereIn } from '../source-text.ts';
import { meaningOf } from '../words.ts';
import { briefOf, itemsOf, mapNode, readYaml, Section, textOf, textsOf } from '../yaml-source.ts';
import type { ImportInput, Report } from './source.ts';

/** A service as the file has it, everything that it extends merged in. */
export interface ComposeEntry {
  readonly key: string;
  readonly section: Section;
}

export interface ComposeFiles {
  readonly services: readonly ComposeEntry[];
  /** The keys of the file itself, without `services` and `include`. */
  readonly top: Section;
  /** Those of the files that it includes. */
  readonly included: readonly Section[];
}

export type ComposeFilesRead =
  | { readonly ok: true; readonly value: ComposeFiles }
  | { readonly ok: false; readonly where: Where | null; readonly message: string };
type Failed = Extract<ComposeFilesRead, { ok: false }>;

/** More than any chain of `extends` or `include` has. */
const MAX_DEPTH = 10;
const TOO_DEEP = `files or services refer to each other more than ${MAX_DEPTH} times, or in a circle`;

/** Keys whose lists are added to those of the extended service, a scalar as a list of one; other lists and scalars replace them. */
const ADDED: ReadonlySet<string> = new Set(
  'ports expose volumes secrets configs dns dns_search tmpfs cap_add cap_drop devices env_file security_opt profiles'.split(
    ' ',
  ),
);

const INCLUDE_LOST: Readonly<Record<string, string>> = {
  project_directory: 'paths in the included file are relative to its own folder here',
  env_file: 'svc-super takes variables from the environment of the container alone',
};

interface File {
  readonly path: string;
  readonly text: string;
}

/** One import while its files are read. */
interface Files {
  readonly input: ImportInput;
  readonly report: Report;
  /** The top levels of the files that are included. */
  readonly included: Section[];
}

/**
 * Reads a file and all it needs, and merges the files after it into it, as `docker compose -f A -f B` does. Fails where a file is
 * no YAML, on `!reset` and `!override`, and where `services` is not a map.
 */
export function readComposeFiles(input: ImportInput, report: Report): ComposeFilesRead {
  const services = new Map<string, ComposeEntry>();
  const included: Section[] = [];
  const read = addMerged([input, ...input.more], services, { input, report, included }, 0);
  return 'top' in read ? { ok: true, value: { services: [...services.values()], top: read.top, included } } : read;
}

/** Adds the services of the first file, into which those of the others are merged. */
function addMerged(
  [first, ...more]: readonly [File, ...File[]],
  into: Map<string, ComposeEntry>,
  files: Files,
  depth: number,
): { readonly top: Section } | Failed {
  const services = new Map<string, ComposeEntry>();
  const read = addFile(first, services, files, depth);
  if (!('top' in read)) return read;
  let { top } = read;
  for (const file of more) {
    const own = new Map<string, ComposeEntry>();
    const added = addFile(file, own, files, depth);
    if (!('top' in added)) return added;
    const what = 'its values are merged in; reports about them show the position of the service in the first file';
    files.report.once(`merge ${file.path}`, added.top.where(), file.path, what);
    top = mergeSections(top, added.top);
    for (const [key, { section }] of own) {
      const before = services.get(key);
      services.set(key, { key, section: before === undefined ? section : mergeSections(before.section, section) });
    }
  }
  for (const entry of services.values()) add(entry, into, files.report);
  return { top };
}

/** Adds a service to those that the same file has or includes. Compose refuses two of one name that differ. */
function add(entry: ComposeEntry, into: Map<string, ComposeEntry>, report: Report): void {
  const { key, section } = entry;
  const other = into.get(key);
  if (other !== undefined && briefOf(other.section.node) !== briefOf(section.node)) {
    const { file, line } = other.section.where();
    const why = `${file}:${line} has another service of this name, and Compose refuses that`;
    report.look(section.where(), `service ${key}`, why, 'the other one is left out: rename one of them');
  }
  into.set(key, entry);
}

/** The values of a section and those of a later file, at the positions of the first. */
function mergeSections(first: Section, later: Section): Section {
  const [base, own] = [first.node, later.node];
  if (own?.kind !== 'map') return first;
  if (base?.kind !== 'map') return later;
  return first.with(merge(base, relocate(own, base)));
}

function addFile(
  file: File,
  into: Map<string, ComposeEntry>,
  files: Files,
  depth: number,
): { readonly top: Section } | Failed {
  const { input, report } = files;
  const read = readYaml(file);
  if (!read.ok) {
    const isTag = read.code === 'unsupported-tag';
    const message = isTag
      ? 'tags such as `!reset` are not supported: import what `docker compose config` prints, which has none'
      : read.message;
    return { ok: false, where: read.where, message };
  }
  const top = new Section(read.root, read.source);
  for (const node of itemsOf(top.take('include'))) {
    const failure = include(node, read.source, into, files, depth);
    if (failure !== null) return failure;
  }
  const services = top.take('services');
  if (services !== undefined && services.kind !== 'map')
    return { ok: false, where: top.where('services'), message: '`services` is not a map' };
  for (const { key, node } of services?.kind === 'map' ? services.entries.values() : []) {
    if (node.kind !== 'map') {
      report.look(whereIn(read.source, node), `service ${key}`, 'it is not a map', 'it is left out');
      continue;
    }
    const merged = extend(node, { input, services, source: read.source, report }, 0);
    add({ key, section: new Section(merged, read.source) }, into, report);
  }
  return { top };
}

/** Adds the services of an item of `include`: those of one file, or of several that are merged. Returns a failure. */
function include(
  node: Node,
  source: Source,
  into: Map<string, ComposeEntry>,
  files: Files,
  depth: number,
): Failed | null {
  const { input, report, included } = files;
  const item = node.kind === 'map' ? new Section(node, source) : null;
  const found: File[] = [];
  for (const name of textsOf(item === null ? node : item.take('path'))) {
    const path = isAbsolute(name) ? name : join(dirname(source.file), name);
    const text = depth < MAX_DEPTH ? input.read(path) : null;
    const why = depth < MAX_DEPTH ? 'the file cannot be read' : TOO_DEEP;
    if (text !== null) found.push({ path, text });
    else
      report.look(whereIn(source, node), `include ${name}`, why, depth < MAX_DEPTH ? 'import again where it is' : null);
  }
  for (const { key, node: value } of item?.rest() ?? []) {
    const why = meaningOf(INCLUDE_LOST, key) ?? 'Compose has no such key';
    report.lost(whereIn(source, value), `include.${key}: ${briefOf(value)}`, why);
  }
  const [first, ...more] = found;
  if (first === undefined) return null;
  const read = addMerged([first, ...more], into, files, depth + 1);
  if (!('top' in read)) return read;
  included.push(read.top);
  return null;
}

interface Around {
  readonly input: ImportInput;
  readonly services: MapNode | undefined;
  readonly source: Source;
  readonly report: Report;
}

/** The service with what it extends; the key `extends` is gone. */
function extend(node: MapNode, around: Around, depth: number): MapNode {
  const found = node.entries.get('extends');
  if (found === undefined) return node;
  const own = mapNode(
    [...node.entries.values()].filter(({ key }) => key !== 'extends'),
    node,
  );
  const where = whereIn(around.source, found.keySpan);
  const reference = found.node.kind === 'map' ? new Section(found.node, around.source) : null;
  const name = reference?.text('service') ?? textOf(found.node) ?? '';
  const file = reference?.text('file');
  const base = depth >= MAX_DEPTH ? TOO_DEEP : file === undefined ? around : openBase(around, file);
  const target = typeof base === 'string' ? undefined : base.services?.entries.get(name)?.node;
  if (typeof base === 'string' || target?.kind !== 'map') {
    const what = `extends ${file === undefined ? '' : `${file} `}${name}`;
    around.report.look(where, what, typeof base === 'string' ? base : 'there is no such service', 'it is left out');
    return own;
  }
  if (file !== undefined)
    around.report.once(
      `extends ${file}`,
      where,
      `extends ${file}`,
      'its services are merged in; reports about them show the position of this service',
    );
  return merge(relocate(extend(target, base, depth + 1), file === undefined ? null : node), own);
}

/** The services of another file, or why there are none. */
function openBase(around: Around, file: string): Around | string {
  const path = isAbsolute(file) ? file : join(dirname(around.source.file), file);
  const text = around.input.read(path);
  if (text === null) return 'the file cannot be read';
  const read = readYaml({ path, text });
  if (!read.ok) return `the file is not valid: ${read.message}`;
  const services = new Section(read.root, read.source).take('services');
  return { ...around, services: services?.kind === 'map' ? services : undefined, source: read.source };
}

/** The same tree; all its nodes get the position of another node, which is in the file that findings name. */
function relocate<T extends Node>(node: T, at: Node | null): T {
  if (at === null) return node;
  const place = { start: at.start, end: at.start };
  if (node.kind === 'list') return { ...node, ...place, items: node.items.map((item) => relocate(item, at)) };
  if (node.kind !== 'map') return { ...node, ...place };
  const entries = [...node.entries.values()].map(
    (one): MapEntry => ({ ...one, keySpan: place, node: relocate(one.node, at) }),
  );
  return { ...mapNode(entries, place), start: place.start, end: place.end } as T;
}

/** Compose's merge of a service with the one that it extends. */
function merge(base: MapNode, own: MapNode): MapNode {
  const entries = new Map(base.entries);
  for (const [key, entry] of own.entries) {
    const earlier = base.entries.get(key);
    entries.set(key, earlier === undefined ? entry : { ...entry, node: mergeValue(key, earlier.node, entry.node) });
  }
  return { ...own, entries };
}

function mergeValue(key: string, base: Node, own: Node): Node {
  if (base.kind === 'map' && own.kind === 'map') return merge(base, own);
  if (key === 'environment') return mergeEnvironment(base, own);
  if (key === 'depends_on') return mergeDependencies(base, own);
  if (key === 'volumes' && base.kind === 'list' && own.kind === 'list') {
    const targets = new Set(own.items.map(targetOf));
    return { ...own, items: [...base.items.filter((item) => !targets.has(targetOf(item))), ...own.items] };
  }
  if (!ADDED.has(key)) return own;
  return { kind: 'list', items: [...itemsOf(base), ...itemsOf(own)], start: own.start, end: own.end };
}

/** Where a volume is mounted: the later of two with one target counts. */
function targetOf(volume: Node): string {
  if (volume.kind === 'map') return textOf(volume.entries.get('target')?.node) ?? '';
  const [source = '', target = source] = (textOf(volume) ?? '').split(':');
  return target;
}

/** Lists of names and maps of conditions, as a map. */
function mergeDependencies(base: Node, own: Node): Node {
  const toMap = (node: Node): MapNode => {
    if (node.kind === 'map') return node;
    const entries = itemsOf(node).map((item): MapEntry => {
      const { start, end } = item;
      const word = 'service_started';
      const value: Node = { kind: 'scalar', value: word, text: word, plain: true, start, end };
      const condition: MapEntry = { key: 'condition', keySpan: { start, end }, node: value };
      return { key: textOf(item) ?? '', keySpan: { start, end }, node: mapNode([condition], item) };
    });
    return mapNode(entries, node);
  };
  return merge(toMap(base), toMap(own));
}

/** Lists and maps of variables, as a list in which the last one of a name counts. */
function mergeEnvironment(base: Node, own: Node): Node {
  const items = (node: Node): readonly Node[] =>
    node.kind === 'map'
      ? [...node.entries.values()].map(({ key, node: value }): Node => {
          const text = textOf(value);
          const line = text === undefined ? key : `${key}=${text}`;
          return { kind: 'scalar', value: line, text: line, plain: false, start: value.start, end: value.end };
        })
      : itemsOf(node);
  return { kind: 'list', items: [...items(base), ...items(own)], start: own.start, end: own.end };
}
