// `export`: reads services.yaml (and a recipe), prints the files of another system or writes them into a folder, and prints
// the report to standard error. The conversion itself is in src/convert/export/.
import { type Failure, type Result, renderDiagnostics, toJson } from '../../config/diagnostic.ts';
import { readText } from '../../config/file.ts';
import type { ExportResult } from '../../convert/export/export.ts';
import { EXPORT_FORMATS, type ExportFormatName } from '../../convert/export/table.ts';
import { findingToJson, renderFindings } from '../../convert/findings.ts';
import type { Recipe } from '../../convert/recipe.ts';
import { join, resolve } from '../../paths.ts';
import { printable } from '../../text.ts';
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { requireConfiguration } from '../config-file.ts';
import { FILE_FLAG, JSON_FLAG } from '../flags.ts';
import { renderJson } from '../json.ts';

export default {
  summary: 'write the same services for another system: nosana, compose, kubernetes, slurm, dockerfile, systemd',
  usage:
    'svc-super export FORMAT [-f FILE]... [--image REF] [-o DIR] [--force] [--json] [--per-service] [--one-container] [--recipe FILE]',
  example: 'svc-super export kubernetes --image registry.example.org/chat:1 -o k8s',
  completes: { first: Object.keys(EXPORT_FORMATS) },
  flags: {
    file: FILE_FLAG,
    image: { type: 'string', value: 'REF', summary: 'the image that the services run from' },
    output: {
      type: 'string',
      short: 'o',
      value: 'DIR',
      completes: 'files',
      summary: 'write the files into this folder instead of standard output',
    },
    force: { type: 'boolean', summary: 'replace files that exist in the folder' },
    'per-service': { type: 'boolean', summary: 'nosana: one operation per service instead of one container' },
    'one-container': {
      type: 'boolean',
      summary: 'kubernetes: one container with svc-super instead of one container per service',
    },
    recipe: {
      type: 'string',
      value: 'FILE',
      completes: 'files',
      summary: 'slurm: resources and settings of the site from an HPC recipe',
    },
    json: JSON_FLAG,
  },
  run: exportFile,
} satisfies Command;

/** Flags that only one format has. */
const ONLY: Readonly<Record<string, ExportFormatName>> = {
  'per-service': 'nosana',
  'one-container': 'kubernetes',
  recipe: 'slurm',
};

/** Exports a services.yaml. Exit code: 0, 1 when a file cannot be written or would be replaced without `--force`, 64, 78. */
async function exportFile(context: CommandContext, flags: GivenFlags): Promise<number> {
  const { values, positionals } = flags;
  const asked = readFormat(values, positionals);
  if (!asked.ok) return fail(context, values, EXIT.usage, asked.error);
  const format = asked.value;
  const configuration = requireConfiguration(context, flags);
  if (configuration === null) return EXIT.config;
  const { path, more } = configuration;
  const recipe = await loadRecipe(context, values.recipe);
  if (!recipe.ok) {
    const file = resolve(context.cwd, String(values.recipe));
    return refuse(context, file, recipe.error, values.json === true);
  }
  const image = typeof values.image === 'string' ? values.image : imageOf(recipe.value);
  if (image === null && EXPORT_FORMATS[format].image === null) {
    const why = `export ${format} needs the image that the services run from: add \`--image REF\``;
    return fail(context, values, EXIT.usage, why);
  }
  if (image !== null && !/^[^\s\p{Cc}]+$/u.test(image))
    return fail(context, values, EXIT.usage, `--image ${image} is no reference of an image`);
  const { readExportText } = await import('../../convert/export/merged.ts');
  const read = readExportText([path, ...more], context.files, context.environment);
  if (!read.ok) return refuse(context, path, read.error, values.json === true);
  const { exportServices } = await import('../../convert/export/export.ts');
  const exported = await exportServices({
    format,
    path,
    text: read.value.text,
    image,
    perService: values['per-service'] === true,
    oneContainer: values['one-container'] === true,
    recipe: recipe.value,
  });
  // Findings and errors name lines of that text.
  const result = read.value.place(exported);
  if (!result.ok) return refuse(context, path, result.error, values.json === true);
  const sources = new Set([path, ...more].map((one) => resolve(context.cwd, one)));
  return deliver(context, format, result.value, values, sources);
}

/** The format, once the flags fit it; or what is wrong with it or them. */
function readFormat(
  values: GivenFlags['values'],
  positionals: GivenFlags['positionals'],
): Result<ExportFormatName, string> {
  const [format = '', ...more] = positionals;
  if (!Object.hasOwn(EXPORT_FORMATS, format) || more.length > 0) {
    const why =
      more.length > 0
        ? 'export takes one format'
        : format === ''
          ? 'export needs a format'
          : `export knows no format ${format}`;
    return { ok: false, error: `${why}: name one of ${Object.keys(EXPORT_FORMATS).join(', ')}` };
  }
  const wrong = Object.entries(ONLY).find(([flag, owner]) => values[flag] !== undefined && owner !== format);
  if (wrong !== undefined) return { ok: false, error: `--${wrong[0]} is for \`export ${wrong[1]}\` only` };
  return { ok: true, value: format as ExportFormatName };
}

/** Reports a failure outside of the configuration. */
function fail(context: CommandContext, { json }: GivenFlags['values'], code: number, message: string): number {
  if (json === true) context.out(renderJson({ ok: false, message, files: [], findings: [] }, 2));
  context.err(`svc-super: ${printable(message)}\n`);
  return code;
}

/** Reads the recipe that is named; null where none is. */
async function loadRecipe(
  context: CommandContext,
  given: string | boolean | undefined,
): Promise<Result<Recipe | null, Failure>> {
  if (typeof given !== 'string') return { ok: true, value: null };
  const path = resolve(context.cwd, given);
  const read = readText(context.files, path);
  if (read.ok) return (await import('../../convert/recipe.ts')).readRecipe(path, read.text);
  const range = { line: 1, column: 1, endLine: 1, endColumn: 1 };
  const message = `cannot read the recipe: ${read.why}`;
  const diagnostics = [{ severity: 'error' as const, code: read.code, message, file: path, range }];
  return { ok: false, error: { diagnostics, sources: new Map() } };
}

/** The image of a recipe; a `.sif` file is one that exists already. */
function imageOf(recipe: Recipe | null): string | null {
  return recipe?.container.image ?? null;
}

function refuse(context: CommandContext, path: string, failure: Failure, isJson: boolean): number {
  if (isJson) context.out(renderJson({ ok: false, file: path, diagnostics: failure.diagnostics.map(toJson) }, 2));
  else context.err(renderDiagnostics(failure));
  return EXIT.config;
}

/** Prints or writes the files, and the report. `sources`: the files of the configuration, which even `--force` does not replace. */
function deliver(
  context: CommandContext,
  format: ExportFormatName,
  { files, findings }: ExportResult,
  values: GivenFlags['values'],
  sources: ReadonlySet<string>,
): number {
  const { json, output, force } = values;
  const folder = typeof output === 'string' ? resolve(context.cwd, output) : null;
  const written = folder === null ? [] : files.map(({ name, text }) => ({ path: join(folder, name), text }));
  const changed = written.filter(({ path, text }) => differs(context, path, text));
  const own = changed.find(({ path }) => sources.has(path));
  if (own !== undefined) {
    const why = `${own.path} is one of the files that are exported, and is not replaced: give another folder to \`-o\``;
    return fail(context, values, EXIT.failed, why);
  }
  const taken = force === true ? [] : changed;
  if (taken.length > 0) {
    const names = taken.map(({ path }) => path).join(', ');
    const why = `${names}: there is another file of that name. Add \`--force\` to replace it.`;
    return fail(context, values, EXIT.failed, why);
  }
  try {
    for (const { path, text } of written) context.save(path, text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return fail(context, values, EXIT.failed, `cannot write to ${folder}: ${why}`);
  }
  const made = files.filter(({ isCopy }) => isCopy !== true);
  if (json === true) {
    const body = { ok: true, format, files: made.map(({ name, text }) => ({ name, text })) };
    context.out(renderJson({ ...body, findings: findings.map(findingToJson) }, 2));
    return EXIT.ok;
  }
  context.err(renderFindings(findings));
  if (folder !== null) for (const { path } of written) context.out(`${printable(path)}\n`);
  else context.out(made.map(({ name, text }) => (made.length > 1 ? `# ==> ${name} <==\n${text}` : text)).join('\n'));
  return EXIT.ok;
}

/** Whether a path has something else than the text. A path that cannot be examined cannot be written either. */
function differs(context: CommandContext, path: string, text: string): boolean {
  try {
    if (context.files.stat(path) === null) return false;
  } catch {
    return false;
  }
  const read = readText(context.files, path);
  return !read.ok || read.text !== text;
}
