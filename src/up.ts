// Composes a supervising process from the plan, the engine and their parts: up() for a first start, continueAsSuccessor() for
// a successor. Decides nothing. Part of the root, with main.ts.
import { newWorld } from './core/world.ts';
import { countOomKills } from './linux/cgroup.ts';
import { describePortHolder } from './linux/listeners.ts';
import type { Plan } from './plan/plan.ts';
import type { Handover } from './platform/handover.ts';
import { releaseMemory } from './platform/memory.ts';
import { fillPool } from './platform/threads.ts';
import { type Clock, realRandom } from './ports.ts';
import { LONGEST_SILENCE } from './runtime/absence-detector.ts';
import { printable } from './text.ts';
import { type Announce, reportBugs } from './up/announcer.ts';
import { readCheckpoint } from './up/checkpoint.ts';
import type { Prepared } from './up/configuration.ts';
import { type Core, makeCore } from './up/core.ts';
import { writeLastOutput } from './up/ending.ts';
import { Link } from './up/link.ts';
import { findTakenPorts } from './up/ports.ts';
import { openRooms, type Rooms, type UpRequest } from './up/rooms.ts';
import { announceSuccession, historyAfter } from './up/succession.ts';
import { UnclaimedSignals } from './up/unclaimed.ts';

export type { UpRequest } from './up/rooms.ts';

/** Exit code if a port is taken: at the start, and later if a service ends the container because of that. */
const PORT_TAKEN = 1;
/** The state of the first supervisor at its start. */
const FIRST = {
  isTorn: { stdout: false, stderr: false },
  hosts: 'nothing',
  oomBefore: null,
  stopAskedAt: null,
  isReloading: false,
  end: null,
  isPostmortemPrinted: false,
  fatal: null,
  done: [],
} as const;

/** Time until the warm-up: the first services have been started by then, milliseconds. */
const WARM_UP_AFTER = 150;
/** Time until memory is released: most services have been started by then, milliseconds. */
const RELEASE_AFTER = 5_000;

/** Supervises until all services have ended. Never resolves then: PID 1 exits with the container's code, which ends this process. */
export async function up(request: UpRequest, { plan, doubts }: Prepared): Promise<number> {
  const { clock, names } = request;
  if (reportTakenPorts(request, plan)) return PORT_TAKEN;
  const seed = realRandom.seed();
  const link = new Link({ ...request, seed });
  await link.connect();
  link.takeOver(plan);
  const rooms = await openRooms(request, plan, link);
  const refusal = await refuseGpus(plan, rooms);
  if (refusal !== null) return link.pid1.end(refusal);
  const { announce, hostNames } = rooms;
  const history = { restarts: 0, reasons: {}, last: null };
  const core = makeCore(newWorld(plan, seed), rooms, { ...FIRST, names, history });
  reportBugs(announce);
  for (const text of doubts) announce({ level: 'warn', service: null, event: 'doubtful', text });
  hostNames.set(plan);
  passSignals(core, rooms);
  core.engine.send({ type: 'began' });
  // PID 1 starts the first programs while this process loads the rest.
  link.pid1.flush();
  core.checkpoint.note({ oomBefore: countOomKills(), hosts: hostNames.held });
  if (plan.services.some(({ enabled, edges, stageEdges }) => enabled && edges.length + stageEdges.length > 0))
    void warnOfMissing(plan, clock, announce);
  return supervise(core, rooms);
}

/** Continues after the previous supervisor has died: with its world and its runs, and with the events since then. */
export async function continueAsSuccessor(given: UpRequest): Promise<number> {
  const { clock, handover } = given;
  const link = new Link({ ...given, seed: 0 });
  const inherited = link.pid1.inherit();
  await link.connect();
  const { records, runs } = await inherited;
  const kept = readCheckpoint(records, handover.environment);
  const { plan, seed } = kept.world;
  const request = { ...given, names: kept.own.names };
  link.children.inherit(runs, seed);
  const rooms = await openRooms(request, plan, link);
  rooms.logs.endTornLines(kept.own.isTorn);
  rooms.journal.inherit(kept.entries);
  rooms.hostNames.held = kept.own.hosts;
  const own = { ...kept.own, history: historyAfter(kept.own.history, handover, clock.wall()) };
  const core = makeCore(kept.world, rooms, own, records.keys());
  reportBugs(rooms.announce);
  link.takeOver(plan);
  for (const service of plan.services) {
    const { name } = service;
    const record = kept.records.get(name);
    if (record !== undefined) core.executor.adopt(service, record);
    const counted = kept.counted.get(name);
    if (counted === undefined) continue;
    core.executor.counts.inherit(name, counted);
    rooms.logs.inherit(name, kept.lines.get(name) ?? [], counted.streams);
  }
  link.children.discardOthers();
  const oomKills = countOomKills();
  announceSuccession(own.history, handover, isMore(oomKills, own.oomBefore), rooms.announce);
  // The post-mortem reports OOM kills of services only: earlier kills, such as that of a supervisor, are not counted.
  core.checkpoint.note({ oomBefore: oomKills });
  passSignals(core, rooms);
  core.engine.send({ type: 'taken-over', by: absenceBefore(handover, clock.now()) });
  core.engine.resume(kept.postponed);
  link.pid1.resume();
  if (kept.own.isReloading) void core.reload('apply');
  if (kept.own.end !== null) core.end(kept.own.end);
  return supervise(core, rooms);
}

/** Whether the kernel has killed a process of the cgroup for lack of memory since `before`. */
function isMore(now: number | null, before: number | null): boolean {
  return now !== null && before !== null && now > before;
}

/** The time in which no supervisor ran. The previous supervisor may have been stopped for some time before it died. */
function absenceBefore({ diedAt, heardAt }: Handover, now: number): number {
  return Math.max(0, now - (diedAt - heardAt > LONGEST_SILENCE ? heardAt : diedAt));
}

/** Performs the rest of the start, after the first spawn, and waits until all services have ended. */
async function supervise(core: Core, rooms: Rooms): Promise<number> {
  const { request, link, logs, journal, runs, announce, gpus, hostNames } = rooms;
  const { clock, handover, version } = request;
  const { engine, executor, reload, checkpoint } = core;
  const { plan } = engine.world;
  fillPool(clock);
  if (plan.services.some(({ ready, live }) => [...ready, ...live].some(({ kind }) => kind === 'http')))
    void import('./runtime/probe-http.ts').catch(() => undefined);
  const { openControl } = await import('./up/control.ts');
  const { children } = link;
  const control = await openControl(
    {
      ...{ version, handover, clock, engine, children, executor, logs, journal, runs, gpus, announce, reload },
      history: checkpoint.own.history,
      checkpoint,
      reaped: () => link.reaped,
    },
    plan.control,
  );
  clock.after(WARM_UP_AFTER, () => engine.warmUp());
  clock.after(RELEASE_AFTER, releaseMemory);
  const end = await core.ended;
  hostNames.undo();
  checkpoint.note({ hosts: hostNames.held });
  control?.close();
  const { isPostmortemPrinted, stopAskedAt, oomBefore, history } = checkpoint.own;
  const wasRestarted = history.restarts > 0;
  const parts = { logs, announce, clock, plan: engine.world.plan, stopAskedAt, oomBefore, wasRestarted };
  const last = isPostmortemPrinted ? { ...end, culprit: null } : end;
  await writeLastOutput(last, parts, () => checkpoint.note({ isPostmortemPrinted: true }));
  return link.pid1.end(end.code);
}

/** Reports ports of services that are taken; returns whether there are any. */
function reportTakenPorts({ err }: UpRequest, plan: Plan): boolean {
  const taken = findTakenPorts(plan, describePortHolder);
  for (const { port, service, holder } of taken)
    err(`svc-super: port ${port} of ${service} is taken by ${printable(holder)}; nothing was started\n`);
  return taken.length > 0;
}

/**
 * Checks the GPUs of services. Returns the exit code if they prevent the start, or if a stop signal arrives during the check,
 * and reports that; otherwise null.
 */
async function refuseGpus(plan: Plan, { request: { err }, link: { signals }, gpus }: Rooms): Promise<number | null> {
  if (plan.services.every((service) => service.gpus === null || service.gpus.devices.length === 0)) return null;
  const preflight = await import('./check/gpus.ts');
  // The driver may be slow, and a stop signal must not wait for it.
  const stop = new AbortController();
  signals.listen((signal) => (plan.stopSignals.includes(signal) ? stop.abort() : undefined));
  const refusal = await preflight.refuseGpus(plan, await gpus.reader(), stop.signal);
  if (stop.signal.aborted) {
    err('svc-super: received a stop signal before any service was started\n');
    return 0;
  }
  if (refusal === null) return null;
  err(`svc-super: ${printable(refusal.text)}; nothing was started\n`);
  return refusal.code;
}

/** Passes signals to the engine. */
function passSignals({ engine, checkpoint }: Core, { request: { clock }, link, announce }: Rooms): void {
  const unclaimed = new UnclaimedSignals(announce);
  link.signals.listen((signal, isFromKernel) => {
    const { plan } = engine.world;
    if (!isFromKernel) unclaimed.note(signal, plan);
    const isStop = plan.stopSignals.includes(signal);
    if (isStop && checkpoint.own.stopAskedAt === null) checkpoint.note({ stopAskedAt: clock.now() });
    engine.send({ type: isStop ? 'stop-asked' : 'signalled', signal });
  });
}

/** The longest time that one turn of the event loop spends on missing programs, milliseconds. */
const SEARCH_SLICE = 5;

/** Reports missing programs of services that start later. */
async function warnOfMissing(plan: Plan, clock: Clock, announce: Announce): Promise<void> {
  const { findMissingPrograms } = await import('./check/programs.ts');
  let began = clock.now();
  for (const missing of findMissingPrograms(plan)) {
    if (missing !== null)
      announce({ level: 'warn', service: missing.service, event: 'missing-program', text: missing.text });
    if (clock.now() - began < SEARCH_SLICE) continue;
    await new Promise<void>((resolve) => clock.soon(resolve));
    began = clock.now();
  }
}
