// Real pipes for output. The runtime's own `pipe` is a socket pair, which `echo > /dev/stdout` cannot open (ENXIO,
// nodejs/node#21941), so both ends are made here; the write end belongs to the service's user, who may open it again.
import { closeFile, getLimit, openPipe, RESOURCE } from './libc.ts';

/** Descriptors that no service gets: with them the supervisor reads /proc, takes requests, and spawns. */
const SPARE = 16;

/** The reading end of a pipe, and the number of the writing end until the child has it. */
export class OutputPipe {
  readonly write: number;
  /** The reading end; its number until the first read, then the stream that has it. */
  #from: number | ReadableStreamDefaultReader<Uint8Array>;
  #writeOpen = true;
  #readOpen = true;

  /** Throws when descriptors are used up. `owner` is null for our own user. */
  constructor(owner: { readonly uid: number; readonly gid: number } | null) {
    const { read, write } = openPipe();
    const { soft } = getLimit(RESOURCE.nofile);
    // The kernel gives out the lowest number that is free.
    if (BigInt(write + SPARE) >= soft) {
      closeFile(read);
      closeFile(write);
      throw new Error(`the limit of ${soft} open files is reached`);
    }
    this.write = write;
    this.#from = read;
    if (owner !== null) {
      try {
        process.getBuiltinModule('node:fs').fchownSync(write, owner.uid, owner.gid);
      } catch {
        // Without the right to give it away the service is our own user or cannot be started anyway.
      }
    }
  }

  /** After the spawn: the child holds its own copy. */
  closeWrite(): void {
    if (this.#writeOpen) closeFile(this.write);
    this.#writeOpen = false;
  }

  /** The next bytes; null at the end, when the last writer has closed, or after close(). */
  async read(): Promise<Uint8Array | null> {
    if (!this.#readOpen) return null;
    try {
      const { done, value } = await this.#reader().read();
      if (!done && value !== undefined) return value;
    } catch {
      // A reader that was cancelled meanwhile.
    }
    await this.close();
    return null;
  }

  #reader(): ReadableStreamDefaultReader<Uint8Array> {
    if (typeof this.#from !== 'number') return this.#from;
    const fd = this.#from;
    this.#from = Bun.file(fd).stream().getReader() as ReadableStreamDefaultReader<Uint8Array>;
    // The stream holds a copy of the descriptor; ours would only count against the limit.
    closeFile(fd);
    return this.#from;
  }

  /** Lets go of the reading end, whoever may still hold the other. A stream closes its own a little later. */
  async close(): Promise<void> {
    this.closeWrite();
    if (!this.#readOpen) return;
    this.#readOpen = false;
    if (typeof this.#from === 'number') closeFile(this.#from);
    else await this.#from.cancel().catch(() => undefined);
  }
}
