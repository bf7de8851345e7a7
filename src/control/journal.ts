// The latest announcements, numbered, for `events`: a ring buffer, and its followers. Pure; the time is an argument.
import type { Announcement } from '../messages/announcement.ts';

/** An announcement with its sequence number and its wall time. */
export interface JournalEntry extends Announcement {
  readonly seq: number;
  readonly time: string;
}

/** Number of entries that are kept. */
export const MAX_ENTRIES = 1_000;

export class Journal {
  readonly #entries: JournalEntry[] = [];
  readonly #followers = new Set<(entry: JournalEntry) => void>();
  #next = 1;

  /** `wall` is milliseconds since 1970. */
  add({ level, service, event, text }: Announcement, wall: number): void {
    const entry: JournalEntry = { seq: this.#next, time: new Date(wall).toISOString(), level, service, event, text };
    this.#next += 1;
    this.#entries.push(entry);
    // In blocks, so that one addition does not move a thousand entries.
    if (this.#entries.length >= 2 * MAX_ENTRIES) this.#entries.splice(0, this.#entries.length - MAX_ENTRIES);
    for (const follower of this.#followers) follower(entry);
  }

  /** Adds the entries of the previous supervisor, oldest first. */
  inherit(entries: readonly JournalEntry[]): void {
    this.#entries.push(...entries);
    this.#next = (entries.at(-1)?.seq ?? 0) + 1;
  }

  /** The entries with a larger number, oldest first. */
  since(seq: number): readonly JournalEntry[] {
    const first = this.#entries[0]?.seq ?? this.#next;
    return this.#entries.slice(Math.max(0, seq + 1 - first));
  }

  /** The latest `count` entries, oldest first; at most MAX_ENTRIES. */
  latest(count: number): readonly JournalEntry[] {
    return count < 1 ? [] : this.#entries.slice(-Math.min(count, MAX_ENTRIES));
  }

  follow(follower: (entry: JournalEntry) => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }
}
