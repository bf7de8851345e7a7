// The terminal of a full-screen command: raw input, its size, output that does not block the event loop, suspension, and the way
// back to the state before. Uses own open file descriptions, because the flags of the inherited ones are shared with the
// shell. Never interprets the bytes.
import { constants, openSync } from 'node:fs';
import { Writable } from 'node:stream';
import { ReadStream, WriteStream } from 'node:tty';
import type { Clock } from '../ports.ts';
import { openOutput } from './output.ts';

export interface ScreenListener {
  input(text: string): void;
  resized(): void;
  ended(code: number): void;
  failed(error: unknown): void;
}

/** Signals that end the command, and their numbers; the exit code is 128 more. */
const ENDS = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 } as const;
/** Time for the stop signal to arrive; a stopped process continues behind it. Milliseconds. */
const STOP_TIME = 50;
/** Time for a slow terminal to take what was drawn last, milliseconds. */
const DRAIN_TIME = 1_000;

/** Standard output as a stream that has a size. */
class ScreenOutput extends Writable {
  readonly isTTY = true;
  readonly #sizes: WriteStream;
  readonly #write: (bytes: Uint8Array) => Promise<void>;

  constructor(sizes: WriteStream, write: (bytes: Uint8Array) => Promise<void>) {
    super({ decodeStrings: true });
    this.#sizes = sizes;
    this.#write = write;
  }

  get columns(): number {
    return this.#sizes.columns || 80;
  }

  get rows(): number {
    return this.#sizes.rows || 24;
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#write(chunk).then(
      () => done(),
      // The terminal has gone, which the reader reports.
      () => done(),
    );
  }
}

/** Opens the terminal of standard input and output. Throws an Error with `code` if it cannot be opened. */
export function openScreen(clock: Clock) {
  const own = (fd: number) => openSync(`/proc/self/fd/${fd}`, constants.O_RDWR | constants.O_NOCTTY);
  const input = new ReadStream(own(0));
  const sizes = new WriteStream(own(1));
  const device = openOutput(1, clock, () => true);
  const write = async (bytes: Uint8Array) => {
    for (let rest = bytes; rest.length > 0; ) rest = rest.subarray(await device.write(rest));
  };
  const output = new ScreenOutput(sizes, write);
  return new Screen(clock, input, sizes, output);
}

class Screen {
  readonly output: ScreenOutput;
  readonly input: ReadStream;
  readonly #clock: Clock;
  readonly #sizes: WriteStream;
  readonly #decoder = new TextDecoder();
  #isRaw = false;

  constructor(clock: Clock, input: ReadStream, sizes: WriteStream, output: ScreenOutput) {
    this.#clock = clock;
    this.input = input;
    this.#sizes = sizes;
    this.output = output;
  }

  now(): number {
    return this.#clock.now();
  }

  get isBusy(): boolean {
    return this.output.writableLength > 0;
  }

  listen(listener: ScreenListener): void {
    for (const [signal, number] of Object.entries(ENDS)) process.on(signal, () => listener.ended(128 + number));
    process.on('uncaughtException', (error) => listener.failed(error));
    this.input.on('data', (bytes: Buffer) => listener.input(this.#decoder.decode(bytes, { stream: true })));
    this.input.on('end', () => listener.ended(128 + ENDS.SIGHUP));
    this.input.on('error', () => listener.ended(128 + ENDS.SIGHUP));
    // Only the stream of `process.stdout` does this by itself.
    process.on('SIGWINCH', () => (this.#sizes as WriteStream & { _refreshSize(): void })._refreshSize());
    this.#sizes.on('resize', () => {
      // Ink listens there.
      this.output.emit('resize');
      listener.resized();
    });
    this.#setRaw(true);
  }

  /**
   * The signal is sent to the process group, as the terminal does for Ctrl-Z. If no shell waits, the kernel ignores it
   * (setpgid(2), orphaned process groups), and the command continues at once.
   */
  async suspend(text: string): Promise<void> {
    await this.close(text);
    process.kill(0, 'SIGTSTP');
    await new Promise<void>((resolve) => this.#clock.after(STOP_TIME, resolve));
    this.#setRaw(true);
  }

  async close(text: string): Promise<void> {
    if (!this.#isRaw) return;
    this.output.write(text);
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(DRAIN_TIME, resolve);
      this.output.write('', () => {
        cancel();
        resolve();
      });
    });
    this.#setRaw(false);
  }

  #setRaw(isRaw: boolean): void {
    this.#isRaw = isRaw;
    try {
      this.input.setRawMode(isRaw);
    } catch {
      // The terminal has gone.
    }
  }
}
