// The terminal of a full-screen command: raw input, size, output that does not block the event loop, suspension, and the return to
// the previous mode. Opens the terminal again, because the flags of inherited descriptors are shared with the shell (open(2)).
// Never interprets the bytes.
import { constants, openSync } from 'node:fs';
import { Writable } from 'node:stream';
import { ReadStream, WriteStream } from 'node:tty';
import type { Clock } from '../ports.ts';
import { openOutput } from './output.ts';

/** Receives what happens at the terminal. */
export interface ScreenListener {
  /** Keys, as the terminal has sent them. */
  input(text: string): void;
  resized(): void;
  /** A signal must end the command, or the terminal is closed. `code`: the exit code. */
  ended(code: number): void;
  /** An exception was not caught. */
  failed(error: unknown): void;
}

/** Signals that end the command, and their numbers; the exit code is 128 more. */
const ENDS = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 } as const;
/** Time for SIGTSTP to take effect, milliseconds. When the process continues, this time is over. */
const STOP_TIME = 50;
/** Time for a slow terminal to receive the last output, milliseconds. */
const DRAIN_TIME = 1_000;

/** The output stream, with the size of the terminal: what Ink expects of `process.stdout`. */
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
      // The terminal is closed, which ends the input too.
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

/** The open terminal. It is in raw mode from `listen` to `close`. */
class Screen {
  readonly output: ScreenOutput;
  readonly input: ReadStream;
  readonly #clock: Clock;
  readonly #sizes: WriteStream;
  readonly #decoder = new TextDecoder();
  #isRaw = false;
  #isClosed = false;

  constructor(clock: Clock, input: ReadStream, sizes: WriteStream, output: ScreenOutput) {
    this.#clock = clock;
    this.input = input;
    this.#sizes = sizes;
    this.output = output;
  }

  /** Monotonic time, milliseconds. */
  now(): number {
    return this.#clock.now();
  }

  /** Whether output is waiting for the terminal. */
  get isBusy(): boolean {
    return this.output.writableLength > 0;
  }

  /** Starts raw mode, and passes all input and signals to `listener`. Called once. */
  listen(listener: ScreenListener): void {
    for (const [signal, number] of Object.entries(ENDS)) process.on(signal, () => listener.ended(128 + number));
    process.on('uncaughtException', (error) => listener.failed(error));
    this.input.on('data', (bytes: Buffer) => listener.input(this.#decoder.decode(bytes, { stream: true })));
    this.input.on('end', () => listener.ended(128 + ENDS.SIGHUP));
    this.input.on('error', () => listener.ended(128 + ENDS.SIGHUP));
    // Node updates only the size of `process.stdout` itself.
    process.on('SIGWINCH', () => (this.#sizes as WriteStream & { _refreshSize(): void })._refreshSize());
    this.#sizes.on('resize', () => {
      // Ink listens for `resize` on its output stream.
      this.output.emit('resize');
      listener.resized();
    });
    this.#setRaw(true);
  }

  /**
   * Stops the command as Ctrl-Z does, and resolves when it continues, in raw mode. `text`: the output before the stop. The signal
   * is sent to the process group. If no shell waits, the kernel discards it (setpgid(2), orphaned process groups), and the
   * command continues at once.
   */
  async suspend(text: string): Promise<void> {
    await this.#restore(text);
    if (this.#isClosed) return;
    process.kill(0, 'SIGTSTP');
    await new Promise<void>((resolve) => this.#clock.after(STOP_TIME, resolve));
    if (!this.#isClosed) this.#setRaw(true);
  }

  /** Ends raw mode after the output of `text` has been written; suspend() does not set it again. Writes nothing if it has ended already. */
  async close(text: string): Promise<void> {
    this.#isClosed = true;
    await this.#restore(text);
  }

  async #restore(text: string): Promise<void> {
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
      // The terminal is closed.
    }
  }
}
