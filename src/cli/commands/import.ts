// `import`: reads the files that are named, hands their texts to the importer of the format, and prints the services.yaml that
// comes of it with the findings. Starts nothing.
import { readText } from '../../config/file.ts';
import { findingToJson, renderFindings } from '../../convert/findings.ts';
import type { importSource } from '../../convert/import/import.ts';
import type { ImportInput } from '../../convert/import/source.ts';
import { FORMAT_NAMES, type FormatName, isFormat, recogniseFormat } from '../../convert/import/table.ts';
import { resolve } from '../../paths.ts';
import { printable } from '../../text.ts';
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { JSON_FLAG } from '../flags.ts';
import { renderJson } from '../json.ts';

export default {
  summary: 'make a services.yaml from a file of another system, and report what is lost or changed',
  usage:
    'svc-super import compose|supervisord|s6|procfile|nosana|recipe|start.sh|auto FILE [-o FILE] [--image-config FILE] [--json]',
  example: 'svc-super import compose compose.yaml -o services.yaml',
  completes: { first: [...FORMAT_NAMES, 'auto'], rest: 'files' },
  flags: {
    output: {
      type: 'string',
      short: 'o',
      value: 'FILE',
      completes: 'files',
      summary: 'write services.yaml there instead of printing it',
    },
    'image-config': {
      type: 'string',
      multiple: true,
      value: 'FILE',
      completes: 'files',
      summary: 'what `docker image inspect` prints about the images of a Compose file or a job; may be repeated',
    },
    json: JSON_FLAG,
  },
  run: importFiles,
} satisfies Command;

type Read =
  | { readonly ok: true; readonly path: string; readonly text: string }
  | { readonly ok: false; readonly why: string };

async function importFiles(context: CommandContext, { values, positionals, lists = {} }: GivenFlags): Promise<number> {
  const [format = '', ...paths] = positionals;
  const fail = (code: number, message: string): number => reportFailure(context, values, code, message);
  if (format !== 'auto' && !isFormat(format)) {
    return fail(EXIT.usage, `import reads ${FORMAT_NAMES.join(', ')} or auto: name one of them before the file`);
  }
  if (paths.length === 0) return fail(EXIT.usage, `import ${format} needs the file to read`);
  const files = paths.map((path) => readSource(context, path));
  const images = (lists['image-config'] ?? []).map((path) => readSource(context, path));
  for (const read of [...files, ...images]) if (!read.ok) return fail(EXIT.config, read.why);
  const input = makeInput(context, files, images);
  const found: FormatName | null = isFormat(format) ? format : recogniseFormat(input);
  if (found === null) {
    if (/^services:/m.test(input.text)) {
      return fail(
        EXIT.config,
        `${input.path} looks like a services.yaml, which needs no import: use \`svc-super check\``,
      );
    }
    return fail(
      EXIT.config,
      `${input.path} looks like no format that can be imported: name one of ${FORMAT_NAMES.join(', ')}`,
    );
  }
  if (paths.length > 1 && found !== 'supervisord' && found !== 'compose') {
    return fail(EXIT.usage, `import ${found} reads one file, and ${paths.length} are named`);
  }
  const convert = await import('../../convert/import/import.ts');
  const result = await convert.importSource(found, input);
  if (!result.ok) {
    const place =
      result.where === null ? input.path : `${result.where.file}:${result.where.line}:${result.where.column}`;
    return fail(result.problems.length > 0 ? EXIT.bug : EXIT.config, `cannot import ${place}: ${result.message}`);
  }
  return print(context, values, found, result);
}

function reportFailure(context: CommandContext, values: GivenFlags['values'], code: number, message: string): number {
  if (values.json === true) context.out(renderJson({ ok: false, message, output: null, findings: [] }, 2));
  context.err(`svc-super: ${printable(message)}\n`);
  return code;
}

function print(
  context: CommandContext,
  values: GivenFlags['values'],
  format: FormatName,
  { text, findings }: Extract<Awaited<ReturnType<typeof importSource>>, { ok: true }>,
): number {
  const file = typeof values.output === 'string' ? values.output : null;
  if (file !== null) {
    try {
      context.save(resolve(context.cwd, file), text);
    } catch (error) {
      return reportFailure(context, values, EXIT.failed, `cannot write ${file}: ${(error as Error).message}`);
    }
  }
  if (values.json === true) {
    context.out(renderJson({ ok: true, format, output: text, findings: findings.map(findingToJson) }, 2));
    return EXIT.ok;
  }
  if (file === null) context.out(text);
  context.err(renderFindings(findings));
  return EXIT.ok;
}

function makeInput(context: CommandContext, files: readonly Read[], images: readonly Read[]): ImportInput {
  const present = (reads: readonly Read[]) => reads.flatMap((read) => (read.ok ? [read] : []));
  const [first = { path: '', text: '' }, ...more] = present(files);
  return {
    ...first,
    more,
    imageConfigs: present(images),
    read(path) {
      const read = readText(context.files, resolve(context.cwd, path));
      return read.ok ? read.text : null;
    },
    list: (path) => context.list(resolve(context.cwd, path)),
  };
}

/** A file, or a folder, which has no text. */
function readSource(context: CommandContext, path: string): Read {
  const full = resolve(context.cwd, path);
  const names = context.list(full);
  if (names !== null) return { ok: true, path, text: '' };
  const read = readText(context.files, full);
  return read.ok ? { ok: true, path, text: read.text } : { ok: false, why: `cannot read ${path}: ${read.why}` };
}
