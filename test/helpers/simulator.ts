// Plays the part of the runtime for the core, in virtual time: carries out effects on fake services that behave as specified,
// delivers the resulting events, and moves the clock to whatever is next. No processes, no sleeps, no real clock. Shows every
// step to a Referee, which checks it.

import { nextTime } from '../../src/config/cron.ts';
import type { Effect, Event, Operation, ServiceEffect, ServiceEvent } from '../../src/core/event.ts';
import type { HookName, LeftoverProcess } from '../../src/core/run.ts';
import type { Wall } from '../../src/core/schedule.ts';
import type { Service } from '../../src/core/state.ts';
import { step } from '../../src/core/supervisor.ts';
import { newWorld, nextDeadline, type World } from '../../src/core/world.ts';
import { renderNotice } from '../../src/messages/notices.ts';
import type { Millis, Plan, ServicePlan, SignalName } from '../../src/plan/plan.ts';
import type { Exit } from '../../src/plan/process.ts';
import { type Behave, type Behaviour, readyFrom } from './behaviour.ts';
import { HookReferee, hasHooks } from './hook-referee.ts';
import { bySignal } from './plans.ts';
import { checkStep, type Seen } from './referee/step.ts';
import { Referee } from './referee.ts';
import { KeptWorld, Renewal } from './renewal.ts';

export interface Options {
  readonly seed?: number;
  readonly startAt?: Millis;
  /** How late timers fire. */
  readonly lag?: Millis;
  /** Whether each step is also made from a checkpoint. */
  readonly renews?: boolean;
  /** Wall time at instant 0, milliseconds since 1970. */
  readonly wall?: Wall;
  /** After this step the supervisor dies, and its successor goes on from the checkpoint. */
  readonly diesAfter?: number;
}

interface Process extends LeftoverProcess {
  readonly termTakes: Millis | null;
}

interface FakeRun {
  readonly plan: ServicePlan;
  readonly number: number;
  readonly behaviour: Behaviour;
  bornAt: Millis | null;
  main: 'coming' | 'alive' | 'gone';
  others: readonly Process[];
  leftovers: readonly LeftoverProcess[];
  /** Processes that were sent SIGKILL. */
  killed: readonly number[];
  /** What it was sent before its first instruction. */
  readonly waiting: (() => void)[];
  cleaningUp: boolean;
  killing: boolean;
  over: boolean;
}

interface Occasion {
  readonly at: Millis;
  readonly act: () => void;
}

export interface Done {
  readonly at: Millis;
  readonly effect: Effect;
}

const STEPS_AT_MOST = 200_000;

export class Simulator {
  world: World;
  /** What it began with. */
  readonly planned: Plan;
  now: Millis;
  code: number | null = null;
  endedAt: Millis | null = null;
  /** Wall time at instant 0: a change of it is a clock that is set. */
  wallAtZero: Wall;
  readonly records: Done[] = [];
  readonly #runs = new Map<string, (FakeRun | undefined)[]>();
  readonly #behave: Behave;
  readonly #lag: Millis;
  readonly #referee: { see(seen: Seen): void };
  readonly #hooks = new Map<string, { readonly end: (code: number) => void; readonly killTakes: Millis }>();
  readonly #history: { readonly at: Millis; readonly event: Event; readonly effects: readonly Effect[] }[] = [];
  readonly #renewal: Renewal | null;
  readonly #diesAfter: number;
  #delivered = 0;
  #queue: Occasion[] = [];
  #steps = 0;
  #pids = 100;

  constructor(plan: Plan, behave: Behave | Readonly<{ [service: string]: Behaviour }> = {}, options: Options = {}) {
    this.now = options.startAt ?? 0;
    this.planned = plan;
    this.world = newWorld(plan, options.seed ?? 1);
    this.wallAtZero = options.wall ?? 0;
    this.#behave = typeof behave === 'function' ? behave : (service) => behave[service] ?? {};
    this.#lag = options.lag ?? 0;
    this.#renewal = options.renews === true ? new Renewal() : null;
    this.#diesAfter = options.diesAfter ?? 0;
    const hasProcesses = (service: string) => this.hasProcesses(service);
    this.#referee = refereeOf(plan, this.#lag, hasProcesses);
  }

  begin(): this {
    this.deliver({ type: 'began' });
    return this;
  }

  /** Does something at a later instant of virtual time. */
  at(instant: Millis, act: () => void): void {
    let position = this.#queue.length;
    while (position > 0 && (this.#queue[position - 1]?.at ?? 0) > instant) position -= 1;
    this.#queue.splice(position, 0, { at: Math.max(instant, this.now), act });
  }

  /** Turns the clock to that instant, through everything that is due on the way. */
  until(instant: Millis): this {
    while (this.code === null) {
      const occasion = this.#queue[0]?.at ?? Infinity;
      const deadline = (nextDeadline(this.world) ?? Infinity) + this.#lag;
      const next = Math.min(occasion, deadline);
      if (next > instant) break;
      this.now = Math.max(this.now, next);
      if (occasion <= deadline) this.#queue.shift()?.act();
      else this.deliver({ type: 'deadline-passed' });
      this.#steps += 1;
      if (this.#steps > STEPS_AT_MOST) throw new Error(`no end of steps at ${this.now}`);
    }
    if (this.code === null) this.now = Math.max(this.now, instant);
    return this;
  }

  /** How many events it has seen. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Turns the clock on by so much. */
  pass(time: Millis): this {
    return this.until(this.now + time);
  }

  untilEnd(atMost: Millis = 3_600_000): this {
    this.until(this.now + atMost);
    if (this.code === null) throw new Error(`not ended after ${atMost} ms: ${JSON.stringify(this.states())}`);
    return this;
  }

  stop(signal: SignalName = 'SIGTERM'): this {
    this.deliver({ type: 'stop-asked', signal });
    return this;
  }

  signal(signal: SignalName): this {
    this.deliver({ type: 'signalled', signal });
    return this;
  }

  operate(operation: Operation, ...services: readonly string[]): this {
    this.deliver({ type: 'operated', operation, services });
    return this;
  }

  reload(plan: Plan): this {
    this.deliver({ type: 'plan-changed', plan });
    return this;
  }

  /** Delivers an event of the current run, unless another run is named. */
  tell(service: string, event: ServiceEvent, run = this.service(service).run): this {
    this.deliver({ type: 'service', service, run, event });
    return this;
  }

  service(name: string): Service {
    const service = this.world.services.get(name);
    if (service === undefined) throw new Error(`no service ${name}`);
    return service;
  }

  state(name: string): string {
    return this.service(name).state.id;
  }

  states(): { readonly [service: string]: string } {
    return Object.fromEntries([...this.world.services].map(([name, { state }]) => [name, state.id]));
  }

  /** What was done to a service, in order: `12 spawn`, `40 signal SIGTERM main`; probes left out. */
  deeds(name: string): string[] {
    return this.records.flatMap(({ at, effect }) => {
      if (effect.type !== 'service' || effect.service !== name) return [];
      const deed = effect.effect;
      if (deed.type === 'probe' || deed.type === 'abandon-probe') return [];
      const what =
        deed.type === 'signal' ? ` ${deed.signal} ${deed.to}` : deed.type === 'run-hook' ? ` ${deed.hook}` : '';
      return [`${at} ${deed.type}${what}`];
    });
  }

  /** Texts of the announcements of that name. */
  said(event: string, service?: string | null): string[] {
    return this.records.flatMap(({ effect }) =>
      effect.type === 'announce' &&
      effect.notice.event === event &&
      (service === undefined || effect.service === service)
        ? [renderNotice(effect.notice).text]
        : [],
    );
  }

  /** Instants at which probe attempts began. */
  attempts(name: string): Millis[] {
    return this.records.flatMap(({ at, effect }) =>
      effect.type === 'service' && effect.service === name && effect.effect.type === 'probe' ? [at] : [],
    );
  }

  /** The last steps as text, for the report of a failure. */
  story(steps: number): string[] {
    return this.#history
      .slice(-steps)
      .flatMap(({ at, event, effects }) => [
        `${at} ${JSON.stringify(event)}`,
        ...effects.map((effect) => `    -> ${JSON.stringify(effect)}`),
      ]);
  }

  /** Whether any process of any run is there, or may come to be. */
  hasProcesses(service: string): boolean {
    return (this.#runs.get(service) ?? []).some((run) => run !== undefined && !run.over);
  }

  deliver(event: Event): this {
    if (this.code !== null) return this;
    const taken = { at: this.now, event, effects: [] as readonly Effect[] };
    this.#history.push(taken);
    const before = this.world;
    this.#renewal?.check(before, event, this.now);
    const result = step(before, event, this.now);
    this.world = result.world;
    taken.effects = result.effects;
    this.#referee.see({ before, event, after: result.world, effects: result.effects, now: this.now });
    for (const effect of result.effects) {
      this.records.push({ at: this.now, effect });
      if (effect.type === 'read-clock') this.#readClock(effect);
      if (effect.type === 'service') this.#carryOut(effect.service, effect.run, effect.effect);
      if (effect.type === 'end') {
        this.code = effect.code;
        this.endedAt = this.now;
      }
    }
    this.#delivered += 1;
    if (this.#delivered === this.#diesAfter && this.code === null) this.#succeed();
    return this;
  }

  /** The successor reads the checkpoint, and asks again for what only the supervisor knew. */
  #succeed(): void {
    const kept = new KeptWorld();
    kept.keep(this.world);
    const { world, effects } = step(kept.read(), { type: 'taken-over', by: 0 }, this.now);
    this.world = world;
    for (const effect of effects) {
      if (effect.type === 'read-clock') continue;
      if (effect.type !== 'service' || !['probe', 'read-gpus'].includes(effect.effect.type))
        throw new Error(`a successor asked for ${JSON.stringify(effect)}`);
    }
  }

  #readClock({ service, reading }: Effect & { readonly type: 'read-clock' }): void {
    this.#after(1, () => {
      const when = this.world.index.plans.get(service)?.schedule?.when;
      if (when?.kind !== 'cron') return;
      const wall = this.wallAtZero + this.now;
      const next = nextTime(when.expression, when.timeZone, wall);
      this.deliver({ type: 'clock-read', service, reading, wall, next });
    });
  }

  #carryOut(service: string, number: number, effect: ServiceEffect): void {
    if (effect.type === 'spawn') {
      this.#spawn(service, number);
      return;
    }
    if (effect.type === 'read-gpus') {
      const reading = this.#behave(service, number).memory?.(this.now) ?? null;
      if (reading !== null) this.#after(1, () => this.#tell(service, number, { type: 'gpus-read', reading }));
      return;
    }
    if (effect.type === 'run-hook') {
      this.#runHook(service, number, effect.hook);
      return;
    }
    if (effect.type === 'kill-hook') {
      const hook = this.#hooks.get(service);
      if (hook !== undefined) this.#after(hook.killTakes, () => hook.end(137));
      return;
    }
    // Nothing has been spawned yet while it waits for memory.
    if (effect.type === 'abandon-probe') return;
    const run = this.#runs.get(service)?.[number - 1];
    if (run === undefined) throw new Error(`${effect.type} for run ${number} of ${service}, which there is not`);
    switch (effect.type) {
      case 'signal':
        if (effect.signal === run.plan.stop.signal) this.#whenBorn(run, () => this.#askToStop(run, effect.to));
        break;
      case 'run-stop-command':
        this.#whenBorn(run, () => this.#runStopCommand(run));
        break;
      case 'clean-up':
        run.cleaningUp = true;
        this.#terminate(run);
        this.#after(1, () => this.#settle(run));
        break;
      case 'kill':
        run.killing = true;
        this.#whenBorn(run, () => this.#kill(run));
        break;
      case 'probe':
        this.#probe(run, effect);
        break;
      default:
        effect satisfies never;
    }
  }

  #runHook(service: string, number: number, hook: HookName): void {
    const { takes = 1, code = 0, killTakes = 1 } = this.#behave(service, number).hooks?.[hook] ?? {};
    const end = (with_: number) => {
      if (this.#hooks.get(service) !== under) return;
      this.#hooks.delete(service);
      const detail = `exit code ${with_}`;
      this.#tell(service, number, { type: 'hook-ended', hook, ok: with_ === 0, code: with_, detail });
      this.#settleAll(service);
    };
    const under = { end, killTakes };
    this.#hooks.set(service, under);
    if (takes !== null) this.#after(takes, () => end(code));
  }

  /** A run is empty only when its hook is gone too. */
  #settleAll(service: string): void {
    for (const run of this.#runs.get(service) ?? []) if (run !== undefined) this.#settle(run);
  }

  #tell(service: string, run: number, event: ServiceEvent): void {
    this.deliver({ type: 'service', service, run, event });
  }

  #after(time: Millis, act: () => void): void {
    this.at(this.now + time, act);
  }

  #deliverOf(run: FakeRun, event: ServiceEvent): void {
    this.deliver({ type: 'service', service: run.plan.name, run: run.number, event });
  }

  #spawn(service: string, number: number): void {
    const plan = this.world.plan.services.find(({ name }) => name === service);
    if (plan === undefined) throw new Error(`no plan of ${service}`);
    const behaviour = this.#behave(service, number);
    const run: FakeRun = {
      plan,
      number,
      behaviour,
      bornAt: null,
      main: 'coming',
      others: [],
      leftovers: [],
      killed: [],
      waiting: [],
      cleaningUp: false,
      killing: false,
      over: false,
    };
    if (this.hasProcesses(service)) throw new Error(`run ${number} of ${service} beside another one`);
    const runs = this.#runs.get(service) ?? [];
    runs[number - 1] = run;
    this.#runs.set(service, runs);
    this.#after(behaviour.spawnTakes ?? 0, () => this.#beginRun(run));
  }

  #beginRun(run: FakeRun): void {
    const { spawnFails, others = [], ends, latches = [], output = [] } = run.behaviour;
    if (spawnFails !== undefined) {
      run.over = true;
      run.main = 'gone';
      this.#deliverOf(run, { type: 'spawn-failed', ...spawnFails });
      return;
    }
    run.bornAt = this.now;
    run.main = 'alive';
    this.#pids += 1;
    const pid = this.#pids;
    run.others = others.map((termTakes) => {
      this.#pids += 1;
      return { pid: this.#pids, name: `other-${this.#pids}`, termTakes };
    });
    if (ends !== undefined) this.#after(ends.after, () => this.#dieMain(run, ends.exit));
    for (const { index, after } of latches) this.#after(after, () => this.#deliverOf(run, { type: 'latched', index }));
    for (const after of output) this.#after(after, () => this.#deliverOf(run, { type: 'progressed' }));
    this.#deliverOf(run, { type: 'spawned', pid });
    for (const act of run.waiting.splice(0)) act();
  }

  #whenBorn(run: FakeRun, act: () => void): void {
    if (run.main === 'coming') run.waiting.push(act);
    else act();
  }

  #askToStop(run: FakeRun, to: 'main' | 'group'): void {
    const { stopTakes = 1, stopExit = bySignal('SIGTERM') } = run.behaviour;
    if (stopTakes !== null) this.#after(stopTakes, () => this.#dieMain(run, stopExit));
    if (to === 'group') this.#terminate(run);
  }

  #runStopCommand(run: FakeRun): void {
    const { stopCommandFails } = run.behaviour;
    if (stopCommandFails === undefined) this.#askToStop(run, 'main');
    else
      this.#after(stopCommandFails, () => this.#deliverOf(run, { type: 'stop-command-failed', detail: 'exit code 1' }));
  }

  #terminate(run: FakeRun): void {
    for (const { pid, termTakes } of run.others) {
      if (termTakes !== null) this.#after(termTakes, () => this.#dieOthers(run, [pid]));
    }
  }

  #kill(run: FakeRun): void {
    const { killTakes = 1 } = run.behaviour;
    run.killed = run.others.map(({ pid }) => pid);
    if (killTakes === null) return;
    this.#after(killTakes, () => {
      this.#dieMain(run, bySignal('SIGKILL'));
      const pids = run.others.map(({ pid }) => pid);
      this.#dieOthers(run, pids);
    });
  }

  #dieMain(run: FakeRun, exit: Exit): void {
    if (run.main !== 'alive') return;
    run.main = 'gone';
    run.leftovers = run.killing ? [] : run.others.map(({ pid, name }) => ({ pid, name }));
    this.#deliverOf(run, { type: 'exited', exit });
    if (run.killing) this.#after(1, () => this.#settle(run));
  }

  #dieOthers(run: FakeRun, pids: readonly number[]): void {
    run.others = run.others.filter(({ pid }) => !pids.includes(pid));
    this.#settle(run);
  }

  #settle(run: FakeRun): void {
    if (run.over || run.main !== 'gone' || run.others.length > 0 || !(run.cleaningUp || run.killing)) return;
    if (this.#hooks.has(run.plan.name)) return;
    run.over = true;
    const killed = new Set(run.killed);
    const leftovers = run.leftovers.map((one) => ({ ...one, wasKilled: killed.has(one.pid) }));
    this.#deliverOf(run, { type: 'emptied', leftovers });
  }

  #probe(run: FakeRun, { kind, index, attempt }: ServiceEffect & { readonly type: 'probe' }): void {
    const age = this.now - (run.bornAt ?? this.now);
    const result = (run.behaviour.probe ?? readyFrom(0))({ kind, index, attempt, age });
    if (result === null) return;
    const { ok, detail = ok ? 'fine' : 'refused', after = 1 } = result;
    this.#after(after, () => this.#deliverOf(run, { type: 'probe-ended', attempt, ok, detail }));
  }
}

function refereeOf(plan: Plan, lag: Millis, hasProcesses: (service: string) => boolean): { see(seen: Seen): void } {
  // The books of the others know no schedule and no memory: here each step is checked by itself.
  if (plan.services.some(({ schedule, memoryWatch }) => schedule !== null || memoryWatch !== null))
    return { see: checkStep };
  return hasHooks(plan) ? new HookReferee(plan, lag, hasProcesses) : new Referee(plan, lag, hasProcesses);
}

export function simulate(
  plan: Plan,
  behave: Behave | Readonly<{ [service: string]: Behaviour }> = {},
  options: Options = {},
): Simulator {
  return new Simulator(plan, behave, options).begin();
}
