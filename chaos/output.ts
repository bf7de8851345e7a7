// A pipe that the supervisor writes to, with a reader that can be paused. Keeps whole lines that match `wanted` and the latest
// of the others, and counts the rest.
import { closeSync } from 'node:fs';
import { openPipe } from '../test/helpers/libc.ts';

const LATEST = 60;

export class StallablePipe {
  readonly lines: string[] = [];
  readonly latest: string[] = [];
  bytes = 0;
  readonly #pipe = openPipe();
  readonly #wanted: (line: string) => boolean;
  #gate: { readonly promise: Promise<void>; resolve(): void } | null = null;
  #finished: Promise<void> = Promise.resolve();

  constructor(wanted: (line: string) => boolean) {
    this.#wanted = wanted;
  }

  get write(): number {
    return this.#pipe.write;
  }

  /** After the spawn: the child has its own copy. */
  begin(): void {
    closeSync(this.#pipe.write);
    this.#finished = this.#read();
  }

  freeze(): void {
    this.#gate ??= Promise.withResolvers<void>();
  }

  thaw(): void {
    this.#gate?.resolve();
    this.#gate = null;
  }

  /** Resolves at the end, when the last writer has closed the pipe. */
  get finished(): Promise<void> {
    return this.#finished;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    try {
      for await (const chunk of Bun.file(this.#pipe.read).stream()) {
        this.bytes += chunk.length;
        const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.#take(line);
        // Checked in the loop: it may be paused again at once.
        while (this.#gate !== null) await this.#gate.promise;
      }
    } finally {
      if (rest !== '') this.#take(rest);
      try {
        closeSync(this.#pipe.read);
      } catch {
        // The stream had closed it already.
      }
    }
  }

  #take(line: string): void {
    if (this.#wanted(line)) this.lines.push(line);
    this.latest.push(line.slice(0, 300));
    if (this.latest.length > 2 * LATEST) this.latest.splice(0, LATEST);
  }
}
