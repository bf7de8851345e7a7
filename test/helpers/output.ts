// What a run prints: two real pipes, read (or not) by the test, kept as bytes and as lines in the order of arrival.
import { closeSync } from 'node:fs';
import { openPipe } from '../../src/sys/libc.ts';
import { LIMIT } from './puppet.ts';

/** `collect` reads all; `stall` reads nothing until resume(); `gone` closes the reading ends. */
export type StandardOutput = 'collect' | 'stall' | 'gone';

export interface Printed {
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
  /** Its place among the lines of both streams. */
  readonly at: number;
}

/** When the supervisor is gone, but something still holds its output, the rest is waited for this long. */
const LINGER = 2_000;

export class Output {
  readonly lines: Printed[] = [];
  readonly #mode: StandardOutput;
  readonly #pipes = [openPipe(), openPipe()] as const;
  readonly #chunks: { readonly stdout: Uint8Array[]; readonly stderr: Uint8Array[] } = { stdout: [], stderr: [] };
  readonly #looking = new Set<() => void>();
  #reading: Promise<unknown> | undefined;
  #closed = false;

  constructor(mode: StandardOutput) {
    this.#mode = mode;
  }

  /** Writing ends, for the child. */
  get descriptors(): readonly [number, number] {
    return [this.#pipes[0].write, this.#pipes[1].write];
  }

  /** After the spawn. */
  begin(): void {
    for (const { write } of this.#pipes) closeSync(write);
    if (this.#mode === 'collect') this.resume();
    if (this.#mode !== 'gone') return;
    this.#closed = true;
    for (const { read } of this.#pipes) closeSync(read);
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
    try {
      for await (const chunk of Bun.file(fd).stream()) {
        this.#chunks[stream].push(chunk.slice());
        held += decoder.decode(chunk, { stream: true });
        const whole = held.split('\n');
        held = whole.pop() ?? '';
        whole.forEach(take);
        for (const look of [...this.#looking]) look();
      }
    } catch {
      // Closed by close().
    }
    if (held !== '') take(held);
    for (const look of [...this.#looking]) look();
    try {
      closeSync(fd);
    } catch {
      // The stream had closed it.
    }
  }

  /** All bytes of a stream so far. */
  bytes(stream: 'stdout' | 'stderr'): Buffer {
    return Buffer.concat(this.#chunks[stream]);
  }

  /** Resolves when all is read that a supervisor which has ended has written. */
  async finished(): Promise<void> {
    this.resume();
    await Promise.race([this.#reading ?? Promise.resolve(), Bun.sleep(LINGER)]);
  }

  close(): void {
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

  /** Everything so far, for people. */
  text(): string {
    const lines = this.lines.slice(-400).map(({ stream, text }) => `${stream === 'stdout' ? '1' : '2'}> ${text}`);
    return ['--- output ---', ...lines, '--- end of output ---'].join('\n');
  }
}
