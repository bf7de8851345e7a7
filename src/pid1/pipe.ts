// A pipe that a program writes to. PID 1 creates it and keeps a reading end, so that the pipe always has a reader. It
// is read here through another open file description. Never interprets the bytes.
import { openReader, type Reader } from '../platform/input.ts';

export class OutputPipe {
  readonly #opened = Promise.withResolvers<Reader | null>();
  #reader: Reader | null = null;
  #isClosed = false;

  /** Opens the pipe by the path that PID 1 reported. If this fails, read() returns null at once. */
  open(path: string): void {
    if (this.#isClosed) return;
    try {
      this.#reader = openReader(path);
    } catch {
      // No descriptor is left. The output of the program stays in the pipe.
    }
    this.#opened.resolve(this.#reader);
  }

  /** The next bytes; null at the end, when the last writer has closed, or after close(). */
  async read(): Promise<Uint8Array | null> {
    const reader = this.#reader ?? (await this.#opened.promise);
    return this.#isClosed || reader === null ? null : reader.read();
  }

  /** The bytes that are available now; null if there are none. */
  readNow(): Uint8Array | null {
    return this.#isClosed ? null : (this.#reader?.readNow() ?? null);
  }

  /** Closes the reading end, even if a process still has the writing end open. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#opened.resolve(null);
    await this.#reader?.close();
  }
}
