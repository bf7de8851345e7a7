// Measures absences: times when the supervisor did not run, because it was stopped (SIGSTOP), frozen with its
// container, or on a suspended machine. Checks the clock every second while a deadline is pending; a check that is more
// than a second late is the end of an absence. Each check is also a sign of life: if the supervisor dies in an absence, its
// successor can determine when the absence began. Never moves a deadline.
import type { Clock } from '../ports.ts';

/** Milliseconds between two checks of the clock. */
const TICK = 1_000;
/** A supervisor with a pending deadline that gave no sign of life for longer than this was absent, milliseconds. */
export const LONGEST_SILENCE = 2_000;
/** A check that is later than this ends an absence; a shorter delay may be caused by a busy event loop. Milliseconds. */
const LATE = 1_000;

export class AbsenceDetector {
  readonly #clock: Clock;
  readonly #returned: () => void;
  readonly #signOfLife: () => void;
  /** The time of the last check, and the function that cancels the next one; null while watch() is off. */
  #watching: { seenAt: number; cancel: () => void } | null = null;

  /**
   * `returned` is called when a check was late; absence() then returns how long the absence was. `signOfLife` is called
   * with each check.
   */
  constructor(clock: Clock, returned: () => void, signOfLife: () => void) {
    this.#clock = clock;
    this.#returned = returned;
    this.#signOfLife = signOfLife;
  }

  watch(on: boolean): void {
    if (on === (this.#watching !== null)) return;
    this.#watching?.cancel();
    this.#watching = null;
    if (!on) return;
    this.#watching = { seenAt: this.#clock.now(), cancel: () => undefined };
    this.#checkLater(this.#watching);
  }

  /**
   * The duration in milliseconds of an absence that has just ended. Each absence is returned once; 0: there was none.
   */
  absence(): number {
    if (this.#watching === null) return 0;
    const now = this.#clock.now();
    const away = now - this.#watching.seenAt;
    if (away <= TICK + LATE) return 0;
    this.#watching.seenAt = now;
    return away;
  }

  #checkLater(watching: { seenAt: number; cancel: () => void }): void {
    watching.cancel = this.#clock.after(TICK, () => {
      if (this.#clock.now() - watching.seenAt > TICK + LATE) this.#returned();
      // What `returned` does may have called watch().
      if (this.#watching !== watching) return;
      watching.seenAt = this.#clock.now();
      this.#signOfLife();
      this.#checkLater(watching);
    });
  }
}
