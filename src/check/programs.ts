// Checks the programs that a plan executes: of services, probes, hooks and stop commands. `up` warns of those that a later
// start needs and that are missing. Executes none of them.
import { inspectProgram } from '../linux/executable.ts';
import { executedProgram, whyNoShell } from '../linux/launch.ts';
import type { Plan, Probe, ServicePlan } from '../plan/plan.ts';
import type { PreflightFinding } from './finding.ts';

/** A command of a service. */
interface CommandToCheck {
  /** The field of the command; null: the command of the service itself. */
  readonly field: string | null;
  readonly argv: readonly string[];
  /** What may install the program before the command runs; null: the program must be installed already. */
  readonly installer: 'a task or hook before it' | 'the service' | null;
}

/** Whether a service waits for a task. A list of edges that several services share is searched once. */
export function findAfterTasks({ services }: Plan): (service: ServicePlan) => boolean {
  const tasks = new Set(services.flatMap(({ name, type }) => (type === 'task' ? [name] : [])));
  const known = new Map<ServicePlan['edges'], boolean>();
  const leadsToTask = (edges: ServicePlan['edges']): boolean => {
    const found = known.get(edges) ?? edges.some(({ on }) => tasks.has(on));
    known.set(edges, found);
    return found;
  };
  return ({ edges, stageEdges }) => leadsToTask(edges) || leadsToTask(stageEdges);
}

/** The commands without which the service cannot start. */
function commandsToStart({ argv, hooks: { beforeStart } }: ServicePlan, afterTask: boolean): readonly CommandToCheck[] {
  const before = afterTask ? 'a task or hook before it' : null;
  const installer = beforeStart === null ? before : 'a task or hook before it';
  const own: CommandToCheck = { field: null, argv, installer };
  return beforeStart === null ? [own] : [{ field: 'before_start', argv: beforeStart.argv, installer: before }, own];
}

/** The commands that run after the service has started. */
function laterCommands(service: ServicePlan, afterTask: boolean): readonly CommandToCheck[] {
  const { argv, hooks, ready, live, stop } = service;
  const before = commandsToStart(service, afterTask).at(-1)?.installer ?? null;
  const installer = before ?? (executedProgram(argv) === null ? 'the service' : null);
  const drain = hooks.beforeStop !== null && 'waitFor' in hooks.beforeStop ? [hooks.beforeStop.waitFor] : [];
  const given = (field: string, one: readonly string[] | null | undefined) =>
    one === null || one === undefined ? [] : [{ field, argv: one, installer }];
  const probed = (field: string, probes: readonly Probe[]) =>
    probes.flatMap((probe) => (probe.kind === 'exec' ? given(field, probe.argv) : []));
  return [
    ...probed('ready', ready),
    ...given('after_ready', hooks.afterReady?.argv),
    ...probed('live', live),
    ...given('before_stop', hooks.beforeStop !== null && 'argv' in hooks.beforeStop ? hooks.beforeStop.argv : null),
    ...probed('before_stop', drain),
    ...given('stop.command', stop.argv),
    ...given('after_exit', hooks.afterExit?.argv),
  ];
}

export function allCommands(service: ServicePlan, afterTask: boolean): readonly CommandToCheck[] {
  return [...commandsToStart(service, afterTask), ...laterCommands(service, afterTask)];
}

export function checkCommand(plan: ServicePlan, { field, argv, installer }: CommandToCheck): PreflightFinding[] {
  const prefix = field === null ? '' : `${field}: `;
  const about = { service: plan.name, check: 'command' } as const;
  const shell = whyNoShell(argv);
  if (shell !== null)
    return [{ ...about, verdict: 'wrong', text: `${prefix}cannot execute /bin/sh: ${shell.why}`, help: shell.fix }];
  const program = executedProgram(argv);
  if (program === null) return [];
  const found = inspectProgram(program, plan);
  if (found.ok) return [{ ...about, verdict: 'ok', text: `${prefix}${found.path}` }];
  const missing =
    installer === null
      ? `install it, or name it with its path; its PATH is ${plan.env.PATH ?? 'not set'}`
      : `make sure that ${installer} installs it`;
  const help = found.fix ?? missing;
  const verdict = installer === null ? 'wrong' : 'doubtful';
  return [{ ...about, verdict, text: `${prefix}cannot execute ${program}: ${found.why}`, help }];
}

/**
 * Finds missing programs of services that start later, unless a task or a hook may install them. Yields null after each
 * service, so that the caller can yield to the event loop. A program that several services execute is inspected once.
 */
export function* findMissingPrograms(plan: Plan): Generator<Missing | null> {
  const isAfterTask = findAfterTasks(plan);
  const known = new Map<string, PreflightFinding[]>();
  for (const service of plan.services) {
    // A service that starts at once reports the failure itself.
    if (!service.enabled || service.edges.length + service.stageEdges.length === 0) continue;
    const { env, cwd, attributes } = service;
    for (const one of commandsToStart(service, isAfterTask(service))) {
      const key = JSON.stringify([
        one.field,
        one.installer,
        executedProgram(one.argv),
        one.argv[0],
        env.PATH,
        cwd,
        attributes.user,
      ]);
      const found = known.get(key) ?? checkCommand(service, one);
      known.set(key, found);
      for (const { verdict, text } of found)
        if (verdict === 'wrong') yield { service: service.name, text: `will fail to start: ${text}` };
    }
    yield null;
  }
}

interface Missing {
  readonly service: string;
  readonly text: string;
}
