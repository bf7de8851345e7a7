// Turns a Config into a Plan: users resolved, environments merged, edges computed, all defaults filled in. Finds every error
// for which `up` refuses to start. Reads files and environment only through its arguments; starts nothing.
import { toArgv } from '../config/command.ts';
import type { Config, ServiceConfig } from '../config/config.ts';
import { type Diagnostic, type Failure, type Result, sortDiagnostics } from '../config/diagnostic.ts';
import type { FileReader } from '../config/file.ts';
import { loadDraft } from '../config/load.ts';
import type { Scale, ScaledTo } from '../config/replicas.ts';
import type { SupervisorValues } from '../config/supervisor-values.ts';
import { basename, dirname, resolve } from '../paths.ts';
import { toControlPlan } from './control.ts';
import { reportDoubtful } from './doubtful.ts';
import { toEdges } from './edges.ts';
import { type Environment, makeEnvironments } from './environment.ts';
import type { Inventory } from './gpu-inventory.ts';
import { toHooks } from './hooks.ts';
import { reportSharedFiles, toLogPlan } from './logging.ts';
import { type MemoryPlan, toMemory } from './memory.ts';
import { isGlob, matchServices, names as namesOf } from './names.ts';
import type { LogPlan, Plan, ServicePlan, Succession } from './plan.ts';
import { toProbes } from './probes.ts';
import { isWritten, makeProblems, type Problems } from './problems.ts';
import { toAttributes, type User } from './process.ts';
import { toSchedule } from './schedule.ts';
import { selectServices } from './selection.ts';
import { startingServices } from './starting.ts';
import { startModes } from './starts.ts';
import { type Accounts, readAccounts, resolveUser } from './users.ts';

/** The inputs of a Plan besides the Config. */
export interface PlanContext {
  readonly files: FileReader;
  /** The container's environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Lists the GPUs if a service requests any. Without it no GPU is assigned, and a missing GPU is not an error. */
  readonly gpus?: () => Inventory;
  /** Why the kernel cannot limit the memory of a service; null: it can. Called if a service has a limit. Without it, it can. */
  readonly limitMemory?: () => string | null;
  /** The current plan, if there is one: services keep the GPUs that it assigned to them. */
  readonly before?: Plan;
  /** Only these services and their dependencies; undefined or empty: all. */
  readonly names?: readonly string[];
  /** Profiles that are on, besides those of `$SVC_SUPER_PROFILES`. */
  readonly profiles?: readonly string[];
}

export interface LoadInput extends PlanContext {
  /** services.yaml. A relative path starts at `cwd`; without `cwd` it stays relative, and so does `Plan.file`. */
  readonly path: string;
  /** Files that are read after it, and merged with it. */
  readonly more?: readonly string[];
  /** Absolute. */
  readonly cwd?: string;
  /** New numbers of replicas, by the key of the service. Those of `before` continue to apply. */
  readonly scale?: Readonly<Record<string, number>>;
}

/** A Plan, and its warnings. */
export interface Planned {
  readonly plan: Plan;
  readonly warnings: readonly Diagnostic[];
  /** The texts that the warnings refer to. */
  readonly sources: ReadonlyMap<string, string>;
}

/** All errors at once, in order. */
export interface LoadFailure extends Failure {
  /** The plan of those services whose programs are known in spite of the errors; absent: the files could not be read. */
  readonly partial?: Plan;
}

/** Fields without which it is not known which program a service executes. */
const OF_PROGRAM = ['command', 'type', 'cwd', 'user', 'venv', 'hooks', 'replicas'];

/** Reads services.yaml and every file that it names, and makes the Plan. */
export function loadPlan(input: LoadInput): Result<Planned, LoadFailure> {
  const { cwd } = input;
  const [path = '', ...more] = [input.path, ...(input.more ?? [])].map((one) =>
    cwd === undefined ? one : resolve(cwd, one),
  );
  const draft = loadDraft([path, ...more], input.files, input.environment, scaleOf(input));
  const { sources } = draft;
  if (draft.config === null) return fail(draft.diagnostics, sources);
  const problems = makeProblems(draft.config);
  const alone = expand(draft.config, input, problems);
  const expanded = more.length === 0 ? alone : { ...alone, more };
  const { names = [] } = input;
  const plan = names.length === 0 ? expanded : select(expanded, names, problems);
  const selected = assignGpus(plan, draft.config, input, problems);
  if (
    !draft.config.services.some(({ broken }) => broken.has('enabled') || broken.has('start') || broken.has('profiles'))
  )
    reportNothing(selected, problems);
  const diagnostics = [...draft.diagnostics, ...problems.all];
  if (diagnostics.some(({ severity }) => severity === 'error'))
    return fail(diagnostics, sources, withoutBroken(selected, draft.config));
  return { ok: true, value: { plan: freeze(selected), warnings: sortDiagnostics(diagnostics), sources } };
}

function withoutBroken(plan: Plan, { services }: Config): Plan {
  const broken = services.filter((service) => OF_PROGRAM.some((field) => service.broken.has(field)));
  const names = new Set(broken.map(({ name }) => name));
  return { ...plan, services: plan.services.filter(({ name }) => !names.has(name)) };
}

/** A new number applies to any file; one that was set before, only as long as the file has the number that it had then. */
function scaleOf({ before, scale = {} }: LoadInput): Scale {
  const numbers = new Map<string, ScaledTo>(Object.entries(before?.scale ?? {}));
  for (const [key, replicas] of Object.entries(scale)) numbers.set(key, { replicas, file: null });
  return numbers;
}

/** Nothing would start, and the container would end at once. */
function reportNothing({ services }: Plan, problems: Problems): void {
  const enabled = services.filter((service) => service.enabled);
  if (services.length === 0 || enabled.some(({ start }) => start === 'auto')) return;
  // Then the wrong name is the reason.
  if (problems.all.some(({ code, severity }) => code === 'unknown-profile' && severity === 'error')) return;
  if (enabled.length === 0) {
    problems.error(['services'], 'nothing-enabled', 'no service is enabled: there is nothing to run', { key: true });
    return;
  }
  const message = 'no service starts by itself: each is `start: manual`, or has a profile that is off';
  const suggestion = 'turn a profile on with `--profile NAME`, or name the services to start: `svc-super up NAME`';
  problems.error(['services'], 'nothing-starts', message, { key: true, suggestion });
}

/** Makes the Plan of a valid Config. */
export function toPlan(config: Config, context: PlanContext): Result<Planned, Failure> {
  const problems = makeProblems(config);
  const plan = assignGpus(expand(config, context, problems), config, context, problems);
  const sources = new Map([[config.source.file, config.source.text]]);
  if (problems.all.some(({ severity }) => severity === 'error')) return fail(problems.all, sources);
  return { ok: true, value: { plan: freeze(plan), warnings: sortDiagnostics(problems.all), sources } };
}

/** Assigns devices among the selected services. Loaded only if a service requests GPUs: most containers have none. */
function assignGpus(plan: Plan, config: Config, context: PlanContext, problems: Problems): Plan {
  if (config.services.every(({ gpus }) => gpus === null)) return plan;
  const { withGpus } = require('./gpus.ts') as typeof import('./gpus.ts');
  return withGpus(plan, config, context, problems);
}

function fail(
  diagnostics: readonly Diagnostic[],
  sources: ReadonlyMap<string, string>,
  partial?: Plan,
): Result<never, LoadFailure> {
  const error = { diagnostics: sortDiagnostics(diagnostics), sources };
  return { ok: false, error: partial === undefined ? error : { ...error, partial } };
}

function expand(config: Config, context: PlanContext, problems: Problems): Plan {
  const { files, environment, names = [], profiles = [], limitMemory = () => null } = context;
  const { edges, stages, groups } = toEdges(config, problems);
  const fromEnvironment = environment.SVC_SUPER_PROFILES ?? '';
  const modes = startModes(config, edges, { names, profiles, fromEnvironment }, problems);
  const environments = makeEnvironments(config, context, problems);
  const accounts = config.services.some(({ user }) => user !== null) ? readAccounts(files) : null;
  const services = config.services.map((service): ServicePlan => {
    const user = accounts === null ? null : findUser(service, accounts, problems);
    const log = toLogPlan(service, dirname(config.source.file));
    const memory = toMemory(service, limitMemory, problems);
    const relations = {
      start: modes.get(service.name) ?? 'auto',
      edges: edges.get(service.name) ?? [],
      stageEdges: stages.get(service.name) ?? [],
    };
    // Another service or the hook `before_start` can make an env file or a secret that does not exist yet.
    const canBeMade = relations.edges.length + relations.stageEdges.length > 0 || service.hooks.before_start !== null;
    return toServicePlan(service, relations, user, environments.of(service, user, canBeMade), log, memory, problems);
  });
  const late = environments.late();
  const starting = startingServices(services);
  reportSharedPorts(config, starting, problems);
  reportSharedFiles(services, starting, problems);
  reportDoubtful(config, problems);
  return {
    name: nameOf(config),
    file: config.source.file,
    exit: config.exit,
    stopTimeout: config.stop_timeout,
    stopSignals: config.stop_signals,
    log: config.log,
    control: toControlPlan(config, files, problems),
    succession: toSuccession(config.supervisor),
    groups,
    hosts: config.hosts,
    ...(profiles.length > 0 && { profiles }),
    ...(late.length > 0 && { lateFiles: late }),
    ...(config.scale.size > 0 && { scale: Object.fromEntries(config.scale) }),
    services,
  };
}

/** The name of a configuration: its own, or that of its folder. */
export function nameOf({ name, source }: Pick<Config, 'name' | 'source'>): string {
  const folder = basename(dirname(source.file));
  return name ?? (folder === '' || folder === '.' ? 'services' : folder);
}

function toSuccession({
  hung_after,
  stop_wait,
  longest_pause,
  deaths_starting,
  deaths_young,
}: SupervisorValues): Succession {
  return {
    hungAfter: hung_after === 'off' ? 0 : hung_after,
    stopWait: stop_wait,
    longestPause: longest_pause,
    deathsBefore: deaths_starting,
    deathsYoung: deaths_young,
  };
}

function toServicePlan(
  service: ServiceConfig,
  { start, edges, stageEdges }: Pick<ServicePlan, 'start' | 'edges' | 'stageEdges'>,
  user: User | null,
  { env, secrets, recipe }: Environment,
  log: LogPlan,
  memory: MemoryPlan,
  problems: Problems,
): ServicePlan {
  const { name, key, restart, stop } = service;
  // A missing command has been reported, and the plan is then not used.
  const argv = toArgv(service.command ?? ['']);
  reportTooLong(key, argv, env, problems);
  return {
    name,
    type: service.type,
    schedule: toSchedule(service, env, problems),
    enabled: service.enabled,
    start,
    group: service.group,
    argv,
    edges,
    stageEdges,
    ready: toProbes(service, 'ready', problems),
    live: toProbes(service, 'live', problems),
    startTimeout: service.start_timeout,
    startStall: service.start_stall === 'off' ? null : service.start_stall,
    restart,
    successCodes: service.success_codes,
    essential: service.essential && start !== 'profile-off',
    stop: {
      signal: stop.signal,
      timeout: stop.timeout,
      to: stop.to,
      leftoverTimeout: stop.leftover_timeout,
      argv: stop.command === null ? null : toArgv(stop.command),
    },
    forward: Object.fromEntries(service.forward ?? []),
    env,
    secrets,
    ...(recipe !== undefined && { envRecipe: recipe }),
    cwd: service.cwd,
    attributes: toAttributes(service, user, memory.limit),
    memoryWatch: memory.watch,
    ports: service.ports,
    log,
    hooks: toHooks(service, problems),
    gpus: null,
    replica: service.replica,
  };
}

function findUser(service: ServiceConfig, accounts: Accounts, problems: Problems): User | null {
  if (service.user === null) return null;
  const found = resolveUser(service.user, accounts);
  if (found.ok) return found.user;
  const suggestion = problems.suggest(found.wanted, () => found.known);
  problems.error(['services', service.name, 'user'], 'unknown-user', found.message, { suggestion });
  return null;
}

/** Services may have one port unless both are in `starting`: they are alternatives, of which one runs. */
function reportSharedPorts(config: Config, starting: ReadonlySet<string>, problems: Problems): void {
  const owners = new Map<number, ServiceConfig>();
  for (const service of config.services) {
    if (!starting.has(service.name)) continue;
    for (const port of new Set(service.ports)) {
      const owner = owners.get(port);
      if (owner === undefined) owners.set(port, service);
      else {
        const related = [problems.place(portPath(config, owner, port), `\`${owner.name}\` has it here`)];
        const message = `\`${service.name}\` and \`${owner.name}\` both listen on port ${port}`;
        const apart =
          owner.key === service.key
            ? {
                suggestion: `the number of each replica is added to its ports: leave gaps of ${owner.replicas} or more between the ports of \`${owner.key}\``,
              }
            : { related };
        problems.error(portPath(config, service, port), 'shared-port', message, apart);
      }
    }
  }
}

/** The path of `port`, or of the item of `ports`, whichever the service has. */
function portPath(config: Config, service: ServiceConfig, port: number): (string | number)[] {
  const path = ['services', service.name];
  const list = [...path, 'ports'];
  return isWritten(config, list) ? [...list, service.ports.indexOf(port)] : [...path, 'port'];
}

// MAX_ARG_STRLEN of the kernel, including the NUL; execve(2) fails with E2BIG for a longer string.
const MAX_STRING = 131_072;

function reportTooLong(
  name: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  problems: Problems,
): void {
  const isTooLong = (text: string): boolean => text.length * 3 >= MAX_STRING && Buffer.byteLength(text) >= MAX_STRING;
  if (argv.some(isTooLong)) {
    const message = `the command of \`${name}\` contains a text of 128 KiB or more, which Linux cannot execute`;
    problems.error(['services', name, 'command'], 'too-long', message, { key: true });
  }
  for (const [key, value] of Object.entries(env)) {
    if (!isTooLong(`${key}=${value}`)) continue;
    const message = `\`${key}\` is 128 KiB or longer in the environment of \`${name}\`, which Linux cannot execute`;
    problems.error(['services', name, 'env', key], 'too-long', message, { key: true });
  }
}

function select(plan: Plan, names: readonly string[], problems: Problems): Plan {
  const selected = selectServices(plan, names);
  if (selected.ok) {
    const asked = names.filter((name) => !isGlob(name)).flatMap((name) => matchServices(name, selected.value.services));
    for (const { name, replica } of asked.filter(({ enabled }) => !enabled)) {
      const message = `\`${replica?.of ?? name}\` is not enabled and will not start`;
      problems.warn(['services', name, 'enabled'], 'not-enabled', message);
    }
    return selected.value;
  }
  for (const { name } of selected.error) {
    const suggestion = problems.suggest(name, () => namesOf(plan.services));
    const message = isGlob(name) ? `no service matches \`${name}\`` : `there is no service \`${name}\``;
    problems.error(['services'], 'unknown-name', message, { suggestion, key: true });
  }
  return plan;
}

/** Freezes a value and everything in it, in place. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) freeze(inner);
  return value;
}
