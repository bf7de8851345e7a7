// Adds the services' names to /etc/hosts while the supervisor runs, if the configuration enables that, and removes them at the
// end. A failure is reported once and is never fatal.

import type { HostsFile } from '../linux/hosts-file.ts';
import type { Announcement } from '../messages/announcement.ts';
import { hostNames, withHosts, withoutHosts } from '../plan/hosts.ts';
import type { Plan } from '../plan/plan.ts';

export class HostNames {
  readonly #file: HostsFile;
  readonly #announce: (announcement: Announcement) => void;
  readonly #reported = new Set<string>();
  /** What was added to /etc/hosts: nothing, lines, or the file itself. */
  #held: 'nothing' | 'lines' | 'file' = 'nothing';

  constructor(file: HostsFile, announce: (announcement: Announcement) => void) {
    this.#file = file;
    this.#announce = announce;
  }

  /** What undo() would remove. Part of the checkpoint: if the supervisor dies, its successor removes it. */
  get held(): 'nothing' | 'lines' | 'file' {
    return this.#held;
  }

  set held(held: 'nothing' | 'lines' | 'file') {
    this.#held = held;
  }

  /** Writes the names of the plan. Replaces the lines of an earlier supervisor. */
  set(plan: Plan): void {
    if (!plan.hosts) {
      this.undo();
      return;
    }
    try {
      const before = this.#file.read();
      const { text, skipped } = withHosts(before ?? '', hostNames(plan));
      if (text !== (before ?? '')) this.#file.write(text);
      // Lines of an earlier supervisor are ours from now on, even if they need no change.
      if (this.#held === 'nothing') this.#held = before === null ? 'file' : 'lines';
      for (const { name, why } of skipped) this.#warn(`${name} gets no line in /etc/hosts: ${why}`);
    } catch (error) {
      this.#warn(`the services' names do not resolve: /etc/hosts cannot be written: ${describe(error)}`);
    }
  }

  /** Removes our own lines. Lines that other programs have added stay. */
  undo(): void {
    if (this.#held === 'nothing') return;
    try {
      const before = this.#file.read() ?? '';
      const text = withoutHosts(before);
      if (text === '' && this.#held === 'file') this.#file.remove();
      else if (text !== before) this.#file.write(text);
    } catch (error) {
      this.#warn(`the services' names are left in /etc/hosts: ${describe(error)}`);
    }
    this.#held = 'nothing';
  }

  #warn(text: string): void {
    if (this.#reported.has(text)) return;
    this.#reported.add(text);
    this.#announce({ level: 'warn', service: null, event: 'hosts', text });
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
