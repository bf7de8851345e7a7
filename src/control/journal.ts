// The latest announcements, numbered, for `events`: a ring of bounded length, and those who follow it. Pure; the time comes
// in as an argument.

/** What the supervisor has told people. */
export interface Announced {
  readonly level: 'info' | 'warn' | 'error';
  readonly service: string | null;
  readonly event: string;
  readonly text: string;
}

/** An announcement with its number, which goes up by one, and its wall time. */
export interface JournalEntry extends Announced {
  readonly seq: number;
  readonly time: string;
}

/** As many are kept. */
export const MOST = 1_000;

export class Journal {
  readonly #entries: JournalEntry[] = [];
  readonly #followers = new Set<(entry: JournalEntry) => void>();
  #next = 1;

  /** `wall` is milliseconds since 1970. */
  add({ level, service, event, text }: Announced, wall: number): void {
    const entry: JournalEntry = { seq: this.#next, time: new Date(wall).toISOString(), level, service, event, text };
    this.#next += 1;
    this.#entries.push(entry);
    // In blocks, so that one addition does not move a thousand.
    if (this.#entries.length >= 2 * MOST) this.#entries.splice(0, this.#entries.length - MOST);
    for (const follower of this.#followers) follower(entry);
  }

  /** The entries of the supervisor before this one, oldest first. */
  inherit(entries: readonly JournalEntry[]): void {
    this.#entries.push(...entries);
    this.#next = (entries.at(-1)?.seq ?? 0) + 1;
  }

  /** The entries after that number, oldest first. */
  since(seq: number): readonly JournalEntry[] {
    const first = this.#entries[0]?.seq ?? this.#next;
    return this.#entries.slice(Math.max(0, seq + 1 - first));
  }

  /** The latest, oldest first. */
  latest(count: number): readonly JournalEntry[] {
    return this.#entries.slice(-Math.max(1, Math.min(count, MOST)));
  }

  follow(follower: (entry: JournalEntry) => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }
}
