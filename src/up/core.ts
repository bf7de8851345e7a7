// Connects the engine of a supervising process with its executor, its checkpoint and the reload of the configuration. Decides
// nothing.
import type { Reloaded } from '../control/source.ts';
import type { Event } from '../core/event.ts';
import type { World } from '../core/world.ts';
import { EXIT_CODE } from '../linux/exit-codes.ts';
import { exists } from '../linux/files.ts';
import { explainDeath, explainShellExit } from '../linux/launch.ts';
import { describePortHolder, findHolder } from '../linux/listeners.ts';
import { renderNotice } from '../messages/notices.ts';
import { renderVerbose } from '../messages/verbose.ts';
import { OutputPipe } from '../pid1/pipe.ts';
import type { Run } from '../pid1/run.ts';
import type { Plan, ScaledService, SchedulePlan, ServicePlan } from '../plan/plan.ts';
import { realRandom } from '../ports.ts';
import { Engine } from '../runtime/engine.ts';
import { Executor } from '../runtime/executor.ts';
import { printable } from '../text.ts';
import { Checkpoint, type End, type Own } from './checkpoint.ts';
import { makeLimitReporter } from './limit-kills.ts';
import type { Parts } from './parts.ts';

export interface Core {
  readonly engine: Engine;
  readonly executor: Executor<Run>;
  readonly checkpoint: Checkpoint;
  readonly reload: (how: 'apply' | 'dry-run') => Promise<Reloaded>;
  readonly scale: (how: 'apply' | 'dry-run', scale: ScaledService) => Promise<Reloaded>;
  /** Resolves when all services have ended. */
  readonly ended: Promise<End>;
  end(end: End): void;
}

/** Loaded at the first start of a service with env files or secrets. */
const runEnvironment = () => require('../plan/run-environment.ts') as typeof import('../plan/run-environment.ts');
/** Loaded if a service has `memory_limit`. */
const memoryCgroup = () => require('../linux/memory-cgroup.ts') as typeof import('../linux/memory-cgroup.ts');

/** An event is dropped after it has ended this many supervisors; the next one drops all that have the same description. */
const FATAL_MOST = 2;

/** `old`: the keys of the previous supervisor's records. */
export function makeCore(world: World, parts: Parts, own: Own, old: Iterable<number> = []): Core {
  const { link, announce, logs, journal, gpus, runs, ownLog } = parts;
  const { clock, handover, debug, err } = parts.request;
  const ended = Promise.withResolvers<End>();
  const end = (found: End) => {
    link.isEnding = true;
    checkpoint.note({ end: found });
    ended.resolve(found);
  };
  const executor = makeExecutor(
    parts,
    world.plan,
    (event) => engine.send(event),
    (service) => checkpoint.changed(service),
    () => engine.world.plan,
  );
  const readClock = async (service: string, reading: number, when: SchedulePlan['when']) => {
    if (when.kind !== 'cron') return;
    // The parser of schedules is loaded after the first programs have been started.
    const { nextTime } = await import('../config/cron.ts');
    const wall = clock.wall();
    const next = nextTime(when.expression, when.timeZone, wall);
    engine.send({ type: 'clock-read', service, reading, wall, next });
  };
  const engine: Engine = new Engine(world, {
    clock,
    announce: ({ service, notice }) => {
      const run = service === null ? undefined : engine.world.services.get(service)?.run;
      if (service !== null) runs.note(service, run ?? 0, notice, clock.wall());
      if (notice.event === 'cleaned-up') executor.counts.addCleanedUp(notice.name, notice.leftovers.length);
      if (service !== null && notice.event === 'removed') executor.forget(service);
      announce({ ...renderNotice(notice), service });
    },
    end,
    reload: () => void reload('apply'),
    readClock: ({ service, reading }, { when }) => void readClock(service, reading, when),
    executor: () => executor,
    signOfLife: () => link.pid1.signOfLife(),
    changed: () => link.pid1.touch(),
    postponed: (service) => checkpoint.changed(service),
    broken: (event, error) => endBroken(parts, checkpoint, event, error),
    isDropped: own.fatal === null ? null : (event) => isDropped(event, own, parts),
    trace: (event, effects, now) => {
      if (debug) err(renderTrace(event, effects, now));
      if (ownLog.isVerbose) for (const line of renderVerbose(event, effects)) ownLog.print(line);
    },
  });
  gpus.runs = () =>
    [...engine.world.services.keys()].flatMap((name): (readonly [string, Run])[] => {
      const run = executor.handleOf(name);
      return run === null ? [] : [[name, run]];
    });
  const container = handover.environment;
  const touch = () => link.pid1.touch();
  const checkpoint = new Checkpoint({ clock, container, engine, executor, logs, journal, touch }, own, old);
  link.pid1.keep(checkpoint.take);
  logs.watchTorn((isTorn) => checkpoint.note({ isTorn }));
  link.turn = (take) => engine.turn(take);
  const { reload, scale } = makeReload(engine, parts, checkpoint, (service) => executor.ofRun(service));
  return { engine, executor, checkpoint, reload, scale, ended: ended.promise, end };
}

function makeExecutor(
  { request, link: { children }, gpus, logs, announce }: Parts,
  first: Plan,
  send: ConstructorParameters<typeof Executor>[1],
  changed: (service: string) => void,
  planNow: () => Plan,
): Executor<Run> {
  const countKills = (service: string) => memoryCgroup().countLimitKills(service, children.owner);
  const reportLimit = makeLimitReporter(announce, countKills, first);
  const executorParts: ConstructorParameters<typeof Executor<Run>>[0] = {
    clock: request.clock,
    processes: children,
    logs,
    changed,
    makePipe: () => new OutputPipe(),
    randomName: () => realRandom.name(),
    describePortHolder,
    readEnvironment: (plan) => {
      const { readRunEnvironment, describeFailure, tasksBefore } = runEnvironment();
      const { env, failure } = readRunEnvironment(plan, request.files);
      return { env, failure: failure === null ? null : describeFailure(failure, tasksBefore(planNow(), plan.name)) };
    },
    runTool: async (request, abort, output) =>
      (await import('../pid1/tools.ts')).runTool(children, request, abort, output),
    readGpus: async (plan, abort) => (await gpus.reader())(plan, { holders: true }, abort),
    explainExit: (spec, exit) => {
      reportLimit(spec, exit);
      return exit.kind === 'signal'
        ? explainDeath(exit.signal, spec.attributes.limits)
        : explainShellExit(spec, exit.code);
    },
    warn: (service, event, text) => announce({ level: 'warn', service, event, text }),
    fileExists: exists,
    ownUid: process.getuid?.() ?? 0,
  };
  return new Executor<Run>(executorParts, send);
}

/** Returns the function that reads the configuration again, and applies it to the parts outside the engine. */
function makeReload(
  engine: Engine,
  { request, link, gpus, logs, announce, ownLog, hostNames }: Parts,
  checkpoint: Checkpoint,
  ofRun: (service: ServicePlan) => ServicePlan,
): Pick<Core, 'reload' | 'scale'> {
  const { environment } = request.handover;
  const prepare = (next: Plan) => {
    logs.addNames(next.services.map(({ name }) => name));
    hostNames.set(next);
    checkpoint.note({ hosts: hostNames.held });
    void ownLog.apply(next);
    link.sendStopRules(next);
  };
  const perform = async (how: 'apply' | 'dry-run', scale: ScaledService | null) => {
    const { performReload } = await import('./reload.ts');
    const used = { engine, announce, findHolder, owners: gpus.owners, ofRun, prepare };
    return performReload({ ...request, environment, ...used }, how, scale);
  };
  const reload: Core['reload'] = async (how) => {
    if (how === 'apply') checkpoint.note({ isReloading: true });
    try {
      // Even if the configuration is invalid: a tool that rotates log files has already moved them.
      const reopened = how === 'apply' ? logs.reopenFiles() : null;
      const result = await perform(how, null);
      await reopened;
      return result;
    } finally {
      if (how === 'apply') checkpoint.note({ isReloading: false });
    }
  };
  // After a death of this process it has had its effect, and is in the plan of the checkpoint, or it has had none.
  return { reload, scale: perform };
}

/** Ends this process. PID 1 starts the next supervisor with the checkpoint from before this event. */
function endBroken({ link, request }: Parts, checkpoint: Checkpoint, event: Event, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  request.err(`svc-super: a bug, please report it: ${printable(describeEvent(event))}: ${text}\n`);
  link.pid1.abandon(checkpoint.fatal(describeEvent(event), text));
  request.exit(EXIT_CODE.software);
}

function isDropped(event: Event, { fatal }: Own, { announce }: Parts): boolean {
  if (fatal === null || fatal.count < FATAL_MOST || describeEvent(event) !== fatal.event) return false;
  const text = `a bug in svc-super, please report it: an event that has ended ${fatal.count} supervisors is dropped: ${fatal.event}: ${fatal.error}`;
  announce({ level: 'error', service: null, event: 'bug', text });
  return true;
}

/** The event as JSON, without a plan, which may contain secrets. */
function describeEvent(event: Event): string {
  return JSON.stringify(event.type === 'plan-changed' ? { type: event.type } : event);
}

/** The trace of `--debug`: one line for an event, and one for each effect. Effects have no plan: they name services. */
function renderTrace(event: Event, effects: readonly unknown[], now: number): string {
  const lines = [`${now.toFixed(3)} event ${describeEvent(event)}`];
  for (const effect of effects) lines.push(`${now.toFixed(3)}   effect ${JSON.stringify(effect)}`);
  return lines.map((line) => `svc-super debug: ${printable(line)}\n`).join('');
}
