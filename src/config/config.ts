// The Config: services.yaml typed, checked and with all defaults, without a look at anything outside the file. It contains
// no environment files, no user ids and no relations between services: the plan adds those.
import type { Limit, LimitName } from '../linux/limits.ts';
import { HTTP_CONTROL, type HttpControl } from './control-values.ts';
import { type Complete, complete, type FieldsRead, type Given, readFields, requireKeys } from './field.ts';
import type { EnvFile } from './file-values.ts';
import { GPUS, type GpusGiven, type GpuWish } from './gpu-values.ts';
import { HOOKS } from './hook-values.ts';
import { formatDuration } from './quantity.ts';
import type { Place } from './range.ts';
import { forReplica, mismatch, REPLICA, type Reading, silently, withoutReplica } from './reading.ts';
import { countReplicas, makeReplicas, REPLICAS_MOST, type Replica, type Scale, type ScaledTo } from './replicas.ts';
import { BACKOFF, RESTART } from './restart-values.ts';
import {
  hasLostField,
  LOG,
  readDefaults,
  readService,
  SERVICE,
  type ServiceRead,
  STOP,
  TOP,
  TOP_RULES,
} from './schema.ts';
import type { EnvValue } from './service-values.ts';
import { OWN_LOG, SUPERVISOR, type SupervisorValues } from './supervisor-values.ts';
import {
  locateIn,
  locateKey,
  type MapEntry,
  type Node,
  type PathStep,
  type Source,
  type Span,
  toPlace,
} from './tree.ts';

type Settings = Complete<typeof SERVICE>;

/** The GPUs that a service requests, with the defaults of the other fields. */
export interface GpusConfig extends Omit<Complete<typeof GPUS>, 'count' | 'devices' | 'share'> {
  readonly wish: GpuWish;
  readonly shared: boolean;
}

interface RestartConfig extends Omit<Complete<typeof RESTART>, 'backoff'> {
  readonly backoff: Complete<typeof BACKOFF>;
}

/** One service with all its settings. The field table says what a null means. */
export interface ServiceConfig
  extends Omit<
    Settings,
    'essential' | 'restart' | 'stop' | 'log' | 'hooks' | 'gpus' | 'env' | 'env_file' | 'limits' | 'port' | 'ports'
  > {
  readonly name: string;
  /** Its key in the file: its name without the number of the replica. */
  readonly key: string;
  /** null: the service has one replica only, without a number. */
  readonly replica: Replica | null;
  readonly essential: boolean;
  readonly restart: RestartConfig;
  readonly stop: Complete<typeof STOP>;
  readonly log: Complete<typeof LOG>;
  readonly hooks: Complete<typeof HOOKS>;
  /** null: the service has no `gpus` field. */
  readonly gpus: GpusConfig | null;
  readonly env: ReadonlyMap<string, EnvValue>;
  readonly env_file: readonly EnvFile[];
  readonly limits: ReadonlyMap<LimitName, Limit>;
  readonly ports: readonly number[];
  /** Fields with invalid values: their absence from the result means nothing. */
  readonly broken: ReadonlySet<string>;
}

export interface Config
  extends Omit<
    Complete<typeof TOP>,
    'include' | 'defaults' | 'log' | 'services' | 'env' | 'env_file' | 'control' | 'supervisor'
  > {
  readonly source: Source;
  readonly env: ReadonlyMap<string, EnvValue>;
  readonly env_file: readonly EnvFile[];
  /** null: no listener besides the unix socket. */
  readonly control: HttpControl | null;
  readonly supervisor: SupervisorValues;
  /** How the supervisor's own lines are printed: `format` and `time` are those of `defaults.log`. */
  readonly log: Complete<typeof OWN_LOG> & Pick<Complete<typeof LOG>, 'format' | 'time'>;
  /** In the order of the file. */
  readonly services: readonly ServiceConfig[];
  /** The services with a replica count that differs from the file. */
  readonly scale: ReadonlyMap<string, ScaledTo & { readonly file: number }>;
  /** Where a value is written. A field that a service takes from `defaults` is located there. */
  locate(path: readonly PathStep[]): Place;
  /** Where the last key of a path is written; `defaults` counts as in `locate`. */
  locateKey(path: readonly PathStep[]): Place;
}

/**
 * Reads a tree by the field table. null: nothing could be read. Problems go to `reading` in both cases. `scale`: numbers of
 * replicas that are used instead of the file's.
 */
export function readConfig(root: Node, reading: Reading, scale: Scale = new Map()): Config | null {
  const advice = 'add a service: `services: {web: {command: …}}`';
  if (root.kind !== 'map') {
    mismatch(root, 'the file', 'a map with `services`', reading, isEmpty(root) ? advice : undefined);
    return null;
  }
  const { given, broken } = readFields(TOP, root, TOP_RULES, withoutReplica(reading));
  const at = { start: root.start, end: firstKeyEnd(root) };
  requireKeys(TOP, root, { name: 'the file', at, broken, advice }, reading);
  const top = complete(TOP, given);
  const places = { root, reading };
  const scaled = new Map<string, ScaledTo & { readonly file: number }>();
  const services = (top.services ?? []).flatMap((service) => expandReplicas(service, top, places, { scale, scaled }));
  reportTakenNames(services, places);
  const keys = new Map(services.map(({ name, key }) => [name, key]));
  const written = (path: readonly PathStep[]): readonly PathStep[] =>
    path[0] === 'services' && path.length > 1
      ? ['services', keys.get(`${path[1]}`) ?? `${path[1]}`, ...path.slice(2)]
      : path;
  reportForwardedStops(services, top.stop_signals, places);
  const { name, exit, stop_timeout, stop_signals, groups, hosts } = top;
  return Object.freeze({
    source: reading.source,
    name,
    exit,
    stop_timeout,
    stop_signals,
    groups,
    hosts,
    env: top.env ?? new Map(),
    env_file: top.env_file ?? [],
    control: top.control?.http === undefined ? null : complete(HTTP_CONTROL, top.control.http),
    supervisor: complete(SUPERVISOR, top.supervisor ?? {}),
    log: readOwnLog(top),
    services,
    scale: scaled,
    locate: (path: readonly PathStep[]) => toPlace(reading.source, valueSpan(root, written(path))),
    locateKey: (path: readonly PathStep[]) => toPlace(reading.source, keySpan(root, written(path))),
  });
}

function readOwnLog({ log, defaults }: Pick<Complete<typeof TOP>, 'log' | 'defaults'>): Config['log'] {
  const { format, time } = complete(LOG, defaults?.given.log ?? {});
  return { ...complete(OWN_LOG, log ?? {}), format, time };
}

interface Places {
  readonly root: Node;
  readonly reading: Reading;
}

type Top = Pick<Complete<typeof TOP>, 'defaults' | 'stop_timeout'>;

/** The replicas of a service. The service is read again for each of them only if one of the files contains `${SVC_REPLICA}`. */
function expandReplicas(
  service: ServiceRead,
  { defaults, stop_timeout }: Top,
  places: Places,
  { scale, scaled }: { readonly scale: Scale; readonly scaled: Map<string, ScaledTo> },
): readonly ServiceConfig[] {
  const { root, reading } = places;
  const merged = mergeService(service, defaults, stop_timeout, places);
  const { count, file, isScaled } = countReplicas(merged.replicas, scale.get(merged.key));
  if (count > REPLICAS_MOST) {
    const message = `\`${merged.key}\` cannot have ${count} replicas: the most are ${REPLICAS_MOST}`;
    reading.report(keySpan(root, ['services', merged.key]), 'impossible-value', message);
    return [merged];
  }
  if (isScaled) scaled.set(merged.key, { replicas: count, file });
  const withCount = (one: ServiceConfig): ServiceConfig => (isScaled ? { ...one, replicas: count } : one);
  const first = withCount(merged);
  const numbered = reading.source.text.includes(REPLICA);
  const reread = (index: number): ServiceConfig => {
    const entry = entryOf(root, 'services', service.name);
    if (!numbered || entry === undefined) return first;
    // Problems of the first replica have been reported, and apply to all.
    const own = forReplica(reading.count() > 0 ? silently(reading) : reading, index);
    const shared = entryOf(root, 'defaults')?.node;
    const copied = shared?.kind === 'map' ? readDefaults(shared, own) : null;
    return withCount(mergeService(readService(entry, own), copied, stop_timeout, { root, reading: own }));
  };
  const reportPort = (port: number) => {
    const message = `port ${port} of \`${first.key}\` plus the number of its last replica is ${port + count - 1}: the highest port is 65535`;
    reading.report(keySpan(root, ['services', first.key, 'replicas']), 'impossible-value', message);
  };
  return makeReplicas(first, reread, reportPort, isScaled);
}

function entryOf(root: Node, ...path: readonly string[]): MapEntry | undefined {
  let entry: MapEntry | undefined;
  for (const step of path) {
    const node = entry?.node ?? root;
    entry = node.kind === 'map' ? node.entries.get(step) : undefined;
    if (entry === undefined) return undefined;
  }
  return entry;
}

/** A replica must not have the same name as another service or the replica of another service. */
function reportTakenNames(services: readonly ServiceConfig[], { root, reading }: Places): void {
  const replicas = new Map(services.flatMap(({ name, replica }) => (replica === null ? [] : [[name, replica.of]])));
  for (const { key, replica } of services) {
    const other = replicas.get(key);
    if (other === undefined || (replica?.index ?? 0) > 0) continue;
    const related = [{ message: 'it has replicas', span: keySpan(root, ['services', other, 'replicas']) }];
    const message = `\`${key}\` is already the name of a replica of \`${other}\``;
    reading.report(keySpan(root, ['services', key]), 'wrong-name', message, {
      suggestion: 'give this service another name',
      related,
    });
  }
}

/** A signal has one meaning: it stops the supervisor, or it is forwarded. */
function reportForwardedStops(
  services: readonly ServiceConfig[],
  stopSignals: readonly string[],
  { root, reading }: Places,
): void {
  for (const { key, forward } of services) {
    const both = stopSignals.find((signal) => forward?.has(signal) === true);
    if (both === undefined) continue;
    const message = `${both} stops everything (\`stop_signals\`), so it cannot be forwarded to \`${key}\``;
    reading.report(keySpan(root, ['services', key, 'forward']), 'contradiction', message, {
      suggestion: 'remove it from one of the two',
    });
  }
}

function mergeService(
  service: ServiceRead,
  defaults: FieldsRead<typeof SERVICE> | null,
  stopTimeout: number,
  places: Places,
): ServiceConfig {
  const { name, given: own } = service;
  const base = defaults?.given ?? {};
  // A service with `port` ignores `ports` of `defaults`, and the other way round.
  const { port, ports, ...shared } = base;
  const ownPorts = own.port !== undefined || own.ports !== undefined;
  const merged: Given<typeof SERVICE> = { ...(ownPorts ? shared : base), ...own };
  const restart = complete(RESTART, { ...base.restart, ...own.restart });
  const backoff = complete(BACKOFF, { ...base.restart?.backoff, ...own.restart?.backoff });
  const completed = complete(SERVICE, merged);
  const result: ServiceConfig = {
    ...completed,
    // A task has no liveness probe, so it takes none from `defaults`.
    live: completed.type === 'task' && own.live === undefined ? null : completed.live,
    name,
    key: name,
    replica: null,
    broken: new Set([...service.broken, ...(defaults?.broken ?? [])]),
    restart: { ...restart, backoff },
    stop: complete(STOP, { ...base.stop, ...own.stop }),
    log: complete(LOG, { ...base.log, ...own.log }),
    hooks: complete(HOOKS, { ...base.hooks, ...own.hooks }),
    gpus: mergeGpus(base.gpus, own.gpus),
    // A service that is started by hand or on a schedule is not essential unless the file says so.
    essential:
      merged.essential ?? (merged.start !== 'manual' && merged.schedule === undefined && merged.every === undefined),
    env: new Map([...(base.env ?? []), ...(own.env ?? [])]),
    env_file: merged.env_file ?? [],
    limits: new Map([...(base.limits ?? []), ...(own.limits ?? [])]),
    ports: merged.ports ?? (merged.port === undefined ? [] : [merged.port]),
  };
  checkService(result, { given: merged, own }, stopTimeout, places);
  return Object.freeze(result);
}

/** Every form of `gpus` has a wish, so a service with a `gpus` of its own takes only the other fields from `defaults`. */
function mergeGpus(shared: GpusGiven | undefined, own: GpusGiven | undefined): GpusConfig | null {
  const wish = own ?? shared;
  if (wish === undefined) return null;
  const { count, devices, share, ...rest } = complete(GPUS, { ...shared, ...own });
  return { ...rest, wish: wish.wish, shared: wish.shared };
}

/** Checks that involve several fields. `given`: the fields of the service and of `defaults`; `own`: without `defaults`. */
function checkService(
  service: ServiceConfig,
  { given, own }: { readonly given: Given<typeof SERVICE>; readonly own: Given<typeof SERVICE> },
  stopTimeout: number,
  { root, reading }: Places,
): void {
  const { name, type, restart, broken, stop } = service;
  const at = (...path: readonly PathStep[]): Span => valueSpan(root, ['services', name, ...path]);
  const key = (...path: readonly PathStep[]): Span => keySpan(root, ['services', name, ...path]);
  const report = (span: Span, code: string, message: string, suggestion?: string): void => {
    reading.report(span, code, message, { suggestion });
  };
  if (service.command === null && !broken.has('command')) {
    const hasFieldBeside = root.kind === 'map' && hasLostField(entryOf(root, 'services')?.node);
    const suggestion = hasFieldBeside ? 'indent its fields further than its name' : 'add `command: …` to it';
    report(key(), 'missing-key', `the service \`${name}\` has no \`command\``, suggestion);
  }
  if (given.port !== undefined && given.ports !== undefined) {
    report(key('port'), 'contradiction', '`port` and `ports` are alternatives', 'write all ports in `ports`');
  }
  if (new Set(service.ports).size < service.ports.length) {
    report(key('ports'), 'named-twice', `\`ports\` of \`${name}\` names a port twice`);
  }
  if (type === 'task') {
    const task = `\`${name}\` is a task: it is meant to finish`;
    if (restart.policy === 'always') {
      const span = given.restart === undefined ? key() : at('restart');
      report(span, 'impossible-value', `${task}, so it cannot restart always`, 'write `restart: on-failure`');
    }
    if (service.live !== null) {
      report(
        key('live'),
        'impossible-value',
        `${task}, so it has no \`live\` probe`,
        '`start_timeout` limits how long it may take',
      );
    }
    if (service.success_codes.length === 0) {
      report(at('success_codes'), 'impossible-value', `${task}, and with no success code it never can`);
    }
  }
  checkRestart(service, given, { at, key, report });
  checkSchedule(service, own, { at, key, report });
  checkMemory(service, own, { at, key, report });
  if (stop.timeout !== null && stop.timeout > stopTimeout) {
    const message = `\`stop.timeout\` (${formatDuration(stop.timeout)}) is longer than \`stop_timeout\` (${formatDuration(stopTimeout)}), the limit for the whole shutdown`;
    report(at('stop', 'timeout'), 'contradiction', message, 'shorten it, or increase `stop_timeout` at the top level');
  }
}

/** Reports mistakes in one service. `at` locates a value, `key` locates its key. */
interface FieldReporter {
  at(...path: readonly PathStep[]): Span;
  key(...path: readonly PathStep[]): Span;
  report(span: Span, code: string, message: string, suggestion?: string): void;
}

/** Contradictions within `restart`. */
function checkRestart(
  { restart, broken, max_memory, on_exceed }: ServiceConfig,
  given: Given<typeof SERVICE>,
  { at, key, report }: FieldReporter,
): void {
  if (broken.has('restart')) return;
  // A service with `restart: never` of its own may leave `max` from `defaults` without effect.
  const saysNever = given.restart?.policy === 'never' && given.restart.max === undefined;
  // Above `max_memory` a service restarts whatever its policy, and `max` limits that.
  const countsMemory = max_memory !== null && on_exceed === 'restart';
  if (restart.policy === 'never' && restart.max !== null && !saysNever && !countsMemory) {
    report(
      key('restart', 'max'),
      'contradiction',
      '`max` counts restarts, but the policy is `never`',
      'add `policy: on-failure`',
    );
  }
  if (restart.within !== null && restart.max === null) {
    report(key('restart', 'within'), 'contradiction', '`within` is the time window of `max`, but there is no `max`');
  }
  if (restart.backoff.initial > restart.backoff.max) {
    const { initial, max } = restart.backoff;
    const message = `\`backoff.initial\` (${formatDuration(initial)}) is longer than \`backoff.max\` (${formatDuration(max)})`;
    report(
      at('restart', 'backoff', given.restart?.backoff?.initial === undefined ? 'max' : 'initial'),
      'contradiction',
      message,
    );
  }
}

/** Contradictions between the fields that say when a task runs. `defaults` may have some that only certain tasks need. */
function checkSchedule(service: ServiceConfig, own: Given<typeof SERVICE>, { key, report }: FieldReporter): void {
  const { name, type, schedule, every, broken, jitter } = service;
  if (broken.has('schedule') || broken.has('every')) return;
  if (schedule !== null && every !== null) {
    report(key('every'), 'contradiction', '`schedule` and `every` are alternatives', 'remove one of them');
    return;
  }
  if (schedule === null && every === null) {
    const field = (['time_zone', 'overlap', 'catch_up', 'jitter'] as const).find((one) => own[one] !== undefined);
    if (field === undefined) return;
    const message = `\`${field}\` says how \`${name}\` runs again, but it has neither \`schedule\` nor \`every\``;
    report(key(field), 'contradiction', message, 'add `schedule: "@daily"` or `every: 10m`, or remove it');
    return;
  }
  const field = schedule === null ? 'every' : 'schedule';
  if (type === 'service' && !broken.has('type')) {
    const message = `\`${name}\` is a service, which is meant to keep running: only a task runs by \`${field}\``;
    report(key(field), 'impossible-value', message, 'add `type: task`');
  }
  if (every !== null && own.time_zone !== undefined)
    report(key('time_zone'), 'contradiction', '`every` is an interval, so it has no time zone', 'remove `time_zone`');
  if (every !== null && jitter >= every) {
    const message = `\`jitter\` (${formatDuration(jitter)}) must be shorter than \`every\` (${formatDuration(every)})`;
    report(key('jitter'), 'contradiction', message);
  }
}

/** Contradictions between the fields of its memory. `defaults` may have some that only certain services need. */
function checkMemory(
  { name, max_memory, memory_limit, broken }: ServiceConfig,
  own: Given<typeof SERVICE>,
  { key, report }: FieldReporter,
): void {
  if (broken.has('max_memory') || broken.has('memory_limit')) return;
  if (max_memory === null && own.on_exceed !== undefined) {
    const message = `\`on_exceed\` says what happens above \`max_memory\`, which \`${name}\` does not have`;
    report(key('on_exceed'), 'contradiction', message, 'add `max_memory: 8GiB`, or remove it');
  }
  if (memory_limit === null && own.oom_group !== undefined) {
    const message = `\`oom_group\` says what happens above \`memory_limit\`, which \`${name}\` does not have`;
    report(key('oom_group'), 'contradiction', message, 'add `memory_limit: 8GiB`, or remove it');
  }
  if (max_memory !== null && memory_limit !== null && max_memory >= memory_limit) {
    const message = '`max_memory` is not below `memory_limit`: the kernel would come first';
    report(key('max_memory'), 'contradiction', message, 'write less, or remove one of them');
  }
}

/** In the service if it is there, else in `defaults`, else the closest parent that exists. */
function valueSpan(root: Node, path: readonly PathStep[]): Span {
  const own = locateIn(root, path);
  if (own.complete || path[0] !== 'services' || path.length < 3) return own.span;
  const shared = locateIn(root, ['defaults', ...path.slice(2)]);
  return shared.complete ? shared.span : own.span;
}

function keySpan(root: Node, path: readonly PathStep[]): Span {
  const shared = path[0] === 'services' && path.length > 2 ? ['defaults', ...path.slice(2)] : path;
  return locateKey(root, path) ?? locateKey(root, shared) ?? valueSpan(root, path);
}

const isEmpty = (node: Node): boolean => node.kind === 'scalar' && node.value === null;

function firstKeyEnd(node: Node): number {
  const [first] = node.kind === 'map' ? node.entries.values() : [];
  return first === undefined ? node.start : first.keySpan.end;
}
