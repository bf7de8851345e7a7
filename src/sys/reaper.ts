// The only reaper. Takes every ended orphan off the kernel's hands and leaves the children that the runtime itself waits
// for: `waitpid(-1)` would steal their exits, so it peeks, and each of them has to be known here from its spawn on.
import type { Clock } from '../ports.ts';
import { peekEndedChild, pidfdWorks, reapChild } from './libc.ts';
import { readChildren } from './processes.ts';

/** With no SIGCHLD to listen to, orphans are looked for this often, milliseconds. */
const LOOK_EVERY = 1_000;
/** After orphans have come, and until none do, milliseconds. */
const LOOK_AFTER = 200;

export class Reaper {
  readonly #clock: Clock;
  readonly #own = new Set<number>();
  readonly #onReaped: (pids: readonly number[]) => void;
  #waiting = false;
  #later = false;
  /** Orphans reaped since the start. */
  reaped = 0;

  /** `onReaped` is told whom a round has taken. */
  constructor(clock: Clock, onReaped: (pids: readonly number[]) => void) {
    this.#clock = clock;
    this.#onReaped = onReaped;
  }

  /** By SIGCHLD where pidfds work, else by looking: the runtime's own listener and ours would fight (oven-sh/bun#42933). */
  begin(): void {
    if (pidfdWorks(process.pid)) {
      process.on('SIGCHLD', () => this.reap());
      this.reap();
      return;
    }
    const again = () => {
      this.reap();
      this.#clock.after(LOOK_EVERY, again);
    };
    again();
  }

  isOwn(pid: number): boolean {
    return this.#own.has(pid);
  }

  /** A child that the runtime waits for. */
  adopt(pid: number): void {
    this.#own.add(pid);
  }

  /** The runtime has seen its end. It may have stood before orphans in the kernel's queue. */
  release(pid: number): void {
    this.#own.delete(pid);
    this.reap();
  }

  /**
   * One round. A child of the runtime's at the head of the kernel's queue hides what is behind it until the runtime has
   * noticed its exit; meanwhile the others are asked for one by one, or a storm of orphans would pile up there. Once in a
   * turn of the event loop is enough, unless the turn is a long one: `again`.
   */
  reap(again = false): void {
    const taken: number[] = [];
    for (let pid = peekEndedChild(); pid !== 0; pid = peekEndedChild()) {
      if (this.#own.has(pid)) {
        const asked = this.#waiting;
        this.#waitFor(pid);
        if (asked && !again) break;
        for (const other of readChildren()) if (!this.#own.has(other) && reapChild(other)) taken.push(other);
        break;
      }
      // It would be shown again and again.
      if (!reapChild(pid)) break;
      taken.push(pid);
    }
    this.reaped += taken.length;
    if (taken.length === 0) return;
    this.#lookLater();
    this.#onReaped(taken);
  }

  /** Signals of one kind are merged while the loop is busy: where somebody was reaped, another look is taken. */
  #lookLater(): void {
    if (this.#later) return;
    this.#later = true;
    this.#clock.after(LOOK_AFTER, () => {
      this.#later = false;
      this.reap();
    });
  }

  #waitFor(head: number): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#clock.soon(() => {
      this.#waiting = false;
      if (peekEndedChild() === head) this.#waitFor(head);
      else this.reap();
    });
  }
}
