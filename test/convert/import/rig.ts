// Imports texts and files of the corpus; what the tests of import share. Reads files, runs no program.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Finding, renderFinding } from '../../../src/convert/findings.ts';
import { type ImportResult, importSource } from '../../../src/convert/import/import.ts';
import type { ImportInput } from '../../../src/convert/import/source.ts';
import type { FormatName } from '../../../src/convert/import/table.ts';

export const CORPUS = join(import.meta.dir, 'corpus');

/** Files by path relative to the corpus; a file in it replaces the real one, null removes it. */
export type Changes = Readonly<Record<string, string | null>>;

/** The input for a path of the corpus. */
export function inputOf(path: string, changes: Changes = {}, images: readonly string[] = []): ImportInput {
  const read = (name: string): string | null => {
    const changed = changes[name];
    if (changed !== undefined) return changed;
    try {
      return readFileSync(join(CORPUS, name), 'utf8');
    } catch {
      return null;
    }
  };
  const list = (name: string): readonly string[] | null => {
    try {
      const full = join(CORPUS, name);
      return readdirSync(full)
        .sort()
        .map((one) => (statSync(join(full, one)).isDirectory() ? `${one}/` : one))
        .filter((one) => changes[join(name, one)] !== null);
    } catch {
      return null;
    }
  };
  const isFolder = list(path) !== null;
  const imageConfigs = images.map((name) => ({ path: name, text: read(name) ?? '' }));
  return { path, text: isFolder ? '' : (read(path) ?? ''), more: [], imageConfigs, read, list };
}

/** Imports a text as the file of that name. */
export function importText(format: FormatName, text: string, more: Partial<ImportInput> = {}): Promise<ImportResult> {
  const none = { path: 'source', more: [], imageConfigs: [], read: () => null, list: () => null };
  return importSource(format, { ...none, text, ...more });
}

/** The services.yaml of a text that must be importable. */
export async function yamlOf(format: FormatName, text: string, more: Partial<ImportInput> = {}): Promise<string> {
  const result = await importText(format, text, more);
  if (!result.ok) throw new Error(result.message);
  return result.text;
}

/** Lines of findings. */
export const lines = (findings: readonly Finding[]): readonly string[] => findings.map(renderFinding);

/** Every source of the corpus. Files that others include are not named. */
export const SOURCES: readonly {
  readonly format: FormatName;
  readonly path: string;
  readonly images?: readonly string[];
}[] = [
  ...['laravel', 'models', 'mail', 'traps', 'listener'].map((name) => ({
    format: 'supervisord' as const,
    path: `supervisord/${name}.conf`,
  })),
  ...['chat', 'blog', 'pipeline', 'extends', 'gpus'].map((name) => ({
    format: 'compose' as const,
    path: `compose/${name}.yaml`,
  })),
  { format: 'compose', path: 'compose/with-images.yaml', images: ['compose/images.json'] },
  ...['rails', 'django', 'odd'].map((name) => ({ format: 'procfile' as const, path: `procfile/Procfile.${name}` })),
  ...['vllm', 'stages'].map((name) => ({ format: 'nosana' as const, path: `nosana/${name}.json` })),
  ...['chat', 'plain'].map((name) => ({ format: 'recipe' as const, path: `recipe/${name}.yaml` })),
  ...['chat', 'runpod', 'ollama', 'comfy', 'entrypoint', 'cmd', 'watchdog', 'dash'].map((name) => ({
    format: 'start.sh' as const,
    path: `start.sh/${name}.sh`,
  })),
  ...['paper', 'legacy', 'logger'].map((name) => ({ format: 's6' as const, path: `s6/${name}` })),
];

/** Paths of all files below a folder of the corpus. */
export function filesBelow(path: string): readonly string[] {
  const full = join(CORPUS, path);
  const names = readdirSync(full, { recursive: true, encoding: 'utf8' }).map((name) => join(full, name));
  return names
    .filter((name) => statSync(name).isFile())
    .map((name) => relative(CORPUS, name))
    .sort();
}

/** A result without positions: two that differ only in these are the same. */
export function bare(result: ImportResult): string {
  if (!result.ok) return `refused: ${result.message}`;
  const text = result.text.replaceAll(/^ *# [\w./-]+:\d+$/gm, '#');
  const findings = result.findings.map((finding) =>
    renderFinding({ ...finding, where: null }).replaceAll(/\.(?:yaml|json|conf|sh|def):\d+/g, ''),
  );
  return [text, ...findings.sort()].join('\n');
}
