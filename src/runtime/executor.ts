// Carries out the core's effects on services: spawn with pipes and sockets, signal, clean up, probe, run hooks. Owns the
// resources of each run until the run has ended; reports results as events. Accesses the kernel only through the interfaces
// of parts.ts, which the constructor gets. Decides nothing.
import type { Event, ProbeKind, ServiceEffect, ServiceEvent } from '../core/event.ts';
import type { HookName, LeftoverProcess } from '../core/run.ts';
import type { RunListener, RunRecord } from '../pid1/run.ts';
import { compilePattern, type Pattern } from '../plan/pattern.ts';
import type { Probe, ServicePlan } from '../plan/plan.ts';
import type { Exit } from '../plan/process.ts';
import { Counts, type ProbeResult } from './counts.ts';
import { type HookRecord, type HookResult, HookRunner } from './hooks.ts';
import type { ExecutorParts, Pipe, RunHandle } from './parts.ts';
import { attemptProbe } from './probe.ts';
import { requestOf } from './program.ts';
import { changesOf, type EnvChanges, withChanges } from './run-env.ts';

/** The shortest time between two `progressed` events of a service, for `start_stall`, milliseconds. */
const PROGRESS_EVERY = 100;

interface Resources<Handle> {
  readonly run: number;
  handle: Handle | null;
  readonly abort: AbortController;
  release: (() => void)[];
  /** Reads the bytes that the pipes of the run hold now. */
  drain: () => void;
  /** Read the bytes that the pipes of `notify` probes hold when the main process has ended. */
  readonly beforeExit: (() => void)[];
  /**
   * Ready probes that have succeeded before the `spawned` event, by index. They are reported after it. Null: `spawned` was
   * sent.
   */
  early: number[] | null;
  /** Whether `stop.command` is running. */
  isStopping: boolean;
  /** How the environment of the run differs from the plan's: the files may have changed since the plan was made. */
  env: EnvChanges;
  /** The leftover processes of the run, while it waits for its hooks to end; null: processes of the run are left. */
  leftovers: readonly LeftoverProcess[] | null;
}

/** The part of the checkpoint about a service's latest run, apart from the service's state. As data for JSON. */
export interface ServiceRecord {
  readonly run: number;
  readonly main: RunRecord | null;
  readonly early: readonly number[] | null;
  readonly isStopping: boolean;
  /** Absent: as in the plan. */
  readonly env?: EnvChanges;
  readonly leftovers: readonly LeftoverProcess[] | null;
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

  /** The handle of a service's latest run, for display. */
  handleOf(service: string): Handle | null {
    return this.#resources.get(service)?.handle ?? null;
  }

  /** Call it when a service was removed: one of the same name that is added later begins again with run 1. */
  forget(service: string): void {
    this.#resources.delete(service);
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
        this.#endProcesses(plan, run, 'cleanUp');
        break;
      case 'kill':
        this.#endProcesses(plan, run, effect.type);
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
    const resources = this.#open(plan, run);
    const fail = this.#failureReporter(plan, run, resources);
    for (const port of plan.ports) {
      const holder = this.#parts.describePortHolder(port);
      if (holder === null) continue;
      fail('port', `port ${port} of ${plan.name} is taken by ${holder}`, 1);
      return;
    }
    const failure = this.#readEnvironment(plan, resources);
    if (failure === null) this.#spawnWith(plan, run, resources, fail, null);
    else fail('environment', failure, 1);
  }

  /** Reads the env files and secrets of a run. Returns why one of them could not be used; null: there is none. */
  #readEnvironment(plan: ServicePlan, resources: Resources<Handle>): string | null {
    if (plan.envRecipe === undefined) return null;
    const { env, failure } = this.#parts.readEnvironment(plan);
    resources.env = changesOf(plan.env, env);
    this.#parts.changed(plan.name);
    return failure;
  }

  /** The plan of a service with the environment of its latest run, which may have read other contents of its files. */
  ofRun(plan: ServicePlan): ServicePlan {
    const changes = this.#resources.get(plan.name)?.env ?? {};
    return Object.keys(changes).length === 0 ? plan : { ...plan, env: withChanges(plan.env, changes) };
  }

  /** Returns a function that sends events of this run. */
  #reporter(plan: ServicePlan, run: number): Report {
    return (event) => this.#send({ type: 'service', service: plan.name, run, event });
  }

  #failureReporter(plan: ServicePlan, run: number, resources: Resources<Handle>): Fail {
    return (step, message, code) => {
      this.#release(resources);
      this.#reporter(plan, run)({ type: 'spawn-failed', step, message, code });
    };
  }

  /** The resources of a run; created by its first effect. */
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
      env: {},
      leftovers: null,
    };
    this.#resources.set(plan.name, resources);
    this.#parts.logs.beginRun(plan.name);
    return resources;
  }

  /** Spawns the program, or takes over the run of a `record`, and connects its output to the log. */
  #spawnWith(plan: ServicePlan, run: number, resources: Resources<Handle>, fail: Fail, record: RunRecord | null): void {
    const report = this.#reporter(plan, run);
    const stdout = this.#parts.makePipe();
    const stderr = this.#parts.makePipe();
    const output: (Pipe | null)[] = [stdout, stderr];
    const latch = (index: number) => this.#reportLatch(plan, resources, index, report);
    const { env, notify } = this.#prepareNotify(plan, resources, output, latch);
    const request = requestOf(this.ofRun(plan), plan.argv, run, env, null);
    const connections = { input: null, output, notify };
    const listener = this.#listener(plan, resources, report, fail);
    const { processes } = this.#parts;
    resources.handle =
      record === null
        ? processes.spawn(request, connections, listener)
        : processes.adopt(record, request, connections, listener, this.#emptied(plan, resources));
    const patterns = new Map<number, Pattern>();
    plan.ready.forEach((probe, index) => {
      if (probe.kind === 'log') patterns.set(index, compilePattern(probe.pattern));
    });
    const progressed = plan.startStall === null ? null : this.#limitRate(() => report({ type: 'progressed' }));
    const watcher = { patterns, matched: latch, progressed };
    // The log reads the two streams to their ends, even if the spawn fails.
    const style = { ...plan.log, drop: plan.log.drop.map(compilePattern) };
    const attached = this.#parts.logs.attach(plan.name, style, stdout, stderr, watcher, record !== null);
    resources.drain = () => attached.drain();
    resources.release.push(() => attached.release());
  }

  /** Translates the events of a run's processes into events of the core. */
  #listener(plan: ServicePlan, resources: Resources<Handle>, report: Report, fail: Fail): RunListener {
    return {
      changed: () => this.#parts.changed(plan.name),
      spawned: (pid) => {
        report({ type: 'spawned', pid });
        const early = resources.early ?? [];
        resources.early = null;
        for (const index of early) report({ type: 'latched', index });
      },
      failed: ({ step, message, code }) => fail(step, message, code),
      killRefused: (left) => report({ type: 'kill-refused', left }),
      exited: (exit) => {
        resources.abort.abort();
        // The program wrote its output before it ended: probes and readers get the output first.
        resources.drain();
        for (const act of resources.beforeExit) act();
        const why = this.#parts.explainExit(this.ofRun(plan), exit);
        if (why !== null) this.#parts.warn(plan.name, 'not-executable', why);
        report({ type: 'exited', exit });
      },
    };
  }

  /**
   * Reports a `log` or `notify` probe that has succeeded. A program may print or notify before PID 1 has reported its exec:
   * the result is kept until then.
   */
  #reportLatch(plan: ServicePlan, resources: Resources<Handle>, index: number, report: Report): void {
    const at = this.#parts.clock.wall();
    this.counts.noteLast(plan.name, { kind: 'ready', index, at, result: 'ok', detail: 'seen', took: 0 });
    if (resources.early === null) {
      report({ type: 'latched', index });
      return;
    }
    resources.early.push(index);
    this.#parts.changed(plan.name);
  }

  /** The checkpoint's record of a service's latest run; null: it has had none. */
  recordOf(service: string): ServiceRecord | null {
    const resources = this.#resources.get(service);
    if (resources === undefined) return null;
    const { run, handle, early, isStopping, leftovers, env } = resources;
    const main = handle === null ? null : this.#parts.processes.recordOf(handle);
    const changes = Object.keys(env).length === 0 ? {} : { env };
    return { run, main, early, isStopping, ...changes, leftovers, hooks: this.#hooks.recordsOf(service) };
  }

  /** Takes over the latest run of a service from the previous supervisor. */
  adopt(plan: ServicePlan, record: ServiceRecord): void {
    const { run, main, early, isStopping, leftovers } = record;
    const resources = this.#open(plan, run);
    resources.early = early === null ? null : [...early];
    resources.env = record.env ?? {};
    if (main !== null) this.#spawnWith(plan, run, resources, this.#failureReporter(plan, run, resources), main);
    for (const hook of record.hooks)
      this.#hooks.adopt(this.ofRun(plan), run, hook, this.#hookEnded(plan, run, hook.name));
    // The stop command was killed when the previous supervisor died, so it is run again.
    if (isStopping && main?.exited === false) this.#runStopCommand(plan, run);
    if (leftovers !== null) this.#emptied(plan, resources)(leftovers);
  }

  /** Prepares `notify` probes: a socket that NOTIFY_SOCKET names, or a pipe at the descriptor of the probe. */
  #prepareNotify(
    plan: ServicePlan,
    resources: Resources<Handle>,
    output: (Pipe | null)[],
    latch: (index: number) => void,
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
      const found = once(() => latch(index));
      resources.beforeExit.push(() => takeNewline(pipe, found));
      void awaitNewline(pipe, found);
    });
    if (onSocket.length === 0) return { env: {}, notify: null };
    const name = `svc-super-${this.#parts.randomName()}`;
    // The kernel reports the user of the sender. The user of the service, our own user and root are trusted.
    const trusted = new Set([plan.attributes.user?.uid ?? this.#parts.ownUid, this.#parts.ownUid, 0]);
    const onMessage = (text: string, uid: number) => {
      if (trusted.has(uid) && text.split('\n').includes('READY=1')) onSocket.forEach(latch);
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

  /**
   * Runs `stop.command`, with its output in the log of the service. Its success is not reported: the exit of the service is, or the
   * deadline passes.
   */
  #runStopCommand(plan: ServicePlan, run: number): void {
    const resources = this.#current(plan, run);
    if (resources === undefined || plan.stop.argv === null) return;
    resources.isStopping = true;
    this.#parts.changed(plan.name);
    const env = { MAINPID: String(resources.handle?.pid || '') };
    const { signal } = resources.abort;
    const request = requestOf(this.ofRun(plan), plan.stop.argv, run, env, 'stop');
    const [stdout, stderr] = [this.#parts.makePipe(), this.#parts.makePipe()];
    const style = { ...plan.log, drop: plan.log.drop.map(compilePattern) };
    const watcher = { patterns: new Map(), matched: () => undefined, progressed: null };
    const attached = this.#parts.logs.attach(plan.name, style, stdout, stderr, watcher, false);
    void this.#parts.runTool(request, signal, [stdout, stderr]).then(({ code, summary }) => {
      attached.drain();
      attached.release();
      resources.isStopping = false;
      this.#parts.changed(plan.name);
      if (code === 0 || signal.aborted) return;
      this.#send({ type: 'service', service: plan.name, run, event: { type: 'stop-command-failed', detail: summary } });
    });
  }

  /** Ends all processes of a run, with SIGTERM (`cleanUp`) or SIGKILL (`kill`), and reports when none is left. */
  #endProcesses(plan: ServicePlan, run: number, how: 'cleanUp' | 'kill'): void {
    const resources = this.#current(plan, run);
    if (resources?.handle === null || resources?.handle === undefined) return;
    this.#parts.processes[how](resources.handle, this.#emptied(plan, resources));
  }

  /** Returns the function to call when no process of the run is left. It reports that, after all hooks have ended. */
  #emptied(plan: ServicePlan, resources: Resources<Handle>): (leftovers: readonly LeftoverProcess[]) => void {
    return (leftovers) => {
      this.#release(resources);
      resources.leftovers = leftovers;
      this.#parts.changed(plan.name);
      const report = () => {
        resources.leftovers = null;
        this.#reporter(plan, resources.run)({ type: 'emptied', leftovers });
      };
      const hooks = this.#hooks.ended(plan.name);
      if (hooks === null) report();
      else void hooks.then(report);
    };
  }

  #runHook(plan: ServicePlan, run: number, hook: HookName, exit: Exit | null): void {
    const pid = exit === null ? this.#open(plan, run).handle?.pid || null : null;
    // A file that does not exist yet may be made by this hook: the start of the program reports it.
    const resources = this.#current(plan, run);
    if (hook === 'before_start' && resources !== undefined) this.#readEnvironment(plan, resources);
    this.#hooks.run(this.ofRun(plan), run, hook, { pid, exit }, this.#hookEnded(plan, run, hook));
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
    const count = (result: ProbeResult, detail: string) => {
      const took = this.#parts.clock.now() - from;
      this.counts.addAttempt(plan.name, kind, index, result, took);
      this.counts.noteLast(plan.name, { kind, index, at: this.#parts.clock.wall(), result, detail, took });
    };
    // An attempt that is abandoned before its timeout is not counted: the run has ended.
    const late = () => {
      if (this.#parts.clock.now() - from >= probe.timeout) count('timeout', 'no result within its timeout');
    };
    this.#probing.set(plan.name, { abort: controller, late });
    void attemptProbe(probe, controller.signal, {
      cwd: plan.cwd,
      fileExists: (path) => this.#parts.fileExists(path),
      runTool: (argv) => this.#parts.runTool(requestOf(this.ofRun(plan), argv, run, {}, 'probe'), controller.signal),
    }).then(({ ok, detail }) => {
      if (controller.signal.aborted) return;
      this.#probing.delete(plan.name);
      count(ok ? 'ok' : 'failed', detail);
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

  #limitRate(report: () => void): () => void {
    let last = -Infinity;
    return () => {
      const now = this.#parts.clock.now();
      if (now - last < PROGRESS_EVERY) return;
      last = now;
      report();
    };
  }
}

type Report = (event: ServiceEvent) => void;
type Fail = (step: string, message: string, code: number) => void;

function probeOf(plan: ServicePlan, kind: ProbeKind, index: number): Probe | undefined {
  if (kind !== 'drain') return plan[kind][index];
  const hook = plan.hooks.beforeStop;
  return hook !== null && 'waitFor' in hook ? hook.waitFor : undefined;
}

/** Calls `found` for each newline. Reads to the end, because a program that writes more would block on a full pipe. */
async function awaitNewline(pipe: Pipe, found: () => void): Promise<void> {
  for (let chunk = await pipe.read(); chunk !== null; chunk = await pipe.read()) if (chunk.includes(NEWLINE)) found();
}

/**
 * Reads the bytes that a pipe holds now, because a program may write its newline and exit at once. Another process may write
 * faster than this reads.
 */
function takeNewline(pipe: Pipe, found: () => void): void {
  let chunk = pipe.readNow();
  for (let taken = 0; chunk !== null && taken < MOST_TAKEN; chunk = pipe.readNow()) {
    taken += chunk.length;
    if (chunk.includes(NEWLINE)) {
      found();
      return;
    }
  }
}

const NEWLINE = 10;
/** The most that takeNewline() reads, bytes: the largest capacity that a pipe may have (pipe(7)). */
const MOST_TAKEN = 1024 * 1024;

/** Calls `act` at the first call only. */
function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}
