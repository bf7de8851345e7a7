// The composition of a supervising process: plan, engine and the rooms that they need, in the order of a start. Connects
// them and decides nothing; part of the root, with main.ts.
import { Journal } from './control/journal.ts';
import type { Reloaded } from './control/source.ts';
import { countOomKills } from './linux/cgroup.ts';
import { exists } from './linux/files.ts';
import type { GpuReader } from './linux/gpu-memory.ts';
import { hostsFile } from './linux/hosts-file.ts';
import { explainDeath, explainShellExit, visitorOf } from './linux/launch.ts';
import { findHolder, portHolder } from './linux/listeners.ts';
import { Pipeline } from './logs/pipeline.ts';
import { makeSinks } from './logs/sinks.ts';
import type { Run } from './pid1/children.ts';
import { OutputPipe } from './pid1/pipe.ts';
import type { Inventory } from './plan/gpu-inventory.ts';
import type { Plan } from './plan/plan.ts';
import type { Handover } from './platform/handover.ts';
import { giveBackMemory } from './platform/memory.ts';
import { openOutput } from './platform/output.ts';
import { fillPool } from './platform/threads.ts';
import { type Clock, type Files, type RealClock, realRandom } from './ports.ts';
import { Engine } from './runtime/engine.ts';
import { Hands } from './runtime/hands.ts';
import { printable } from './text.ts';
import { type Announce, makeAnnouncer, reportBugs } from './up/announcer.ts';
import type { Prepared } from './up/configuration.ts';
import { type End, writeLastOutput } from './up/ending.ts';
import { HostNames } from './up/hosts.ts';
import { Link } from './up/link.ts';
import { ownersOf } from './up/owners.ts';
import { findTakenPorts } from './up/ports.ts';
import { UnclaimedSignals } from './up/unclaimed.ts';

export interface UpRequest {
  readonly file: string;
  readonly names: readonly string[];
  readonly handover: Handover;
  readonly files: Files;
  /** Looks for GPUs. */
  readonly gpus: () => Inventory;
  readonly version: string;
  readonly clock: RealClock;
  err(text: string): void;
  /** Ends this process. */
  exit(code: number): void;
}

/** Exit code of a start that finds a port taken; a service that finds one later ends the container with the same. */
const PORT_TAKEN = 1;
/** By then the first services have been started, and by then a start that is quick is over, milliseconds. */
const [SOON, QUICK] = [150, 5_000];

/** Supervises until all is over. Ends with the process: PID 1 ends with the container's exit code. */
export async function up(request: UpRequest, prepared: Prepared): Promise<number> {
  const { clock, handover } = request;
  const { plan } = prepared;
  if (reportTakenPorts(request, plan)) return PORT_TAKEN;
  const seed = realRandom.seed();
  const link = new Link({ clock, handover, seed, exit: request.exit });
  await link.connect(plan);
  let core: Core | null = null;
  const gpus = new GpuAccess(request, () => ownersOf(link.children, core === null ? [] : runsOf(core)));
  const refusal = await refuseGpus(request, plan, link, gpus);
  if (refusal !== null) return link.pid1.end(refusal);
  const output = await openLogs(request, plan);
  const { announce } = output;
  const rooms = { request, link, gpus, ...output, hostNames: new HostNames(hostsFile(), announce) };
  process.once('exit', () => rooms.hostNames.undo());
  const ended = Promise.withResolvers<End>();
  core = startEngine(plan, seed, rooms, ended.resolve);
  const getStopAskedAt = passSignals(core, rooms);
  const { control, oomBefore } = await start(core, rooms, prepared);
  const end = await ended.promise;
  rooms.hostNames.undo();
  control?.close();
  const stopAskedAt = getStopAskedAt();
  await writeLastOutput(end, { ...output, clock, plan: core.engine.world.plan, stopAskedAt, oomBefore });
  return link.pid1.end(end.code);
}

/** Whether ports of services are taken, which it reports. */
function reportTakenPorts({ err }: UpRequest, plan: Plan): boolean {
  const taken = findTakenPorts(plan, portHolder);
  for (const { port, service, holder } of taken)
    err(`svc-super: port ${port} of ${service} is taken by ${printable(holder)}; nothing was started\n`);
  return taken.length > 0;
}

/** Reads the memory of GPUs; loads what that needs at the first use. */
class GpuAccess {
  readonly #request: UpRequest;
  readonly owners: () => ReadonlyMap<number, string>;
  #reader: GpuReader | undefined;

  constructor(request: UpRequest, owners: () => ReadonlyMap<number, string>) {
    this.#request = request;
    this.owners = owners;
  }

  async reader(): Promise<GpuReader> {
    const { clock, handover } = this.#request;
    const { environment } = handover;
    this.#reader ??= (await import('./up/gpus.ts')).makeGpuReader({ clock, environment, owners: this.owners });
    return this.#reader;
  }
}

/** The exit code where the GPUs of services refuse a start, or a signal asks to stop meanwhile: reported. Else null. */
async function refuseGpus({ err }: UpRequest, plan: Plan, { signals }: Link, gpus: GpuAccess): Promise<number | null> {
  if (plan.services.every((service) => service.gpus === null || service.gpus.devices.length === 0)) return null;
  const preflight = await import('./up/preflight.ts');
  // The driver may take its time, and a request to stop must not wait for it.
  const asked = new AbortController();
  signals.listen((signal) => (plan.stopSignals.includes(signal) ? asked.abort() : undefined));
  const refusal = await preflight.refuseGpus(plan, await gpus.reader(), asked.signal);
  if (asked.signal.aborted) {
    err('svc-super: asked to stop before anything was started\n');
    return 0;
  }
  if (refusal === null) return null;
  err(`svc-super: ${printable(refusal.text)}; nothing was started\n`);
  return refusal.code;
}

interface Output {
  readonly logs: Pipeline;
  readonly journal: Journal;
  readonly announce: Announce;
}

async function openLogs({ clock, handover }: UpRequest, plan: Plan): Promise<Output> {
  const sinks = makeSinks((fd) => openOutput(fd, clock, (one) => handover.terminals[one as 1 | 2]));
  const logs = new Pipeline(
    clock,
    sinks,
    plan.services.map(({ name }) => name),
    (service, text) => announce({ level: 'warn', service, event: 'log-file', text: `log file: ${text}` }),
  );
  const journal = new Journal();
  const print = await makeAnnouncer(plan, logs, sinks.stderr);
  const announce: Announce = (announcement) => {
    journal.add(announcement, clock.wall());
    print(announcement);
  };
  return { logs, journal, announce };
}

/** All that the engine and its executor need. */
interface Rooms extends Output {
  readonly request: UpRequest;
  readonly link: Link;
  readonly gpus: GpuAccess;
  readonly hostNames: HostNames;
}

interface Core {
  readonly engine: Engine;
  readonly hands: Hands<Run>;
  readonly reload: Reload;
}

function startEngine(plan: Plan, seed: number, rooms: Rooms, end: (end: End) => void): Core {
  const { link, announce } = rooms;
  const { clock } = rooms.request;
  const hands = makeHands(rooms, (event) => engine.send(event));
  const engine: Engine = new Engine(plan, seed, {
    clock,
    announce,
    end,
    reload: () => void reload('apply'),
    hands: () => hands,
  });
  const reload = makeReload(engine, rooms);
  link.turn = (take) => engine.turn(take);
  return { engine, hands, reload };
}

function makeHands(
  { request, link: { children }, gpus, logs, announce }: Rooms,
  send: ConstructorParameters<typeof Hands>[1],
): Hands<Run> {
  const parts: ConstructorParameters<typeof Hands<Run>>[0] = {
    clock: request.clock,
    processes: children,
    logs,
    makePipe: () => new OutputPipe(),
    randomName: () => realRandom.name(),
    portHolder,
    runTool: async (program, abort) => (await import('./pid1/tools.ts')).runTool(children, program, abort),
    readGpus: async (plan, abort) => (await gpus.reader())(plan, { holders: true }, abort),
    explainExit: ({ argv, env, cwd, user, limits }, exit) =>
      exit.kind === 'signal'
        ? explainDeath(exit.signal, limits)
        : explainShellExit(argv, exit.code, { env, cwd, visitor: visitorOf(user) }),
    warn: (service, event, text) => announce({ level: 'warn', service, event, text }),
    fileExists: exists,
    ownUid: process.getuid?.() ?? 0,
  };
  return new Hands<Run>(parts, send);
}

type Reload = (how: 'apply' | 'dry-run') => Promise<Reloaded>;

/** Reads the configuration again, and applies it to what depends on it outside the engine. */
function makeReload(engine: Engine, { request, link, gpus, logs, announce, hostNames }: Rooms): Reload {
  const { environment } = request.handover;
  const prepare = (next: Plan) => {
    logs.introduce(next.services.map(({ name }) => name));
    hostNames.set(next);
    link.sendStopRules(next);
  };
  return async (how) => {
    // Even where the configuration is wrong: a tool that rotates log files has moved them already.
    const reopened = how === 'apply' ? logs.reopenFiles() : null;
    const { reload } = await import('./up/reload.ts');
    const result = reload({ ...request, environment, engine, announce, findHolder, owners: gpus.owners, prepare }, how);
    await reopened;
    return result;
  };
}

/** Passes signals to the engine. Returns a function that returns when the first of them asked to stop, or null. */
function passSignals({ engine }: Core, { request: { clock }, link, announce }: Rooms): () => number | null {
  let stopAskedAt: number | null = null;
  const unclaimed = new UnclaimedSignals(announce);
  link.signals.listen((signal, isFromKernel) => {
    const { plan } = engine.world;
    if (!isFromKernel) unclaimed.note(signal, plan);
    const isStop = plan.stopSignals.includes(signal);
    if (isStop) stopAskedAt ??= clock.now();
    engine.send({ type: isStop ? 'stop-asked' : 'signalled', signal });
  });
  return () => stopAskedAt;
}

interface Started {
  readonly control: { close(): void } | null;
  /** The OOM kills that the cgroup had counted; null: it cannot be read. */
  readonly oomBefore: number | null;
}

/** Starts the services, then all that may come after the first spawn. */
async function start({ engine, hands, reload }: Core, rooms: Rooms, { plan, doubts }: Prepared): Promise<Started> {
  const { request, link, logs, journal, announce, hostNames } = rooms;
  const { clock, handover, version } = request;
  reportBugs(announce);
  for (const text of doubts) announce({ level: 'warn', service: null, event: 'doubtful', text });
  hostNames.set(plan);
  engine.send({ type: 'began' });
  fillPool(clock);
  const oomBefore = countOomKills();
  if (plan.services.some(({ ready, live }) => [...ready, ...live].some(({ kind }) => kind === 'http')))
    void import('./runtime/probe-http.ts').catch(() => undefined);
  const { openControl } = await import('./up/control.ts');
  const { children } = link;
  const control = await openControl(
    {
      ...{ version, handover, clock, engine, children, hands, logs, journal, announce, reload },
      reaped: () => link.reaped,
    },
    plan.control,
  );
  if (plan.services.some(({ enabled, edges, stageEdges }) => enabled && edges.length + stageEdges.length > 0))
    void warnOfMissing(plan, clock, announce);
  clock.after(SOON, () => engine.rehearse());
  // Memory that only the start needed.
  clock.after(QUICK, giveBackMemory);
  return { control, oomBefore };
}

/** The services that have a run, each with the handle on its processes. */
function runsOf({ engine, hands }: Core): (readonly [string, Run])[] {
  return [...engine.world.services.keys()].flatMap((name): (readonly [string, Run])[] => {
    const run = hands.handleOf(name);
    return run === null ? [] : [[name, run]];
  });
}

/** Longest time that one turn of the event loop spends on looking for missing programs, milliseconds. */
const LOOKING = 5;

/** Reports programs that are missing now, before the turn of their services comes. */
async function warnOfMissing(plan: Plan, clock: Clock, announce: Announce): Promise<void> {
  const { findMissingPrograms } = await import('./up/preflight.ts');
  let began = clock.now();
  for (const missing of findMissingPrograms(plan)) {
    if (missing !== null)
      announce({ level: 'warn', service: missing.service, event: 'missing-program', text: missing.text });
    if (clock.now() - began < LOOKING) continue;
    await new Promise<void>((resolve) => clock.soon(resolve));
    began = clock.now();
  }
}
