// Reads a generated services.yaml with the code of `check`, so that no import prints what `up` refuses. Anything outside
// the file (variables, users, environment files, virtual environments, GPUs) is not on the importing machine and is
// left out. A field that is refused is removed from the draft and reported.
import type { Diagnostic } from '../../config/diagnostic.ts';
import type { FileReader } from '../../config/file.ts';
import { loadPlan } from '../../plan/expand.ts';
import { type FileDraft, type WrittenServices, writeServicesYaml } from '../services-yaml.ts';
import type { Value } from '../yaml-values.ts';
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
 * left is still refused, which `problems` explains.
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
  { paths }: WrittenServices,
  problems: readonly Diagnostic[],
  report: Report,
): boolean {
  const removed = new Set<string>();
  for (const { range, message, suggestion } of problems) {
    const path = paths[range.line - 1] ?? [];
    const key = JSON.stringify(path);
    if (removed.has(key)) continue;
    const gone = remove(draft, path);
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

/** Removes the entry at a path from the draft; returns what it was called, null if there is none to remove. */
function remove(draft: FileDraft, path: readonly string[]): string | null {
  const [first = '', name, field, inner] = path;
  if (first !== 'services') {
    if (draft.top[first] === undefined) return null;
    return removeFrom(draft.top, first, name);
  }
  const service = draft.services.find((one) => one.name === name);
  if (service === undefined || field === undefined) return null;
  if (field === 'command') {
    service.todo.push('`up` refuses the command of the source (see the report): write its `command` here');
    service.fields.command = ['false'];
    return 'command';
  }
  return service.fields[field] === undefined ? null : removeFrom(service.fields, field, inner);
}

/** Removes one variable of `env`, or else the whole field. */
function removeFrom(fields: Record<string, Value | undefined>, field: string, inner: string | undefined): string {
  const value = fields[field];
  if (field === 'env' && inner !== undefined && typeof value === 'object') {
    const { [inner]: _, ...rest } = value as Readonly<Record<string, Value>>;
    fields[field] = Object.keys(rest).length > 0 ? rest : undefined;
    return `env.${inner}`;
  }
  fields[field] = undefined;
  return field;
}
