// Imports an s6-overlay tree (versions 2 and 3): scripts of cont-init.d and fix-attrs.d become tasks, longruns services,
// oneshots tasks, dependencies `depends_on`. https://github.com/just-containers/s6-overlay#readme. Reads no file but through
// its input.
import { parseDuration } from '../../config/quantity.ts';
import { startOf } from '../findings.ts';
import { adviseDockerStop, toSeconds, writeStopTimeout } from '../quantities.ts';
import { type FileDraft, makeDraft, type ServiceDraft } from '../services-yaml.ts';
import { quoteWord } from '../words.ts';
import { Names } from './names.ts';
import { scriptCommand } from './s6-script.ts';
import { fileOf, importLongrun, importOneshot, reportFiles } from './s6-service.ts';
import { findTree, type S6Definition, type S6Path, type S6Tree } from './s6-tree.ts';
import { type Imported, type ImportInput, placeComment, Report } from './source.ts';

/** Default of `stop_timeout`, seconds. */
const USUAL_STOP = 9;

/** Imports a folder. Fails where there is no tree in it, or nothing that runs. */
export function importS6(input: ImportInput): Imported {
  const tree = findTree(input);
  if (tree === null) {
    const message = 'there is no s6-rc.d, services.d or cont-init.d in it, nor in its etc, rootfs/etc or root/etc';
    return { ok: false, where: null, message };
  }
  const report = new Report();
  const draft = makeDraft();
  const names = new Names();
  const first = importInit(input, tree, names, report);
  const rest = importDefinitions(input, tree, names, report);
  if (first.length + rest.length === 0) return { ok: false, where: null, message: 'nothing in it runs' };
  if (first.length > 0 && rest.length > 0) {
    draft.top.groups = ['init', 'services'];
    for (const { fields } of first) fields.group = 'init';
    for (const { fields } of rest) fields.group = 'services';
  }
  draft.services = [...first, ...rest];
  for (const { path } of tree.finish) {
    report.lost(
      startOf(path),
      path,
      'nothing runs after all services have ended',
      'use the hook `after_exit` of the service that it is for',
    );
  }
  importStopTimeout(draft, report);
  return { ok: true, draft, findings: report.findings };
}

function importStopTimeout(draft: FileDraft, report: Report): void {
  const times = draft.services.flatMap(({ fields: { stop } }) => {
    const text = typeof stop === 'object' ? (stop as { timeout?: string }).timeout : undefined;
    return text === undefined ? [] : [text];
  });
  const millis = times.map((text) => parseDuration(text)).map((read) => (read.ok ? read.value : 0));
  const longest = toSeconds(Math.max(0, ...millis));
  if (longest < USUAL_STOP) return;
  draft.top.stop_timeout = writeStopTimeout(longest);
  report.changed(
    null,
    'timeout-kill',
    'the whole shutdown has one deadline, `stop_timeout`',
    adviseDockerStop(longest),
  );
}

/** fix-attrs.d, then cont-init.d: one after the other. */
function importInit(input: ImportInput, tree: S6Tree, names: Names, report: Report): readonly ServiceDraft[] {
  const tasks = [
    ...tree.attrs.map((one) => importAttrs(input, one, names, report)),
    ...tree.init.map((one) => importScript(input, one, names, report)),
  ];
  const made = tasks.filter((one): one is ServiceDraft => one !== null);
  made.forEach((task, index) => {
    const before = made[index - 1];
    if (before !== undefined) task.fields.depends_on = [before.name];
  });
  if (tree.init.length > 0) {
    const [script] = tree.init;
    report.once(
      'cont-init',
      startOf(script?.path ?? input.path),
      'cont-init.d',
      'the scripts are tasks that run one after the other; a failure of one ends the container, as with S6_BEHAVIOUR_IF_STAGE2_FAILS=2',
      'write `essential: false` for one that may fail',
    );
  }
  return made;
}

function importScript(input: ImportInput, { path, inside }: S6Path, names: Names, report: Report): ServiceDraft | null {
  const text = input.read(path);
  if (text === null) {
    report.look(startOf(path), path, 'it cannot be read', 'it is left out');
    return null;
  }
  const { command, user, cwd, env, note } = scriptCommand(text, inside);
  const name = names.take(inside.replace(/^.*\//, '').replace(/^\d+-/, '').replace(/\.sh$/, ''));
  if (note !== null) report.look(startOf(path), path, note);
  if (/services\.d|s6-rc\.d/.test(text)) {
    report.look(
      startOf(path),
      path,
      'it seems to write service definitions when it runs: those are not here',
      'add them to services.yaml by hand',
    );
  }
  const fields = {
    command,
    type: 'task',
    ...(user !== null && { user }),
    ...(cwd !== null && { cwd }),
    ...(Object.keys(env).length > 0 && { env }),
  };
  return { name, comments: [placeComment(startOf(path))], todo: [], fields };
}

/** Lines `path recurse owner mode-of-files mode-of-folders`. */
function importAttrs(input: ImportInput, { path, inside }: S6Path, names: Names, report: Report): ServiceDraft | null {
  const text = input.read(path);
  if (text === null) {
    report.look(startOf(path), path, 'it cannot be read', 'it is left out');
    return null;
  }
  const commands = text.split('\n').flatMap((line, index) => {
    if (line.trim() === '' || line.startsWith('#')) return [];
    const [target = '', recurse = '', owner = '', files = '', folders = ''] = line.trim().split(/\s+/);
    if (folders === '' || !/^(?:true|false)$/.test(recurse)) {
      report.look(
        { file: path, line: index + 1, column: 1 },
        line,
        'it is not `path recurse owner file-mode folder-mode`',
        'it is left out',
      );
      return [];
    }
    const word = quoteWord(target);
    const depth = recurse === 'true' ? '' : ' -maxdepth 0';
    const chown = (who: string): string => `find ${word}${depth} -exec chown -h ${quoteWord(who)} {} +`;
    return [
      changeOwner(owner, chown),
      `find ${word}${depth} -type f -exec chmod ${quoteWord(files)} {} +`,
      `find ${word}${depth} -type d -exec chmod ${quoteWord(folders)} {} +`,
    ];
  });
  if (commands.length === 0) return null;
  report.changed(startOf(path), path, 'it is a task that runs `find`');
  const name = names.take(`fix-attrs-${inside.replace(/^.*\//, '')}`);
  return {
    name,
    comments: [placeComment(startOf(path))],
    todo: [],
    fields: { type: 'task', command: `set -e\n${commands.join('\n')}\n` },
  };
}

/**
 * The command for an account of fix-attrs: `nobody`, which stands for its group too, or `nobody,32768:32768`, with what is used if
 * there is no such user.
 */
function changeOwner(account: string, chown: (owner: string) => string): string {
  const [first = '', fallback] = account.split(',');
  const [user = '', group] = first.split(':');
  const isName = !/^\d+$/.test(user);
  const owner = isName && group === undefined ? `${user}:` : first;
  if (fallback === undefined || !isName) return chown(owner);
  return `if id -u ${quoteWord(user)} >/dev/null 2>&1; then ${chown(owner)}; else ${chown(fallback)}; fi`;
}

/** Definitions by name, and what a bundle stands for. Of a name in s6-rc.d and in services.d, the one in s6-rc.d is taken. */
class Definitions {
  readonly all: ReadonlyMap<string, S6Definition>;
  readonly #input: ImportInput;
  /** The last loggers of pipelines, by `pipeline-name`: a bundle of the pipeline that no folder defines. */
  readonly #pipelines: ReadonlyMap<string, S6Definition>;

  constructor(input: ImportInput, definitions: readonly S6Definition[], report: Report) {
    this.#input = input;
    const all = new Map<string, S6Definition>();
    for (const one of definitions) {
      const { name, path } = one;
      if (!all.has(name)) all.set(name, one);
      else report.look(startOf(path), path, `s6-rc.d has ${name} too, which is taken`, 'it is left out: compare them');
    }
    this.all = all;
    this.#pipelines = new Map(
      [...all.values()].flatMap((one) => {
        const isLast = one.entries.includes('consumer-for') && !one.entries.includes('producer-for');
        const name = isLast ? fileOf({ input, definition: one }, 'pipeline-name')?.trim() : undefined;
        return name === undefined || name === '' ? [] : [[name, one]];
      }),
    );
  }

  typeOf(definition: S6Definition): string {
    if (definition.kind === 'legacy') return 'longrun';
    const written = fileOf({ input: this.#input, definition }, 'type')?.trim();
    return written ?? (definition.entries.includes('run') ? 'longrun' : 'oneshot');
  }

  /** Names in `dependencies.d` or `contents.d`, or in the file of the same name. */
  namesIn(definition: S6Definition, name: 'dependencies' | 'contents'): readonly string[] {
    const folder = definition.entries.includes(`${name}.d/`)
      ? (this.#input.list(`${definition.path}/${name}.d`) ?? [])
      : [];
    const file = fileOf({ input: this.#input, definition }, name) ?? '';
    return [
      ...folder.filter((one) => !one.endsWith('/') && !one.startsWith('.')),
      ...file.split(/\s+/).filter((one) => one !== '' && !one.startsWith('#')),
    ];
  }

  /** The services and tasks that a name stands for: itself, or the members of a bundle or a pipeline. */
  members(name: string, seen = new Set<string>()): readonly string[] {
    if (seen.has(name)) return [];
    seen.add(name);
    const definition = this.all.get(name);
    if (definition === undefined) return this.#pipelineOf(this.#pipelines.get(name), seen);
    if (this.typeOf(definition) !== 'bundle') return [name];
    return this.namesIn(definition, 'contents').flatMap((one) => this.members(one, seen));
  }

  /** The services that lead to a logger, and itself. */
  #pipelineOf(last: S6Definition | undefined, seen: Set<string>): readonly string[] {
    if (last === undefined || seen.has(last.name)) return [];
    seen.add(last.name);
    const producers = (fileOf({ input: this.#input, definition: last }, 'consumer-for') ?? '').split(/\s+/);
    return [last.name, ...producers.flatMap((one) => this.#pipelineOf(this.all.get(one), seen))];
  }

  /** What the bundles `user` and `user2` bring up, with what that needs; null: there is no such bundle. */
  enabled(): ReadonlySet<string> | null {
    const roots = ['user', 'user2'].filter((name) => this.all.has(name));
    if (roots.length === 0) return null;
    const found = new Set<string>();
    const queue = roots.flatMap((name) => this.members(name));
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      const definition = this.all.get(name);
      if (found.has(name) || definition === undefined) continue;
      found.add(name);
      for (const one of this.namesIn(definition, 'dependencies')) queue.push(...this.members(one));
    }
    return found;
  }
}

/** Names that s6-overlay itself defines. */
const OF_OVERLAY = /^(?:base|user|user2|top|init|init-\w+|fix-attrs|legacy-cont-init|legacy-services|syslogd.*)$/;

function importDefinitions(input: ImportInput, tree: S6Tree, names: Names, report: Report): readonly ServiceDraft[] {
  const definitions = new Definitions(input, tree.definitions, report);
  const enabled = definitions.enabled();
  const made = new Map<string, ServiceDraft>();
  const loggers: S6Definition[] = [];
  for (const definition of definitions.all.values()) {
    const type = definitions.typeOf(definition);
    const reader = { input, report, definition };
    if (definition.kind === 'rc' && fileOf(reader, 'type') === null) {
      report.look(
        startOf(definition.path),
        definition.name,
        `it has no file \`type\`, so s6-rc refuses it; it is taken for a ${type}`,
      );
    }
    if (type === 'bundle') continue;
    if (fileOf(reader, 'consumer-for') !== null) loggers.push(definition);
    else {
      const name = names.take(definition.name, report, startOf(definition.path));
      made.set(definition.name, type === 'oneshot' ? importOneshot(reader, name) : importLongrun(reader, name));
    }
  }
  for (const [key, service] of made) {
    const definition = definitions.all.get(key);
    if (definition === undefined) continue;
    if (definition.kind === 'rc' && enabled !== null && !enabled.has(key)) {
      service.fields.start = 'manual';
      report.look(
        startOf(definition.path),
        key,
        'it is in no `user/contents.d`, so s6 does not start it',
        'start it with `svc-super start`, or remove `start: manual`, or the service',
      );
    }
    writeDependencies(definitions, definition, service, made, report);
  }
  for (const definition of loggers) importLogger({ input, report, definition }, made);
  for (const definition of definitions.all.values()) {
    if (definition.entries.includes('log/')) importLegacyLogger(input, definition, made, report);
  }
  return [...made.values()];
}

function writeDependencies(
  definitions: Definitions,
  definition: S6Definition,
  service: ServiceDraft,
  made: ReadonlyMap<string, ServiceDraft>,
  report: Report,
): void {
  const wanted = new Set<string>();
  for (const name of definitions.namesIn(definition, 'dependencies')) {
    const members = definitions.members(name).filter((one) => made.has(one));
    if (members.length === 0) {
      const why = OF_OVERLAY.test(name)
        ? 's6-overlay itself defines it'
        : definitions.all.has(name)
          ? 'nothing of it runs here: it is a logger, or a bundle without services'
          : 'it is not in this tree';
      report.lost(startOf(definition.path), `dependency ${name} of ${service.name}`, why);
    }
    for (const one of members) wanted.add(made.get(one)?.name ?? one);
  }
  wanted.delete(service.name);
  if (wanted.size > 0) service.fields.depends_on = [...wanted];
}

/** The folder that `s6-log` writes to; null: the logger is another program. */
function logFolder(text: string | null): string | null {
  return /\bs6-log\b[^\n]*\s(\/[\w./-]+)\s*$/m.exec(text ?? '')?.[1] ?? null;
}

/** A logger: `s6-log DIR` becomes `log.file` of the service that it reads. */
function importLogger(
  reader: { input: ImportInput; report: Report; definition: S6Definition },
  made: ReadonlyMap<string, ServiceDraft>,
): void {
  const { report, definition } = reader;
  reportFiles(reader, definition.name);
  if (fileOf(reader, 'notification-fd') !== null)
    report.lost(
      startOf(`${definition.path}/notification-fd`),
      `notification-fd of ${definition.name}`,
      'the logger is not carried over',
    );
  const [producer = '', ...others] = fileOf(reader, 'consumer-for')?.trim().split(/\s+/) ?? [];
  const service = made.get(producer);
  const folder = logFolder(fileOf(reader, 'run'));
  if (service !== undefined && folder !== null) {
    service.fields.log = { file: { path: `${folder}/current` } };
    report.changed(
      startOf(definition.path),
      definition.name,
      `svc-super writes ${folder}/current itself, rotates it by size, and prints the lines too`,
    );
  }
  for (const one of service !== undefined && folder !== null ? others : [producer, ...others])
    report.lost(
      startOf(definition.path),
      definition.name,
      `it reads the output of ${one}, which svc-super prints`,
      'use `log` of the service',
    );
}

function importLegacyLogger(
  input: ImportInput,
  definition: S6Definition,
  made: ReadonlyMap<string, ServiceDraft>,
  report: Report,
): void {
  const service = made.get(definition.name);
  const path = `${definition.path}/log/run`;
  const text = input.read(path);
  const folder = logFolder(text);
  if (service === undefined) return;
  if (text === null) {
    report.look(startOf(path), `log of ${definition.name}`, 'it has no `run` file that can be read', 'it is left out');
    return;
  }
  if (folder === null) {
    report.lost(
      startOf(path),
      `log of ${definition.name}`,
      'it reads the output of the service, which svc-super prints',
      'use `log` of the service',
    );
    return;
  }
  service.fields.log = { file: { path: `${folder}/current` } };
  report.changed(
    startOf(path),
    `log of ${definition.name}`,
    `svc-super writes ${folder}/current itself, and prints the lines too`,
  );
}
