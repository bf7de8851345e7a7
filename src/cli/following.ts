// What `logs -f` and `events -f` remember of what they have shown, so that they go on where a supervisor has ended: what the
// next one sends again is not shown again. Pure.
import type { GapJson, LogLineJson } from '../control/follow.ts';
import type { JournalEntry } from '../control/journal.ts';

export class LogCursor {
  /** By service, the latest time of a line that was shown, milliseconds since 1970. */
  readonly #last = new Map<string, number>();
  /** Where nothing of a service was shown, what is older was not asked for. */
  readonly #from: number;
  /** `#last` as it was when the supervisor ended, while its successor sends the past; else null. */
  #before: ReadonlyMap<string, number> | null = null;

  /** `from`: milliseconds since 1970. */
  constructor(from: number) {
    this.#from = from;
  }

  /**
   * Whether a line has to be shown. The supervisor remembers the lines of a moment with the time of the first
   * (logs/ring.ts), so that none comes again with a later time than before.
   */
  take(line: LogLineJson | GapJson): boolean {
    if ('skipped' in line) return true;
    const { service } = line;
    const time = Date.parse(line.time);
    if (this.#before !== null && time <= (this.#before.get(service) ?? this.#from)) return false;
    this.#last.set(service, Math.max(time, this.#last.get(service) ?? time));
    return true;
  }

  /** Call it before a successor is asked. Returns since when lines are of interest, milliseconds since 1970. */
  resume(): number {
    this.#before = new Map(this.#last);
    return Math.min(this.#from, ...this.#last.values());
  }

  /** The past has been sent: what comes is new, whatever its time, because the clock may be set back. */
  pastIsOver(): void {
    this.#before = null;
  }
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
