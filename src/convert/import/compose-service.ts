// One service of a Compose file as a service of services.yaml. The facts are those of the Compose specification:
// https://github.com/compose-spec/compose-spec/blob/main/05-services.md
import { didYouMean } from '../../config/nearest.ts';
import { SERVICE } from '../../config/schema.ts';
import type { Node } from '../../config/tree.ts';
import type { Where } from '../findings.ts';
import { readGoDuration, writeDuration, writeSize } from '../quantities.ts';
import type { ServiceDraft } from '../services-yaml.ts';
import { literal, meaningOf, quoteWord, shellText, shortSignal, unwrapVenv } from '../words.ts';
import { briefOf, entriesOf, itemsOf, Section, textOf } from '../yaml-source.ts';
import type { Value } from '../yaml-values.ts';
import { importDependencies } from './compose-depends.ts';
import { importEnvironment } from './compose-environment.ts';
import { importGpus } from './compose-gpus.ts';
import { importHealthcheck } from './compose-health.ts';
import { readMemoryLimit } from './compose-memory.ts';
import { importPorts, reportHostSettings } from './compose-outside.ts';
import type { ComposeReader } from './compose-reader.ts';
import { type ComposeText, splitComposeWords } from './compose-text.ts';
import { portsOf } from './compose-words.ts';
import { missingCommand, placeComment } from './source.ts';

/** Keys that have no effect on what runs. */
const IGNORED: Readonly<Record<string, string>> = {
  container_name: "the service's key is its name",
  tty: 'services write to pipes',
  stdin_open: 'services read from /dev/null',
  init: 'PID 1 reaps all orphans',
  pull_policy: 'nothing is pulled',
  attach: 'the output of every service is printed',
  build: 'services run in one image: install its program there',
  platform: 'services run in one image',
  labels: 'there is one container, with its own labels',
  annotations: 'there is one container',
  develop: 'it is for development',
  external_links: 'there are no other containers',
  volumes_from: 'services share one file system',
};

/** Keys that are often misspelt. */
const USUAL =
  'image build command entrypoint environment env_file ports expose volumes depends_on healthcheck restart user deploy ' +
  'working_dir networks profiles stop_signal stop_grace_period container_name hostname';

/** Why a key has no counterpart, and what to do. */
function whyLeft(key: string): { readonly why: string; readonly instead: string | null } {
  const known = meaningOf(IGNORED, key) ?? (key.startsWith('x-') ? 'it is an extension' : undefined);
  if (known !== undefined) return { why: known, instead: null };
  if (Object.hasOwn(SERVICE, key)) {
    return { why: 'it is a key of services.yaml and not of Compose', instead: 'copy it to the result' };
  }
  return { why: 'services.yaml has nothing like it', instead: didYouMean(key, USUAL.split(' ')) ?? null };
}

/** Makes a service. What it does not carry over is reported. */
export function importService(reader: ComposeReader, name: string): ServiceDraft {
  const { section } = reader;
  const service: ServiceDraft = { name, comments: [placeComment(section.where())], todo: [], fields: {} };
  const { fields } = service;
  importPorts(reader, service);
  importCommand(reader, service);
  importEnvironment(reader, fields);
  importDependencies(reader, service);
  importHealthcheck(reader, service);
  importRestart(reader, service);
  importProcess(reader, fields);
  importStop(reader, fields);
  importLimits(reader, fields);
  importGpus(reader, fields);
  importDeploy(reader, fields);
  importProfiles(reader, fields);
  importHooks(reader, fields);
  reportHostSettings(reader);
  for (const { key, node } of section.rest()) {
    const { why, instead } = whyLeft(key);
    reader.report.lost(section.where(key), `${key} of ${reader.key}: ${briefOf(node)}`, why, instead);
  }
  return service;
}

type CommandWords = readonly ComposeText[];

/**
 * Words of a command; null: not given; `unreadable`: it cannot be split, which is reported. A list is taken as it is, a text is split
 * as Compose does, without a shell. `what`: the command, for the report.
 */
function wordsAt(
  section: Section,
  key: string,
  what: string,
  reader: ComposeReader,
): CommandWords | 'unreadable' | null {
  const node = section.take(key);
  if (node === undefined || (node.kind === 'scalar' && node.value === null)) return null;
  if (node.kind === 'list') return node.items.map((item) => reader.read(item) ?? EMPTY);
  const split = splitComposeWords(textOf(node) ?? '');
  const where = section.where(key);
  if (!split.ok) {
    const why = `it cannot be split into words: ${split.why}`;
    reader.report.look(where, what, why, 'correct it, or write it as a list');
    return 'unreadable';
  }
  for (const word of split.words) reader.explainVariables(word);
  if (split.unquoted && split.words.some(({ variables }) => variables.length > 0)) {
    const why = 'a variable becomes one argument, while Compose would split its value at spaces';
    reader.report.changed(where, what, why);
  }
  if (split.dropped !== null) {
    const why = `Compose has no shell and drops what follows: ${split.dropped}`;
    reader.report.look(where, what, why, 'write the command as one text if a shell is meant');
  }
  return split.words;
}

const EMPTY: ComposeText = {
  text: '',
  shell: '',
  word: "''",
  bare: '',
  variables: [],
  withoutOperator: [],
  loosened: false,
};

const fixed = (words: readonly string[]): CommandWords =>
  words.map((word) => ({ ...EMPTY, text: literal(word), shell: word, word: quoteWord(word), bare: word }));

function importCommand(reader: ComposeReader, service: ServiceDraft): void {
  const { image, section, report } = reader;
  const entrypoint = wordsAt(section, 'entrypoint', `entrypoint of ${reader.key}`, reader);
  const command = wordsAt(section, 'command', `command of ${reader.key}`, reader);
  const written = textOf(section.take('image')) ?? '';
  const called = written === '' ? `the image of ${reader.key}` : `the image ${written}`;
  if (entrypoint === 'unreadable' || command === 'unreadable') {
    service.todo.push('its command in the source cannot be split into words (see the report): write it here');
    service.fields.command = missingCommand(service.name);
    return;
  }
  // An entrypoint of the service makes Docker ignore the CMD of the image.
  // Docker takes `[""]` as an empty list.
  const isCleared = entrypoint?.length === 1 && entrypoint[0]?.text === '';
  const program = isCleared ? [] : (entrypoint ?? fixed(image?.entrypoint ?? []));
  const args = command ?? (entrypoint === null ? fixed(image?.cmd ?? []) : []);
  const words = [...program, ...args];
  if (words.length === 0) {
    const todo = `what does ${called} run? Give the command, or import with --image-config`;
    service.todo.push(todo);
    service.fields.command = missingCommand(service.name);
    report.look(section.where('image'), `${reader.key}`, `its command is defined by ${called}`, inspectLine(written));
    return;
  }
  if (entrypoint === null && image === null) {
    service.todo.push(`these are arguments for the ENTRYPOINT of ${called}, if it has one`);
    const why = `the command is only the arguments if ${called} has an ENTRYPOINT`;
    report.look(section.where('command'), `command of ${reader.key}`, why, inspectLine(written));
  } else if (image === null) {
    report.look(
      section.where('image'),
      `image of ${reader.key}: ${written}`,
      'its program, user, folder and variables have to be in the one image',
    );
  }
  writeCommand(reader, service, words, section.where(entrypoint === null ? 'command' : 'entrypoint'));
}

/** Writes `command`, and `venv` where the words only set that environment up. `where`: the program. */
function writeCommand(reader: ComposeReader, service: ServiceDraft, words: CommandWords, where: Where): void {
  const { section, report } = reader;
  for (const port of portsOf(words.map(({ bare }) => bare)))
    reader.context.dockerRun.claim(port, reader.key, section.where('command'), report);
  const wrapped = unwrapVenv(words.map((word) => word.shell));
  if (wrapped !== null) {
    service.fields.venv = wrapped.venv;
    service.fields.command = words.slice(wrapped.skip).map(({ text }) => text);
    return;
  }
  const shell = shellText(words.map((word) => word.shell));
  // The program must be named: its variable has to be set.
  const named = ({ text, bare }: ComposeText, index: number) =>
    index === 0 && bare === '' ? text.replaceAll(':-}', '}') : text;
  service.fields.command = shell ?? words.map(named);
  if (words[0]?.text === '') {
    // Docker cannot start it either. services.yaml refuses a command without a program.
    service.fields.command = ['false'];
    const why = 'its first word is empty, so there is no program to run: `false` is in its place';
    report.look(where, `command of ${reader.key}`, why, 'name it');
  }
}

function inspectLine(image: string): string {
  return `\`docker image inspect ${image === '' || image.includes('$') ? 'IMAGE' : image} > image.json\`, then \`--image-config image.json\``;
}

function importRestart(reader: ComposeReader, service: ServiceDraft): void {
  const { section, report } = reader;
  const policy = section.section('deploy').section('restart_policy');
  const deployed =
    reader.textAt(policy.take('condition'), 'variables-unset') ?? (policy.keys().length > 0 ? 'any' : 'no');
  const text = reader.textAt(section.take('restart'), 'variables-unset') ?? deployed;
  const [, word = text, count] = /^(on-failure):(\d+)$/.exec(text) ?? [];
  const attempts = reader.textAt(policy.take('max_attempts'), 'variables-unset') ?? '0';
  if (!/^\d+$/.test(attempts)) {
    const what = `deploy.restart_policy.max_attempts of ${reader.key}`;
    report.look(policy.where('max_attempts'), what, `${attempts || 'an empty text'} is not a number`, 'it is left out');
  }
  // 0 is no limit; NaN is what was reported.
  const max = Number(count ?? attempts);
  const limited = (name: string): Value => (max > 0 ? { policy: name, max } : name);
  if (word === 'always' || word === 'unless-stopped' || word === 'any') service.fields.restart = limited('always');
  else if (word === 'on-failure') service.fields.restart = limited('on-failure');
  else if (!/^(?:no|none|false)$/.test(word)) {
    report.look(
      section.where('restart'),
      `restart of ${reader.key}`,
      `Compose has no policy ${text}`,
      'it is left out',
    );
  }
  if (section.has('restart') && word === 'unless-stopped') {
    report.once(
      'unless-stopped',
      section.where('restart'),
      'unless-stopped',
      'it is `always`: a stopped container stays stopped anyway',
    );
  }
  if (/^(?:no|none|false)$/.test(word) && section.has('restart')) {
    report.lost(section.where('restart'), `restart of ${reader.key}`, 'never is the default');
  }
}

function importProcess(reader: ComposeReader, fields: ServiceDraft['fields']): void {
  const { section, image, report } = reader;
  const cwd =
    reader.textAt(section.take('working_dir'), 'variables-kept') ??
    (image?.workingDir ? literal(image.workingDir) : null);
  if (cwd !== null && (cwd !== '/' || section.has('working_dir'))) fields.cwd = cwd;
  const user = reader.textAt(section.take('user'), 'variables-kept') ?? image?.user ?? null;
  if (user !== null && user !== '') {
    fields.user = user;
    report.once(
      'user',
      section.where('user'),
      `user of ${reader.key}`,
      'it must exist in the one image',
      'add it there, or give numbers',
    );
  }
  const score = reader.textAt(section.take('oom_score_adj'), 'variables-kept');
  if (score !== null) fields.oom_score_adj = numberOr(score);
  const memory = readMemoryLimit(reader);
  if (memory !== null) fields.memory_limit = writeSize(memory);
  const cpus = reader.textAt(section.take('cpuset'), 'variables-kept');
  if (cpus !== null && cpus !== '') fields.cpus = cpus;
}

/** A number where the text is one, so that it is written without quotes. */
function numberOr(text: string): Value {
  return /^-?\d{1,9}$/.test(text) ? Number(text) : text;
}

function importStop(reader: ComposeReader, fields: ServiceDraft['fields']): void {
  const { section, image, report } = reader;
  const signal = reader.textAt(section.take('stop_signal'), 'variables-kept') ?? image?.stopSignal ?? null;
  const grace = reader.textAt(section.take('stop_grace_period'), 'variables-unset');
  const millis = grace === null ? null : readGoDuration(grace);
  if (grace !== null && millis === null) {
    report.look(
      section.where('stop_grace_period'),
      `stop_grace_period of ${reader.key}`,
      `Compose refuses ${grace}`,
      'it is left out',
    );
  }
  const name = signal === null ? null : shortSignal(signal);
  const stop = {
    ...(name !== null && name !== '' && name !== 'TERM' && { signal: numberOr(name) }),
    ...(millis !== null && { timeout: writeDuration(millis) }),
  };
  if (Object.keys(stop).length > 0) fields.stop = stop;
  if (name === 'TERM' && section.has('stop_signal'))
    report.lost(section.where('stop_signal'), `stop_signal of ${reader.key}`, 'TERM is the default');
}

function importLimits(reader: ComposeReader, fields: ServiceDraft['fields']): void {
  const { section } = reader;
  const limits: Record<string, Value> = {};
  for (const { key, node } of entriesOf(section.take('ulimits'))) {
    const value = (one: Node | undefined): Value | undefined => {
      const text = reader.textAt(one, 'variables-kept');
      return text === null ? undefined : text === '-1' ? 'unlimited' : limitOf(key, text);
    };
    const pair = new Section(node, section.source);
    const both = node.kind === 'map' ? { soft: value(pair.take('soft')), hard: value(pair.take('hard')) } : value(node);
    if (both !== undefined) limits[key] = both as Value;
  }
  if (Object.keys(limits).length > 0) fields.limits = limits;
}

/** Limits of sizes need a unit; Docker counts them in bytes. */
function limitOf(key: string, text: string): Value {
  const isSize = ['as', 'core', 'data', 'fsize', 'memlock', 'msgqueue', 'rss', 'stack'].includes(key);
  if (!/^\d+$/.test(text)) return text;
  return isSize && text !== '0' ? `${text}B` : Number(text);
}

function importDeploy(reader: ComposeReader, fields: ServiceDraft['fields']): void {
  const { section, report } = reader;
  const deploy = section.section('deploy');
  importReplicas(reader, deploy, fields);
  // reportResources() of compose-outside.ts reports what is in it.
  deploy.take('resources');
  const restart = deploy.section('restart_policy');
  for (const key of ['condition', 'max_attempts']) restart.take(key);
  for (const { key, node } of restart.rest()) {
    report.lost(
      restart.where(key),
      `deploy.restart_policy.${key} of ${reader.key}: ${briefOf(node)}`,
      'pauses between restarts are those of `restart.backoff`',
    );
  }
  for (const { key, node } of deploy.rest()) {
    report.lost(deploy.where(key), `deploy.${key} of ${reader.key}: ${briefOf(node)}`, 'it is for a cluster');
  }
}

/** `deploy.replicas` or `scale`. Compose refuses a file in which the two differ. */
function importReplicas(reader: ComposeReader, deploy: Section, fields: ServiceDraft['fields']): void {
  const { section, report } = reader;
  const [deployed, scale] = [deploy.take('replicas'), section.take('scale')];
  const replicas = reader.textAt(deployed ?? scale, 'variables-kept');
  const where = deployed === undefined ? section.where('scale') : deploy.where('replicas');
  const what = `replicas of ${reader.key}`;
  if (replicas === null) return;
  if (replicas === '1') report.lost(where, what, 'one is the default');
  else if (replicas === '0') {
    fields.start = 'manual';
    report.changed(where, what, 'with no copy it does not run, so it is started by hand: `svc-super start` runs one');
  } else {
    fields.replicas = numberOr(replicas);
    const why = 'the copies have ports that count up; Docker gave them one name, and each an address of its own';
    report.changed(where, what, why, 'put a proxy in front of them');
  }
}

function importProfiles(reader: ComposeReader, fields: ServiceDraft['fields']): void {
  const { section, report } = reader;
  const profiles = itemsOf(section.take('profiles')).flatMap((node) => reader.textAt(node, 'variables-unset') ?? []);
  if (profiles.length === 0) return;
  fields.profiles = profiles;
  report.changed(
    section.where('profiles'),
    `profiles of ${reader.key}`,
    '`up --profile` and $SVC_SUPER_PROFILES turn them on, and $COMPOSE_PROFILES does not',
  );
}

function importHooks(reader: ComposeReader, fields: ServiceDraft['fields']): void {
  const { section, report } = reader;
  const hooks: Record<string, Value> = {};
  for (const [key, hook] of [
    ['post_start', 'after_ready'],
    ['pre_stop', 'before_stop'],
  ] as const) {
    const commands = section.sections(key).flatMap((one) => {
      const words = wordsAt(one, 'command', `${key} of ${reader.key}`, reader);
      for (const { key: other, node: value } of one.rest()) {
        report.lost(
          one.where(other),
          `${key}.${other} of ${reader.key}: ${briefOf(value)}`,
          'a hook runs as its service does',
        );
      }
      return words === null || words === 'unreadable' || words.length === 0 ? [] : [words];
    });
    const [first, ...more] = commands;
    if (first !== undefined) hooks[hook] = { command: more.length === 0 ? commandOf(first) : inTurn(commands) };
    if (key === 'post_start' && commands.length > 0) {
      report.changed(
        section.where(key),
        `post_start of ${reader.key}`,
        'it runs once the service is ready, not as soon as it has started',
      );
    }
  }
  if (Object.keys(hooks).length > 0) fields.hooks = hooks;
}

/** A text for a shell that the source names itself, else the words. */
function commandOf(words: CommandWords): Value {
  return shellText(words.map(({ shell }) => shell)) ?? words.map(({ text }) => text);
}

/** Commands as one line of a shell, up to the first that fails. */
function inTurn(commands: readonly CommandWords[]): string {
  return commands.map((words) => words.map(({ word }) => word).join(' ')).join(' && ');
}
