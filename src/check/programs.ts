// Checks whether the programs of a plan exist and can be executed: those of services, probes, hooks and stop commands. `up` warns of
// missing ones of services that start later. Executes none of them.
import { inspectProgram } from '../linux/executable.ts';
import { executedProgram, whyNoShell } from '../linux/launch.ts';
import type { Plan, Probe, ServicePlan } from '../plan/plan.ts';
import { startingServices } from '../plan/starting.ts';
import type { PreflightFinding } from './finding.ts';
import { mergeReplicas } from './replicas.ts';

/** A command of a service. */
interface CommandToCheck {
  readonly service: ServicePlan;
  /** The field of the command; null: the command of the service itself. */
  readonly field: string | null;
  readonly argv: readonly string[];
  /**
   * What may install the program before the command runs; null: the program must be installed already. `the service`: its own
   * command is a text for a shell, which may install programs itself.
   */
  readonly installer: 'a task or hook before it' | 'the service' | null;
}

type IsAfterTask = (service: ServicePlan) => boolean;

/**
 * Returns a function: whether a service waits for a task or for a service with hooks, directly or through other services. A list of
 * edges that several services share is searched once.
 */
function findAfterTasks({ services }: Plan): IsAfterTask {
  /** By service: the lists of edges that name it. */
  const listsOn = new Map<string, ServicePlan['edges'][]>();
  const holders = new Map<ServicePlan['edges'], string[]>();
  for (const { name, edges, stageEdges } of services) {
    for (const list of [edges, stageEdges]) {
      if (!holders.has(list)) for (const { on } of list) append(listsOn, on, list);
      append(holders, list, name);
    }
  }
  const after = new Set<ServicePlan['edges']>();
  // The iteration of a Set includes elements that are added meanwhile.
  const installers = new Set(services.filter(canInstall).map(({ name }) => name));
  for (const name of installers) {
    for (const list of listsOn.get(name) ?? []) {
      if (after.has(list)) continue;
      after.add(list);
      for (const holder of holders.get(list) ?? []) installers.add(holder);
    }
  }
  return ({ edges, stageEdges }) => after.has(edges) || after.has(stageEdges);
}

function append<Key, Item>(lists: Map<Key, Item[]>, key: Key, item: Item): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}

const canInstall = ({ type, hooks }: ServicePlan): boolean =>
  type === 'task' || hooks.beforeStart !== null || hooks.afterReady !== null;

/** The commands without which the service cannot start. */
function commandsToStart(service: ServicePlan, isAfterTask: IsAfterTask): readonly CommandToCheck[] {
  const { argv } = service;
  const { beforeStart } = service.hooks;
  const before = isAfterTask(service) ? 'a task or hook before it' : null;
  if (beforeStart === null) return [{ service, field: null, argv, installer: before }];
  return [
    { service, field: 'before_start', argv: beforeStart.argv, installer: before },
    { service, field: null, argv, installer: 'a task or hook before it' },
  ];
}

/** The commands that run after the service has started. */
function laterCommands(service: ServicePlan, isAfterTask: IsAfterTask): readonly CommandToCheck[] {
  const { argv, hooks, ready, live, stop } = service;
  const before = commandsToStart(service, isAfterTask).at(-1)?.installer ?? null;
  const installer = before ?? (executedProgram(argv) === null ? 'the service' : null);
  const { beforeStop } = hooks;
  const drain = beforeStop !== null && 'waitFor' in beforeStop ? [beforeStop.waitFor] : [];
  const given = (field: string, one: readonly string[] | null | undefined) =>
    one === null || one === undefined ? [] : [{ service, field, argv: one, installer }];
  const probed = (field: string, probes: readonly Probe[]) =>
    probes.flatMap((probe) => (probe.kind === 'exec' ? given(field, probe.argv) : []));
  return [
    ...probed('ready', ready),
    ...given('after_ready', hooks.afterReady?.argv),
    ...probed('live', live),
    ...given('before_stop', beforeStop !== null && 'argv' in beforeStop ? beforeStop.argv : null),
    ...probed('before_stop', drain),
    ...given('stop.command', stop.argv),
    ...given('after_exit', hooks.afterExit?.argv),
  ];
}

/** All commands of the enabled services of a plan, in the order in which they are shown. */
export function commandsOf(plan: Plan): readonly CommandToCheck[] {
  const isAfterTask = findAfterTasks(plan);
  return plan.services
    .filter(({ enabled }) => enabled)
    .flatMap((service) => [...commandsToStart(service, isAfterTask), ...laterCommands(service, isAfterTask)]);
}

/** Whether the program of a command can be executed by the user of its service; empty if the shell runs several commands. */
export function checkCommand({ service, field, argv, installer }: CommandToCheck): PreflightFinding[] {
  const prefix = field === null ? '' : `${field}: `;
  const about = { service: service.name, check: 'command' } as const;
  const shell = whyNoShell(argv);
  if (shell !== null)
    return [{ ...about, verdict: 'wrong', text: `${prefix}cannot execute /bin/sh: ${shell.why}`, help: shell.fix }];
  const program = executedProgram(argv);
  if (program === null) return [];
  const found = inspectProgram(program, service);
  if (found.ok) return [{ ...about, verdict: 'ok', text: `${prefix}${found.path}` }];
  const missing =
    installer === null ? adviseMissing(program, service.env.PATH) : `make sure that ${installer} installs it`;
  const help = found.fix ?? missing;
  const verdict = installer === null ? 'wrong' : 'doubtful';
  return [{ ...about, verdict, text: `${prefix}cannot execute ${program}: ${found.why}`, help }];
}

function adviseMissing(program: string, path: string | undefined): string {
  if (!program.includes('/')) return `install it, or name it with its path; its PATH is ${path ?? 'not set'}`;
  return program.startsWith('/')
    ? 'install it there, or correct its path'
    : 'install it there, or correct its path: it starts at `cwd`, else at the folder that svc-super was started in';
}

/**
 * Finds missing programs of services that start later, unless a task or a hook may install them. A missing /bin/sh is always
 * reported: an image without a shell needs other commands. Yields null after each service, so that the caller can yield to the
 * event loop. A program that several services execute is inspected once.
 */
export function* findMissingPrograms(plan: Plan): Generator<Missing | null> {
  const isAfterTask = findAfterTasks(plan);
  const known = new Map<string, PreflightFinding[]>();
  for (const replicas of groupReplicas(plan)) {
    const missing: Missing[] = [];
    for (const service of replicas) {
      for (const one of commandsToStart(service, isAfterTask)) {
        for (const { verdict, text } of inspectOnce(one, known))
          if (verdict === 'wrong') missing.push({ service: service.name, text: `will fail to start: ${text}` });
      }
      yield null;
    }
    if (missing.length > 0) yield* mergeReplicas(missing, plan);
  }
}

/**
 * The services that wait for others, the replicas of each together. A service that starts at once reports the failure itself, and so does
 * one that is started by hand.
 */
function groupReplicas({ services }: Plan): readonly (readonly ServicePlan[])[] {
  const starting = startingServices(services);
  const dependents = services.filter((one) => starting.has(one.name) && one.edges.length + one.stageEdges.length > 0);
  return [...Map.groupBy(dependents, ({ name, replica }) => replica?.of ?? name).values()];
}

function inspectOnce(one: CommandToCheck, known: Map<string, PreflightFinding[]>): readonly PreflightFinding[] {
  const { env, cwd, attributes } = one.service;
  const program = executedProgram(one.argv);
  const key = JSON.stringify([one.field, one.installer, program, one.argv[0], env.PATH, cwd, attributes.user]);
  const found = known.get(key) ?? checkCommand(one);
  known.set(key, found);
  return found;
}

/** A program that is missing; `text` says what will happen. */
interface Missing {
  readonly service: string;
  readonly text: string;
}
