// Runs the core: takes events from one queue, calls step() and carries out the effects, until the queue is empty; then arms
// one timer for the earliest deadline. Spreads many spawns over several turns of the event loop, so that exits, signals and
// requests are handled in between. Owns the current world. Decides nothing, and has no access to processes.
import type { Effect, Event, ServiceEffect } from '../core/event.ts';
import { orderEvents } from '../core/event-order.ts';
import { step } from '../core/supervisor.ts';
import { nextDeadline, type World } from '../core/world.ts';
import type { Millis, SchedulePlan, ServicePlan } from '../plan/plan.ts';
import type { Clock } from '../ports.ts';
import { AbsenceDetector } from './absence-detector.ts';

/** Carries out the effects on services (executor.ts). */
interface ServiceExecutor {
  perform(plan: ServicePlan, run: number, effect: ServiceEffect): void;
}

interface EngineParts {
  readonly clock: Clock;
  readonly executor: (send: (event: Event) => void) => ServiceExecutor;
  readonly announce: (effect: Effect & { readonly type: 'announce' }) => void;
  /** Reads the configuration again, and sends `plan-changed` if it is valid. */
  readonly reload: () => void;
  /** Reads the wall clock, and sends `clock-read`. */
  readonly readClock: (effect: Effect & { readonly type: 'read-clock' }, plan: SchedulePlan) => void;
  readonly end: (effect: Effect & { readonly type: 'end' }) => void;
  /** Called every second while a deadline is pending. */
  readonly signOfLife: () => void;
  /** The world may have changed. */
  readonly changed: () => void;
  /** postponedOf() of this service has changed. */
  readonly postponed: (service: string) => void;
  /** The core has thrown: its further decisions cannot be trusted. */
  readonly broken: (event: Event, error: unknown) => void;
  /** Whether an event is dropped, because the core has thrown on it before; null: there is no such event. */
  readonly isDropped: ((event: Event) => boolean) | null;
  /** Called with each event and its effects, for `--debug`; null: no trace. */
  readonly trace: ((event: Event, effects: readonly Effect[], now: Millis) => void) | null;
}

/**
 * Longest time that one turn of the event loop spends on starting programs, milliseconds. A response to `status` takes some
 * turns: accept(2), the request, the response.
 */
const TURN = 8;

/** An effect that a later turn of the event loop carries out. */
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
  readonly #executor: ServiceExecutor;
  readonly #queue: Event[] = [];
  readonly #watchers = new Set<() => void>();
  #world: World;
  #isDraining = false;
  /** Spawns for a later turn, and the effects on the same services that must follow them, in order. */
  #postponed: PostponedOf[] = [];
  /** The postponed effects by service, in order. */
  readonly #postponedByService = new Map<string, readonly Postponed[]>();
  #turnBegan = 0;
  #isResuming = false;
  #armed: { readonly at: number; readonly cancel: () => void } | null = null;
  #isArming = false;
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

  /**
   * Processes an event. Its effects are carried out before this returns; an event that is sent by an effect is queued and
   * processed after it.
   */
  send(event: Event): void {
    if (this.#collected !== null) {
      this.#collected.push(event);
      return;
    }
    if (!this.#isDraining) this.#noticeAbsence();
    this.#queue.push(event);
    if (this.#isDraining) return;
    if (!this.#isResuming) this.#turnBegan = this.#parts.clock.now();
    this.#isDraining = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        for (const effect of this.#step(next)) this.#carryOut(effect);
      }
    } finally {
      this.#isDraining = false;
    }
    this.#watchForAbsences();
    this.#armSoon();
    this.#parts.changed();
    for (const watcher of this.#watchers) watcher();
  }

  #step(event: Event): readonly Effect[] {
    const { clock, broken, trace, isDropped } = this.#parts;
    if (isDropped?.(event) === true) {
      // A dropped deadline stays due: without a pause the timer would fire again at once.
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

  /** The postponed effects of a service, in order. */
  postponedOf(service: string): readonly Postponed[] {
    return this.#postponedByService.get(service) ?? [];
  }

  /** Continues the work of the previous supervisor's engine: adds its postponed effects, by service, and arms the timer. */
  resume(postponed: ReadonlyMap<string, readonly Postponed[]>): void {
    for (const [service, effects] of postponed) {
      const plan = this.#world.index.plans.get(service);
      if (plan !== undefined) for (const one of effects) this.#postpone({ plan, ...one });
    }
    this.#watchForAbsences();
    this.#armSoon();
  }

  /**
   * Calls `watcher` whenever the world may have changed; returns the function that removes it. The watcher must not send
   * events.
   */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Enables or disables the detector. Call it at once after a change: an absence may begin before the next turn. */
  #watchForAbsences(): void {
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
      case 'read-clock': {
        const plan = this.#world.index.plans.get(effect.service)?.schedule ?? null;
        if (plan !== null) this.#parts.readClock(effect, plan);
        return;
      }
      case 'end':
        this.#dropPostponed();
        this.#parts.end(effect);
        return;
      default:
        effect satisfies never;
    }
  }

  #performOrPostpone(one: PostponedOf): void {
    const { plan, run, effect } = one;
    const isTurnOver = effect.type === 'spawn' && this.#parts.clock.now() - this.#turnBegan >= TURN;
    if (!isTurnOver && !this.#postponedByService.has(plan.name)) {
      this.#executor.perform(plan, run, effect);
      return;
    }
    this.#postpone(one);
  }

  #postpone(one: PostponedOf): void {
    const { plan, run, effect } = one;
    this.#postponed.push(one);
    this.#postponedByService.set(plan.name, [...this.postponedOf(plan.name), { run, effect }]);
    this.#parts.postponed(plan.name);
    if (this.#postponed.length === 1 && !this.#isResuming) this.#parts.clock.soon(() => this.#performPostponed());
  }

  #dropPostponed(): void {
    const names = [...this.#postponedByService.keys()];
    this.#postponed = [];
    this.#postponedByService.clear();
    for (const name of names) this.#parts.postponed(name);
  }

  /** Carries out postponed effects until the turn has lasted TURN; the next turn continues. */
  #performPostponed(): void {
    const { clock } = this.#parts;
    this.#turnBegan = clock.now();
    this.#isResuming = true;
    try {
      while (this.#postponed.length > 0 && clock.now() - this.#turnBegan < TURN) {
        const next = this.#postponed.shift();
        if (next === undefined) break;
        const { name } = next.plan;
        const remaining = this.postponedOf(name).slice(1);
        if (remaining.length > 0) this.#postponedByService.set(name, remaining);
        else this.#postponedByService.delete(name);
        this.#parts.postponed(name);
        this.#executor.perform(next.plan, next.run, next.effect);
      }
    } finally {
      this.#isResuming = false;
      if (this.#postponed.length > 0) clock.soon(() => this.#performPostponed());
    }
  }

  /** Arms the timer once per turn of the event loop, because finding the earliest deadline visits all services. */
  #armSoon(): void {
    if (this.#isArming) return;
    this.#isArming = true;
    this.#parts.clock.soon(() => {
      this.#isArming = false;
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
