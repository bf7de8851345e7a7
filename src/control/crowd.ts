// Keeps a listener's connections from taking what the supervisor needs for itself: past a number of them, or when
// descriptors run short, the one that has been silent longest is cut off, so that whoever asks next is answered. Opens
// nothing and answers nobody.
import type { EventEmitter } from 'node:events';

/** As much of a connection or an answer as is needed here. */
type Closing = Pick<EventEmitter, 'once'>;
export type Guest = Closing & { destroy(): unknown };

export class Crowd<G extends Guest> {
  readonly #most: number;
  readonly #isShort: () => boolean;
  #size = 0;
  /** Those who wait for no answer, in the order in which they fell silent. */
  readonly #silent = new Set<G>();

  /** `isShort`: whether there are hardly any descriptors left. */
  constructor(most: number, isShort: () => boolean) {
    this.#most = most;
    this.#isShort = isShort;
  }

  /** Somebody has connected. Where nobody is silent, it is the newcomer who has to go. */
  admit(guest: G): void {
    this.#size += 1;
    this.#silent.add(guest);
    guest.once('close', () => {
      this.#size -= 1;
      this.#silent.delete(guest);
    });
    if (this.#size <= this.#most && !this.#isShort()) return;
    const [oldest = guest] = this.#silent;
    this.#silent.delete(oldest);
    oldest.destroy();
  }

  /** Somebody has asked, and is answered until `answer` is closed. */
  serve(guest: G, answer: Closing): void {
    if (!this.#silent.delete(guest)) return;
    let isThere = true;
    guest.once('close', () => {
      isThere = false;
    });
    answer.once('close', () => {
      if (isThere) this.#silent.add(guest);
    });
  }
}
