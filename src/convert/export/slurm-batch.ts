// The batch script of `export slurm`. It becomes Apptainer by `exec`: otherwise SIGTERM would end the batch shell alone, and the
// services would outlive the job. Facts seen with Slurm 22.05; options: sbatch(1).
import { toSeconds } from '../quantities.ts';
import type { Recipe } from '../recipe.ts';
import { quoteWord } from '../words.ts';
import type { ExportOptions } from './format.ts';
import { changed, look, lost, type Reporter } from './report.ts';
import { CHOOSE_PORT, portCalls, portVariables } from './slurm-ports.ts';
import type { ExportSource } from './source.ts';
import { gpuDemand, publishedPorts, reportGpus } from './whole.ts';

/** SIGTERM comes so long before the time limit, besides the time that the services have to stop. */
const MARGIN_SECONDS = 10;

/** Variables of the job's environment that are passed on, besides those that services.yaml names. */
const PASSED = [
  'CUDA_VISIBLE_DEVICES',
  'ROCR_VISIBLE_DEVICES',
  'SLURM_JOB_ID',
  'http_proxy',
  'https_proxy',
  'no_proxy',
] as const;

/** The text of the script. `label` names the job and the image. */
export function renderBatchScript(
  source: ExportSource,
  { recipe }: ExportOptions,
  label: string,
  reporter: Reporter,
): string {
  if (recipe !== null) reportRecipe(source, recipe, reporter);
  const hasGpus = (recipe?.resources.gpu ?? gpuDemand(source.services) ?? 0) !== 0;
  return `${[
    '#!/bin/bash',
    `# Made by \`svc-super export slurm\`. ${label}.def makes the image. \`sbatch ${label}.sbatch\` starts the job.`,
    '# `scancel -b -s TERM JOB` stops the services in order. Plain `scancel JOB` signals all processes of the job at once.',
    ...directives(source, recipe, label, reporter),
    '',
    '# module load apptainer',
    'set -eu',
    ...portLines(source),
    '',
    '# With --cleanenv the container gets the variables that are named here, and no others. SLURM_JOB_ID gives each job a',
    '# control socket of its own.',
    `for name in ${passedNames(source).join(' ')}; do`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: bash
    '  [[ -z ${!name+set} ]] || export "APPTAINERENV_$name=${!name}"',
    'done',
    ...environmentLines(recipe),
    ...addressLines(source),
    '',
    `# Weights and data: \`--bind DIR\`.${hasGpus ? ' AMD GPUs: `--rocm` instead of `--nv`.' : ''}`,
    '# exec: SIGTERM of Slurm reaches svc-super, and its exit code becomes that of the job.',
    `exec apptainer run${hasGpus ? ' --nv' : ''} --cleanenv --no-home ${quoteWord(imageFile(recipe, label))}`,
  ].join('\n')}\n`;
}

function directives(source: ExportSource, recipe: Recipe | null, label: string, reporter: Reporter): readonly string[] {
  const resources = recipe?.resources ?? null;
  const site = recipe?.slurm ?? null;
  const optional = [
    ['partition', site?.partition ?? null, 'PARTITION'],
    ['account', site?.account ?? null, 'ACCOUNT'],
    ['qos', site?.qos ?? null, 'QOS'],
    ['cpus-per-task', resources?.cpu ?? null, '8'],
    ['mem', resources?.memory ?? null, '32G'],
    ['time', resources?.timeLimit ?? null, '24:00:00'],
  ] as const;
  return [
    `#SBATCH --job-name=${label}`,
    '#SBATCH --nodes=1',
    '#SBATCH --ntasks=1',
    ...gpuDirective(source, recipe, reporter),
    `# SIGTERM so many seconds before the time limit: \`stop_timeout\` and ${MARGIN_SECONDS} s more. Without --time there is no such limit.`,
    `#SBATCH --signal=B:TERM@${toSeconds(source.config.stop_timeout) + MARGIN_SECONDS}`,
    '#SBATCH --output=%x-%j.out',
    ...optional.flatMap(([option, value]) => (value === null ? [] : [`#SBATCH --${option}=${value}`])),
    ...(optional.some(([, value]) => value === null) ? ["# The site's: complete a line and remove one `#`."] : []),
    ...optional.flatMap(([option, value, example]) => (value === null ? [`##SBATCH --${option}=${example}`] : [])),
  ];
}

function gpuDirective(source: ExportSource, recipe: Recipe | null, reporter: Reporter): readonly string[] {
  const demand = gpuDemand(source.services);
  const wanted = recipe?.resources.gpu ?? null;
  const type = recipe?.resources.gpuType ?? null;
  const gres = (count: number): string => `#SBATCH --gres=gpu:${type === null ? '' : `${type}:`}${count}`;
  if (recipe !== null && wanted !== null && typeof demand === 'number' && wanted !== demand) {
    const why = `the recipe asks for ${wanted} GPUs, and the services need ${demand}`;
    reporter.addGeneral('`resources.gpu`', look(why, 'correct one of the two'));
  }
  const count = wanted ?? demand;
  if (count === null || count === 0) return [];
  if (count !== 'all') return [gres(count)];
  const why = '`all` means all GPUs that the job gets, and a job has to ask for a number of them';
  reportGpus(source, look(why, 'complete the line `##SBATCH --gres=` and remove one `#`'), reporter, 'all');
  return ['# How many GPUs: complete the line and remove one `#`.', `#${gres(1)}`];
}

function portLines(source: ExportSource): readonly string[] {
  const variables = portVariables(source);
  if (variables.length === 0) return [];
  return ['', '# Jobs on one node need different ports.', CHOOSE_PORT, ...portCalls(variables)];
}

function passedNames({ references }: ExportSource): readonly string[] {
  return [...new Set([...PASSED, ...references.map(({ name }) => name)])];
}

function environmentLines(recipe: Recipe | null): readonly string[] {
  return [...(recipe?.environment ?? [])].map(([name, value]) => `export APPTAINERENV_${name}=${quoteWord(value)}`);
}

/** Lines that print into the job's output where the services listen. */
function addressLines(source: ExportSource): readonly string[] {
  const variables = portVariables(source);
  return publishedPorts(source).map(({ port, service }) => {
    const index = service.config.replica?.index ?? 0;
    const name = variables.find(({ key, first }) => key === service.key && first + index === port)?.name;
    const shown = name === undefined ? String(port) : index === 0 ? `$${name}` : `$((${name} + ${index}))`;
    return `echo "${service.name}: $(hostname):${shown}"`;
  });
}

/** A recipe whose image is a file is run as it is. */
function imageFile(recipe: Recipe | null, label: string): string {
  const image = recipe?.container.image ?? null;
  return image?.endsWith('.sif') === true ? image : `${label}.sif`;
}

/** Reports what of a recipe is not in the script. */
function reportRecipe(source: ExportSource, recipe: Recipe, reporter: Reporter): void {
  const add = (keys: readonly string[], remark: Parameters<Reporter['addGeneral']>[1]): void =>
    reporter.addAt(recipe.locate(keys), `\`${keys.join('.')}\``, remark);
  for (const { key, advice, where } of recipe.unknown) {
    reporter.addAt(where, `\`${key}\``, lost('a recipe has no such key, and the script does not use it', advice));
  }
  if ((recipe.resources.nodes ?? 1) !== 1) {
    add(['resources', 'nodes'], changed('svc-super runs the services of one node, and the script asks for one'));
  }
  if (recipe.container.definition !== null) {
    const why = 'the export writes a definition of its own, and does not read yours';
    add(['container', 'definition'], look(why, 'add its `%files`, `%post` and `%runscript` lines to your own'));
  }
  const ports = new Set(publishedPorts(source).map(({ port }) => port));
  if (recipe.ports.some(({ port }) => !ports.has(port))) {
    add(['ports'], look('services.yaml has other ports, and the script uses those', 'make them equal'));
  }
}
