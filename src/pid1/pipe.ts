// A pipe that a program writes to: made by PID 1, which keeps its reading end, so that the program never meets a pipe without
// a reader; read here through a description of our own.
import { openReader, type Reader } from '../platform/input.ts';

export class OutputPipe {
  readonly #opened = Promise.withResolvers<Reader | null>();
  #reader: Reader | null = null;
  #isClosed = false;

  /** PID 1 has made it, as this path. Where it cannot be opened, it has nothing. */
  open(path: string): void {
    if (this.#isClosed) return;
    try {
      this.#reader = openReader(path);
    } catch {
      // Descriptors are used up; what the program writes stays in the pipe.
    }
    this.#opened.resolve(this.#reader);
  }

  /** The next bytes; null at the end, when the last writer has closed, or after close(). */
  async read(): Promise<Uint8Array | null> {
    const reader = this.#reader ?? (await this.#opened.promise);
    return this.#isClosed || reader === null ? null : reader.read();
  }

  /** What there is at this moment; null if nothing. */
  readNow(): Uint8Array | null {
    return this.#isClosed ? null : (this.#reader?.readNow() ?? null);
  }

  /** Lets go of the reading end, whoever may still hold the other. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#opened.resolve(null);
    await this.#reader?.close();
  }
}
