// Real pipes for output. The runtime's own `pipe` is a socket pair, which `echo > /dev/stdout` cannot open (ENXIO,
// nodejs/node#21941), so both ends are made here; the write end belongs to the service's user, who may open it again.
import { closeSync, fchownSync } from 'node:fs';
import { openPipe } from './libc.ts';

/** The reading end of a pipe, and the number of the writing end until the child has it. */
export class OutputPipe {
  readonly write: number;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #writeOpen = true;
  #readOpen = true;

  /** Throws EMFILE or ENFILE when descriptors are used up. `owner` is null for our own user. */
  constructor(owner: { readonly uid: number; readonly gid: number } | null) {
    const { read, write } = openPipe();
    this.write = write;
    if (owner !== null) {
      try {
        fchownSync(write, owner.uid, owner.gid);
      } catch {
        // Without the right to give it away the service is our own user or cannot be started anyway.
      }
    }
    // The stream holds a copy of the descriptor; ours would only count against the limit.
    this.#reader = Bun.file(read).stream().getReader() as ReadableStreamDefaultReader<Uint8Array>;
    closeSync(read);
  }

  /** After the spawn: the child holds its own copy. */
  closeWrite(): void {
    if (this.#writeOpen) closeSync(this.write);
    this.#writeOpen = false;
  }

  /** The next bytes; null at the end, when the last writer has closed, or after close(). */
  async read(): Promise<Uint8Array | null> {
    try {
      const { done, value } = await this.#reader.read();
      if (!done && value !== undefined) return value;
    } catch {
      // A reader that was cancelled meanwhile.
    }
    await this.close();
    return null;
  }

  /** Lets go of the reading end, whoever may still hold the other. */
  async close(): Promise<void> {
    this.closeWrite();
    if (!this.#readOpen) return;
    this.#readOpen = false;
    await this.#reader.cancel().catch(() => undefined);
  }
}
