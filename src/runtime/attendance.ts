// Knows for how long the supervisor was away: stopped (SIGSTOP), frozen with its container, or on a machine that was. It looks
// at the clock every second while somebody may be judged by it; a look that is more than a second late tells.
import type { Clock } from '../ports.ts';

/** Milliseconds between two looks at the clock. */
const TICK = 1_000;
/** A look that is later than this was no busy moment, milliseconds. */
const LATE = 1_000;

export class Attendance {
  readonly #clock: Clock;
  readonly #returned: () => void;
  /** When the clock was looked at last, and what ends the wait for the next look; null while nobody is judged. */
  #watching: { seenAt: number; cancel: () => void } | null = null;

  /** `returned` is called when a look was late; absence() then tells by how much. */
  constructor(clock: Clock, returned: () => void) {
    this.#clock = clock;
    this.#returned = returned;
  }

  watch(on: boolean): void {
    if (on === (this.#watching !== null)) return;
    this.#watching?.cancel();
    this.#watching = null;
    if (!on) return;
    this.#watching = { seenAt: this.#clock.now(), cancel: () => undefined };
    this.#lookLater(this.#watching);
  }

  /** Milliseconds of an absence that has just ended, and is told once; 0: there was none. */
  absence(): number {
    if (this.#watching === null) return 0;
    const now = this.#clock.now();
    const away = now - this.#watching.seenAt;
    if (away <= TICK + LATE) return 0;
    this.#watching.seenAt = now;
    return away;
  }

  #lookLater(watching: { seenAt: number; cancel: () => void }): void {
    watching.cancel = this.#clock.after(TICK, () => {
      if (this.#clock.now() - watching.seenAt > TICK + LATE) this.#returned();
      watching.seenAt = this.#clock.now();
      this.#lookLater(watching);
    });
  }
}
