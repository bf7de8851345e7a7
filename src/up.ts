// The composition of a supervising process: plan, engine and the rooms it moves, the signals that reach it, its own log,
// its end. Wires and nothing else; part of the root, with main.ts.
import type { ApiSource } from './control/api.ts';
import { Journal } from './control/journal.ts';
import type { Effect } from './core/event.ts';
import { Pipeline } from './logs/pipeline.ts';
import { makeSinks, type Sink } from './logs/sinks.ts';
import type { Inventory } from './plan/gpu-inventory.ts';
import type { ControlPlan, Plan } from './plan/plan.ts';
import { type Clock, type Files, realClock, realRandom } from './ports.ts';
import { type Announcement, Engine } from './runtime/engine.ts';
import { Hands } from './runtime/hands.ts';
import { renderPostmortem } from './runtime/postmortem.ts';
import { countOomKills } from './sys/cgroup.ts';
import { Children, type Run } from './sys/children.ts';
import { forgetCode } from './sys/code-pages.ts';
import { descriptors, exists } from './sys/files.ts';
import type { GpuReader } from './sys/gpu-memory.ts';
import { hostsFile } from './sys/hosts-file.ts';
import { admitSignals, becomeSubreaper, canStartThread, growPipe, unhandleFaults } from './sys/libc.ts';
import { findHolder, portHolder } from './sys/listeners.ts';
import { NotifySockets } from './sys/notify.ts';
import { OutputPipe } from './sys/pipes.ts';
import { isShortOfFiles } from './sys/spare.ts';
import { fillPool, openPool } from './sys/threads.ts';
import type { Prepared } from './up/configuration.ts';
import { HostNames } from './up/hosts.ts';
import { findTakenPorts } from './up/ports.ts';
import type { SourceParts } from './up/source.ts';

export interface UpRequest {
  readonly file: string;
  readonly names: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly files: Files;
  /** Looks for GPUs. */
  readonly gpus: () => Inventory;
  readonly version: string;
  err(text: string): void;
}

/** What a start that meets a taken port ends with, here and later. */
const PORT_TAKEN = 1;
/**
 * Standard output and error where they are pipes, bytes: what an unprivileged user may ask for (pipe(7)). With the 64 KiB
 * that a pipe begins with, every chunk needs two writes, and writer and reader wait for each other between them.
 */
const OUTPUT_PIPE = 1024 * 1024;
/** At the end, output of which nobody reads a byte is waited for this long, milliseconds. */
const LAST_DRAIN = 2_000;
const POSTMORTEM_LINES = 20;
/** By then the first services have been started, and by then a start that is quick is over, milliseconds. */
const [SOON, QUICK] = [150, 5_000];
const TERMINATION_LOG = '/dev/termination-log';

/** Supervises until all is over; resolves to the container's exit code. */
export async function up(request: UpRequest, { plan, doubts }: Prepared): Promise<number> {
  const taken = findTakenPorts(plan, portHolder);
  if (taken.length > 0) {
    for (const { port, service, holder } of taken)
      request.err(`svc-super: port ${port} of ${service} is taken by ${holder}; nothing was started\n`);
    return PORT_TAKEN;
  }
  const clock = realClock;
  const seed = realRandom.seed();
  const children = new Children(clock, seed);
  let hands: Hands<Run> | undefined;
  let reader: GpuReader | undefined;
  // Before the start there are neither hands nor an engine.
  const runs = () => (hands === undefined ? [] : runsOf(hands, engine));
  const readerOfGpus = async () => {
    const rooms = { clock, children, environment: request.environment, runs };
    reader ??= (await import('./up/gpus.ts')).makeGpuReader(rooms);
    return reader;
  };
  let asked: AbortController | undefined;
  if (plan.services.some(({ gpus }) => gpus !== null && gpus.devices.length > 0)) {
    const { refuseGpus } = await import('./up/preflight.ts');
    // The driver may take its time, and who asks to stop meanwhile must not wait for it.
    asked = new AbortController();
    onStopping(() => asked?.abort());
    admitSignals();
    const refusal = await refuseGpus(plan, await readerOfGpus(), asked.signal);
    if (refusal !== null && !asked.signal.aborted) {
      request.err(`svc-super: ${refusal.text}; nothing was started\n`);
      return refusal.code;
    }
  }
  for (const fd of [1, 2]) growPipe(fd, OUTPUT_PIPE);
  const sinks = makeSinks(clock, descriptors);
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
  const notify = new NotifySockets(clock, realRandom);
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
          openPipe: (owner) => new OutputPipe(owner),
          openNotify: (uid, onReady) => notify.open(uid, onReady),
          portHolder,
          runTool: async (program, abort) => (await import('./sys/tools.ts')).runTool(children, program, abort),
          readGpus: async (gpus, abort) => (await readerOfGpus())(gpus, { holders: true }, abort),
          fileExists: exists,
          canStartThread,
          ownUid: process.getuid?.() ?? 0,
        },
        send,
      );
      return hands;
    },
  });
  const listen = listener(engine);
  // From here on the engine hears of it.
  if (asked?.signal.aborted === true) {
    children.killEverything();
    request.err('svc-super: asked to stop before anything was started\n');
    return 0;
  }
  const hostNames = new HostNames(hostsFile(), announce);
  process.once('exit', () => hostNames.undo());
  const reread = async (how: 'apply' | 'dry-run') => {
    const prepare = (next: Plan) => {
      logs.introduce(next.services.map(({ name }) => name));
      hostNames.set(next);
      listen(next);
    };
    // Whatever the configuration says: who rotates the files has moved them already.
    const reopened = how === 'apply' ? logs.reopenFiles() : null;
    const [{ reload }, { ownersOf }] = await Promise.all([import('./up/reload.ts'), import('./up/owners.ts')]);
    const owners = () => ownersOf(children, runs);
    const result = reload({ ...request, engine, announce, findHolder, owners, prepare }, how);
    await reopened;
    return result;
  };
  unhandleFaults();
  listen(plan);
  admitSignals();
  survive(announce);
  if (process.pid !== 1) {
    try {
      becomeSubreaper();
    } catch {
      // Orphans then go to whoever is PID 1; marks still find them.
    }
  }
  for (const text of doubts) announce({ level: 'warn', service: null, event: 'doubtful', text });
  hostNames.set(plan);
  openPool();
  engine.send({ type: 'began' });
  fillPool(clock);
  const oomBefore = countOomKills();
  if (plan.services.some(({ ready, live }) => [...ready, ...live].some(({ kind }) => kind === 'http')))
    void import('./runtime/probe-http.ts').then(({ warmUp }) => warmUp(canStartThread));
  children.beginReaping();
  const rooms = { engine, children, hands: () => hands, clock, logs, journal, reload: reread };
  const control = await openControl(request, rooms, announce, plan);
  if (plan.services.some(({ enabled, edges }) => enabled && edges.length > 0)) void warnOfMissing(plan, announce);
  const { onExit, signals } = await import('signal-exit');
  // It would end the process by every signal that nobody else listens to; which signals end it is decided here.
  signals.length = 0;
  onExit(() => {
    control?.close();
    children.killEverything();
  });
  // What the start alone needed is given back as soon as there is nothing to do.
  clock.after(SOON, () => {
    engine.rehearse();
    children.rehearse();
    forgetCode();
  });
  clock.after(QUICK, () => Bun.shrink());
  clock.after(QUICK + SOON, forgetCode);
  const end = await ended.promise;
  hostNames.undo();
  control?.close();
  const late = clock.now() + Math.max(LAST_DRAIN, plan.stopTimeout);
  // The last words come after everything that services have said.
  await whileWriting(logs.ended(), logs, clock, late);
  sayLastWords(end, announce, logs, oomBefore);
  await whileWriting(logs.drained(), logs, clock, late);
  return end.code;
}

/** Waits for output to be done, as long as somebody reads: not past `late`, nor when nothing moves for LAST_DRAIN. */
async function whileWriting(done: Promise<void>, logs: Pipeline, clock: Clock, late: number): Promise<void> {
  let finished = false;
  const end = done.then(() => {
    finished = true;
  });
  for (let before = -1; !finished && logs.written !== before && clock.now() < late; ) {
    before = logs.written;
    await Promise.race([end, new Promise<void>((resolve) => void clock.after(LAST_DRAIN, resolve))]);
  }
}

/** The services that have a run, for who wants to know whose a process is. */
function runsOf(hands: Hands<Run>, engine: Engine): (readonly [string, Run])[] {
  return [...engine.world.services.keys()].flatMap((name): (readonly [string, Run])[] => {
    const run = hands.handleOf(name);
    return run === null ? [] : [[name, run]];
  });
}

/** A program that is missing is better told now than when its turn comes. */
async function warnOfMissing(plan: Plan, announce: (announcement: Announcement) => void): Promise<void> {
  const { findMissingPrograms } = await import('./up/preflight.ts');
  for (const { service, text } of findMissingPrograms(plan))
    announce({ level: 'warn', service, event: 'missing-program', text });
}

/** The supervisor's own events: sentences behind its name, or objects where the plan's format is JSON. */
async function announcer(plan: Plan, logs: Pipeline, sink: Sink): Promise<(announcement: Announcement) => void> {
  const offer = (line: string) => void sink.offer(Buffer.from(line));
  if (plan.format === 'json') return objects(offer);
  const prefix = logs.prefix('svc-super', 'stderr');
  return ({ level, service, event, text }) => {
    const mark = level === 'error' ? 'error: ' : level === 'warn' ? 'warning: ' : '';
    // The sweep's sentence names its service itself.
    offer(`${prefix}${mark}${service === null || event === 'swept' ? '' : `${service} `}${text}\n`);
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

const STOPPING = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const;
/** Signals that would end the supervisor if nobody listened; they reach the services that name them in `forward`. */
const PASSED = [
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGVTALRM',
  'SIGPROF',
  'SIGWINCH',
  'SIGXCPU',
  'SIGSYS',
  'SIGTRAP',
  'SIGABRT',
  'SIGIO',
] as const;

function onStopping(hear: (signal: (typeof STOPPING)[number]) => void): void {
  for (const signal of STOPPING) process.on(signal, () => hear(signal));
}

/** Listens to every signal that matters; called with each plan, for what it forwards. */
function listener(engine: Engine): (plan: Plan) => void {
  const heard = new Set<string>(STOPPING);
  onStopping((signal) => engine.send({ type: 'stop-asked', signal }));
  return (plan) => {
    const named = plan.services.flatMap(({ forward }) => Object.keys(forward));
    for (const signal of [...PASSED, ...named]) {
      if (heard.has(signal)) continue;
      heard.add(signal);
      try {
        process.on(signal as NodeJS.Signals, () => engine.send({ type: 'signalled', signal }));
      } catch {
        // Not a signal that the runtime can give; the check at load has said so.
      }
    }
  };
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
  rooms: Omit<SourceParts, 'version'>,
  announce: (announcement: Announcement) => void,
  plan: Plan,
): Promise<{ close(): void } | null> {
  const { serve } = await import('./control/server.ts');
  const { socketPlaces } = await import('./control/address.ts');
  const { makeSource } = await import('./up/source.ts');
  const source = makeSource({ version: request.version, ...rooms });
  const http = plan.control === null ? null : await openHttp(plan.control, source, rooms, announce);
  const serving = await serve(source, socketPlaces(request.environment, process.getuid?.() ?? 0), isShortOfFiles);
  if (serving.path !== null) {
    if (serving.occupied !== null) {
      const text = `another supervisor answers at ${serving.occupied}; to ask this one set SVC_SUPER_SOCKET=${serving.path}`;
      announce({ level: 'warn', service: null, event: 'second-supervisor', text });
    }
    const close = () => {
      serving.close();
      http?.close();
    };
    return { close };
  }
  const text = `status and health will not work: no control socket could be opened (${serving.reasons.join('; ')})`;
  announce({ level: 'warn', service: null, event: 'no-control', text });
  return http;
}

async function openHttp(
  control: ControlPlan,
  source: ApiSource,
  from: { children: Children; hands: () => Hands<Run> | undefined; logs: Pipeline; clock: Clock },
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
      reaped: from.children.reaped,
      self: {
        memory_bytes: process.memoryUsage.rss(),
        cpu_seconds: (user + system) / 1e6,
        started_at,
        timers: realClock.armed,
      },
    };
  };
  const listening = await serveTcp({
    plan: control,
    source,
    counters,
    after: (ms, fn) => from.clock.after(ms, fn),
    isShort: isShortOfFiles,
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
  oomBefore: number | null,
): void {
  if (end.culprit === null) return;
  const oomAfter = countOomKills();
  const oomKills = oomBefore === null || oomAfter === null ? null : oomAfter - oomBefore;
  const lastLines = logs.lastWords(end.culprit.service, POSTMORTEM_LINES);
  const words = renderPostmortem(end.culprit, end.code, { oomKills, lastLines });
  for (const text of words) announce({ level: 'error', service: null, event: 'post-mortem', text });
  if (!exists(TERMINATION_LOG)) return;
  try {
    process.getBuiltinModule('node:fs').writeFileSync(TERMINATION_LOG, `${words.join('\n')}\n`);
  } catch {
    // Kubernetes mounts it writable; elsewhere it is no more than a name.
  }
}
