// Runs hooks: one command at a time for a service, as the service would be, its output in the log under the service's name.
// What a hook leaves behind is killed with it, and it is over only when nothing of it is left. Decides no deadline.

import { type Exit, shellCode } from '../core/policy.ts';
import type { HookName } from '../core/run.ts';
import { compilePattern } from '../plan/pattern.ts';
import type { ServicePlan } from '../plan/plan.ts';
import { programOf } from './executor.ts';
import type { ExecutorParts, KeptRun, ProgramListener, RunHandle } from './parts.ts';

export interface HookResult {
  readonly ok: boolean;
  readonly code: number;
  readonly detail: string;
}

/** What the hooks of a plan are called. */
const FIELDS = {
  before_start: 'beforeStart',
  after_ready: 'afterReady',
  before_stop: 'beforeStop',
  after_exit: 'afterExit',
} as const satisfies Readonly<Record<HookName, keyof ServicePlan['hooks']>>;

/** Those that run while the service has no process: what is left of them and bears its name is theirs. */
const ALONE: ReadonlySet<HookName> = new Set(['before_start', 'after_exit']);

interface Running<Handle> {
  readonly name: HookName;
  readonly about: About;
  handle: Handle | null;
  /** Once the command has ended, while processes of it are left. */
  result: HookResult | null;
  readonly over: Promise<void>;
}

/** What a hook is told of its service in its environment. */
interface About {
  /** The main process, where there is one. */
  readonly pid: number | null;
  readonly exit: Exit | null;
}

/** What a successor needs to know of a hook under way, as data for JSON. */
export interface HookRecord {
  readonly name: HookName;
  readonly about: About;
  readonly result: HookResult | null;
  readonly run: KeptRun;
}

type HookParts<Handle extends RunHandle> = Pick<
  ExecutorParts<Handle>,
  'processes' | 'logs' | 'makePipe' | 'explainExit' | 'changed'
>;

export class HookRunner<Handle extends RunHandle> {
  readonly #parts: HookParts<Handle>;
  /** By service: the hook under way, last, and those before it that were killed and are not gone yet. */
  readonly #running = new Map<string, readonly Running<Handle>[]>();

  constructor(parts: HookParts<Handle>) {
    this.#parts = parts;
  }

  /** `done` is called when no process of the hook is left. */
  run(plan: ServicePlan, run: number, name: HookName, about: About, done: (result: HookResult) => void): void {
    this.#start(plan, run, name, about, done, null);
  }

  /** Goes on with a hook that the supervisor before this one has started. */
  adopt(plan: ServicePlan, run: number, record: HookRecord, done: (result: HookResult) => void): void {
    this.#start(plan, run, record.name, record.about, done, record);
  }

  /** What a successor needs to know of the hooks of a service that are under way. */
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
    about: About,
    done: (result: HookResult) => void,
    record: HookRecord | null,
  ): void {
    const hook = plan.hooks[FIELDS[name]];
    if (hook === null || !('argv' in hook)) throw new Error(`bug: no command for ${name}`);
    const over = Promise.withResolvers<void>();
    const running: Running<Handle> = { name, about, handle: null, result: record?.result ?? null, over: over.promise };
    this.#running.set(plan.name, [...this.#of(plan.name), running]);
    const end = (result: HookResult) => {
      const others = this.#of(plan.name).filter((one) => one !== running);
      if (others.length === 0) this.#running.delete(plan.name);
      else this.#running.set(plan.name, others);
      over.resolve();
      done(result);
    };
    const stdout = this.#parts.makePipe();
    const stderr = this.#parts.makePipe();
    const style = { ...plan.log, drop: plan.log.drop.map(compilePattern) };
    const watcher = { patterns: new Map(), matched: () => undefined, progressed: null };
    const attached = this.#parts.logs.attach(plan.name, style, stdout, stderr, watcher, record !== null);
    const env = environmentOf(about);
    const program = programOf(plan, hook.argv, run, env, ALONE.has(name) ? null : name);
    const request = { ...program, input: null, output: [stdout, stderr], notify: null };
    const { processes } = this.#parts;
    const emptied = () => {
      attached.release();
      // A command whose end is not known has no process any more, and PID 1 does not know it.
      end(running.result ?? { ok: false, code: 1, detail: 'its end is not known' });
    };
    const listener: ProgramListener = {
      changed: () => this.#parts.changed(plan.name),
      spawned: () => undefined,
      failed: ({ message, code }) => {
        attached.release();
        end({ ok: false, code, detail: message });
      },
      exited: (exit) => {
        attached.drain();
        const ended = exit.kind === 'code' ? `exit code ${exit.code}` : `killed by ${exit.signal}`;
        const detail = this.#parts.explainExit(program, exit) ?? ended;
        const code = shellCode(exit);
        running.result = { ok: code === 0, code, detail };
        if (running.handle !== null) processes.kill(running.handle, emptied);
      },
    };
    running.handle =
      record === null ? processes.spawn(request, listener) : processes.adopt(record.run, request, listener, emptied);
    if (running.handle === null) emptied();
  }

  /** SIGKILL to the hook under way and to all that it started. */
  kill(service: string): void {
    for (const { handle } of this.#of(service)) {
      if (handle !== null) this.#parts.processes.kill(handle);
    }
  }

  /** Resolves when no hook of the service is left; null: there is none. */
  over(service: string): Promise<unknown> | null {
    const running = this.#of(service);
    return running.length === 0 ? null : Promise.all(running.map(({ over }) => over));
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
