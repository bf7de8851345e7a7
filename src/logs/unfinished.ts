// Shows the text after the last newline of a stream, once the stream has been silent for a moment, to `log` probes,
// `logs` and the post-mortem. Never passes it to standard output and log files, which take whole lines.
import type { Clock } from '../ports.ts';
import type { LineSplitter } from './lines.ts';

/** An unfinished line is shown once its stream has been silent for this long, milliseconds. */
const UNFINISHED_AFTER = 500;

export class Unfinished {
  readonly #clock: Clock;
  readonly #splitter: LineSplitter;
  readonly #show: (text: Uint8Array | null) => void;
  #changedAt = 0;
  #isShown = false;
  #cancel: (() => void) | null = null;

  /**
   * `show` is called with the text of the unfinished line, and with null when that line has been finished or continued.
   */
  constructor(clock: Clock, splitter: LineSplitter, show: (text: Uint8Array | null) => void) {
    this.#clock = clock;
    this.#splitter = splitter;
    this.#show = show;
  }

  /** Call it when the splitter has taken a chunk. At most one timer is armed, however many chunks come. */
  changed(): void {
    this.#changedAt = this.#clock.now();
    this.#withdraw();
    if (this.#splitter.unfinished.length > 0) this.#cancel ??= this.#arm(UNFINISHED_AFTER);
  }

  /** Call it when the program has ended: shows the text before the exit is handled. */
  showNow(): void {
    this.#cancel?.();
    this.#cancel = null;
    const text = this.#splitter.unfinished;
    if (text.length === 0 || this.#isShown) return;
    this.#isShown = true;
    this.#show(text);
  }

  /** Call it when the stream has ended: the text has become its last line. */
  end(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#withdraw();
  }

  #arm(ms: number): () => void {
    return this.#clock.after(ms, () => this.#showIfSilent());
  }

  #showIfSilent(): void {
    this.#cancel = null;
    if (this.#splitter.unfinished.length === 0) return;
    const remaining = this.#changedAt + UNFINISHED_AFTER - this.#clock.now();
    if (remaining > 0) this.#cancel = this.#arm(remaining);
    else this.showNow();
  }

  #withdraw(): void {
    if (this.#isShown) this.#show(null);
    this.#isShown = false;
  }
}
