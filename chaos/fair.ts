// Time that svc-super and its supervisor had: the clock on the wall, less the time in which either waited for a processor, was
// stopped by a fault, or the watch itself was late. A duration that is too long by this clock is a fault of the product and not
// of a busy machine. Pure; a reading comes in as an argument.

/** One look at the clocks, milliseconds. */
export interface Reading {
  readonly wall: number;
  /** For how long both main threads together have waited for a processor since they began (/proc/PID/schedstat). */
  readonly waited: number;
  /** For how long a fault had it stopped. */
  readonly stopped: number;
  /** How late the watch's own timers were, in all. */
  readonly late: number;
}

export class FairClock {
  #last: Reading | null = null;
  #now = 0;

  get now(): number {
    return this.#now;
  }

  /** Time goes by as the reading tells; it never goes back. */
  read(reading: Reading): number {
    const last = this.#last;
    this.#last = reading;
    if (last === null) return this.#now;
    const passed = reading.wall - last.wall;
    const excused = reading.waited - last.waited + (reading.stopped - last.stopped) + (reading.late - last.late);
    this.#now += Math.max(0, passed - Math.max(0, excused));
    return this.#now;
  }
}
