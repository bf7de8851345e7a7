// Streams of lines to readers that may be slow: what a stream's source sees of its reader. A reader that does not keep up
// loses lines and is told how many; nobody waits for it. Pure but for the writer it is given.

/** Where a stream's lines go. */
export interface Outlet {
  /** Bytes that wait for the reader. */
  readonly queued: number;
  /** Takes whole lines, whatever waits already: whoever sends much asks `queued` first, or room(). */
  write(text: string | Uint8Array): void;
  /** Resolves when little waits, or the reader has gone. */
  room(): Promise<void>;
  end(): void;
}

/** Begins a stream; returns what ends it when the reader goes. Called back once, after end() or the reader's going. */
export type Lines = (outlet: Outlet) => () => void;

/** As much of a response as node:http needs to have here. */
interface Writable {
  write(chunk: string | Uint8Array): boolean;
  end(): void;
  on(event: 'drain' | 'close' | 'error', listener: () => void): unknown;
  readonly writableLength: number;
}

/** Beyond this a reader counts as behind, bytes. */
const MUCH = 64 * 1024;

export class ResponseOutlet implements Outlet {
  readonly #response: Writable;
  #waiting: (() => void)[] = [];
  #stop: (() => void) | null = null;
  #over = false;

  constructor(response: Writable) {
    this.#response = response;
    response.on('drain', () => this.#wake());
    response.on('close', () => this.#finish());
    response.on('error', () => this.#finish());
  }

  /** `stop` is called once, when the stream is over. */
  begin(stop: () => void): void {
    if (this.#over) stop();
    else this.#stop = stop;
  }

  get queued(): number {
    return this.#response.writableLength;
  }

  write(text: string | Uint8Array): void {
    if (!this.#over) this.#response.write(text);
  }

  room(): Promise<void> {
    if (this.#over || this.queued < MUCH) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  end(): void {
    if (this.#over) return;
    this.#response.end();
    this.#finish();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#wake();
    this.#stop?.();
    this.#stop = null;
  }
}
