// The definition file of `export slurm`, from which `apptainer build` makes an image (.sif).
import { CONFIG_FILE } from './format.ts';
import type { Reporter } from './report.ts';
import type { ExportSource } from './source.ts';
import { bundledFiles } from './whole.ts';

/** The text of the definition. `label` names the job and the image. */
export function renderDefinition(source: ExportSource, image: string, label: string, reporter: Reporter): string {
  const run = `    exec /usr/local/bin/svc-super up -f ${CONFIG_FILE} "$@"`;
  const files = bundledFiles(source, (target) => `bind it: \`--bind FILE:${target}\``, reporter);
  return `${[
    ...bootstrap(image),
    '',
    `# Made by \`svc-super export slurm\`. Build it in a folder with ${source.fileName} and the two files of svc-super:`,
    `#   apptainer build ${label}.sif ${label}.def`,
    '%files',
    '    svc-super /usr/local/bin/svc-super',
    '    svc-super-supervisor /usr/local/bin/svc-super-supervisor',
    `    ${source.fileName} ${CONFIG_FILE}`,
    ...[...files].map(([from, to]) => `    ${from} ${to}`),
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

function bootstrap(image: string): readonly string[] {
  if (image.endsWith('.sif')) return ['Bootstrap: localimage', `From: ${image}`];
  const [, agent, reference] = /^(docker|oras|library|docker-daemon|docker-archive):(?:\/\/)?(.+)$/.exec(image) ?? [];
  return agent === undefined ? ['Bootstrap: docker', `From: ${image}`] : [`Bootstrap: ${agent}`, `From: ${reference}`];
}
