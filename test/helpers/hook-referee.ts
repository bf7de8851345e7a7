// Sees every step of a Simulator whose plan has hooks or GPUs, and fails at the first that breaks what must always hold of
// them: what comes before what, one hook at a time, nothing beside a run that is not over. Keeps books of its own.
import type { Event, ServiceEffect } from '../../src/core/event.ts';
import { KILL_WAIT } from '../../src/core/policy.ts';
import type { HookName } from '../../src/core/run.ts';
import { step } from '../../src/core/supervisor.ts';
import type { Millis, Plan, ServicePlan } from '../../src/plan/plan.ts';
import { holds, type Seen, SLACK } from './referee/step.ts';

interface Book {
  readonly plan: ServicePlan;
  run: number;
  hook: { readonly name: HookName; readonly run: number; killed: boolean } | null;
  /** Hooks of the present run that have ended, and whether well. */
  readonly done: Map<HookName, boolean>;
  reading: boolean;
  spawned: boolean;
  executed: boolean;
  wasReady: boolean;
  asked: boolean;
  exited: boolean;
  emptied: boolean;
}

export function hasHooks(plan: Plan): boolean {
  return plan.services.some(({ hooks, gpus }) => gpus !== null || Object.values(hooks).some((hook) => hook !== null));
}

export class HookReferee {
  readonly #plan: Plan;
  readonly #lag: Millis;
  readonly #hasProcesses: (service: string) => boolean;
  readonly #books: Map<string, Book>;
  #stopBy: Millis | null = null;

  constructor(plan: Plan, lag: Millis, hasProcesses: (service: string) => boolean) {
    this.#plan = plan;
    this.#lag = lag;
    this.#hasProcesses = hasProcesses;
    this.#books = new Map(plan.services.map((service) => [service.name, newBook(service)]));
  }

  see({ before, event, after, effects, now }: Seen): void {
    const again = step(before, event, now);
    holds(Bun.deepEquals(again, { world: after, effects }, true), `${event.type} twice came to two results`);
    if (event.type === 'service') this.#apply(event);
    if (event.type === 'stop-asked') this.#stopBy ??= now + this.#plan.stopTimeout + KILL_WAIT + this.#lag;
    if (event.type === 'plan-changed') this.#addNew(event.plan);
    for (const [name, book] of this.#books) {
      if (after.services.get(name)?.state.id === 'ready') book.wasReady = true;
    }
    for (const effect of effects) {
      if (effect.type === 'service') this.#allow(effect.service, effect.run, effect.effect);
      if (effect.type === 'announce' && effect.notice.event === 'stopping') {
        this.#stopBy ??= now + this.#plan.stopTimeout + KILL_WAIT + this.#lag;
      }
    }
    const ended = after.phase.id === 'ended';
    if (this.#stopBy !== null) holds(ended || now <= this.#stopBy + SLACK, 'the shutdown outlived its deadline');
    for (const [name, book] of this.#books) {
      const state = after.services.get(name)?.state.id;
      const over = state === 'pending' || state === 'backoff' || state === 'completed' || state === 'failed';
      const idle = book.hook === null && !this.#hasProcesses(name);
      holds(!over || ended || idle, `${name} is ${state} while something of it is there`);
    }
  }

  /** Of a reload it knows what is new; hooks that it changes are beyond its books. */
  #addNew({ services }: Plan): void {
    for (const service of services) if (!this.#books.has(service.name)) this.#books.set(service.name, newBook(service));
  }

  #apply(event: Event & { readonly type: 'service' }): void {
    const book = this.#book(event.service);
    const { event: happened } = event;
    if (happened.type === 'hook-ended' && book.hook?.name === happened.hook) {
      if (book.hook.run === book.run) book.done.set(happened.hook, happened.ok);
      book.hook = null;
    }
    if (event.run !== book.run) return;
    if (happened.type === 'gpus-read') book.reading = false;
    if (happened.type === 'spawned') book.executed = true;
    if (happened.type === 'exited') book.exited = true;
    if (happened.type === 'emptied') book.emptied = true;
  }

  #allow(name: string, run: number, effect: ServiceEffect): void {
    const book = this.#book(name);
    const { hooks, gpus } = book.plan;
    if (run !== book.run) {
      holds(run === book.run + 1, `run ${run} of ${name} after ${book.run}`);
      holds(book.hook === null, `run ${run} of ${name} beside ${book.hook?.name}`);
      holds(!this.#hasProcesses(name), `a second run of ${name} beside the first`);
      const due = hooks.afterExit !== null && book.executed;
      holds(!due || book.done.has('after_exit'), `run ${run} of ${name} before after_exit`);
      this.#books.set(name, { ...newBook(book.plan), run });
      this.#allow(name, run, effect);
      return;
    }
    switch (effect.type) {
      case 'spawn':
        holds(!book.spawned && book.hook === null && !book.reading, `a spawn of ${name} that is not due`);
        holds(hooks.beforeStart === null || book.done.get('before_start') === true, 'before before_start');
        book.spawned = true;
        break;
      case 'read-gpus':
        holds(gpus !== null && !book.spawned && !book.reading, `a reading for ${name} that is not due`);
        book.reading = true;
        break;
      case 'run-hook':
        this.#mayRun(book, effect.hook);
        book.hook = { name: effect.hook, run, killed: false };
        break;
      case 'kill-hook':
        if (book.hook !== null) book.hook.killed = true;
        break;
      case 'signal':
      case 'run-stop-command':
        holds(!book.exited, `a signal to ${name}, which is gone`);
        holds(!book.asked, `${name} asked twice to stop`);
        holds(book.hook === null || book.hook.killed, `${name} signalled during ${book.hook?.name}`);
        book.asked = true;
        break;
      case 'probe':
        holds(effect.kind !== 'drain' || (book.wasReady && !book.asked), `a drain of ${name} that is not due`);
        break;
      case 'clean-up':
        holds(book.exited, `a clean-up of ${name}, whose main process runs`);
        break;
      case 'kill':
      case 'abandon-probe':
        break;
      default:
        effect satisfies never;
    }
  }

  #mayRun(book: Book, hook: HookName): void {
    const { name } = book.plan;
    holds(book.hook === null || book.hook.killed, `${hook} of ${name} beside ${book.hook?.name}`);
    holds(!book.done.has(hook), `${hook} of ${name} twice in one run`);
    const due = {
      before_start: !book.spawned && !book.reading,
      after_ready: book.wasReady && !book.asked && !book.exited,
      before_stop: book.wasReady && !book.asked && !book.exited,
      after_exit: book.emptied,
    };
    holds(due[hook], `${hook} of ${name} is not due`);
  }

  #book(name: string): Book {
    const book = this.#books.get(name);
    if (book === undefined) throw new Error(`no service ${name}`);
    return book;
  }
}

function newBook(plan: ServicePlan): Book {
  return {
    plan,
    run: 0,
    hook: null,
    done: new Map(),
    reading: false,
    spawned: false,
    executed: false,
    wasReady: false,
    asked: false,
    exited: false,
    emptied: false,
  };
}
