// A clock of the time that svc-super and its supervisor had: wall time, minus the time in which either waited for a processor,
// was stopped by a fault, or the watch itself was late. A duration that is too long by this clock is a fault of the product and
// not of a busy machine. Pure; readings are arguments.

/** One reading of the clocks, milliseconds. */
export interface Reading {
  readonly wall: number;
  /** Time that both main threads together have waited for a processor since their start (/proc/PID/schedstat). */
  readonly waited: number;
  /** Time for which a fault had stopped it. */
  readonly stopped: number;
  /** Total delay of the watch's own timers. */
  readonly late: number;
}

export class FairClock {
  #last: Reading | null = null;
  #now = 0;

  get now(): number {
    return this.#now;
  }

  /** Advances by the difference between readings, and never goes back. */
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
