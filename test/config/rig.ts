// Loads texts as files, for the tests of config and plan. Uses no real file.
import { type Failure, type Result, render, renderDiagnostics } from '../../src/config/diagnostic.ts';
import type { FileReader } from '../../src/config/file.ts';
import { loadPlan, type Planned } from '../../src/plan/expand.ts';
import type { Inventory } from '../../src/plan/gpu-inventory.ts';
import type { Plan, ServicePlan } from '../../src/plan/plan.ts';

export const PATH = '/app/services.yaml';

/** Files in memory. Reading a value that is an Error throws it; `null` is a folder. */
export function memoryFiles(contents: Readonly<Record<string, string | Uint8Array | Error | null>>): FileReader {
  const find = (path: string) => (Object.hasOwn(contents, path) ? contents[path] : undefined);
  return {
    read(path) {
      const found = find(path);
      if (found === undefined || found === null) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      if (found instanceof Error) throw found;
      return typeof found === 'string' ? new TextEncoder().encode(found) : found;
    },
    stat(path) {
      const found = find(path);
      if (found === undefined) return null;
      const size = found === null || found instanceof Error ? 0 : found.length;
      return { size, isDirectory: found === null, isFile: found !== null };
    },
    list(folder) {
      const inside = Object.keys(contents).filter((path) => path.startsWith(`${folder}/`));
      const names = inside.map((path) => path.slice(folder.length + 1).split('/')[0] ?? '');
      return names.length === 0 ? null : [...new Set(names)];
    },
  };
}

export interface Around {
  readonly files?: Readonly<Record<string, string | Uint8Array | Error | null>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly names?: readonly string[];
  readonly profiles?: readonly string[];
  readonly gpus?: () => Inventory;
  readonly before?: Plan;
  readonly limitMemory?: () => string | null;
}

/** A file with a mistake, and the printed text; both begin with an empty line. */
export interface Mistake {
  readonly title: string;
  readonly file: string;
  readonly says: string;
}

/** Loads a text as /app/services.yaml. */
export function load(
  text: string,
  { files = {}, environment = {}, names = [], ...around }: Around = {},
): Result<Planned, Failure> {
  return loadPlan({ path: PATH, files: memoryFiles({ [PATH]: text, ...files }), environment, names, ...around });
}

/** The Plan of a valid text. */
export function planOf(text: string, around: Around = {}): Plan {
  const loaded = load(text, around);
  if (!loaded.ok) throw new Error(renderDiagnostics(loaded.error));
  return loaded.value.plan;
}

/** The only service, or the one with the name, of a valid text. */
export function serviceOf(text: string, around: Around = {}, name?: string): ServicePlan {
  const { services } = planOf(text, around);
  const found = name === undefined ? services[0] : services.find((service) => service.name === name);
  if (found === undefined) throw new Error('there is no such service');
  return found;
}

/** A file with the service `a` and these lines. */
export function oneService(...lines: readonly string[]): string {
  return `services:\n  a:\n${lines.map((line) => `    ${line}\n`).join('')}`;
}

/** The printed text for a file, including warnings. The path is shortened to the file's name. */
export function printed(text: string, around: Around = {}): string {
  const loaded = load(text, around);
  const output = loaded.ok ? render(loaded.value.warnings, new Map([[PATH, text]])) : renderDiagnostics(loaded.error);
  return output.replaceAll('/app/', '');
}

/** The messages without their positions. */
export function messages(text: string, around: Around = {}): readonly string[] {
  const loaded = load(text, around);
  return (loaded.ok ? loaded.value.warnings : loaded.error.diagnostics).map(({ message }) => message);
}
