// Keeps the services' names in /etc/hosts while the supervisor runs, where the configuration wants that, and takes them out at
// the end. Never fatal: what cannot be written is said once. Part of the root, like up.ts.

import type { HostsFile } from '../linux/hosts-file.ts';
import { hostNames, withHosts, withoutHosts } from '../plan/hosts.ts';
import type { Plan } from '../plan/plan.ts';
import type { Announcement } from '../runtime/engine.ts';

export class HostNames {
  readonly #file: HostsFile;
  readonly #announce: (announcement: Announcement) => void;
  readonly #told = new Set<string>();
  /** What has been done to the file. */
  #held: 'nothing' | 'lines' | 'file' = 'nothing';

  constructor(file: HostsFile, announce: (announcement: Announcement) => void) {
    this.#file = file;
    this.#announce = announce;
  }

  /** What undo() would take out; a supervisor that dies leaves it to its successor. */
  get held(): 'nothing' | 'lines' | 'file' {
    return this.#held;
  }

  set held(held: 'nothing' | 'lines' | 'file') {
    this.#held = held;
  }

  /** What the plan wants; a block that an earlier supervisor has left behind is replaced. */
  set(plan: Plan): void {
    if (!plan.hosts) {
      this.undo();
      return;
    }
    try {
      const before = this.#file.read();
      const { text, skipped } = withHosts(before ?? '', hostNames(plan));
      if (text !== (before ?? '')) this.#file.write(text);
      // Lines that an earlier supervisor has left are ours from here on, even where they need no change.
      if (this.#held === 'nothing') this.#held = before === null ? 'file' : 'lines';
      for (const { name, why } of skipped) this.#warn(`${name} gets no line in /etc/hosts: ${why}`);
    } catch (error) {
      this.#warn(`the services' names do not resolve: /etc/hosts cannot be written: ${describe(error)}`);
    }
  }

  /** Takes out its own lines and nothing else; what others have written meanwhile stays. */
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
    if (this.#told.has(text)) return;
    this.#told.add(text);
    this.#announce({ level: 'warn', service: null, event: 'hosts', text });
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
