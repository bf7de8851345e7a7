// Runs the hooks of services: one command at a time for each service, with the attributes of the service, and its output in
// the log of the service. Kills the leftover processes of a hook; the hook has ended when none is left. Sets no deadline.
import { shellCode } from '../core/policy.ts';
import type { HookName } from '../core/run.ts';
import type { RunListener, RunRecord } from '../pid1/run.ts';
import { compilePattern } from '../plan/pattern.ts';
import type { ServicePlan } from '../plan/plan.ts';
import type { Exit } from '../plan/process.ts';
import type { ExecutorParts, RunHandle } from './parts.ts';
import { requestOf } from './program.ts';

export interface HookResult {
  readonly ok: boolean;
  readonly code: number;
  readonly detail: string;
}

/** The property of a plan for each hook. */
const FIELDS = {
  before_start: 'beforeStart',
  after_ready: 'afterReady',
  before_stop: 'beforeStop',
  after_exit: 'afterExit',
} as const satisfies Readonly<Record<HookName, keyof ServicePlan['hooks']>>;

/** Hooks that run while the service has no process: processes with the run name of the service belong to the hook. */
const ALONE: ReadonlySet<HookName> = new Set(['before_start', 'after_exit']);

interface Running<Handle> {
  readonly name: HookName;
  readonly about: HookContext;
  handle: Handle | null;
  /** Set when the command has ended; its leftover processes are then killed. */
  result: HookResult | null;
  readonly ended: Promise<void>;
}

/** The facts about a service that its hook gets in environment variables. */
interface HookContext {
  /** The main process; null if there is none. */
  readonly pid: number | null;
  readonly exit: Exit | null;
}

/** The checkpoint's record of a running hook, as data for JSON. */
export interface HookRecord {
  readonly name: HookName;
  readonly about: HookContext;
  readonly result: HookResult | null;
  readonly run: RunRecord;
}

type HookParts<Handle extends RunHandle> = Pick<
  ExecutorParts<Handle>,
  'processes' | 'logs' | 'makePipe' | 'explainExit' | 'changed'
>;

export class HookRunner<Handle extends RunHandle> {
  readonly #parts: HookParts<Handle>;
  /** By service: earlier hooks that were killed and have not ended, and last the current hook. */
  readonly #running = new Map<string, readonly Running<Handle>[]>();

  constructor(parts: HookParts<Handle>) {
    this.#parts = parts;
  }

  /** `done` is called when no process of the hook is left. */
  run(plan: ServicePlan, run: number, name: HookName, about: HookContext, done: (result: HookResult) => void): void {
    this.#start(plan, run, name, about, done, null);
  }

  /** Takes over a hook that the previous supervisor has started. */
  adopt(plan: ServicePlan, run: number, record: HookRecord, done: (result: HookResult) => void): void {
    this.#start(plan, run, record.name, record.about, done, record);
  }

  /** The checkpoint's records of the running hooks of a service. */
  recordsOf(service: string): readonly HookRecord[] {
    return this.#of(service).flatMap(({ name, about, handle, result }) => {
      const run = handle === null ? null : this.#parts.processes.recordOf(handle);
      return run === null ? [] : [{ name, about, result, run }];
    });
  }

  #start(
    plan: ServicePlan,
    run: number,
    name: HookName,
    about: HookContext,
    done: (result: HookResult) => void,
    record: HookRecord | null,
  ): void {
    const hook = plan.hooks[FIELDS[name]];
    if (hook === null || !('argv' in hook)) throw new Error(`bug: no command for ${name}`);
    const ended = Promise.withResolvers<void>();
    const running: Running<Handle> = {
      name,
      about,
      handle: null,
      result: record?.result ?? null,
      ended: ended.promise,
    };
    this.#running.set(plan.name, [...this.#of(plan.name), running]);
    const end = (result: HookResult) => {
      const others = this.#of(plan.name).filter((one) => one !== running);
      if (others.length === 0) this.#running.delete(plan.name);
      else this.#running.set(plan.name, others);
      ended.resolve();
      done(result);
    };
    const stdout = this.#parts.makePipe();
    const stderr = this.#parts.makePipe();
    const style = { ...plan.log, drop: plan.log.drop.map(compilePattern) };
    const watcher = { patterns: new Map(), matched: () => undefined, progressed: null };
    const attached = this.#parts.logs.attach(plan.name, style, stdout, stderr, watcher, record !== null);
    const env = environmentOf(about);
    const request = requestOf(plan, hook.argv, run, env, ALONE.has(name) ? null : name);
    const connections = { input: null, output: [stdout, stderr], notify: null };
    const { processes } = this.#parts;
    const emptied = () => {
      attached.release();
      // Without a result, PID 1 has no entry for the run: the command has ended, and its exit status is lost.
      end(running.result ?? { ok: false, code: 1, detail: 'its exit status is unknown' });
    };
    const listener: RunListener = {
      changed: () => this.#parts.changed(plan.name),
      spawned: () => undefined,
      failed: ({ message, code }) => {
        attached.release();
        end({ ok: false, code, detail: message });
      },
      exited: (exit) => {
        attached.drain();
        const described = exit.kind === 'code' ? `exit code ${exit.code}` : `killed by ${exit.signal}`;
        const detail = this.#parts.explainExit(request.spec, exit) ?? described;
        const code = shellCode(exit);
        running.result = { ok: code === 0, code, detail };
        if (running.handle !== null) processes.kill(running.handle, emptied);
      },
    };
    running.handle =
      record === null
        ? processes.spawn(request, connections, listener)
        : processes.adopt(record.run, request, connections, listener, emptied);
    if (running.handle === null) emptied();
  }

  /** Sends SIGKILL to all processes of the service's hooks. */
  kill(service: string): void {
    for (const { handle } of this.#of(service)) {
      if (handle !== null) this.#parts.processes.kill(handle);
    }
  }

  /** Resolves when all hooks of the service have ended; null: none is running. */
  ended(service: string): Promise<unknown> | null {
    const running = this.#of(service);
    return running.length === 0 ? null : Promise.all(running.map(({ ended }) => ended));
  }

  #of(service: string): readonly Running<Handle>[] {
    return this.#running.get(service) ?? [];
  }
}

function environmentOf({ pid, exit }: { readonly pid: number | null; readonly exit: Exit | null }) {
  return {
    ...(pid !== null && { MAINPID: String(pid) }),
    ...(exit !== null && {
      SVC_EXIT_CODE: String(shellCode(exit)),
      SVC_EXIT_SIGNAL: exit.kind === 'signal' ? exit.signal : '',
    }),
  };
}
