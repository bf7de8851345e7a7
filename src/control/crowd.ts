// Keeps a listener's connections from taking what the supervisor needs for itself: past a number of them, or when
// descriptors run short, the one that has been silent longest is cut off, else the one that has followed something longest,
// so that whoever asks next is answered. Opens nothing and answers nobody.
import type { EventEmitter } from 'node:events';

/** As much of a connection or an answer as is needed here. */
type Closing = Pick<EventEmitter, 'once'>;
export type Guest = Closing & { destroy(): unknown };

/** So many are admitted however few descriptors there are: services may have taken all that they are left, and for long. */
const ALWAYS = 4;

export class Crowd<G extends Guest> {
  readonly #most: number;
  readonly #isShort: () => boolean;
  #size = 0;
  /** Those who wait for no answer, in the order in which they fell silent. */
  readonly #silent = new Set<G>();
  /** Those who are being answered, in the order in which they asked. */
  readonly #served = new Set<G>();

  /** `isShort`: whether there are hardly any descriptors left. */
  constructor(most: number, isShort: () => boolean) {
    this.#most = most;
    this.#isShort = isShort;
  }

  /** Somebody has connected, and has had no time to ask yet. */
  admit(guest: G): void {
    this.#size += 1;
    this.#silent.add(guest);
    guest.once('close', () => {
      this.#size -= 1;
      this.#silent.delete(guest);
      this.#served.delete(guest);
    });
    if (this.#size <= this.#most && (this.#size <= ALWAYS || !this.#isShort())) return;
    const [silent = guest] = this.#silent;
    const [served = guest] = this.#served;
    const oldest = silent === guest ? served : silent;
    // Its `close` comes later; until then it is not to be chosen again.
    this.#silent.delete(oldest);
    this.#served.delete(oldest);
    oldest.destroy();
  }

  /** Somebody has asked, and is answered until `answer` is closed. */
  serve(guest: G, answer: Closing): void {
    if (!this.#silent.delete(guest)) return;
    this.#served.add(guest);
    answer.once('close', () => {
      if (this.#served.delete(guest)) this.#silent.add(guest);
    });
  }
}
