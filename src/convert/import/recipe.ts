// Imports a recipe of an HPC site: YAML with `name`, `container: {definition, image}`, `resources`, `environment`, `ports`,
// `slurm`. The command is the %startscript of the definition file, else its %runscript. What is for the scheduler is kept as `x-resources` and
// `x-slurm`, which `up` ignores.
import { dirname, join } from '../../paths.ts';
import type { Where } from '../findings.ts';
import { type Recipe, readRecipeParts } from '../recipe.ts';
import { type FileDraft, makeDraft, type ServiceDraft } from '../services-yaml.ts';
import { whereIn } from '../source-text.ts';
import { literal } from '../words.ts';
import { failureOf } from '../yaml-source.ts';
import type { Value } from '../yaml-values.ts';
import { type Definition, readDefinition } from './definition-file.ts';
import { Names } from './names.ts';
import { type Imported, type ImportInput, missingCommand, placeComment, Report } from './source.ts';

/** Imports a recipe. Fails where it is no YAML map with `container`. */
export function importRecipe(input: ImportInput): Imported {
  const { recipe, diagnostics } = readRecipeParts(input.path, input.text);
  if (recipe === null) return { ok: false, ...failureOf(input.path, diagnostics[0]) };
  const { name, container } = recipe;
  if (container.definition === null && container.image === null) {
    const message = 'a recipe has a `container` with a `definition` or an `image`';
    return { ok: false, where: recipe.locate(['container']), message };
  }
  const report = new Report();
  const draft = makeDraft();
  const service: ServiceDraft = {
    name: new Names().take(name ?? 'service', report, recipe.locate(['name'])),
    comments: [placeComment(recipe.locate(['name']))],
    todo: [],
    fields: {},
  };
  draft.services.push(service);
  if (name !== null) draft.top.name = literal(name);
  importContainer(input, recipe, service, report);
  importEnvironment(recipe, service);
  importPorts(recipe, service);
  importResources(recipe, service, draft, report);
  for (const { range, message, suggestion } of diagnostics) {
    const where = { file: input.path, line: range.line, column: range.column };
    report.lost(where, message, 'a value that cannot be read counts as not given', suggestion ?? 'correct it');
  }
  for (const { key, text, advice, where } of recipe.unknown)
    report.lost(where, `${key}: ${text}`, 'a recipe has no such key', advice);
  return { ok: true, draft, findings: report.findings };
}

function importContainer(input: ImportInput, recipe: Recipe, service: ServiceDraft, report: Report): void {
  const { definition, image } = recipe.container;
  const path = definition === null ? null : join(dirname(input.path), definition);
  const text = path === null ? null : input.read(path);
  if (image !== null) {
    const where = recipe.locate(['container', 'image']);
    const advice = 'give it to `export` with `--image`';
    report.look(where, `image ${image}`, 'services.yaml names no image', advice);
  }
  if (definition !== null && text === null) {
    const where = recipe.locate(['container', 'definition']);
    report.look(where, `definition ${definition}`, 'the file cannot be read', 'import again where it is');
  }
  if (path === null || text === null) {
    service.todo.push('the image defines the command: give it here');
    service.fields.command = missingCommand(service.name);
    return;
  }
  importDefinition(readDefinition({ path, text }), service, report);
}

function importDefinition({ source, header, sections }: Definition, service: ServiceDraft, report: Report): void {
  const [script, other] = ['startscript', 'runscript']
    .map((name) => sections.get(name))
    .filter((section) => section !== undefined && section.text.trim() !== '');
  const where = whereIn(source, script ?? { start: 0 });
  if (script === undefined) {
    service.todo.push(`the definition has no %runscript: what does ${header.get('from') ?? 'the image'} run?`);
    service.fields.command = missingCommand(service.name);
    report.look(where, '%runscript', 'the definition has none: its base image defines the command');
  } else {
    service.comments.push(placeComment(where));
    importScript(script.text, where, service, report);
  }
  const environment = sections.get('environment');
  if (environment !== undefined)
    importDefinitionEnvironment(environment.text, whereIn(source, environment), service, report);
  for (const [name, section] of sections) {
    if (!['startscript', 'runscript', 'environment'].includes(name)) {
      report.lost(
        whereIn(source, section),
        `%${name} of ${source.file}`,
        'it is for building the image',
        'keep the definition file',
      );
    }
  }
  if (other !== undefined) {
    report.lost(
      whereIn(source, other),
      '%runscript',
      'the definition has a %startscript, which is used',
      'add it as a service if both are to run',
    );
  }
}

/** Interpreters that take a script after `-c`. */
const TAKES_TEXT = /^(?:(?:ba|da|a|k|z)?sh|python[\d.]*)$/;

/** The script as a command, for the interpreter of its first line; without one it is for /bin/sh. */
function importScript(script: string, where: Where, service: ServiceDraft, report: Report): void {
  const [, first = '', rest = script] = /^\s*#!([^\n]*)(?:\n|$)([\s\S]*)$/.exec(script) ?? [];
  const words = first.split(/\s+/).filter((word) => word !== '');
  const interpreter = /(?:^|\/)env$/.test(words[0] ?? '') ? words.slice(words[1] === '-S' ? 2 : 1) : words;
  const name = interpreter[0]?.replace(/^.*\//, '') ?? 'sh';
  const text = withoutIndentation(rest).replaceAll(/[ \t]*(?:"\$@"|(?<!\S)\$@(?![^\s;]))/g, '');
  const isEmpty = text.trim() === '';
  const isForArguments = /\$@/.test(rest) && (isEmpty || /^[ \t]*exec[ \t]*$/m.test(text));
  if (isForArguments || isEmpty || !TAKES_TEXT.test(name)) {
    const [why, instead] = isForArguments
      ? ['it runs its arguments, and a service gets none', 'write the command that `apptainer run` got']
      : isEmpty
        ? ['it runs nothing', 'give the command of the service']
        : [`it is a script for ${name}`, 'put it into a file of the image, and give its path as the command'];
    report.look(where, 'the script of the definition', why, instead);
    service.todo.push(`${why}: ${instead}`);
    service.fields.command = missingCommand(service.name);
    return;
  }
  const isPlain = name === 'sh' && interpreter.length <= 1;
  service.fields.command = isPlain ? text : [...interpreter, '-c', text].map(literal);
  if (/"?\$@"?/.test(rest))
    report.changed(where, '"$@" in the script', 'a service gets no arguments of `apptainer run`');
}

/** A text without the indentation that all its lines have. */
function withoutIndentation(text: string): string {
  const indents = [...text.matchAll(/^([ \t]*)\S/gm)].map(([, indent = '']) => indent.length);
  const common = Math.min(...indents, 80);
  return text.replaceAll(new RegExp(`^[ \\t]{${common}}`, 'gm'), '').trim();
}

function importDefinitionEnvironment(text: string, where: Where, service: ServiceDraft, report: Report): void {
  const env: Record<string, Value> = {};
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name, value = ''] = /^(?:export\s+)?([A-Za-z_]\w*)=("[^"$`\\]*"|'[^']*'|[^\s$`"';&|]*)$/.exec(line) ?? [];
    if (name === undefined)
      report.look(
        where,
        `%environment: ${line}`,
        'only assignments of literal texts are carried over',
        'set it in `env`',
      );
    else env[name] = literal(value.replace(/^["']|["']$/g, ''));
  }
  if (Object.keys(env).length > 0) service.fields.env = env;
}

function importEnvironment({ environment }: Recipe, service: ServiceDraft): void {
  if (environment.size === 0) return;
  const before = (service.fields.env ?? {}) as Readonly<Record<string, Value>>;
  const own = [...environment].map(([key, value]) => [key, literal(value)] as const);
  service.fields.env = { ...before, ...Object.fromEntries(own) };
}

function importPorts(recipe: Recipe, service: ServiceDraft): void {
  const ports = [...new Set(recipe.ports.map(({ port }) => port))];
  const [first] = ports;
  if (ports.length === 1 && first !== undefined) service.fields.port = first;
  if (ports.length > 1) service.fields.ports = ports;
}

function importResources(recipe: Recipe, service: ServiceDraft, draft: FileDraft, report: Report): void {
  const { gpu, gpuType, timeLimit, ...rest } = recipe.resources;
  if (gpu !== null && gpu > 0) service.fields.gpus = gpu;
  const parts = { resources: { ...rest, gpu, gpu_type: gpuType, time_limit: timeLimit }, slurm: recipe.slurm };
  for (const [key, values] of Object.entries(parts)) {
    const given = Object.entries(values).filter((pair): pair is [string, string | number] => pair[1] !== null);
    if (given.length === 0) continue;
    draft.top[`x-${key}`] = Object.fromEntries(given);
    const why = `\`up\` ignores it: the scheduler gives what a job may use; \`x-${key}\` keeps it`;
    report.changed(recipe.locate([key]), key, why, '`svc-super export slurm` reads it there');
  }
}
