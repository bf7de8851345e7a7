// The text behind the last newline of a stream: after a moment it is offered to those who look for it (`log` probes, `logs`,
// the post-mortem). Standard output and log files never get it from here: they take whole lines.
import type { Clock } from '../ports.ts';
import type { LineSplitter } from './lines.ts';

/** An unfinished line is shown once its stream has been silent for this long, milliseconds. */
export const UNFINISHED_AFTER = 500;

export class Unfinished {
  readonly #clock: Clock;
  readonly #splitter: LineSplitter;
  readonly #show: (text: Uint8Array | null) => void;
  #changedAt = 0;
  #isShown = false;
  #cancel: (() => void) | null = null;

  /** `show` gets the text of the unfinished line, and null when that line has been finished or goes on. */
  constructor(clock: Clock, splitter: LineSplitter, show: (text: Uint8Array | null) => void) {
    this.#clock = clock;
    this.#splitter = splitter;
    this.#show = show;
  }

  /** The splitter has taken a chunk. At most one timer is armed, however many chunks come. */
  changed(): void {
    this.#changedAt = this.#clock.now();
    this.#withdraw();
    if (this.#splitter.unfinished.length > 0) this.#cancel ??= this.#arm(UNFINISHED_AFTER);
  }

  /** The program has ended: what it has printed is looked at before its end is judged. */
  showNow(): void {
    this.#cancel?.();
    this.#cancel = null;
    const text = this.#splitter.unfinished;
    if (text.length === 0 || this.#isShown) return;
    this.#isShown = true;
    this.#show(text);
  }

  /** The stream has ended: what was left has become its last line. */
  end(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#withdraw();
  }

  #arm(ms: number): () => void {
    return this.#clock.after(ms, () => this.#look());
  }

  #look(): void {
    this.#cancel = null;
    if (this.#splitter.unfinished.length === 0) return;
    const left = this.#changedAt + UNFINISHED_AFTER - this.#clock.now();
    if (left > 0) this.#cancel = this.#arm(left);
    else this.showNow();
  }

  #withdraw(): void {
    if (this.#isShown) this.#show(null);
    this.#isShown = false;
  }
}
