// The output of a run: two real pipes that the test reads (or not), stored as bytes and as lines in the order of arrival.
import { closeSync, write } from 'node:fs';
import { openPipe } from './libc.ts';
import { LIMIT } from './puppet.ts';

/** `collect` reads everything; `stall` reads nothing until resume(); `gone` closes the reading ends. */
export type StandardOutput = 'collect' | 'stall' | 'gone';

export interface Printed {
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
  /** Its index among the lines of both streams. */
  readonly at: number;
}

/** Written after the supervisor's last byte if other processes hold the pipe, so that it has no end of file. */
const LAST = '\0the end of this run\0';

export class Output {
  readonly lines: Printed[] = [];
  readonly #mode: StandardOutput;
  readonly #pipes = [openPipe(), openPipe()] as const;
  readonly #chunks: { readonly stdout: Uint8Array[]; readonly stderr: Uint8Array[] } = { stdout: [], stderr: [] };
  readonly #looking = new Set<() => void>();
  #reading: Promise<unknown> | undefined;
  #closed = false;
  #held = false;

  constructor(mode: StandardOutput) {
    this.#mode = mode;
  }

  /** Writing ends, for the child. */
  get descriptors(): readonly [number, number] {
    return [this.#pipes[0].write, this.#pipes[1].write];
  }

  /** Called after the spawn. `held`: other processes hold the writing ends for the duration of the run. */
  begin(held: boolean): void {
    this.#held = held;
    if (!held) this.#closeWrites();
    if (this.#mode === 'collect') this.resume();
    if (this.#mode !== 'gone') return;
    this.#closed = true;
    for (const { read } of this.#pipes) closeSync(read);
  }

  #closeWrites(): void {
    for (const { write } of this.#pipes) closeSync(write);
  }

  /** Begins to read. */
  resume(): void {
    if (this.#closed) return;
    this.#reading ??= Promise.all([
      this.#read('stdout', this.#pipes[0].read),
      this.#read('stderr', this.#pipes[1].read),
    ]);
  }

  async #read(stream: 'stdout' | 'stderr', fd: number): Promise<void> {
    const decoder = new TextDecoder();
    let held = '';
    const take = (text: string) => {
      this.lines.push({ stream, text, at: this.lines.length });
    };
    const chunks = this.#chunks[stream];
    let tail = Buffer.alloc(0);
    try {
      for await (const chunk of Bun.file(fd).stream()) {
        const both = Buffer.concat([tail, chunk]);
        const last = this.#held ? both.indexOf(LAST) : -1;
        const own = both.subarray(tail.length, last < 0 ? both.length : Math.max(last, tail.length));
        chunks.push(own);
        held += decoder.decode(own, { stream: true });
        const cut = last < 0 ? 0 : Math.max(0, tail.length - last);
        if (cut > 0) {
          // The mark arrived in two pieces.
          held = held.slice(0, -cut);
          const whole = Buffer.concat(chunks.splice(0));
          chunks.push(whole.subarray(0, -cut));
        }
        const lines = held.split('\n');
        held = lines.pop() ?? '';
        lines.forEach(take);
        for (const look of [...this.#looking]) look();
        if (last >= 0) break;
        tail = both.subarray(-LAST.length + 1);
      }
    } catch {
      // Closed by close().
    }
    if (held !== '') take(held);
    for (const look of [...this.#looking]) look();
    try {
      closeSync(fd);
    } catch {
      // The stream had closed it already.
    }
  }

  /** All bytes of a stream so far. */
  bytes(stream: 'stdout' | 'stderr'): Buffer {
    return Buffer.concat(this.#chunks[stream]);
  }

  /** Resolves when all output of a supervisor that has ended has been read. */
  async finished(): Promise<void> {
    this.resume();
    if (this.#held) {
      this.#held = !this.#closed;
      const told = this.#pipes.map(({ write: fd }) => new Promise((resolve) => write(fd, LAST, resolve)));
      await Promise.all(told);
      this.#closeWrites();
    }
    await this.#reading;
  }

  close(): void {
    if (this.#held && this.#reading === undefined) this.#closeWrites();
    if (this.#reading !== undefined || this.#closed) return;
    this.#closed = true;
    for (const { read } of this.#pipes) closeSync(read);
  }

  async find(
    pattern: RegExp,
    { after, stream }: { readonly after?: Printed; readonly stream?: 'stdout' | 'stderr' },
    ended: Promise<unknown>,
  ): Promise<Printed> {
    const found = Promise.withResolvers<Printed>();
    let next = after === undefined ? 0 : after.at + 1;
    const look = () => {
      for (; next < this.lines.length; next += 1) {
        const line = this.lines[next];
        if (line === undefined || (stream !== undefined && line.stream !== stream) || !pattern.test(line.text))
          continue;
        found.resolve(line);
        return;
      }
    };
    const fail = (why: string) => found.reject(new Error(`${why} ${pattern}\n${this.text()}`));
    const timer = setTimeout(() => fail(`waited ${LIMIT / 1_000} s for a line like`), LIMIT);
    this.#looking.add(look);
    look();
    void ended.then(() => {
      look();
      fail('the supervisor ended without printing a line like');
    });
    try {
      return await found.promise;
    } finally {
      clearTimeout(timer);
      this.#looking.delete(look);
    }
  }

  /** The output so far, for error messages. */
  text(): string {
    const shown = this.lines.slice(-200);
    const lines = shown.map(({ stream, text }) => `${stream === 'stdout' ? '1' : '2'}> ${text.slice(0, 500)}`);
    if (shown.length < this.lines.length)
      lines.unshift(`... ${this.lines.length - shown.length} lines before these ...`);
    return ['--- output ---', ...lines, '--- end of output ---'].join('\n');
  }
}
