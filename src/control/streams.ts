// Streams of lines to readers that may be slow, as their sources see them. No service waits for a slow reader: sources that follow
// services (logs, events) drop lines while `queued` is large, and show the gap; the output of `exec` awaits room(). Drops nothing
// itself. Pure except for the given writer.

/** The destination of a stream's lines. */
export interface Outlet {
  /** Bytes that wait for the reader. */
  readonly queued: number;
  /** Queues whole lines, whatever the length of the queue: a source checks `queued` first, or awaits room(). */
  write(text: string | Uint8Array): void;
  /** Resolves when the queue is short, or the reader has disconnected. */
  room(): Promise<void>;
  end(): void;
}

/** Starts a stream; returns its end function, which is called once, after end() or when the reader disconnects. */
export type Lines = (outlet: Outlet) => () => void;

/** The part of node:http's response that is used here. */
interface Writable {
  write(chunk: string | Uint8Array): boolean;
  end(): void;
  on(event: 'drain' | 'close' | 'error', listener: () => void): unknown;
  readonly writableLength: number;
}

/** Bytes in the queue above which a reader counts as behind. */
const HIGH_WATER_MARK = 64 * 1024;

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

  /** `stop` is called once, when the stream ends. */
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
    if (this.#over || this.queued < HIGH_WATER_MARK) return Promise.resolve();
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
