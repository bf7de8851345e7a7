// One step in the making: the only place where a world changes, gone when step() returns. Applies Changes in the order in
// which they are yielded. Contains no rule.
import type { Millis } from '../plan/plan.ts';
import { notifyAll, type StepChange, type StepView } from './changes.ts';
import type { Effect } from './event.ts';
import type { Ended } from './run.ts';
import { ServicesDraft } from './services-draft.ts';
import type { StepContext } from './state.ts';
import { transition } from './transition.ts';
import { countIfAllReady, lastingFailures, type Phase, type World } from './world.ts';

export interface StepResult {
  readonly world: World;
  readonly effects: readonly Effect[];
}

/**
 * What the step still has to do. `propagation`: apply what follows for other services. `readiness`: that has been done, and
 * all services may have become ready.
 */
export type Pending = 'nothing' | 'propagation' | 'readiness';

export class StepDraft implements StepView {
  readonly services: ServicesDraft;
  readonly now: Millis;
  readonly #effects: Effect[] = [];
  #phase: Phase;
  #failures: readonly Ended[];
  #beganAt: Millis;
  #pending: Pending = 'nothing';

  constructor(world: World, now: Millis) {
    this.services = new ServicesDraft(world);
    this.now = now;
    this.#phase = world.phase;
    this.#failures = world.failures;
    this.#beganAt = world.beganAt;
  }

  get phase(): Phase {
    return this.#phase;
  }

  get pending(): Pending {
    return this.#pending;
  }

  get failures(): readonly Ended[] {
    return this.#failures;
  }

  context(name: string): StepContext {
    const seed = this.services.index.seeds.get(name) ?? 0;
    const { stopTimeout } = this.services.world.plan;
    return { now: this.now, seed, stopTimeout, ending: this.#phase.id !== 'running' };
  }

  apply(changes: Iterable<StepChange>): void {
    for (const change of changes) {
      this.#apply(change);
      if (this.services.isTouched || change.type === 'plan' || change.type === 'beginning')
        this.#pending = 'propagation';
    }
  }

  /** Notes that the consequences of all changes have been applied. */
  settle(): void {
    this.#pending = 'readiness';
  }

  #apply(change: StepChange): void {
    switch (change.type) {
      case 'beginning':
        this.#beganAt = this.now;
        this.services.touchAll();
        this.services.forgetBlocked();
        return;
      case 'service-step':
        this.apply(transition(this, change.name, change.result));
        return;
      case 'service':
        this.services.put(change.name, change.service);
        return;
      case 'service-plan':
        this.services.adopt(change.name, change.plan, change.service);
        return;
      case 'removal':
        this.services.remove(change.name);
        return;
      case 'plan':
        this.services.replan(change.plans, change.services, change.target);
        return;
      case 'restart':
        this.services.noteRestart(change.name);
        return;
      case 'phase':
        this.#setPhase(change.phase);
        return;
      case 'failure':
        this.#failures = [...this.#failures, change.ended];
        return;
      case 'effect':
        this.#effects.push(change.effect);
        return;
      default:
        change satisfies never;
    }
  }

  #setPhase(phase: Phase): void {
    const before = this.#phase;
    this.#phase = phase;
    if (phase.id !== 'stopping') return;
    if (before.id !== 'stopping') this.services.waits.beginEnding();
    // Another deadline applies to every service.
    if (before.id !== 'stopping' || before.deadline !== phase.deadline) this.services.touchAll();
  }

  finish(): StepResult {
    const { world } = this.services;
    const known = this.services.finish();
    const next: World = {
      ...world,
      ...known,
      phase: this.#phase,
      failures:
        this.services.failures === 'outdated' ? lastingFailures(this.#failures, known.services) : this.#failures,
      beganAt: this.#beganAt,
      allReadyAt: world.allReadyAt ?? this.#findAllReady(known.services),
    };
    return { world: next, effects: this.#effects };
  }

  /** Announces once that every service is ready, and returns the instant. */
  #findAllReady(all: World['services']): Millis | null {
    if (this.#pending !== 'readiness' || this.#phase.id !== 'running' || this.services.counts.unsettled > 0)
      return null;
    const readiness = countIfAllReady(this.services.index.plans, all);
    if (readiness === null) return null;
    const { ready, unprobed, completed, scheduled } = readiness;
    if (ready + unprobed + completed + scheduled > 1)
      this.apply([notifyAll({ event: 'all-ready', after: this.now - this.#beganAt, ...readiness })]);
    return this.now;
  }
}
