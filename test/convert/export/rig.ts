// What the tests of exports share: exports of a text, the examples, and the programs that check an output.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { renderDiagnostics } from '../../../src/config/diagnostic.ts';
import { type ExportRequest, type ExportResult, exportServices } from '../../../src/convert/export/export.ts';
import { EXPORT_FORMATS, type ExportFormatName } from '../../../src/convert/export/table.ts';
import { renderFinding } from '../../../src/convert/findings.ts';

export const ROOT = join(import.meta.dir, '../../..');
export const IMAGE = 'registry.example.org/team/chat:1.2';
export const FORMATS = Object.keys(EXPORT_FORMATS) as ExportFormatName[];

/** Every form that a format has, by a title. */
export const FORMS: readonly (readonly [
  title: string,
  options: Partial<ExportRequest> & Pick<ExportRequest, 'format'>,
])[] = [
  ...FORMATS.map((format) => [format, { format }] as const),
  ['nosana --per-service', { format: 'nosana', perService: true }],
  ['kubernetes --one-container', { format: 'kubernetes', oneContainer: true }],
];

/** The services.yaml of every example, by the name of its folder. */
export const EXAMPLES: readonly (readonly [name: string, text: string])[] = readdirSync(join(ROOT, 'examples')).map(
  (name) => [name, readFileSync(join(ROOT, 'examples', name, 'services.yaml'), 'utf8')],
);

/** Exports a text; throws what is wrong with it. */
export async function exported(
  text: string,
  options: Partial<ExportRequest> & Pick<ExportRequest, 'format'>,
): Promise<ExportResult> {
  const usual = { path: 'services.yaml', image: IMAGE, perService: false, oneContainer: false, recipe: null };
  const result = await exportServices({ ...usual, text, ...options });
  if (!result.ok) throw new Error(renderDiagnostics(result.error));
  return result.value;
}

/** The text of the first file, and the findings as they are printed. */
export async function exportedText(
  text: string,
  options: Partial<ExportRequest> & Pick<ExportRequest, 'format'>,
): Promise<{ readonly text: string; readonly report: readonly string[] }> {
  const { files, findings } = await exported(text, options);
  return { text: files[0]?.text ?? '', report: findings.map(renderFinding) };
}

const VALIDATORS = join(ROOT, '.cache/validators');

/** Why the output cannot be checked here; null where it can. `scripts/validators.sh` installs what is needed. */
export function whyNoValidators(): string | null {
  if (!existsSync(join(VALIDATORS, 'digest'))) return 'run `sh scripts/validators.sh` first';
  const missing = ['shellcheck', 'systemd-analyze'].filter((program) => Bun.which(program) === null);
  return missing.length === 0 ? null : `${missing.join(', ')} not installed`;
}

/** The programs that check outputs, without the files. */
export const VALIDATOR_COMMANDS = {
  compose: [join(VALIDATORS, 'compose')],
  kubernetes: [join(VALIDATORS, 'python/bin/kubernetes-validate'), '--strict', '--quiet'],
  dockerfile: [join(VALIDATORS, 'python/bin/hadolint'), '--failure-threshold', 'warning'],
  quadlet: [join(VALIDATORS, 'quadlet')],
  unit: ['systemd-analyze', 'verify', '--man=no', '--recursive-errors=no'],
  // `bash -n` reads its first file only.
  bash: ['sh', '-c', 'for file; do bash -n "$file" || exit; done', 'sh'],
  sh: ['dash', '-n'],
  shellcheck: ['shellcheck', '--shell=bash', '--severity=warning'],
} as const;

/** Runs one of the programs on a text in a file of the given name; throws what it complains of, returns what it prints. */
export function validate(program: keyof typeof VALIDATOR_COMMANDS, name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'svc-super-export-'));
  try {
    const file = join(folder, name);
    writeFileSync(file, text);
    // A variable that an example leaves to whoever starts it.
    const env = { ...process.env, RUN_DIR: '/tmp/run' };
    const { exitCode, stdout, stderr } = Bun.spawnSync([...VALIDATOR_COMMANDS[program], file], { env });
    if (exitCode === 0) return stdout.toString();
    throw new Error(`${program} refuses ${name} (${exitCode}):\n${stdout}${stderr}\n${text}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
