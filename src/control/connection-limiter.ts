// Keeps a listener's connections from taking what the supervisor needs for itself: past a number of them, or when
// descriptors run short, the one that has been silent longest is cut off, else the one that has followed something longest,
// so that whoever asks next is answered. Opens nothing and answers nobody.
import type { EventEmitter } from 'node:events';

/** As much of a connection or an answer as is needed here. */
type Closing = Pick<EventEmitter, 'once'>;
export type LimitedConnection = Closing & { destroy(): unknown };

/** So many are admitted however few descriptors there are: services may have taken all that they are left, and for long. */
const ALWAYS = 4;

export class ConnectionLimiter<G extends LimitedConnection> {
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
  admit(connection: G): void {
    this.#size += 1;
    this.#silent.add(connection);
    connection.once('close', () => {
      this.#size -= 1;
      this.#silent.delete(connection);
      this.#served.delete(connection);
    });
    if (this.#size <= this.#most && (this.#size <= ALWAYS || !this.#isShort())) return;
    const [silent = connection] = this.#silent;
    const [served = connection] = this.#served;
    const oldest = silent === connection ? served : silent;
    // Its `close` comes later; until then it is not to be chosen again.
    this.#silent.delete(oldest);
    this.#served.delete(oldest);
    oldest.destroy();
  }

  /** Somebody has asked, and is answered until `answer` is closed. */
  serve(connection: G, answer: Closing): void {
    if (!this.#silent.delete(connection)) return;
    this.#served.add(connection);
    answer.once('close', () => {
      if (this.#served.delete(connection)) this.#silent.add(connection);
    });
  }
}
