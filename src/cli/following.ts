// Positions of `logs -f` and `events -f` in their streams, so that they continue after a restart of the supervisor without
// repeating what the successor sends again. Pure.
import type { GapJson, LogLineJson } from '../control/follow.ts';
import type { JournalEntry } from '../control/journal.ts';

/** The latest time of the lines that were shown, milliseconds since 1970, and how many of them had it. */
interface Shown {
  readonly time: number;
  readonly count: number;
}

export class LogCursor {
  /** By service. */
  readonly #last = new Map<string, Shown>();
  /** For a service without a shown line: older lines were not requested. */
  readonly #from: number;
  /** `#last` at the end of the supervisor, less the lines that were repeated, while its successor sends stored lines; else null. */
  #before: Map<string, Shown> | null = null;

  /** `from`: milliseconds since 1970. */
  constructor(from: number) {
    this.#from = from;
  }

  /**
   * Records a line, and returns whether it must be shown. A repeated line has the same time as before: when it was read from the pipe (logs/ring.ts).
   */
  take(line: LogLineJson | GapJson): boolean {
    if ('skipped' in line) return true;
    const { service } = line;
    const time = Date.parse(line.time);
    if (this.#before !== null && isRepeated(this.#before, service, time, this.#from)) return false;
    const last = this.#last.get(service);
    if (last === undefined || time > last.time) this.#last.set(service, { time, count: 1 });
    else if (time === last.time) this.#last.set(service, { time, count: last.count + 1 });
    return true;
  }

  /** Called before the request to a successor. Returns the time to request lines from, milliseconds since 1970. */
  resume(): number {
    this.#before = new Map(this.#last);
    return Math.min(this.#from, ...[...this.#last.values()].map(({ time }) => time));
  }

  /** The stored lines have been sent. All later lines are new, whatever their time: the clock may be set back. */
  endReplay(): void {
    this.#before = null;
  }
}

/** Whether a line was shown before. `from`: for a service without a shown line. */
function isRepeated(before: Map<string, Shown>, service: string, time: number, from: number): boolean {
  const shown = before.get(service);
  if (shown === undefined) return time < from;
  if (time !== shown.time) return time < shown.time;
  before.set(service, { time, count: shown.count - 1 });
  return shown.count > 0;
}

export class EventCursor {
  #last: number | null = null;

  /** How many events are missing before this one; null: it was shown already. */
  take({ seq }: JournalEntry): number | null {
    if (this.#last !== null && seq <= this.#last) return null;
    const missed = this.#last === null ? 0 : seq - this.#last - 1;
    this.#last = seq;
    return missed;
  }

  /** The number of the last event; null: none was shown. */
  get last(): number | null {
    return this.#last;
  }
}
