// What `top` needs of its terminal. platform/screen.ts implements it; this folder opens nothing itself.
import type { Readable, Writable } from 'node:stream';

/** A stream that Ink accepts as standard output. */
export type ScreenStream = Writable & {
  readonly isTTY: true;
  readonly columns: number;
  readonly rows: number;
};

export interface TerminalListener {
  input(text: string): void;
  /** The window has another size. */
  resized(): void;
  /** The terminal has gone, or a signal asks this process to end. `code`: the exit code. */
  ended(code: number): void;
  /** An exception that no code has caught. */
  failed(error: unknown): void;
}

export interface FullScreenTerminal {
  /** A clock that only goes forward, milliseconds. */
  now(): number;
  readonly output: ScreenStream;
  readonly input: Readable;
  /** Bytes wait to be written: the terminal, or the link to it, is slower than what is drawn. */
  readonly isBusy: boolean;
  /** Raw mode begins. */
  listen(listener: TerminalListener): void;
  /** Writes `text`, gives the terminal back as it was, and stops this process and its group, as Ctrl-Z does; then raw mode again. */
  suspend(text: string): Promise<void>;
  /** Writes `text`, and gives the terminal back as it was. May be called again. */
  close(text: string): Promise<void>;
}
