// Checks every step of a Simulator and fails at the first that breaks what must always hold: of any step (referee/step.ts), of
// what is done to a service (referee/effects.ts), of states and of the end (referee/states.ts). Keeps books of its own from
// events and effects alone (referee/ledger.ts): what the core believes is compared with them, never taken from it.
import type { Millis, Plan } from '../../src/plan/plan.ts';
import { Effects } from './referee/effects.ts';
import { Ledger } from './referee/ledger.ts';
import { States } from './referee/states.ts';
import { checkStep, holds, type Seen } from './referee/step.ts';

export class Referee {
  readonly #ledger: Ledger;
  readonly #effects: Effects;
  readonly #states: States;
  #ended = false;

  /** `lag`: how late timers fire, at most. `hasProcesses`: the truth about a service's processes. */
  constructor(plan: Plan, lag: Millis, hasProcesses: (service: string) => boolean) {
    this.#ledger = new Ledger(plan);
    this.#effects = new Effects(this.#ledger, { lag, hasProcesses });
    this.#states = new States(this.#ledger, { lag, hasProcesses });
  }

  see(seen: Seen): void {
    if (this.#ended) throw new Error('a step after the end');
    checkStep(seen);
    const { event, effects, now } = seen;
    const { books, gates } = this.#ledger;
    this.#ledger.apply(event, now);
    this.#states.noteReadiness(seen);
    for (const { run } of books.values()) if (run !== null) run.progressWas = run.progressAt;
    for (const [position, effect] of effects.entries()) {
      if (effect.type === 'service') this.#effects.check(gates.book(effect.service), effect.run, effect.effect, seen);
      if (effect.type === 'announce' && effect.notice.event === 'blocked')
        gates.book(effect.service ?? '').blocked += 1;
      if (effect.type === 'end') {
        holds(position === effects.length - 1, 'something after the end');
        this.#ended = true;
        this.#states.judgeEnd(effect.code, now);
      }
    }
    holds(this.#ended === (seen.after.phase.id === 'ended'), 'an end without its effect, or the other way round');
    if (this.#ended) return;
    this.#states.compare(seen);
    this.#states.goesOn(seen);
    this.#ledger.endStep();
  }
}
