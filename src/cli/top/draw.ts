// Writes frames to the terminal with Ink, which writes only what differs from the frame before, in one synchronized update. Decides
// nothing: view.ts makes the frames. The only file that loads Ink and React; scripts/pack.ts compresses `top` for Node.
import { Box, type Instance, render, Text } from 'ink';
import { createElement, type ReactElement } from 'react';
import { type FullScreenTerminal, MOUSE, WRAP } from './terminal.ts';
import type { Picture } from './view.ts';

const FRAMES_PER_SECOND = 20;

/** The screen that Ink draws. */
export class Drawing {
  readonly #terminal: FullScreenTerminal;
  readonly #failed: (error: unknown) => void;
  #ink: Instance | null = null;

  /** `failed` is called with the error if drawing fails, which is a bug. */
  constructor(terminal: FullScreenTerminal, failed: (error: unknown) => void) {
    this.#terminal = terminal;
    this.#failed = failed;
  }

  /** Draws a frame. The first one enters the alternate screen. */
  show(frame: Picture): void {
    const element = screen(frame);
    if (this.#ink !== null) {
      this.#ink.rerender(element);
      return;
    }
    this.#terminal.output.write(WRAP.off);
    this.#ink = render(element, {
      stdout: this.#terminal.output as unknown as NodeJS.WriteStream,
      stdin: this.#terminal.input as unknown as NodeJS.ReadStream,
      interactive: true,
      alternateScreen: true,
      incrementalRendering: true,
      exitOnCtrlC: false,
      patchConsole: false,
      isScreenReaderEnabled: false,
      maxFps: FRAMES_PER_SECOND,
    });
    this.#ink.waitUntilExit().catch(this.#failed);
  }

  /** Turns reports of clicks and the wheel on or off. */
  setMouse(on: boolean): void {
    this.#terminal.output.write(on ? MOUSE.on : MOUSE.off);
  }

  /** Leaves the alternate screen. show() enters it again. */
  close(): void {
    this.#ink?.unmount();
    this.#ink?.cleanup();
    this.#ink = null;
  }
}

function screen({ columns, rows, box }: Picture): ReactElement {
  const line = (row: string, key: number) => createElement(Text, { key, wrap: 'truncate' }, row);
  const overlay =
    box === null
      ? null
      : createElement(
          Box,
          { key: 'box', position: 'absolute', marginLeft: box.x, marginTop: box.y, flexDirection: 'column' },
          box.rows.map(line),
        );
  return createElement(
    Box,
    { flexDirection: 'column', width: columns, height: rows.length },
    ...rows.map(line),
    overlay,
  );
}
