// An export as a function: the text of services.yaml in, the files of one format and the report out. Reads and writes nothing.
import type { Failure, Result } from '../../config/diagnostic.ts';
import { makeProblems } from '../../plan/problems.ts';
import type { Finding } from '../findings.ts';
import type { Recipe } from '../recipe.ts';
import type { ExportOptions, OutputFile } from './format.ts';
import { look, makeReporter } from './report.ts';
import { type ExportSource, readSource } from './source.ts';
import { EXPORT_FORMATS, type ExportFormatName } from './table.ts';

export interface ExportRequest extends Omit<ExportOptions, 'image'> {
  readonly format: ExportFormatName;
  /** services.yaml: what findings call it, and its text. */
  readonly path: string;
  readonly text: string;
  /** null: the format's own, which is then reported. Required where the format has none. */
  readonly image: string | null;
}

export interface ExportResult {
  readonly files: readonly OutputFile[];
  readonly findings: readonly Finding[];
}

/** Exports a services.yaml. An error is a services.yaml that `check` refuses. */
export async function exportServices(request: ExportRequest): Promise<Result<ExportResult, Failure>> {
  const { format, path, text, image, ...options } = request;
  const source = readSource(path, text, format === 'compose' ? 'references' : undefined);
  if (!source.ok) return source;
  const empty = whyEmpty(source.value, request);
  if (empty !== null) return { ok: false, error: empty };
  const { image: usual, load } = EXPORT_FORMATS[format];
  const chosen = image ?? usual;
  if (chosen === null) throw new Error(`${format} needs an image`);
  const reporter = makeReporter(source.value);
  if (image === null) {
    const why = `no \`--image\` was given, and the output has ${chosen}`;
    reporter.addGeneral('the base image', look(why, 'name the image that has your programs'));
  }
  const recipe = await recipeOf(request);
  if (!recipe.ok) return recipe;
  const exporter = await load();
  const files = exporter(source.value, { ...options, recipe: recipe.value, image: chosen }, reporter);
  return { ok: true, value: { files, findings: reporter.findings() } };
}

/** The error that no service would be in the output; null where one is. */
function whyEmpty(
  { config, services }: ExportSource,
  { format, perService, oneContainer }: ExportRequest,
): Failure | null {
  const isConverted = perService || (format === 'kubernetes' && !oneContainer);
  if (services.some(({ isStarted, isConditional }) => isStarted || (isConditional && !isConverted))) return null;
  const complaints = makeProblems(config);
  if (services.every(({ whyNot }) => whyNot === 'enabled')) {
    const suggestion = 'write `enabled: true`, or a default that enables it';
    const message = 'no service is enabled: there is nothing to export';
    complaints.error(['services'], 'nothing-enabled', message, { key: true, suggestion });
  } else {
    const suggestion = 'remove `start: manual` or `profiles` from a service, and export again';
    const message = 'no service starts by itself: there is nothing to export';
    complaints.error(['services'], 'nothing-starts', message, { key: true, suggestion });
  }
  return { diagnostics: complaints.all, sources: new Map([[config.source.file, config.source.text]]) };
}

/** The recipe that is given, or the parts of one in services.yaml; null where there is none, and for other formats. */
async function recipeOf({ format, recipe, path, text }: ExportRequest): Promise<Result<Recipe | null, Failure>> {
  if (recipe !== null || format !== 'slurm') return { ok: true, value: recipe };
  const { hasRecipe, readRecipeIn } = await import('../recipe.ts');
  return hasRecipe(text) ? readRecipeIn(path, text) : { ok: true, value: null };
}
