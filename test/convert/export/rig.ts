// What the tests of exports share: exports of a text, every form, and the examples.
import { readdirSync, readFileSync } from 'node:fs';
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
