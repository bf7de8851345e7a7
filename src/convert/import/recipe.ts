// Imports a recipe of an HPC site: YAML with `name`, `container: {definition, image}`, `resources`, `environment`, `ports`,
// `slurm`. The command is the %runscript of the definition file. What is for the scheduler is kept as `x-resources` and
// `x-slurm`, which `up` ignores.
import type { Node } from '../../config/tree.ts';
import { dirname, join } from '../../paths.ts';
import { makeDraft, type ServiceDraft, type ServicesDraft } from '../services-yaml.ts';
import type { Value } from '../yaml-values.ts';
import { type Definition, readDefinition } from './definition-file.ts';
import { Names } from './names.ts';
import { type Imported, type ImportInput, placeComment, Report, whereIn } from './source.ts';
import { literal } from './words.ts';
import { briefOf, entriesOf, itemsOf, readYaml, Section, textOf } from './yaml-source.ts';

/** Imports a recipe. Fails where it is no YAML map with `container`. */
export function importRecipe(input: ImportInput): Imported {
  const read = readYaml(input);
  if (!read.ok) return read;
  const recipe = new Section(read.root, read.source);
  if (!recipe.has('container')) return { ok: false, where: recipe.where(), message: 'a recipe has a key `container`' };
  const report = new Report();
  const draft = makeDraft();
  const name = recipe.text('name') ?? 'service';
  const service: ServiceDraft = {
    name: new Names().take(name, report, recipe.where('name')),
    comments: [placeComment(recipe.where('name'))],
    todo: [],
    fields: {},
  };
  draft.services.push(service);
  if (recipe.has('name')) draft.top.name = literal(name);
  importContainer(input, recipe, service, report);
  importEnvironment(recipe, service);
  importPorts(recipe, service, report);
  importResources(recipe, service, draft, report);
  for (const { key, node } of recipe.rest())
    report.lost(recipe.where(key), `${key}: ${briefOf(node)}`, 'services.yaml has nothing like it');
  return { ok: true, draft, findings: report.findings };
}

function importContainer(input: ImportInput, recipe: Section, service: ServiceDraft, report: Report): void {
  const container = recipe.section('container');
  const name = container.text('definition');
  const image = container.text('image');
  const path = name === undefined ? null : join(dirname(input.path), name);
  const text = path === null ? null : input.read(path);
  if (image !== undefined)
    report.look(
      container.where('image'),
      `image ${image}`,
      'services.yaml names no image',
      'give it to `export` with `--image`',
    );
  if (name !== undefined && text === null)
    report.look(
      container.where('definition'),
      `definition ${name}`,
      'the file cannot be read',
      'import again where it is',
    );
  for (const { key, node } of container.rest())
    report.lost(container.where(key), `container.${key}: ${briefOf(node)}`, 'it is for building or running the image');
  if (path === null || text === null) {
    service.todo.push('the image defines the command: give it here');
    service.fields.command = `echo 'svc-super: ${service.name} has no command yet' >&2; exit 78`;
    return;
  }
  importDefinition(readDefinition({ path, text }), service, report);
}

function importDefinition({ source, header, sections }: Definition, service: ServiceDraft, report: Report): void {
  const script = sections.get('startscript') ?? sections.get('runscript');
  const where = whereIn(source, script ?? { start: 0 });
  if (script === undefined || script.text.trim() === '') {
    service.todo.push(`the definition has no %runscript: what does ${header.get('from') ?? 'the image'} run?`);
    service.fields.command = `echo 'svc-super: ${service.name} has no command yet' >&2; exit 78`;
    report.look(where, '%runscript', 'the definition has none: its base image defines the command');
  } else {
    service.comments.push(placeComment(where));
    service.fields.command = script.text
      .replaceAll(/^\s{2,}/gm, '')
      .replace(/^#!.*\n/, '')
      .replaceAll(/\s*"\$@"/g, '');
    if (/"?\$@"?/.test(script.text))
      report.changed(where, '"$@" in the script', 'a service gets no arguments of `apptainer run`');
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
  if (sections.has('startscript') && sections.has('runscript')) {
    report.lost(
      whereIn(source, sections.get('runscript') ?? { start: 0 }),
      '%runscript',
      'the definition has a %startscript, which is used',
      'add it as a service if both are to run',
    );
  }
}

function importDefinitionEnvironment(
  text: string,
  where: ReturnType<typeof whereIn>,
  service: ServiceDraft,
  report: Report,
): void {
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

function importEnvironment(recipe: Section, service: ServiceDraft): void {
  const node = recipe.take('environment');
  const pairs: readonly (readonly [string, string])[] =
    node?.kind === 'map'
      ? entriesOf(node).map((one) => [one.key, textOf(one.node) ?? ''] as const)
      : itemsOf(node).flatMap((one) => {
          const text = textOf(one) ?? '';
          const at = text.indexOf('=');
          return at > 0 ? [[text.slice(0, at), text.slice(at + 1)] as const] : [];
        });
  if (pairs.length === 0) return;
  const before = (service.fields.env ?? {}) as Readonly<Record<string, Value>>;
  service.fields.env = { ...before, ...Object.fromEntries(pairs.map(([key, value]) => [key, literal(value)])) };
}

function importPorts(recipe: Section, service: ServiceDraft, report: Report): void {
  const ports = new Set<number>();
  const add = (node: Node | undefined): void => {
    if (node?.kind === 'map') for (const { node: value } of entriesOf(node)) add(value);
    else if (node?.kind === 'list') for (const one of node.items) add(one);
    else {
      const text = textOf(node);
      const port = /(?:^|:)(\d{1,5})(?:\/tcp)?$/.exec(text ?? '')?.[1];
      if (port !== undefined && Number(port) > 0 && Number(port) < 65_536) ports.add(Number(port));
      else if (text !== undefined) report.lost(recipe.where('ports'), `ports: ${text}`, 'it is not a TCP port');
    }
  };
  add(recipe.take('ports'));
  const [first] = ports;
  if (ports.size === 1 && first !== undefined) service.fields.port = first;
  if (ports.size > 1) service.fields.ports = [...ports];
}

function importResources(recipe: Section, service: ServiceDraft, draft: ServicesDraft, report: Report): void {
  const resources = recipe.section('resources');
  const gpu = resources.text('gpu') ?? resources.text('gpus');
  if (gpu !== undefined && /^\d{1,4}$/.test(gpu) && Number(gpu) > 0) service.fields.gpus = Number(gpu);
  else if (gpu !== undefined && gpu !== '0')
    report.look(resources.where('gpu'), `gpu: ${gpu}`, 'it is not a number of devices', 'it is left out');
  for (const key of ['resources', 'slurm']) {
    const node = recipe.take(key);
    if (node === undefined) continue;
    draft.top[`x-${key}`] = treeValue(node);
    const why = `\`up\` ignores it: the scheduler gives what a job may use; \`x-${key}\` keeps it`;
    report.changed(recipe.where(key), key, why, '`svc-super export slurm` reads it there');
  }
}

/** A tree as a value of services.yaml. */
function treeValue(node: Node): Value {
  if (node.kind === 'list') return node.items.map(treeValue);
  if (node.kind === 'map') return Object.fromEntries(entriesOf(node).map((one) => [one.key, treeValue(one.node)]));
  return node.value === null ? '' : node.plain && typeof node.value !== 'string' ? node.value : node.text;
}
