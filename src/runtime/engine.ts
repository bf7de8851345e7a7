// Runs the core: one queue of events, step, effects, until nothing is left; then ONE timer, armed for the earliest
// deadline of all. Many spawns are spread over turns of the event loop, so that exits, signals and questions come in
// between. Owns the world's current value and hands out snapshots. Decides nothing, touches no process itself.
import type { Effect, Event, ServiceEffect, ServiceEvent } from '../core/event.ts';
import { orderEvents } from '../core/event-order.ts';
import { hasMain } from '../core/state.ts';
import { step } from '../core/supervisor.ts';
import { nextDeadline, type World } from '../core/world.ts';
import type { Millis, ServicePlan } from '../plan/plan.ts';
import type { Clock } from '../ports.ts';
import { AbsenceDetector } from './absence-detector.ts';

export interface Announcement {
  readonly level: 'info' | 'warn' | 'error';
  readonly service: string | null;
  readonly event: string;
  readonly text: string;
}

/** Runs the effects on one service (executor.ts). */
export interface Performer {
  perform(plan: ServicePlan, run: number, effect: ServiceEffect): void;
}

export interface EngineParts {
  readonly clock: Clock;
  readonly executor: (send: (event: Event) => void) => Performer;
  readonly announce: (effect: Effect & { readonly type: 'announce' }) => void;
  /** Reads the configuration again; answers with `plan-changed` when it is right. */
  readonly reload: () => void;
  readonly end: (effect: Effect & { readonly type: 'end' }) => void;
  /** Called every second while a deadline is pending. */
  readonly signOfLife: () => void;
  /** The world may be another now. */
  readonly changed: () => void;
  /** What is postponed for this service is another now. */
  readonly postponed: (service: string) => void;
  /** The core has thrown: nothing that it decides from here on can be trusted. */
  readonly broken: (event: Event, error: unknown) => void;
  /** Whether an event is dropped, because the core has thrown on it before; null: there is no such event. */
  readonly isDropped: ((event: Event) => boolean) | null;
  /** Each event and what follows from it, for debugging; null: nobody wants to know. */
  readonly trace: ((event: Event, effects: readonly Effect[], now: Millis) => void) | null;
}

/**
 * Longest time that one turn of the event loop spends on starting programs, milliseconds. A response to `status` takes some
 * turns: accept(2), the request, the response.
 */
const TURN = 8;

/** Services that end in the warm-up: the one that fails, and one that stops because of it. */
const WARMED_UP = 2;
/** With more services than this, computing the consequences of a failure takes long. */
const MANY = 50;

/** An effect that a later turn carries out. */
export interface Postponed {
  readonly run: number;
  readonly effect: ServiceEffect;
}

/** A pause after an event that was dropped, milliseconds. */
const DROPPED_PAUSE = 1_000;

interface PostponedOf extends Postponed {
  readonly plan: ServicePlan;
}

export class Engine {
  readonly #parts: EngineParts;
  readonly #executor: Performer;
  readonly #queue: Event[] = [];
  readonly #watchers = new Set<() => void>();
  #world: World;
  #draining = false;
  /** Spawns for another turn, and what is to be done to those services after that, in order. */
  #postponed: PostponedOf[] = [];
  /** The same by service, in order. */
  readonly #late = new Map<string, readonly Postponed[]>();
  #turnBegan = 0;
  #goingOn = false;
  #armed: { readonly at: number; readonly cancel: () => void } | null = null;
  #arming = false;
  /** The timer is not armed for an earlier instant. */
  #notBefore = 0;
  /** Events that the function of turn() has sent so far; null while turn() does not run. */
  #collected: Event[] | null = null;
  readonly #absences: AbsenceDetector;

  constructor(world: World, parts: EngineParts) {
    this.#parts = parts;
    this.#world = world;
    this.#absences = new AbsenceDetector(parts.clock, () => this.#noticeAbsence(), parts.signOfLife);
    this.#executor = parts.executor((event) => this.send(event));
  }

  get world(): World {
    return this.#world;
  }

  /**
   * Calls `take`, and processes the events that it sends as one group: they were found at the same time, and orderEvents() of
   * core/event-order.ts decides which came first.
   */
  turn(take: () => void): void {
    const collected: Event[] = [];
    this.#collected = collected;
    try {
      take();
    } finally {
      this.#collected = null;
    }
    for (const event of orderEvents(collected, this.#world)) this.send(event);
  }

  /** Takes an event in; its consequences are carried out before this returns, unless it came from one of them. */
  send(event: Event): void {
    if (this.#collected !== null) {
      this.#collected.push(event);
      return;
    }
    if (!this.#draining) this.#noticeAbsence();
    this.#queue.push(event);
    if (this.#draining) return;
    if (!this.#goingOn) this.#turnBegan = this.#parts.clock.now();
    this.#draining = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        for (const effect of this.#step(next)) this.#carryOut(effect);
      }
    } finally {
      this.#draining = false;
    }
    this.#attend();
    this.#armSoon();
    this.#parts.changed();
    for (const watcher of this.#watchers) watcher();
  }

  #step(event: Event): readonly Effect[] {
    const { clock, broken, trace, isDropped } = this.#parts;
    if (isDropped?.(event) === true) {
      // A deadline that is not handled stays due.
      this.#notBefore = clock.now() + DROPPED_PAUSE;
      return [];
    }
    try {
      const { world, effects } = step(this.#world, event, clock.now());
      this.#world = world;
      trace?.(event, effects, clock.now());
      return effects;
    } catch (error) {
      broken(event, error);
      return [];
    }
  }

  /** What is postponed for a service, in order. */
  postponedOf(service: string): readonly Postponed[] {
    return this.#late.get(service) ?? [];
  }

  /** Goes on where an earlier engine ended: with what it had postponed, by service. Then arms the timer. */
  resume(postponed: ReadonlyMap<string, readonly Postponed[]>): void {
    for (const [service, effects] of postponed) {
      const plan = this.#world.index.plans.get(service);
      if (plan !== undefined) for (const one of effects) this.#postpone({ plan, ...one });
    }
    this.#attend();
    this.#armSoon();
  }

  /** Calls `watcher` whenever the world may have changed; returns what ends that. It must not send. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /**
   * Thinks through what the failure of a service leads to, and forgets it: code takes ten times as long when it runs for the
   * first time, and then nobody has to wait for that. Not where it would take long itself.
   */
  warmUp(): void {
    const now = this.#parts.clock.now();
    let world = this.#world;
    if (world.services.size > MANY) return;
    for (const [service, { run }] of [...world.services]
      .filter(([, { state }]) => hasMain(state))
      .slice(0, WARMED_UP)) {
      const news: readonly ServiceEvent[] = [
        { type: 'exited', exit: { kind: 'code', code: 1 } },
        { type: 'emptied', leftovers: [] },
      ];
      for (const one of news) world = step(world, { type: 'service', service, run, event: one }, now).world;
    }
  }

  /** At once: an absence may begin before the next turn. */
  #attend(): void {
    this.#absences.watch(this.#world.counts.timed > 0 || this.#world.phase.id === 'stopping');
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case 'service': {
        const plan = this.#world.index.plans.get(effect.service);
        if (plan !== undefined) this.#performOrPostpone({ plan, run: effect.run, effect: effect.effect });
        return;
      }
      case 'announce':
        this.#parts.announce(effect);
        return;
      case 'reload':
        this.#parts.reload();
        return;
      case 'end':
        this.#postponed = [];
        this.#late.clear();
        this.#parts.end(effect);
        return;
      default:
        effect satisfies never;
    }
  }

  #performOrPostpone(one: PostponedOf): void {
    const { plan, run, effect } = one;
    const isLate = effect.type === 'spawn' && this.#parts.clock.now() - this.#turnBegan >= TURN;
    if (!isLate && !this.#late.has(plan.name)) {
      this.#executor.perform(plan, run, effect);
      return;
    }
    this.#postpone(one);
  }

  #postpone(one: PostponedOf): void {
    const { plan, run, effect } = one;
    this.#postponed.push(one);
    this.#late.set(plan.name, [...this.postponedOf(plan.name), { run, effect }]);
    this.#parts.postponed(plan.name);
    if (this.#postponed.length === 1 && !this.#goingOn) this.#parts.clock.soon(() => this.#goOn());
  }

  /** What was postponed, as far as one turn goes. */
  #goOn(): void {
    const { clock } = this.#parts;
    this.#turnBegan = clock.now();
    this.#goingOn = true;
    try {
      while (this.#postponed.length > 0 && clock.now() - this.#turnBegan < TURN) {
        const next = this.#postponed.shift();
        if (next === undefined) break;
        const { name } = next.plan;
        const left = this.postponedOf(name).slice(1);
        if (left.length > 0) this.#late.set(name, left);
        else this.#late.delete(name);
        this.#parts.postponed(name);
        this.#executor.perform(next.plan, next.run, next.effect);
      }
    } finally {
      this.#goingOn = false;
      if (this.#postponed.length > 0) clock.soon(() => this.#goOn());
    }
  }

  /** Once for all that comes in one turn: the earliest deadline is sought among all services. */
  #armSoon(): void {
    if (this.#arming) return;
    this.#arming = true;
    this.#parts.clock.soon(() => {
      this.#arming = false;
      this.#arm();
    });
  }

  #arm(): void {
    const at = nextDeadline(this.#world);
    if (at === this.#armed?.at) return;
    this.#armed?.cancel();
    this.#armed = null;
    if (at === null) return;
    const wait = Math.max(0, Math.ceil(Math.max(at, this.#notBefore) - this.#parts.clock.now()));
    const cancel = this.#parts.clock.after(wait, () => {
      this.#armed = null;
      this.send({ type: 'deadline-passed' });
    });
    this.#armed = { at, cancel };
  }

  /** Moves all deadlines if an absence has just ended: no service fails because the supervisor did not run. */
  #noticeAbsence(): void {
    const by = this.#absences.absence();
    if (by === 0) return;
    this.#step({ type: 'was-absent', by });
    this.#parts.changed();
    this.#armSoon();
  }
}
