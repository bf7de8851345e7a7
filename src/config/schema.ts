// The table of all fields of services.yaml. Validation, defaults, the reference and the JSON Schema for editors are made
// from it, so every field is documented.
import { adviseFields } from './advice.ts';
import { command, groupName, NAME, NAME_RULE } from './command.ts';
import { CONTROL } from './control-values.ts';
import {
  defaulted,
  type FieldsRead,
  field,
  type Given,
  type KeyRules,
  object,
  objectSchema,
  readFields,
  required,
} from './field.ts';
import { envFiles, environment, includes, ownPath } from './file-values.ts';
import { gpus, gpusShape } from './gpu-values.ts';
import { adviseHooks, HOOKS } from './hook-values.ts';
import { MEMORY } from './memory-values.ts';
import { OTHER_EXITS, OTHER_SERVICE_KEYS, OTHER_STARTS, OTHER_STOP_TARGETS, OTHER_TYPES } from './other-systems.ts';
import { probeShape, probes } from './probe-schema.ts';
import { pattern } from './probe-values.ts';
import { cpus, limits, umask, user } from './process-values.ts';
import { forReplica, inFlow, mismatch, quote, type Reading } from './reading.ts';
import { REPLICAS_MOST } from './replicas.ts';
import { restart } from './restart-values.ts';
import { SCHEDULE } from './schedule-values.ts';
import {
  conditionWord,
  dependencies,
  enabled,
  forwards,
  inherited,
  orOff,
  signal,
  stopSignal,
} from './service-values.ts';
import {
  byKind,
  duration,
  flag,
  INTERPOLATED,
  type JsonSchema,
  listOf,
  refined,
  type Shape,
  size,
  text,
  whole,
  word,
  wordOf,
} from './shape.ts';
import { OWN_LOG, OWN_LOG_RULES, SUPERVISOR } from './supervisor-values.ts';
import type { ListNode, MapEntry, MapNode, Node, ScalarNode } from './tree.ts';

const path = text({ wanted: 'a path' });
const port = whole('a port', 1, 65535);

// -------------------------------------------------------------------------------------------------------------- service

export const STOP = {
  signal: defaulted(signal(), 'the stop signal, sent once', 'TERM'),
  timeout: field(duration(), 'grace period: time until remaining processes are killed', 'all of `stop_timeout`'),
  to: defaulted(
    wordOf(['main', 'group'], OTHER_STOP_TARGETS),
    'where the signal goes: to the main process, or to its process group',
    'main',
  ),
  command: field(
    command(),
    'run instead of sending the signal, with its output in the log of the service; ended when the main process has exited',
  ),
  leftover_timeout: field(
    duration(),
    'when the main process exits without a stop: time between SIGTERM and SIGKILL for its leftover processes',
    '`2s`, or `timeout` if that is shorter',
  ),
} as const;

const patterns = byKind<readonly string[], readonly string[]>('a pattern, or a list of patterns', {
  scalar: refined(pattern(), (one) => [one]),
  list: listOf(pattern(), { wanted: 'a list of patterns' }),
});

export const LOG_FILE = {
  path: required(ownPath, 'relative to the configuration file that contains it; missing folders are created'),
  max_size: defaulted(size(), 'the file is rotated before it exceeds this size', '10MiB'),
  keep: defaulted(whole('a number', 0, 1_000), 'how many rotated files are kept: `path.1` is the newest', 5),
  compress: defaulted(flag(), 'whether rotated files are compressed: `path.1.gz`', false),
} as const;

const advisePath = (given: ScalarNode | ListNode): string | undefined =>
  given.kind === 'scalar' && typeof given.value === 'string' ? `write \`{path: ${inFlow(given.text)}}\`` : undefined;

/** Suggests the field for a word, and `file` for a path. */
function adviseLog(given: ScalarNode | ListNode): string | undefined {
  const { text = '' } = given.kind === 'scalar' ? given : {};
  const fields = { format: FORMAT, when_full: WHEN_FULL, ansi: ANSI };
  const found = Object.entries(fields).find(([, words]) => words.some((word) => word === text));
  if (found !== undefined) return `write \`{${found[0]}: ${text}}\``;
  if (text.includes('/')) return `write \`{file: {path: ${inFlow(text)}}}\``;
  return `known here: ${Object.keys(LOG).join(', ')}`;
}

const FORMAT = ['text', 'json'] as const;
const WHEN_FULL = ['block', 'drop'] as const;
const ANSI = ['keep', 'strip'] as const;

export const LOG = {
  prefix: defaulted(flag(), 'put `name | ` before each line', true),
  format: defaulted(word(...FORMAT), '`text` or `json`', 'text'),
  time: defaulted(
    flag(),
    'with `text`: put the time before each line, on the output and in the file: `2026-01-31T12:00:00.000Z`, in UTC; JSON lines always have it',
    false,
  ),
  when_full: defaulted(
    word(...WHEN_FULL),
    'when the output is not read: `block` slows the service down, `drop` drops lines and reports how many',
    'block',
  ),
  ansi: defaulted(
    word(...ANSI),
    'colours and other escape sequences of terminals; with `strip`, `drop` and `log` probes see the text without them',
    'keep',
  ),
  merge: defaulted(
    flag(),
    'with `json`: a line that is a JSON object becomes the log entry itself, instead of becoming the text of an entry',
    true,
  ),
  drop: field(
    patterns,
    'a pattern or a list of patterns: matching lines are dropped; a line above 64 KiB is matched by its first 64 KiB',
    'none',
  ),
  file: field(
    object(LOG_FILE, { owner: '`file`', advise: advisePath }),
    'a file that also receives every line, without the prefix',
  ),
  stderr_file: field(
    object(LOG_FILE, { owner: '`stderr_file`', advise: advisePath }),
    'a file of its own for the lines of standard error; `file` then receives those of standard output only',
    'they go to `file`, if there is one',
  ),
} as const;

export const DEPENDENCY = {
  condition: field(conditionWord, '`started`, `ready`, `completed` or `exited`', 'depends on the target, as in a list'),
  any: field(
    whole('a number of copies', 1, REPLICAS_MOST),
    'how many replicas must satisfy the condition',
    'all of them',
  ),
  restart: defaulted(
    flag(),
    'when the target restarts (by its policy, a command or a reload), this service is stopped and starts again after it; a task runs again',
    false,
  ),
} as const;

export const SERVICE = {
  command: required(
    command(),
    'a text runs under `/bin/sh -c`; if it is a single simple command, it runs as `exec …`, so signals reach it directly; a list is executed without a shell',
  ),
  type: defaulted(
    wordOf(['service', 'task'], OTHER_TYPES),
    '`service` is meant to keep running; `task` is meant to finish: a download, a migration',
    'service',
  ),
  ...SCHEDULE,
  enabled: defaulted(
    enabled(),
    '`true`, `false`, or a text with variables; empty, `0`, `no`, `false`, `off` mean no',
    true,
  ),
  start: defaulted(
    wordOf(['auto', 'manual'], OTHER_STARTS),
    '`manual`: it does not start with the supervisor, but when `svc-super start` or a service that depends on it needs it; until then it is `idle`',
    'auto',
  ),
  profiles: field(
    listOf(groupName(), { wanted: 'a list of profiles' }),
    'it starts with the supervisor only if one of these profiles is on (`up --profile NAME`, `$SVC_SUPER_PROFILES`); otherwise as with `start: manual`',
    'none: it is always on',
  ),
  group: field(
    groupName(),
    'its stage: a stage starts when every service of the previous stage is ready and every task has completed',
  ),
  depends_on: field(
    dependencies(object(DEPENDENCY, { owner: 'an entry of `depends_on`' })),
    '`[a, b]` or `{a: started, b: ready, c: completed, d: exited}`; in a list, a target with a `ready` probe means `ready`, another task `completed`, any other `started`; `{a: {condition: ready, any: 1}}` for some of its replicas, `{a: {condition: ready, restart: true}}` to restart with it',
  ),
  ready: field(
    probes('ready'),
    'a probe, or a list of probes that must all hold',
    'ready as soon as the process has started',
  ),
  live: field(
    probes('live'),
    'a probe or a list of probes, run once ready; if one fails, the run is stopped as a failure',
  ),
  start_timeout: defaulted(duration(1), 'time limit from start to ready; after that, the start fails', '30m'),
  start_stall: defaulted(
    orOff(duration(1)),
    'the start fails if for this long no line of output appears and no probe result changes',
    'off',
  ),
  restart: field(restart(), '`never`, `on-failure`, `always`, or `{policy, max, within, backoff}`', '`never`'),
  success_codes: defaulted(
    listOf(whole('an exit code', 0, 255), { wanted: 'a list of exit codes' }),
    'exit codes that mean success',
    [0],
  ),
  essential: field(
    flag(),
    'whether its end can end the container (see `exit`)',
    '`true`; `false` with `start: manual`, `schedule` or `every`, and while its profile is off',
  ),
  stop: field(
    byKind('a signal, or a map', {
      scalar: refined(signal(), (name): Given<typeof STOP> => ({ signal: name })),
      map: object(STOP, { owner: '`stop`' }),
    }),
    'a signal, or `{signal, timeout, to, command, leftover_timeout}`',
    '`TERM` to the main process',
  ),
  forward: field(
    forwards(),
    'signals to pass on to its main process: `[HUP, USR1]`, or with another signal sent instead: `{HUP: QUIT}`',
  ),
  env: field(environment, 'its own environment; a value may be `{file: /run/secrets/token}`'),
  env_file: field(envFiles, 'a file of `KEY=VALUE` lines, a list of them, or of `{path, required}`'),
  env_inherit: defaulted(
    inherited(),
    '`all`, `none`, or patterns (`[PATH, "RAY_*"]`) of variables that it inherits from the container\'s environment',
    'all',
  ),
  cwd: field(
    path,
    'folder it runs in; a relative path starts at the folder that svc-super was started in',
    'as inherited',
  ),
  user: field(user(), '`name`, `uid`, or `user:group`', 'as inherited'),
  umask: field(umask(), 'octal digits in quotes: `"022"`', 'as inherited'),
  nice: field(whole('a whole number', -20, 19), 'scheduling priority, -20 to 19', 'as inherited'),
  oom_score_adj: field(
    whole('a whole number', -1000, 1000),
    'how readily the kernel kills it when memory runs out, -1000 to 1000',
    'as inherited',
  ),
  ...MEMORY,
  cpus: field(cpus(), 'processors it may run on: `"0-3,8"`', 'as inherited'),
  limits: field(
    limits(),
    'resource limits: `{nofile: 65536, memlock: unlimited, core: {soft: 0, hard: 1GiB}}`',
    'as inherited',
  ),
  port: field(port, 'the port it listens on: default of its probes, exported as `PORT` unless `env` sets that'),
  ports: field(
    listOf(port, { wanted: 'a list of ports', least: 1 }),
    'several ports; the first one is the default of its probes and exported as `PORT`',
  ),
  log: field(
    object(LOG, { owner: '`log`', advise: adviseLog }),
    'how its output is printed: `{prefix, format, time, drop, file, stderr_file, when_full, ansi, merge}`',
    'see below',
  ),
  gpus: field(
    gpus(),
    'the GPUs that it uses exclusively: how many, `all`, or a list; `0` for none; or a map, below',
    "it sees all of the container's GPUs",
  ),
  replicas: field(
    whole('a number of copies', 1, REPLICAS_MOST),
    'number of replicas, named `name.0`, `name.1` and so on: each has its number in `SVC_REPLICA`, and the number is added to its ports',
    'one, without a number',
  ),
  hooks: field(
    object(HOOKS, {
      owner: '`hooks`',
      advise: adviseHooks,
      elsewhere: {
        pre_start: 'it is called `before_start`',
        post_start: 'it is called `after_ready`',
        pre_stop: 'it is called `before_stop`',
        preStop: 'it is called `before_stop`',
        postStart: 'it is called `after_ready`',
        post_stop: 'it is called `after_exit`',
      },
    }),
    'commands at points of its life cycle: `{before_start, after_ready, before_stop, after_exit}`',
    'see below',
  ),
  venv: field(
    ownPath,
    'a Python virtual environment, relative to the configuration file that contains it: its `bin` comes first in `PATH`, and `VIRTUAL_ENV` is set',
  ),
} as const;

const SERVICE_RULES: KeyRules = {
  owner: 'a service',
  ignored: /^x-/,
  elsewhere: OTHER_SERVICE_KEYS,
};

// ------------------------------------------------------------------------------------------------------------------ top

/** A service as written: the fields that are present, and which of them are invalid. */
export interface ServiceRead extends FieldsRead<typeof SERVICE> {
  readonly name: string;
}

/** Reads `defaults`. `reading` has the number of the replica that it is read for. */
export function readDefaults(node: MapNode, reading: Reading): FieldsRead<typeof SERVICE> {
  return readFields(SERVICE, node, { ...SERVICE_RULES, owner: '`defaults`' }, reading);
}

function defaultsShape(): Shape<FieldsRead<typeof SERVICE>> {
  const wanted = 'a map of service fields';
  return {
    wanted,
    // The same fields as a service's, none of them required; written out, they would be half of the schema.
    schema: () => {
      const { required: _none, properties, ...rest } = objectSchema(SERVICE, SERVICE_RULES);
      const fields = Object.keys(properties as object);
      const refer = (key: string) => [key, { $ref: `#/definitions/service/properties/${key}` }];
      return { ...rest, properties: Object.fromEntries(fields.map(refer)) };
    },
    read: (node, name, reading) =>
      node.kind === 'map' ? readDefaults(node, forReplica(reading, 0)) : mismatch(node, name, wanted, reading),
  };
}

function servicesShape(): Shape<readonly ServiceRead[]> {
  const wanted = 'a map of names and services';
  return {
    wanted,
    schema: () => ({
      type: 'object',
      minProperties: 1,
      propertyNames: { pattern: NAME.pattern.source },
      additionalProperties: { $ref: '#/definitions/service' },
    }),
    read(node, name, reading) {
      if (node.kind === 'scalar' && node.value === null) {
        const suggestion = 'add a service below it, indented by two spaces: `web: {command: …}`';
        return reading.report(node, 'empty-value', `${name} is empty: it needs a service`, { suggestion });
      }
      if (node.kind !== 'map') {
        const suggestion = node.kind === 'list' ? 'write `name:` before each service, not `- `' : undefined;
        return mismatch(node, name, wanted, reading, suggestion);
      }
      if (node.entries.size === 0) {
        const suggestion = 'write `services: {web: {command: …}}`';
        return reading.report(node, 'no-services', `${name} is empty: it needs a service`, { suggestion });
      }
      const own = forReplica(reading, 0);
      return [...node.entries.values()].map((entry) => readService(entry, own));
    },
  };
}

/** Reads one service. `reading` has the number of the replica that it is read for. */
export function readService({ key, keySpan, node }: MapEntry, reading: Reading): ServiceRead {
  if (!NAME.pattern.test(key)) {
    reading.report(keySpan, 'wrong-name', `${quote(key)} cannot be the name of a service`, {
      suggestion: `a name is ${NAME_RULE}`,
    });
  } else if (key === 'svc-super') {
    reading.report(
      keySpan,
      'wrong-name',
      '`svc-super` cannot be the name of a service: it names the supervisor in the log',
    );
  }
  const empty = node.kind === 'scalar' && node.value === null;
  if (node.kind === 'map') return { name: key, ...readFields(SERVICE, node, SERVICE_RULES, reading) };
  if (!empty) {
    const advice = node.kind === 'scalar' ? adviseFields(key, node, SERVICE) : undefined;
    mismatch(node, `\`${key}\``, 'a map of service fields', reading, advice);
  }
  return { name: key, given: {}, broken: new Set(empty ? [] : ['command']) };
}

/** Whether a field of a service is in the column of the names of services, as if it were one. */
export function hasLostField(services: Node | undefined): boolean {
  if (services?.kind !== 'map') return false;
  return [...services.entries.values()].some(({ key, node }) => node.kind !== 'map' && Object.hasOwn(SERVICE, key));
}

export const TOP = {
  name: field(text({ loose: true }), 'shown in `status`', "name of the file's folder"),
  exit: defaulted(
    wordOf(['first', 'failure', 'all'], OTHER_EXITS),
    'when the container ends: `first`: when the first essential service ends; `failure`: when the first one fails; `all`: when all have ended',
    'first',
  ),
  stop_timeout: defaulted(duration(), 'one deadline for the whole shutdown; docker sends SIGKILL after 10 s', '9s'),
  stop_signals: defaulted(
    listOf(stopSignal(), { wanted: 'a list of signals', least: 1 }),
    'signals that stop everything; a base image may have another one as its STOPSIGNAL',
    ['TERM', 'INT', 'QUIT', 'PWR', 'RTMIN+3'],
  ),
  include: field(
    includes,
    'files that are read after this one: paths, patterns (`conf.d/*.yaml`), or `{path, required}`; they add services and change fields',
  ),
  env: field(environment, 'environment of every service'),
  env_file: field(envFiles, 'environment files of every service; later ones win'),
  groups: field(
    listOf(groupName(), { wanted: 'a list of groups' }),
    'order of the stages; it must contain every group in use',
    'order of first use',
  ),
  defaults: field(defaultsShape(), 'any service field, for every service that does not set it'),
  services: required(servicesShape(), 'what runs: a map of names and services'),
  hosts: defaulted(
    flag(),
    "whether every service's name resolves to 127.0.0.1: lines in /etc/hosts, while the supervisor runs",
    false,
  ),
  control: field(
    object(CONTROL, { owner: '`control`' }),
    'access to the supervisor besides its unix socket: `{http: {listen, token, open}}`',
    'the unix socket only',
  ),
  log: field(
    object(OWN_LOG, OWN_LOG_RULES),
    "the supervisor's own lines: `{level}`; their `format` and `time` are those of `defaults.log`",
    'level `info`',
  ),
  supervisor: field(
    object(SUPERVISOR, { owner: '`supervisor`' }),
    'when a supervisor that dies or hangs is replaced, and when PID 1 gives up: `{hung_after, stop_wait, longest_pause, deaths_starting, deaths_young}`',
    'it is replaced at once; the services continue to run',
  ),
} as const;

export const TOP_RULES: KeyRules = {
  owner: 'the file',
  ignored: /^x-/,
  place: ({ node }) =>
    node.kind === 'map' && [...node.entries.keys()].some((key) => Object.hasOwn(SERVICE, key))
      ? 'write it below `services:`, indented, if it is a service'
      : undefined,
  elsewhere: {
    version: 'remove it: the file has no version',
    environment: 'it is called `env`',
    volumes: 'services share one file system',
    networks: 'services reach each other on 127.0.0.1, so their ports must differ',
    secrets: 'write `env: {TOKEN: {file: /run/secrets/token}}`',
    configs: 'services share one file system',
    processes: 'it is called `services`',
    programs: 'it is called `services`',
    restart: 'write it under `defaults`, or in each service',
    stop: 'the deadline is `stop_timeout`; the rest goes under `defaults`',
  },
};

/** Stays the same in all releases: the form of SchemaStore, where editors look for schemas. */
export const SCHEMA_ID = 'https://json.schemastore.org/svc-super.json';

/** JSON Schema (draft-07) of services.yaml, for editors. */
export function jsonSchema(): JsonSchema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: SCHEMA_ID,
    title: 'services.yaml of svc-super',
    ...objectSchema(TOP, TOP_RULES),
    definitions: {
      service: objectSchema(SERVICE, SERVICE_RULES),
      probe: probeShape.schema(),
      gpus: gpusShape.schema(),
      interpolated: { ...INTERPOLATED, description: 'a text that contains variables' },
    },
  };
}
