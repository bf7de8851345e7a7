// The definition file of `export slurm`, from which `apptainer build` makes an image (.sif).
import { CONFIG_FILE } from './format.ts';
import { look, type Reporter } from './report.ts';
import type { ExportSource } from './source.ts';
import { bundledFiles, isPlain, onOneLine } from './whole.ts';

/** The text of the definition. `label` names the job and the image. */
export function renderDefinition(source: ExportSource, image: string, label: string, reporter: Reporter): string {
  const run = `    exec /usr/local/bin/svc-super up -f ${CONFIG_FILE} "$@"`;
  const advise = (target: string) => `bind it: \`--bind FILE:${target}\``;
  const bundled = [...bundledFiles(source, advise, reporter)];
  const files = bundled.filter(([from]) => !UNWRITABLE.test(from));
  for (const [from, to] of bundled.filter(([name]) => UNWRITABLE.test(name)))
    reporter.addGeneral(`\`env_file\` ${onOneLine(from)}`, look('a `%files` section cannot hold its name', advise(to)));
  const needed = [source.fileName, ...files.map(([from]) => onOneLine(from))].join(', ');
  return `${[
    ...bootstrap(image),
    '',
    `# Made by \`svc-super export slurm\`. Build it in a folder with ${needed} and the two files of svc-super:`,
    `#   apptainer build ${label}.sif ${label}.def`,
    '%files',
    '    svc-super /usr/local/bin/svc-super',
    '    svc-super-supervisor /usr/local/bin/svc-super-supervisor',
    `    ${source.fileName} ${CONFIG_FILE}`,
    ...files.map(([from, to]) => `    ${quoted(from)} ${quoted(to)}`),
    '',
    '%post',
    '    chmod 755 /usr/local/bin/svc-super /usr/local/bin/svc-super-supervisor',
    '    # A wrong file fails the build, not the first start.',
    `    svc-super check --build -f ${CONFIG_FILE}`,
    '',
    '%runscript',
    run,
    '',
    '%startscript',
    run,
    '',
    '%labels',
    `    Name ${label}`,
    '',
    '%help',
    `    apptainer run ${label}.sif runs the services of ${CONFIG_FILE} until they end.`,
  ].join('\n')}\n`;
}

/** Characters that end a name even between quotes, or the line. */
const UNWRITABLE = /["\p{Cc}]/u;

/** A name in `%files`: it may stand between double quotes. https://apptainer.org/docs/user/latest/definition_files.html */
function quoted(name: string): string {
  return isPlain(name) ? name : `"${name}"`;
}

/** The header for an image as `docker build` names it (`docker:24-dind` is one), a URI of Apptainer, or a file. */
function bootstrap(image: string): readonly string[] {
  if (image.endsWith('.sif')) return ['Bootstrap: localimage', `From: ${image}`];
  const [, remote, local, reference] =
    /^(?:(docker|oras|library):\/\/|(docker-daemon|docker-archive):(?:\/\/)?)(.+)$/.exec(image) ?? [];
  const agent = remote ?? local;
  return agent === undefined ? ['Bootstrap: docker', `From: ${image}`] : [`Bootstrap: ${agent}`, `From: ${reference}`];
}
