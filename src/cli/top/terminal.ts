// What `top` needs of its terminal, and the sequences that it sends besides those of Ink. platform/screen.ts implements it; this folder
// opens nothing itself.
import type { Readable, Writable } from 'node:stream';

/** A stream that Ink accepts as standard output. */
export type ScreenStream = Writable & {
  readonly isTTY: true;
  readonly columns: number;
  readonly rows: number;
};

/** Clicks and the wheel, in xterm's SGR encoding; https://invisible-island.net/xterm/ctlseqs/ctlseqs.html. */
export const MOUSE = { on: '\x1b[?1000h\x1b[?1006h', off: '\x1b[?1006l\x1b[?1000l' } as const;
/** Without automatic wrapping a character that is wider than it should be cannot move the rows below. */
export const WRAP = { on: '\x1b[?7h', off: '\x1b[?7l' } as const;
/** Ends everything that `top` or Ink may have begun; what has not begun is not affected. native/screen.c has the same. */
export const RESTORE = `${MOUSE.off}${WRAP.on}\x1b[?2026l\x1b[0m\x1b[?1049l\x1b[?25h`;

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
