// The composition of a supervising process: plan, engine and the rooms it moves, the signals that reach it, its own log,
// its end. Wires and nothing else; part of the root, with main.ts.
import type { ApiSource } from './control/api.ts';
import { Journal } from './control/journal.ts';
import type { Effect } from './core/event.ts';
import { countOomKills } from './linux/cgroup.ts';
import { absolute, exists } from './linux/files.ts';
import type { GpuReader } from './linux/gpu-memory.ts';
import { hostsFile } from './linux/hosts-file.ts';
import { explainDeath, explainShellExit, visitorOf } from './linux/launch.ts';
import { findHolder, portHolder } from './linux/listeners.ts';
import { signalName, signalNumber } from './linux/signals.ts';
import { isShortOfFiles } from './linux/spare.ts';
import { writeTerminationLog } from './linux/termination-log.ts';
import { Pipeline } from './logs/pipeline.ts';
import { makeSinks, type Sink } from './logs/sinks.ts';
import { Children, type Run } from './pid1/children.ts';
import { Pid1 } from './pid1/client.ts';
import { OutputPipe } from './pid1/pipe.ts';
import type { Inventory } from './plan/gpu-inventory.ts';
import type { ControlPlan, Plan } from './plan/plan.ts';
import { FD, type Handover } from './platform/handover.ts';
import { giveBackMemory } from './platform/memory.ts';
import { openOutput } from './platform/output.ts';
import { endBlockedProcess } from './platform/runtime.ts';
import { openConnection } from './platform/socket.ts';
import { fillPool } from './platform/threads.ts';
import { type Clock, type Files, type RealClock, realRandom } from './ports.ts';
import { type Announcement, Engine } from './runtime/engine.ts';
import { Hands } from './runtime/hands.ts';
import { chooseLastLines, probeRequestsTo, SEARCHED } from './runtime/last-lines.ts';
import { renderPostmortem, renderTerminationMessage } from './runtime/postmortem.ts';
import { printable, printableJson } from './text.ts';
import type { Prepared } from './up/configuration.ts';
import { HostNames } from './up/hosts.ts';
import { ownersOf } from './up/owners.ts';
import { findTakenPorts } from './up/ports.ts';
import type { SourceParts } from './up/source.ts';
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
}

/** What a start that meets a taken port ends with, here and later. */
const PORT_TAKEN = 1;
/** A bug, or somebody's SIGKILL. Nobody waits for it. */
const PID1_LOST = 70;
/** At the end, output of which nobody reads a byte is waited for this long, milliseconds. */
const LAST_DRAIN = 2_000;
/** And this long when the time to stop is over, or nothing was read before. */
const LEAST_DRAIN = 500;
/** By then the first services have been started, and by then a start that is quick is over, milliseconds. */
const [SOON, QUICK] = [150, 5_000];

/** Supervises until all is over. Ends with the process: PID 1 ends with the container's exit code. */
export async function up(request: UpRequest, { plan, doubts }: Prepared): Promise<number> {
  const { clock, handover } = request;
  const { environment } = handover;
  const taken = findTakenPorts(plan, portHolder);
  if (taken.length > 0) {
    for (const { port, service, holder } of taken)
      request.err(`svc-super: port ${port} of ${service} is taken by ${printable(holder)}; nothing was started\n`);
    return PORT_TAKEN;
  }
  const signals = new SignalRelay();
  let hands: Hands<Run> | undefined;
  const pid1 = new Pid1(handover.pid1, (fn) => clock.soon(fn), {
    turn: (take) => (hands === undefined ? take() : engine.turn(take)),
    received: (signal, isFromKernel) => signals.take(signalName(signal), isFromKernel),
    reaped: (total, pids) => {
      reaped = total;
      children.lookAgain(pids);
    },
    lost: () => endWithoutPid1(children, clock),
  });
  let reaped = 0;
  const seed = realRandom.seed();
  const children = new Children({
    clock,
    pid1,
    seed,
    hasMarks: handover.hasMarks,
    files: handover.files.hard,
    // Of several supervisors on a machine, the commands in a service mean its own.
    env: handover.socket === null ? {} : { SVC_SUPER_SOCKET: absolute(handover.socket) },
  });
  await pid1.connect((listener) => openConnection(FD.pid1, listener));
  pid1.hello(plan.stopTimeout, plan.stopSignals.map(signalNumber));
  let reader: GpuReader | undefined;
  // Before the start there are neither hands nor an engine.
  const runs = () => (hands === undefined ? [] : runsOf(hands, engine));
  const owners = () => ownersOf(children, runs);
  const readerOfGpus = async () => {
    reader ??= (await import('./up/gpus.ts')).makeGpuReader({ clock, environment, owners });
    return reader;
  };
  if (plan.services.some(({ gpus }) => gpus !== null && gpus.devices.length > 0)) {
    const { refuseGpus } = await import('./up/preflight.ts');
    // The driver may take its time, and a request to stop must not wait for it.
    const asked = new AbortController();
    signals.listen((signal) => (plan.stopSignals.includes(signal) ? asked.abort() : undefined));
    const refusal = await refuseGpus(plan, await readerOfGpus(), asked.signal);
    if (asked.signal.aborted) {
      request.err('svc-super: asked to stop before anything was started\n');
      return pid1.end(0);
    }
    if (refusal !== null) {
      request.err(`svc-super: ${printable(refusal.text)}; nothing was started\n`);
      return pid1.end(refusal.code);
    }
  }
  const sinks = makeSinks((fd) => openOutput(fd, clock, (one) => handover.terminals[one as 1 | 2]));
  const logs = new Pipeline(
    clock,
    sinks,
    plan.services.map(({ name }) => name),
    (service, text) => announce({ level: 'warn', service, event: 'log-file', text: `log file: ${text}` }),
  );
  const journal = new Journal();
  const say = await announcer(plan, logs, sinks.stderr);
  const announce = (announcement: Announcement) => {
    journal.add(announcement, clock.wall());
    say(announcement);
  };
  const ended = Promise.withResolvers<Effect & { readonly type: 'end' }>();
  const engine = new Engine(plan, seed, {
    clock,
    announce,
    end: ended.resolve,
    reload: () => void reread('apply'),
    hands: (send) => {
      hands = new Hands<Run>(
        {
          clock,
          processes: children,
          logs,
          makePipe: () => new OutputPipe(),
          randomName: () => realRandom.name(),
          portHolder,
          runTool: async (program, abort) => (await import('./pid1/tools.ts')).runTool(children, program, abort),
          readGpus: async (gpus, abort) => (await readerOfGpus())(gpus, { holders: true }, abort),
          explainExit: ({ argv, env, cwd, user, limits }, exit) =>
            exit.kind === 'signal'
              ? explainDeath(exit.signal, limits)
              : explainShellExit(argv, exit.code, { env, cwd, visitor: visitorOf(user) }),
          warn: (service, event, text) => announce({ level: 'warn', service, event, text }),
          fileExists: exists,
          ownUid: process.getuid?.() ?? 0,
        },
        send,
      );
      return hands;
    },
  });
  const hostNames = new HostNames(hostsFile(), announce);
  process.once('exit', () => hostNames.undo());
  const reread = async (how: 'apply' | 'dry-run') => {
    const prepare = (next: Plan) => {
      logs.introduce(next.services.map(({ name }) => name));
      hostNames.set(next);
      pid1.hello(next.stopTimeout, next.stopSignals.map(signalNumber));
    };
    // Whatever the configuration says: who rotates the files has moved them already.
    const reopened = how === 'apply' ? logs.reopenFiles() : null;
    const { reload } = await import('./up/reload.ts');
    const result = reload({ ...request, environment, engine, announce, findHolder, owners, prepare }, how);
    await reopened;
    return result;
  };
  let stopAskedAt: number | null = null;
  const unclaimed = new UnclaimedSignals(announce);
  signals.listen((signal, isFromKernel) => {
    const { plan: current } = engine.world;
    if (!isFromKernel) unclaimed.note(signal, current);
    const isStop = current.stopSignals.includes(signal);
    if (isStop) stopAskedAt ??= clock.now();
    engine.send({ type: isStop ? 'stop-asked' : 'signalled', signal });
  });
  survive(announce);
  for (const text of doubts) announce({ level: 'warn', service: null, event: 'doubtful', text });
  hostNames.set(plan);
  engine.send({ type: 'began' });
  fillPool(clock);
  const oomBefore = countOomKills();
  if (plan.services.some(({ ready, live }) => [...ready, ...live].some(({ kind }) => kind === 'http')))
    void import('./runtime/probe-http.ts').catch(() => undefined);
  const parts = {
    pid: handover.pid1,
    page: handover.page,
    engine,
    children,
    hands: () => hands,
    clock,
    logs,
    journal,
    reload: reread,
  };
  const control = await openControl(request, { ...parts, reaped: () => reaped }, announce, plan);
  if (plan.services.some(({ enabled, edges, stageEdges }) => enabled && edges.length + stageEdges.length > 0))
    void warnOfMissing(plan, clock, announce);
  // What the start alone needed is given back as soon as there is nothing to do.
  clock.after(SOON, () => engine.rehearse());
  clock.after(QUICK, giveBackMemory);
  const end = await ended.promise;
  hostNames.undo();
  control?.close();
  // A stop that was asked for has one deadline; whoever asked is waiting.
  const now = clock.now();
  const late =
    stopAskedAt === null
      ? now + Math.max(LAST_DRAIN, plan.stopTimeout)
      : Math.max(now + LEAST_DRAIN, stopAskedAt + plan.stopTimeout);
  // The post-mortem comes after everything that services have said.
  const isRead = await whileWriting(logs.ended(), logs, clock, late, LAST_DRAIN);
  sayLastWords(end, announce, logs, engine.world.plan, oomBefore);
  await whileWriting(logs.drained(), logs, clock, late, isRead ? LAST_DRAIN : LEAST_DRAIN);
  return pid1.end(end.code);
}

/** PID 1 was killed, where it is not PID 1 of its namespace: nothing that it has started is to outlive it. */
function endWithoutPid1(children: Children, clock: Clock): void {
  if (children.killEverything()) {
    clock.after(1, () => endWithoutPid1(children, clock));
    return;
  }
  endBlockedProcess();
  process.exit(PID1_LOST);
}

/** Waits for output to be written: not past `late`, nor when nothing moves for `silence` ms. True when it was written. */
async function whileWriting(
  done: Promise<void>,
  logs: Pipeline,
  clock: Clock,
  late: number,
  silence: number,
): Promise<boolean> {
  let finished = false;
  const end = done.then(() => {
    finished = true;
  });
  for (let before = -1; !finished && logs.written !== before && clock.now() < late; ) {
    before = logs.written;
    const wait = Math.max(0, Math.min(silence, late - clock.now()));
    await Promise.race([end, new Promise<void>((resolve) => void clock.after(wait, resolve))]);
  }
  return finished;
}

/** The services that have a run, for who wants to know whose a process is. */
function runsOf(hands: Hands<Run>, engine: Engine): (readonly [string, Run])[] {
  return [...engine.world.services.keys()].flatMap((name): (readonly [string, Run])[] => {
    const run = hands.handleOf(name);
    return run === null ? [] : [[name, run]];
  });
}

/** Longest time that one turn of the event loop spends on looking for missing programs, milliseconds. */
const LOOKING = 5;

/** A program that is missing is better told now than when its turn comes. */
async function warnOfMissing(plan: Plan, clock: Clock, announce: (announcement: Announcement) => void): Promise<void> {
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

/** The supervisor's own events: sentences behind its name, or objects where the plan's format is JSON. */
async function announcer(plan: Plan, logs: Pipeline, sink: Sink): Promise<(announcement: Announcement) => void> {
  const offer = (line: string) => void sink.offer(Buffer.from(line));
  if (plan.format === 'json') return objects((line) => offer(printableJson(line)));
  const prefix = logs.prefix('svc-super', 'stderr');
  return ({ level, service, event, text }) => {
    const mark = level === 'error' ? 'error: ' : level === 'warn' ? 'warning: ' : '';
    // The sweep's sentence names its service itself.
    const about = service === null || event === 'swept' ? '' : `${service} `;
    offer(`${prefix}${mark}${printable(`${about}${text}`)}\n`);
  };
}

/** Through pino, which is loaded for this alone: it takes 2 ms. */
async function objects(write: (line: string) => void): Promise<(announcement: Announcement) => void> {
  const { default: pino } = await import('pino');
  const logger = pino(
    {
      base: { service: 'svc-super', stream: 'stderr' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  return ({ level, service, event, text }) =>
    logger[level]({ event, ...(service !== null && { about: service }) }, text);
}

type SignalListener = (signal: string, isFromKernel: boolean) => void;

/** Signals that PID 1 has received, for whoever listens now; those that come before anybody does are kept. */
class SignalRelay {
  #listener: SignalListener | null = null;
  #early: Parameters<SignalListener>[] = [];

  take(signal: string, isFromKernel: boolean): void {
    if (this.#listener === null) this.#early.push([signal, isFromKernel]);
    else this.#listener(signal, isFromKernel);
  }

  listen(listener: SignalListener): void {
    this.#listener = listener;
    for (const early of this.#early.splice(0)) listener(...early);
  }
}

/** After the start a bug is said and survived: whatever happens, PID 1 goes on. */
function survive(announce: (announcement: Announcement) => void): void {
  const say = (error: unknown) => {
    const text = `a bug in svc-super, please report it: ${error instanceof Error ? error.stack : String(error)}`;
    announce({ level: 'error', service: null, event: 'bug', text });
  };
  process.on('uncaughtException', say);
  process.on('unhandledRejection', say);
}

async function openControl(
  request: UpRequest,
  parts: Omit<SourceParts, 'version' | 'clock'> & { readonly clock: RealClock; reaped(): number },
  announce: (announcement: Announcement) => void,
  plan: Plan,
): Promise<{ close(): void } | null> {
  const { handover } = request;
  const { makeSource } = await import('./up/source.ts');
  const { describeUnmade, WHY } = await import('./linux/places.ts');
  const source = makeSource({ version: request.version, ...parts });
  const isShort = () => isShortOfFiles(handover.files.hard);
  const http = plan.control === null ? null : await openHttp(plan.control, source, parts, isShort, announce);
  if (handover.socket === null) {
    const reasons = handover.looked.map(describeUnmade).join('; ');
    const text = `status and health will not work: no control socket could be opened (${reasons}). Set SVC_SUPER_SOCKET to a path in a folder that can be written to`;
    announce({ level: 'warn', service: null, event: 'no-control', text });
    return http;
  }
  const { serve } = await import('./control/server.ts');
  const serving = await serve(source, FD.control, isShort);
  const occupied = handover.looked.find(({ why }) => why === WHY.occupied);
  if (occupied !== undefined) {
    const text = `another supervisor answers at ${occupied.path}; to ask this one set SVC_SUPER_SOCKET=${handover.socket}`;
    announce({ level: 'warn', service: null, event: 'second-supervisor', text });
  }
  return {
    close() {
      serving.close();
      http?.close();
    },
  };
}

async function openHttp(
  control: ControlPlan,
  source: ApiSource,
  from: { reaped(): number; hands: () => Hands<Run> | undefined; logs: Pipeline; clock: RealClock },
  isShort: () => boolean,
  announce: (announcement: Announcement) => void,
): Promise<{ close(): void } | null> {
  const { serveTcp } = await import('./control/tcp.ts');
  const { BOUNDS, Counts } = await import('./runtime/counts.ts');
  const started_at = (from.clock.wall() - process.uptime() * 1_000) / 1_000;
  const counters = () => {
    const { probes, swept } = from.hands()?.counts ?? new Counts();
    const { user, system } = process.cpuUsage();
    return {
      bounds: BOUNDS,
      probes: new Map([...probes].map(([name, counts]) => [name, [...counts.values()]])),
      swept,
      logs: from.logs.counts,
      reaped: from.reaped(),
      self: {
        memory_bytes: process.memoryUsage.rss(),
        cpu_seconds: (user + system) / 1e6,
        started_at,
        timers: from.clock.armed,
      },
    };
  };
  const listening = await serveTcp({
    plan: control,
    source,
    counters,
    after: (ms, fn) => from.clock.after(ms, fn),
    isShort,
  });
  const where = control.host.includes(':') ? `[${control.host}]` : control.host;
  if (listening.ok) {
    const text = `the control API and the dashboard are at http://${where}:${control.port}/`;
    announce({ level: 'info', service: null, event: 'control', text });
    return listening;
  }
  const text = `nobody listens at ${where}:${control.port}, where the configuration wants the control API: ${listening.reason}`;
  announce({ level: 'error', service: null, event: 'no-control', text });
  return null;
}

function sayLastWords(
  end: Effect & { readonly type: 'end' },
  announce: (announcement: Announcement) => void,
  logs: Pipeline,
  plan: Plan,
  oomBefore: number | null,
): void {
  if (end.culprit === null) return;
  const oomAfter = countOomKills();
  const oomKills = oomBefore === null || oomAfter === null ? null : oomAfter - oomBefore;
  const service = plan.services.find(({ name }) => name === end.culprit?.service);
  const requests = service === undefined ? [] : probeRequestsTo(service, plan);
  const { lines: lastLines, leftOut } = chooseLastLines(logs.lastWords(end.culprit.service, SEARCHED), requests);
  const words = renderPostmortem(end.culprit, end.code, { oomKills, lastLines, leftOut });
  for (const text of words) announce({ level: 'error', service: null, event: 'post-mortem', text });
  writeTerminationLog(renderTerminationMessage(words));
}
