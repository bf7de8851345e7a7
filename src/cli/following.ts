// Positions of `logs -f` and `events -f` in their streams, so that they continue after a restart of the supervisor without
// repeating what the successor sends again. Pure.
import type { GapJson, LogLineJson } from '../control/follow.ts';
import type { JournalEntry } from '../control/journal.ts';

export class LogCursor {
  /** By service, the latest time of a line that was shown, milliseconds since 1970. */
  readonly #last = new Map<string, number>();
  /** For a service without a shown line: older lines were not requested. */
  readonly #from: number;
  /** `#last` at the end of the supervisor, while its successor sends stored lines; else null. */
  #before: ReadonlyMap<string, number> | null = null;

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
    if (this.#before !== null && time <= (this.#before.get(service) ?? this.#from)) return false;
    this.#last.set(service, Math.max(time, this.#last.get(service) ?? time));
    return true;
  }

  /** Called before the request to a successor. Returns the time to request lines from, milliseconds since 1970. */
  resume(): number {
    this.#before = new Map(this.#last);
    return Math.min(this.#from, ...this.#last.values());
  }

  /** The stored lines have been sent. All later lines are new, whatever their time: the clock may be set back. */
  endReplay(): void {
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
