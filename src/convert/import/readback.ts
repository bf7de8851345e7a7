// Reads a generated services.yaml with the code of `check`, so that no import prints what `up` refuses. Anything outside
// the file (variables, users, environment files, virtual environments, GPUs) is not on the importing machine and is
// left out. A field, or an entry of it, that is refused is removed from the draft and reported.
import type { Diagnostic } from '../../config/diagnostic.ts';
import type { FileReader } from '../../config/file.ts';
import { loadPlan } from '../../plan/expand.ts';
import { type FileDraft, type WrittenServices, writeServicesYaml } from '../services-yaml.ts';
import { isMap, pairsOf, type Value, type ValueMap, writeKey } from '../yaml-values.ts';
import type { Report } from './source.ts';

/** Codes of complaints about what is outside the file. */
const OUTSIDE: ReadonlySet<string> = new Set([
  'unset-variable',
  'file-missing',
  'file-unreadable',
  'not-utf8',
  'unknown-user',
  'no-venv',
]);

/** An attempt removes all fields that are complained of; what is left is seldom refused again, for another reason. */
const ATTEMPTS = 12;
const PATH = '/services.yaml';

/** The complaints about a text of services.yaml that do not depend on the machine; `[]`: `up` accepts the file. */
export function findRefusals(text: string): readonly Diagnostic[] {
  const bytes = new TextEncoder().encode(text);
  const files: FileReader = {
    read(path) {
      if (path === PATH) return bytes;
      throw Object.assign(new Error('not looked at'), { code: 'ENOENT' });
    },
    stat: (path) => (path === PATH ? { size: bytes.length, isDirectory: false, isFile: true } : null),
    list: () => null,
  };
  const loaded = loadPlan({ path: PATH, files, environment: {} });
  if (loaded.ok) return [];
  const isSwitched = /^ +(?:enabled: .*\$\{|profiles: )/m.test(text);
  const isNothing = ({ code }: Diagnostic) => code === 'nothing-enabled' || code === 'nothing-starts';
  const lines = text.split('\n');
  // A program that a variable names is empty where the variable is not set.
  const isOpen = ({ code, range }: Diagnostic) =>
    code === 'empty-value' && (lines[range.line - 1] ?? '').includes(`\${`);
  return loaded.error.diagnostics.filter((one) => {
    const isOutside = OUTSIDE.has(one.code) || isOpen(one) || (isNothing(one) && isSwitched);
    return one.severity === 'error' && !isOutside;
  });
}

/**
 * Prints a draft that `up` accepts. Fields that it would refuse are removed and reported as `needs a look`. null: what is
 * left is still refused, which `problems` explains: there is at least one.
 */
export function writeAccepted(
  draft: FileDraft,
  report: Report,
): { readonly text: string | null; readonly problems: readonly Diagnostic[] } {
  let problems: readonly Diagnostic[] = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const written = writeServicesYaml(draft);
    problems = findRefusals(written.text);
    if (problems.length === 0) return { text: written.text, problems };
    if (!repair(draft, written, problems, report)) break;
  }
  return { text: null, problems };
}

/** Removes what is complained of; false if nothing could be removed. */
function repair(
  draft: FileDraft,
  { text, paths }: WrittenServices,
  problems: readonly Diagnostic[],
  report: Report,
): boolean {
  const removed = new Set<string>();
  const lines = text.split('\n');
  for (const { range, message, suggestion } of problems) {
    const path = paths[range.line - 1] ?? [];
    const place = { line: lines[range.line - 1] ?? '', column: range.column };
    const key = JSON.stringify([path, place.column]);
    if (removed.has(key)) continue;
    const gone = remove(draft, path, place);
    if (gone === null) continue;
    removed.add(key);
    const service = path[0] === 'services' ? ` of ${path[1]}` : '';
    report.look(
      null,
      `\`${gone}\`${service}`,
      `it is left out, since svc-super refuses it: ${message}`,
      suggestion ?? null,
    );
  }
  return removed.size > 0;
}

const NO_COMMAND = '`up` refuses the command of the source (see the report): write its `command` here';

/** Where a complaint is. The entries of a map in flow form have no lines of their own. */
interface LinePlace {
  readonly line: string;
  /** From 1. */
  readonly column: number;
}

/** Removes the entry at a path from the draft; returns what it was called, null if there is none to remove. */
function remove(draft: FileDraft, path: readonly string[], place: LinePlace): string | null {
  const [first = '', name, field, inner] = path;
  if (first !== 'services') {
    if (draft.top[first] === undefined) return null;
    return removeFrom(draft.top, first, name, place);
  }
  const service = draft.services.find((one) => one.name === name);
  if (service === undefined || field === undefined) return null;
  if (field === 'command') {
    // An earlier complaint, of another word of it, has removed it.
    if (service.todo.includes(NO_COMMAND)) return null;
    service.todo.push(NO_COMMAND);
    service.fields.command = ['false'];
    return 'command';
  }
  return service.fields[field] === undefined ? null : removeFrom(service.fields, field, inner, place);
}

/** Maps of which each entry makes sense without the others. */
const BY_ENTRY: ReadonlySet<string> = new Set(['env', 'limits', 'hooks', 'stop']);

/** Removes one entry of a map that allows it, or else the whole field. */
function removeFrom(
  fields: Record<string, Value | undefined>,
  field: string,
  inner: string | undefined,
  place: LinePlace,
): string | null {
  const value = fields[field];
  if (BY_ENTRY.has(field) && value !== undefined && isMap(value)) {
    const key = inner ?? keyAt(value, place);
    if (key !== undefined) {
      // An earlier complaint has removed it.
      if (value[key] === undefined) return null;
      const { [key]: _, ...rest } = value;
      fields[field] = pairsOf(rest).length > 0 ? rest : undefined;
      return `${field}.${key}`;
    }
  }
  fields[field] = undefined;
  return field;
}

/** The key of a map in flow form that stands at the place or last before it; undefined: the place is the whole map. */
function keyAt(map: ValueMap, { line, column }: LinePlace): string | undefined {
  const starts = pairsOf(map).map(([key]) => ({ key, at: line.lastIndexOf(` ${writeKey(key)}:`, column - 2) }));
  return starts.filter(({ at }) => at > line.indexOf('{')).sort((one, other) => other.at - one.at)[0]?.key;
}
