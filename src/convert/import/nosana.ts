// Imports a Nosana job: operations become services of one container. Shapes are those of @nosana/types, behaviour that of the
// node (https://github.com/nosana-ci/nosana-cli). JSON is read as YAML, so that findings have positions.
import type { Node } from '../../config/tree.ts';
import { RESERVED } from '../../plan/env-files.ts';
import { readPort } from '../quantities.ts';
import { makeDraft, type ServiceDraft } from '../services-yaml.ts';
import { literal, meaningOf, shellText, unwrapVenv } from '../words.ts';
import { briefOf, entriesOf, itemsOf, readYaml, Section, switchOf, textOf } from '../yaml-source.ts';
import type { Value } from '../yaml-values.ts';
import { findImage, type ImageConfig, readImages, variablesOf } from './compose-image.ts';
import { Names } from './names.ts';
import { type Imported, type ImportInput, missingCommand, placeComment, Report } from './source.ts';

interface JobContext {
  readonly report: Report;
  readonly images: readonly ImageConfig[];
  /** `global.variables`. */
  readonly variables: ReadonlyMap<string, string>;
  readonly names: ReadonlyMap<string, string>;
  /** Names of groups; those that the job names, by their name there. */
  readonly groups: Names;
  readonly named: ReadonlyMap<string, string>;
  readonly gpuUsers: number;
  readonly isAlone: boolean;
}

/** Imports a job. Fails where it is no JSON or YAML, or has no operation that runs a container. */
export function importNosana(input: ImportInput): Imported {
  const read = readYaml(input);
  if (!read.ok) return read;
  const images = readImages(input.imageConfigs);
  if (!images.ok) return images;
  const report = new Report();
  const job = new Section(read.root, read.source);
  const all = job.sections('ops');
  const runs = all.filter((op) => op.text('type') === 'container/run');
  if (runs.length === 0) return { ok: false, where: null, message: 'it has no operation of the type `container/run`' };
  for (const op of all) {
    if (!runs.includes(op))
      report.lost(op.where(), `operation ${briefOf(op.node)}`, 'only `container/run` runs something');
  }
  const names = new Names();
  const variables = readVariables(job, report);
  const taken = runs.map((op) => {
    const id = op.text('id') ?? 'service';
    return [id, names.take(id, report, op.where('id'))] as const;
  });
  const groups = new Names();
  const context: JobContext = {
    report,
    images: images.images,
    variables,
    names: new Map(taken),
    groups,
    named: runs.length === 1 ? new Map() : nameGroups(runs, groups, report),
    gpuUsers: runs.filter((op) => switchOf(op.section('args').take('gpu')) === true).length,
    isAlone: runs.length === 1,
  };
  const draft = makeDraft();
  const ports = new Map<number, string>();
  draft.services = runs.map((op, index) => importOperation(op, taken[index]?.[1] ?? 'service', context, ports));
  if (!context.isAlone) {
    draft.top.hosts = true;
    draft.top.groups = [...new Set(draft.services.map(({ fields }) => fields.group as string))];
    dropCrossStage(draft.services, report);
  }
  reportJob(job, report);
  return { ok: true, draft, findings: report.findings };
}

/** The names of groups that operations name, by what they are called in the job. */
function nameGroups(runs: readonly Section[], groups: Names, report: Report): ReadonlyMap<string, string> {
  const named = new Map<string, string>();
  for (const op of runs) {
    const execution = op.section('execution');
    const group = execution.text('group');
    if (group !== undefined && !named.has(group))
      named.set(group, groups.take(group, report, execution.where('group')));
  }
  return named;
}

function readVariables(job: Section, report: Report): ReadonlyMap<string, string> {
  const global = job.section('global');
  const variables = new Map<string, string>();
  const uses = new Set([...job.source.text.matchAll(/%%globals?\.variables\.([^%]+)%%/g)].map(([, name]) => name));
  for (const { key, node } of entriesOf(global.take('variables'))) {
    variables.set(key, textOf(node) ?? '');
    if (!uses.has(key)) report.lost(global.where('variables'), `global.variables.${key}`, 'nothing uses it');
  }
  for (const { key, node } of global.rest())
    report.lost(global.where(key), `global.${key}: ${briefOf(node)}`, 'it is for the node');
  return variables;
}

const JOB_LOST: Readonly<Record<string, string>> = {
  version: 'it is the version of the format of jobs',
  type: 'services.yaml always describes a container',
  meta: 'it is for the market, not for the container',
  logistics: 'how the job gets its inputs and results is up to the market',
  deployment_id: 'it is for the market',
};

function reportJob(job: Section, report: Report): void {
  for (const { key, node } of job.rest()) {
    report.lost(
      job.where(key),
      `${key}: ${briefOf(node)}`,
      meaningOf(JOB_LOST, key) ?? 'services.yaml has nothing like it',
    );
  }
}

/** One operation while it is read. */
class Operation {
  readonly args: Section;
  readonly op: Section;
  readonly name: string;
  readonly context: JobContext;

  constructor(op: Section, name: string, context: JobContext) {
    this.op = op;
    this.args = op.section('args');
    this.name = name;
    this.context = context;
  }

  get report(): Report {
    return this.context.report;
  }

  /** A scalar with the global variables put in; what else stands between `%%` is reported and stays. */
  text(node: Node | undefined): string | null {
    const text = textOf(node);
    if (text === undefined) return null;
    return text.replaceAll(/%%([^%]+)%%/g, (whole, path: string) => {
      const value = this.context.variables.get(path.replace(/^globals?\.variables\./, ''));
      if (/^globals?\.variables\./.test(path) && value !== undefined) return value;
      const why = 'the node puts it in when the job runs';
      this.report.look(this.args.where(), whole, why, 'write the value');
      return whole;
    });
  }
}

function importOperation(op: Section, name: string, context: JobContext, ports: Map<number, string>): ServiceDraft {
  const operation = new Operation(op, name, context);
  const { args } = operation;
  const service: ServiceDraft = { name, comments: [placeComment(op.where())], todo: [], fields: {} };
  const { fields } = service;
  const imageName = operation.text(args.take('image')) ?? '';
  const image = findImage(context.images, imageName || null, name, false);
  importCommand(operation, service, imageName, image);
  const env = new Map<string, Value>(variablesOf(image).map(([key, value]) => [key, literal(value)]));
  for (const { key, node } of entriesOf(args.take('env'))) {
    if (RESERVED.has(key))
      context.report.lost(args.where('env'), `${key} of ${name}`, 'svc-super sets this variable itself');
    else env.set(key, literal(operation.text(node) ?? ''));
  }
  if (env.size > 0) fields.env = Object.fromEntries(env);
  const cwd = operation.text(args.take('work_dir')) ?? image?.workingDir ?? null;
  if (cwd !== null && cwd !== '') fields.cwd = literal(cwd);
  if (image?.user) fields.user = image.user;
  importPorts(operation, service, ports);
  // svc-super exports the first port as PORT itself.
  if (fields.port !== undefined && String(fields.port) === env.get('PORT')) {
    env.delete('PORT');
    fields.env = env.size > 0 ? Object.fromEntries(env) : undefined;
  }
  if (switchOf(args.take('gpu')) === true) fields.gpus = context.gpuUsers > 1 ? { share: 'all' } : 'all';
  importRestart(operation, service);
  importExecution(operation, service);
  reportOperation(operation);
  return service;
}

function importCommand(
  operation: Operation,
  service: ServiceDraft,
  imageName: string,
  image: ImageConfig | null,
): void {
  const { args, report, name } = operation;
  const cmd = args.take('cmd');
  const given = withoutNull(args.take('entrypoint'));
  const entrypoint = itemsOf(given).map((node) => operation.text(node) ?? '');
  const inspect = `\`docker image inspect ${imageName} > image.json\`, then \`--image-config image.json\``;
  if (cmd?.kind === 'scalar' && cmd.value !== null && entrypoint.length === 0) {
    // The node runs a text by /bin/sh -c.
    const text = operation.text(cmd) ?? '';
    // An empty list of the job removes the ENTRYPOINT of the image.
    if (given === undefined && image !== null && image.entrypoint.length > 0) {
      service.fields.command = [...image.entrypoint, '/bin/sh', '-c', text].map(literal);
      return;
    }
    service.fields.command = text.trim() === '' ? 'true' : text;
    if (text.trim() === '') {
      const why = 'it is empty, so the shell ends at once: `true` is in its place';
      report.look(args.where('cmd'), `cmd of ${name}`, why, 'name the program');
    }
    if (given === undefined && image === null)
      report.look(
        args.where('cmd'),
        `cmd of ${name}`,
        `the image ${imageName} may have an ENTRYPOINT before it`,
        inspect,
      );
    return;
  }
  const program = given === undefined ? (image?.entrypoint ?? []) : entrypoint;
  const written = itemsOf(cmd).map((node) => operation.text(node) ?? '');
  // Docker takes the CMD of the image if neither list has a word.
  const words = [...program, ...(written.length + entrypoint.length > 0 ? written : (image?.cmd ?? []))];
  if (words.length === 0) {
    service.todo.push(`what does the image ${imageName} run? Give the command, or import with --image-config`);
    service.fields.command = missingCommand(name);
    report.look(args.where('image'), name, `its command is defined by the image ${imageName}`, inspect);
    return;
  }
  if (given === undefined && image === null) {
    service.todo.push(`these are arguments for the ENTRYPOINT of the image ${imageName}, if it has one`);
    report.look(
      args.where('cmd'),
      `cmd of ${name}`,
      `the command is only the arguments if the image ${imageName} has an ENTRYPOINT`,
      inspect,
    );
  } else if (image === null)
    report.look(
      args.where('image'),
      `image of ${name}: ${imageName}`,
      'its program, user, folder and variables have to be in the one image',
    );
  const wrapped = unwrapVenv(words);
  if (wrapped !== null) {
    service.fields.venv = wrapped.venv;
    service.fields.command = words.slice(wrapped.skip).map(literal);
    return;
  }
  service.fields.command = shellText(words) ?? words.map(literal);
  if (words[0] === '') {
    // The node cannot start it either. services.yaml refuses a command without a program.
    service.fields.command = ['false'];
    const why = 'its first word is empty, so there is no program to run: `false` is in its place';
    report.look(args.where(given === undefined ? 'cmd' : 'entrypoint'), `cmd of ${name}`, why, 'name it');
  }
}

/** A key whose value is null counts as absent. */
function withoutNull(node: Node | undefined): Node | undefined {
  return node?.kind === 'scalar' && node.value === null ? undefined : node;
}

function importPorts(operation: Operation, service: ServiceDraft, taken: Map<number, string>): void {
  const { args, report, name } = operation;
  const found: number[] = [];
  const probes: HttpProbe[] = [];
  for (const node of itemsOf(args.take('expose'))) {
    const exposed = node.kind === 'map' ? new Section(node, args.source) : null;
    const text = operation.text(exposed === null ? node : exposed.take('port')) ?? '';
    const port = readPort(text);
    if (port === null) {
      const why = /^\d+\s*[-:]\s*\d+$/.test(text)
        ? 'a range of ports cannot be written'
        : 'it is no port: a number from 1 to 65535';
      report.lost(args.where('expose'), `expose ${text} of ${name}`, why, 'name the ports');
      continue;
    }
    const other = taken.get(port);
    if (other !== undefined && other !== name)
      report.look(
        args.where('expose'),
        `port ${port} of ${name}`,
        `${other} also listens on it, and only one service of a container can`,
        'give one of them another port',
      );
    else if (!found.includes(port)) found.push(port);
    taken.set(port, other ?? name);
    for (const check of exposed?.sections('health_checks') ?? []) probes.push(...importCheck(check, port, operation));
    for (const { key, node: value } of exposed?.rest() ?? [])
      report.lost(args.where('expose'), `expose.${key} of ${name}: ${briefOf(value)}`, 'it is for the node');
  }
  const [first] = found;
  for (const probe of probes) if (probe.http.port === first) probe.http = withoutPort(probe.http);
  if (found.length === 1 && first !== undefined) service.fields.port = first;
  if (found.length > 1) service.fields.ports = found;
  if (probes.length > 0) service.fields.ready = (probes.length === 1 ? probes[0] : probes) as Value | undefined;
  if (found.length > 0)
    report.once(
      'expose',
      args.where('expose'),
      `expose of ${name}`,
      'a job publishes it; a container does with `docker run -p`',
      'the exported job needs `expose` again',
    );
}

/** A probe of `ready`. */
interface HttpProbe {
  http: Record<string, Value>;
  readonly continuous?: true;
}

/** The port of the probe is the first one of the service. */
function withoutPort({ port: _, ...http }: Record<string, Value>): Record<string, Value> {
  return http;
}

function importCheck(check: Section, port: number, operation: Operation): readonly HttpProbe[] {
  const kind = check.text('type') ?? 'http';
  if (kind !== 'http') {
    operation.report.lost(
      check.where(),
      `health check of ${operation.name}: ${briefOf(check.node)}`,
      'only HTTP checks have a counterpart',
      'write a `tcp` probe',
    );
    return [];
  }
  const path = operation.text(check.take('path')) ?? '/';
  const method = check.text('method')?.toUpperCase() ?? 'GET';
  const status = Number(check.text('expected_status') ?? Number.NaN);
  const continuous = switchOf(check.take('continuous')) === true;
  for (const { key, node } of check.rest()) {
    operation.report.lost(
      check.where(key),
      `health_checks.${key} of ${operation.name}: ${briefOf(node)}`,
      key === 'headers' || key === 'body' ? 'the node sends neither headers nor a body' : 'a check has no such key',
    );
  }
  const http = {
    port,
    path: literal(path),
    ...(method !== 'GET' && { method }),
    ...(Number.isInteger(status) && { status }),
  };
  return [{ http, ...(continuous && { continuous: true }) }];
}

function importRestart(operation: Operation, { fields, name }: ServiceDraft): void {
  const { args, op, report } = operation;
  const holder = args.has('restart_policy') ? args : op;
  const node = holder.take('restart_policy');
  const where = holder.where('restart_policy');
  const policy = new Section(node, args.source);
  const word = textOf(node) ?? policy.text('policy');
  const tries = Number(policy.text('restart_tries') ?? Number.NaN);
  if (word === 'always' || word === 'unless-stopped') fields.restart = 'always';
  else if (word === 'on-failure')
    fields.restart = Number.isInteger(tries) && tries > 0 ? { policy: 'on-failure', max: tries } : 'on-failure';
  else if (word === 'no') report.lost(where, `restart_policy of ${name}`, 'never is the default');
  else if (word !== undefined)
    report.look(where, `restart_policy of ${name}`, `the node has no policy ${word}`, 'it is left out');
  for (const { key, node: value } of policy.rest())
    report.lost(policy.where(key), `restart_policy.${key} of ${name}: ${briefOf(value)}`, 'the node has no such key');
}

function importExecution(operation: Operation, { fields, name }: ServiceDraft): void {
  const { op, report, context } = operation;
  const execution = op.section('execution');
  const group = execution.text('group');
  if (!context.isAlone)
    fields.group = group === undefined ? context.groups.take(name) : (context.named.get(group) ?? group);
  else if (group !== undefined)
    report.lost(execution.where('group'), `group ${group} of ${name}`, 'with one operation there are no stages');
  const depends: Record<string, Value> = {};
  for (const one of itemsOf(execution.take('depends_on')).flatMap((node) => textOf(node) ?? [])) {
    const target = context.names.get(one);
    if (target === undefined || target === name)
      report.look(execution.where('depends_on'), `depends_on ${one}`, 'no operation has that id', 'it is left out');
    else depends[target] = 'started';
  }
  if (Object.keys(depends).length > 0) fields.depends_on = depends;
  if (!context.isAlone && group === undefined) {
    report.once(
      'stages',
      op.where(),
      `operation ${name}`,
      'operations without a group run one after the other, so each is a stage of its own',
      'give services that run side by side one `group`',
    );
  }
  for (const { key, node } of execution.rest()) {
    const why =
      key === 'stop_if_dependent_stops' ? 'what a service depends on is not stopped with it' : 'it is for the node';
    report.lost(execution.where(key), `execution.${key} of ${name}: ${briefOf(node)}`, why);
  }
}

/** A dependency on an operation of another stage is implied by the stages, or can never be met. */
function dropCrossStage(services: readonly ServiceDraft[], report: Report): void {
  const groups = new Map(services.map(({ name, fields }) => [name, fields.group]));
  const stages = [...new Set(groups.values())];
  const ready = new Set(services.filter(({ fields }) => fields.ready !== undefined).map(({ name }) => name));
  for (const { name, fields } of services) {
    const depends = Object.entries((fields.depends_on ?? {}) as Readonly<Record<string, Value>>);
    const kept = depends.filter(([on]) => groups.get(on) === groups.get(name));
    for (const [on] of depends.filter((one) => !kept.includes(one))) {
      const what = `depends_on ${on} of ${name}`;
      if (stages.indexOf(groups.get(on)) > stages.indexOf(groups.get(name)))
        report.look(null, what, 'it is in a later stage, so it can never be met', 'put both into one `group`');
      else report.changed(null, what, 'it is in an earlier stage, and stages start one after the other');
    }
    const entries = kept.map(([on]): [string, Value] => [on, ready.has(on) ? 'ready' : 'started']);
    fields.depends_on = entries.length > 0 ? Object.fromEntries(entries) : undefined;
  }
}

const ARG_LOST: Readonly<Record<string, readonly [why: string, instead: string | null]>> = {
  volumes: ['a volume is mounted into the container', '`docker run -v`'],
  authentication: ['the container runtime pulls the image', null],
  private: ['it is for the node', null],
  aliases: ['no host has that name here', 'write 127.0.0.1 or the name of the service'],
  required_vram: ['it is for the market', 'use `gpus: {min_free: …}`'],
};

function reportOperation({ args, op, report, name }: Operation): void {
  for (const node of itemsOf(args.take('resources'))) {
    const resource = new Section(node, args.source);
    const kind = resource.text('type') ?? '';
    const what = `resources of ${name}: ${briefOf(node)}`;
    const repo = resource.text('repo') ?? resource.text('model') ?? 'MODEL';
    const task =
      kind === 'HF'
        ? `a task \`hf download ${repo}\``
        : kind === 'Ollama'
          ? `a task \`ollama pull ${repo}\``
          : 'a task that downloads it';
    report.lost(
      resource.where(),
      what,
      'the node downloads it before the start',
      `add ${task}, and let ${name} depend on it`,
    );
  }
  for (const { key, node } of args.rest()) {
    const [why, instead] = meaningOf(ARG_LOST, key) ?? ['services.yaml has nothing like it', null];
    report.lost(args.where(key), `${key} of ${name}: ${briefOf(node)}`, why, instead);
  }
  for (const { key, node } of op.rest())
    report.lost(op.where(key), `${key} of ${name}: ${briefOf(node)}`, 'it is for the node');
}
