// The interface of the terminal that `top` needs, and the control sequences that it sends besides those of Ink. platform/screen.ts
// implements the interface; this folder opens no file.
import type { Readable, Writable } from 'node:stream';

/** A stream that Ink accepts as standard output. */
export type ScreenStream = Writable & {
  readonly isTTY: true;
  readonly columns: number;
  readonly rows: number;
};

/** Clicks and the wheel, in xterm's SGR encoding; https://invisible-island.net/xterm/ctlseqs/ctlseqs.html. */
export const MOUSE = { on: '\x1b[?1000h\x1b[?1006h', off: '\x1b[?1006l\x1b[?1000l' } as const;
/** Automatic wrapping. Off, a character that the terminal shows wider than expected cannot shift the rows below. */
export const WRAP = { on: '\x1b[?7h', off: '\x1b[?7l' } as const;
/** Ends every mode that `top` or Ink may have set; sequences for modes that are not set do nothing. native/screen.c has the same text. */
export const RESTORE = `${MOUSE.off}${WRAP.on}\x1b[?2026l\x1b[0m\x1b[?1049l\x1b[?25h`;

/** What the terminal reports. */
export interface TerminalListener {
  /** Bytes of keys and the mouse, as text. */
  input(text: string): void;
  /** The size of the window has changed; `output` has the new size. */
  resized(): void;
  /** The terminal was closed, or a signal such as SIGTERM has arrived. `code`: the exit code. */
  ended(code: number): void;
  /** An exception was not caught, which is a bug. */
  failed(error: unknown): void;
}

/** A terminal in raw mode. */
export interface FullScreenTerminal {
  /** A clock that only goes forward, milliseconds. */
  now(): number;
  readonly output: ScreenStream;
  readonly input: Readable;
  /** Bytes are waiting to be written, because the terminal or the link to it is slow. */
  readonly isBusy: boolean;
  /** Sets raw mode, and reports to `listener` from then on. */
  listen(listener: TerminalListener): void;
  /** Writes `text`, restores the terminal, and stops the process group, as Ctrl-Z does. After SIGCONT it sets raw mode and resolves. */
  suspend(text: string): Promise<void>;
  /** Writes `text` and restores the terminal. A second call does nothing. */
  close(text: string): Promise<void>;
}
