// Carries out what the core asks for one service: spawn with its pipes and sockets, signal, sweep, probe. Holds the
// resources of each run and lets them go when it is over; tells what happens as events. The parts that touch the kernel
// arrive by constructor, as the interfaces of parts.ts.
import type { Event, ProbeKind, ServiceEffect, ServiceEvent } from '../core/event.ts';
import type { Exit } from '../core/policy.ts';
import type { HookName, LeftoverProcess } from '../core/run.ts';
import { compilePattern, type Pattern } from '../plan/pattern.ts';
import type { Probe, ServicePlan } from '../plan/plan.ts';
import { Counts, type ProbeResult } from './counts.ts';
import { type HookRecord, type HookResult, HookRunner } from './hooks.ts';
import type { ExecutorParts, KeptRun, Pipe, Program, ProgramListener, RunHandle } from './parts.ts';
import { attemptProbe } from './probe.ts';

/** `start_stall` is told of output at most this often, milliseconds. */
const PROGRESS_EVERY = 100;

interface Resources<Handle> {
  readonly run: number;
  handle: Handle | null;
  readonly abort: AbortController;
  release: (() => void)[];
  /** Reads what its pipes hold at this moment. */
  drain: () => void;
  /** Read what the pipes of `notify` hold when the main process has ended. */
  readonly beforeExit: (() => void)[];
  /** Ready probes that hold and of which nothing was told, because the program was not known to execute; null: it is. */
  early: number[] | null;
  /** `stop.command` is under way. */
  isStopping: boolean;
  /** No process of the run is left, and a hook of it is waited for. */
  swept: readonly LeftoverProcess[] | null;
}

/** What a successor needs to know of a service's latest run besides its state, as data for JSON. */
export interface ServiceRecord {
  readonly run: number;
  readonly main: KeptRun | null;
  readonly early: readonly number[] | null;
  readonly isStopping: boolean;
  readonly swept: readonly LeftoverProcess[] | null;
  readonly hooks: readonly HookRecord[];
}

export class Executor<Handle extends RunHandle = RunHandle> {
  readonly #parts: ExecutorParts<Handle>;
  readonly #send: (event: Event) => void;
  readonly #resources = new Map<string, Resources<Handle>>();
  readonly #probing = new Map<string, { readonly abort: AbortController; readonly late: () => void }>();
  readonly #hooks: HookRunner<Handle>;
  readonly counts = new Counts();

  constructor(parts: ExecutorParts<Handle>, send: (event: Event) => void) {
    this.#parts = parts;
    this.#send = send;
    this.#hooks = new HookRunner(parts);
  }

  /** The handle of a service's latest run, for those who only look. */
  handleOf(service: string): Handle | null {
    return this.#resources.get(service)?.handle ?? null;
  }

  perform(plan: ServicePlan, run: number, effect: ServiceEffect): void {
    switch (effect.type) {
      case 'spawn':
        this.#spawn(plan, run);
        break;
      case 'signal':
        this.#signal(plan, run, effect);
        break;
      case 'run-stop-command':
        this.#runStopCommand(plan, run);
        break;
      case 'clean-up':
        this.#finish(plan, run, 'sweep');
        break;
      case 'kill':
        this.#finish(plan, run, 'kill');
        break;
      case 'probe':
        this.#probe(plan, run, effect.kind, effect.index, effect.attempt);
        break;
      case 'abandon-probe':
        this.#abandonProbe(plan);
        break;
      case 'read-gpus':
        this.#readGpus(plan, run);
        break;
      case 'run-hook':
        this.#runHook(plan, run, effect.hook, effect.exit);
        break;
      case 'kill-hook':
        this.#hooks.kill(plan.name);
        break;
      default:
        effect satisfies never;
    }
  }

  #spawn(plan: ServicePlan, run: number): void {
    const tell = (news: ServiceEvent) => this.#send({ type: 'service', service: plan.name, run, event: news });
    const resources = this.#open(plan, run);
    const fail = this.#failing(plan, run, resources);
    for (const port of plan.ports) {
      const holder = this.#parts.portHolder(port);
      if (holder === null) continue;
      fail('port', `port ${port} of ${plan.name} is taken by ${holder}`, 1);
      return;
    }
    this.#spawnWith(plan, run, resources, tell, fail, null);
  }

  #failing(plan: ServicePlan, run: number, resources: Resources<Handle>): Fail {
    return (step, message, code) => {
      this.#release(resources);
      this.#send({ type: 'service', service: plan.name, run, event: { type: 'spawn-failed', step, message, code } });
    };
  }

  /** The resources of a run, made by whatever it begins with. */
  #open(plan: ServicePlan, run: number): Resources<Handle> {
    const found = this.#current(plan, run);
    if (found !== undefined) return found;
    const resources: Resources<Handle> = {
      run,
      handle: null,
      abort: new AbortController(),
      release: [],
      drain: () => undefined,
      beforeExit: [],
      early: [],
      isStopping: false,
      swept: null,
    };
    this.#resources.set(plan.name, resources);
    this.#parts.logs.beginRun(plan.name);
    return resources;
  }

  /** Spawns the program or, if there is a `record`, goes on with a run of it. */
  #spawnWith(
    plan: ServicePlan,
    run: number,
    resources: Resources<Handle>,
    tell: (news: ServiceEvent) => void,
    fail: Fail,
    record: KeptRun | null,
  ): void {
    const stdout = this.#parts.makePipe();
    const stderr = this.#parts.makePipe();
    const output: (Pipe | null)[] = [stdout, stderr];
    const seen = (index: number) => this.#noteLatch(plan, resources, index, tell);
    const { env, notify } = this.#prepareNotify(plan, resources, output, seen);
    const request = { ...programOf(plan, plan.argv, run, env, null), input: null, output, notify };
    const listener: ProgramListener = {
      changed: () => this.#parts.changed(plan.name),
      spawned: (pid) => {
        tell({ type: 'spawned', pid });
        this.#tellLatches(resources, tell);
      },
      failed: ({ step, message, code }) => fail(step, message, code),
      killRefused: (left) => tell({ type: 'kill-refused', left }),
      exited: (exit) => {
        resources.abort.abort();
        // Its output came before its end: probes and readers see the output first.
        resources.drain();
        for (const act of resources.beforeExit) act();
        const why = this.#parts.explainExit(plan, exit);
        if (why !== null) this.#parts.warn(plan.name, 'not-executable', why);
        tell({ type: 'exited', exit });
      },
    };
    const { processes } = this.#parts;
    resources.handle =
      record === null
        ? processes.spawn(request, listener)
        : processes.adopt(record, request, listener, this.#emptied(plan, resources));
    const patterns = new Map<number, Pattern>();
    plan.ready.forEach((probe, index) => {
      if (probe.kind === 'log') patterns.set(index, compilePattern(probe.pattern));
    });
    const progressed = plan.startStall === null ? null : this.#thinned(() => tell({ type: 'progressed' }));
    const watcher = { patterns, matched: seen, progressed };
    // From here on the log room reads the two streams to their ends, however the run goes.
    const style = { ...plan.log, drop: plan.log.drop.map(compilePattern) };
    const attached = this.#parts.logs.attach(plan.name, style, stdout, stderr, watcher, record !== null);
    resources.drain = () => attached.drain();
    resources.release.push(() => attached.release());
  }

  /** A program may say that it is ready before the news of its exec is here: such words are kept until then. */
  #noteLatch(plan: ServicePlan, resources: Resources<Handle>, index: number, tell: (news: ServiceEvent) => void): void {
    if (resources.early === null) {
      tell({ type: 'latched', index });
      return;
    }
    resources.early.push(index);
    this.#parts.changed(plan.name);
  }

  #tellLatches(resources: Resources<Handle>, tell: (news: ServiceEvent) => void): void {
    const held = resources.early ?? [];
    resources.early = null;
    for (const index of held) tell({ type: 'latched', index });
  }

  /** What a successor needs to know of a service's latest run; null: nothing. */
  recordOf(service: string): ServiceRecord | null {
    const resources = this.#resources.get(service);
    if (resources === undefined) return null;
    const { run, handle, early, isStopping, swept } = resources;
    const main = handle === null ? null : this.#parts.processes.recordOf(handle);
    return { run, main, early, isStopping, swept, hooks: this.#hooks.recordsOf(service) };
  }

  /** Goes on with the latest run of a service where the supervisor before this one has left it. */
  adopt(plan: ServicePlan, record: ServiceRecord): void {
    const { run, main, early, isStopping, swept } = record;
    const resources = this.#open(plan, run);
    resources.early = early === null ? null : [...early];
    const tell = (news: ServiceEvent) => this.#send({ type: 'service', service: plan.name, run, event: news });
    if (main !== null) this.#spawnWith(plan, run, resources, tell, this.#failing(plan, run, resources), main);
    for (const hook of record.hooks) this.#hooks.adopt(plan, run, hook, this.#hookEnded(plan, run, hook.name));
    // It was killed with the supervisor.
    if (isStopping && main?.exited === false) this.#runStopCommand(plan, run);
    if (swept !== null) this.#emptied(plan, resources)(swept);
  }

  /** What notify probes need: a socket named in NOTIFY_SOCKET, or a pipe at the descriptor asked for. */
  #prepareNotify(
    plan: ServicePlan,
    resources: Resources<Handle>,
    output: (Pipe | null)[],
    seen: (index: number) => void,
  ): {
    readonly env: Readonly<Record<string, string>>;
    readonly notify: { readonly name: string; readonly onMessage: (text: string, uid: number) => void } | null;
  } {
    const onSocket: number[] = [];
    plan.ready.forEach((probe, index) => {
      if (probe.kind !== 'notify') return;
      if (probe.fd === null) {
        onSocket.push(index);
        return;
      }
      const pipe = this.#parts.makePipe();
      resources.release.push(() => void pipe.close());
      while (output.length < probe.fd - 1) output.push(null);
      output[probe.fd - 1] = pipe;
      const found = once(() => seen(index));
      resources.beforeExit.push(() => takeNewline(pipe, found));
      void awaitNewline(pipe, found);
    });
    if (onSocket.length === 0) return { env: {}, notify: null };
    const name = `svc-super-${this.#parts.randomName()}`;
    // The kernel reports the sender's user: the service's user, our own and the superuser are trusted.
    const trusted = new Set([plan.user?.uid ?? this.#parts.ownUid, this.#parts.ownUid, 0]);
    const onMessage = (text: string, uid: number) => {
      if (trusted.has(uid) && text.split('\n').includes('READY=1')) onSocket.forEach(seen);
    };
    return { env: { NOTIFY_SOCKET: `@${name}` }, notify: { name, onMessage } };
  }

  #signal(
    plan: ServicePlan,
    run: number,
    { signal, to, continues }: ServiceEffect & { readonly type: 'signal' },
  ): void {
    const handle = this.#current(plan, run)?.handle;
    if (handle === null || handle === undefined) return;
    this.#parts.processes.signal(handle, signal, to);
    if (continues) this.#parts.processes.signal(handle, 'SIGCONT', to);
  }

  /** That the command succeeded changes nothing: the service's end does, or the deadline. */
  #runStopCommand(plan: ServicePlan, run: number): void {
    const resources = this.#current(plan, run);
    if (resources === undefined || plan.stop.argv === null) return;
    resources.isStopping = true;
    this.#parts.changed(plan.name);
    const env = { MAINPID: String(resources.handle?.pid || '') };
    const { signal } = resources.abort;
    const program = programOf(plan, plan.stop.argv, run, env, 'stop');
    void this.#parts.runTool(program, signal).then(({ code, words, lastLine }) => {
      resources.isStopping = false;
      this.#parts.changed(plan.name);
      if (code === 0 || signal.aborted) return;
      const detail = lastLine === '' ? words : `${words}: ${lastLine}`;
      this.#send({ type: 'service', service: plan.name, run, event: { type: 'stop-command-failed', detail } });
    });
  }

  /** Ends what is left of a run: SIGTERM (`sweep`) or SIGKILL; says so when nothing is. */
  #finish(plan: ServicePlan, run: number, how: 'sweep' | 'kill'): void {
    const resources = this.#current(plan, run);
    if (resources?.handle === null || resources?.handle === undefined) return;
    this.#parts.processes[how](resources.handle, this.#emptied(plan, resources));
  }

  /** No process of the run is left. */
  #emptied(plan: ServicePlan, resources: Resources<Handle>): (swept: readonly LeftoverProcess[]) => void {
    return (swept) => {
      const { run } = resources;
      this.#release(resources);
      this.counts.sweptFrom(plan.name, swept.length);
      resources.swept = swept;
      this.#parts.changed(plan.name);
      const tell = () => {
        resources.swept = null;
        this.#send({ type: 'service', service: plan.name, run, event: { type: 'emptied', leftovers: swept } });
      };
      // A hook that was killed with it must be gone too.
      const hook = this.#hooks.over(plan.name);
      if (hook === null) tell();
      else void hook.then(tell);
    };
  }

  #runHook(plan: ServicePlan, run: number, hook: HookName, exit: Exit | null): void {
    const pid = exit === null ? this.#open(plan, run).handle?.pid || null : null;
    this.#hooks.run(plan, run, hook, { pid, exit }, this.#hookEnded(plan, run, hook));
  }

  #hookEnded(plan: ServicePlan, run: number, hook: HookName): (result: HookResult) => void {
    return (result) =>
      this.#send({ type: 'service', service: plan.name, run, event: { type: 'hook-ended', hook, ...result } });
  }

  #readGpus(plan: ServicePlan, run: number): void {
    const { gpus } = plan;
    if (gpus === null) return;
    this.#open(plan, run);
    this.#abandonProbe(plan);
    const abort = new AbortController();
    this.#probing.set(plan.name, { abort, late: () => undefined });
    void this.#parts.readGpus(gpus, abort.signal).then((reading) => {
      if (abort.signal.aborted) return;
      this.#probing.delete(plan.name);
      this.#send({ type: 'service', service: plan.name, run, event: { type: 'gpus-read', reading } });
    });
  }

  #probe(plan: ServicePlan, run: number, kind: ProbeKind, index: number, attempt: number): void {
    const probe = probeOf(plan, kind, index);
    if (probe === undefined) return;
    this.#abandonProbe(plan);
    const controller = new AbortController();
    const from = this.#parts.clock.now();
    const count = (result: ProbeResult) =>
      this.counts.probed(plan.name, kind, index, result, this.#parts.clock.now() - from);
    // Given up before its time, it was the run that ended: nothing has been learnt of the probe.
    const late = () => (this.#parts.clock.now() - from >= probe.timeout ? count('timeout') : undefined);
    this.#probing.set(plan.name, { abort: controller, late });
    void attemptProbe(probe, controller.signal, {
      cwd: plan.cwd,
      fileExists: (path) => this.#parts.fileExists(path),
      runTool: (argv) => this.#parts.runTool(programOf(plan, argv, run, {}, 'probe'), controller.signal),
    }).then(({ ok, detail }) => {
      if (controller.signal.aborted) return;
      this.#probing.delete(plan.name);
      count(ok ? 'ok' : 'failed');
      this.#send({ type: 'service', service: plan.name, run, event: { type: 'probe-ended', attempt, ok, detail } });
    });
  }

  #abandonProbe(plan: ServicePlan): void {
    const probing = this.#probing.get(plan.name);
    this.#probing.delete(plan.name);
    probing?.late();
    probing?.abort.abort();
  }

  #current(plan: ServicePlan, run: number): Resources<Handle> | undefined {
    const resources = this.#resources.get(plan.name);
    return resources?.run === run ? resources : undefined;
  }

  #release(resources: Resources<Handle>): void {
    resources.abort.abort();
    for (const release of resources.release) release();
    resources.release = [];
  }

  #thinned(tell: () => void): () => void {
    let last = -Infinity;
    return () => {
      const now = this.#parts.clock.now();
      if (now - last < PROGRESS_EVERY) return;
      last = now;
      tell();
    };
  }
}

type Fail = (step: string, message: string, code: number) => void;

function probeOf(plan: ServicePlan, kind: ProbeKind, index: number): Probe | undefined {
  if (kind !== 'drain') return plan[kind][index];
  const hook = plan.hooks.beforeStop;
  return hook !== null && 'waitFor' in hook ? hook.waitFor : undefined;
}

/**
 * A program run as the service would be: its user, folder, limits and environment. `beside`: what it is, where the service
 * may have processes at the same time. Its name is then one that no environment gives, and where marks do not work, ending it
 * does not end what the service has left to init; what it leaves there itself has the service's name and ends with that.
 */
export function programOf(
  plan: ServicePlan,
  argv: readonly string[],
  run: number,
  extra: Readonly<Record<string, string>>,
  beside: string | null,
): Program {
  const { cwd, user, umask, nice, oomScoreAdj, cpus, limits, name } = plan;
  const env = { ...plan.env, SVC_RUN: String(run), ...extra };
  const runName = `${name}#${run}${beside === null ? '' : ` (${beside})`}`;
  const stopSignal = plan.stop.signal;
  return { argv, env, cwd, user, umask, nice, oomScoreAdj, cpus, limits, stopSignal, runName };
}

/** Reads on after the newline: a program that writes more would stand still once the pipe is full. */
async function awaitNewline(pipe: Pipe, found: () => void): Promise<void> {
  for (let chunk = await pipe.read(); chunk !== null; chunk = await pipe.read()) if (chunk.includes(NEWLINE)) found();
}

/** Reads what a pipe holds now: a program may write its newline and exit. */
function takeNewline(pipe: Pipe, found: () => void): void {
  for (let chunk = pipe.readNow(); chunk !== null; chunk = pipe.readNow()) if (chunk.includes(NEWLINE)) found();
}

const NEWLINE = 10;

/** Calls `act` at the first call only. */
function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}
