// A terminal for a run's output that the test can stop, as Ctrl-S or a stuck `docker attach` does. The test has the master's end;
// processes that write to the terminal open `path`.
import { dlopen, ptr } from 'bun:ffi';
import { closeSync, readSync, writeSync } from 'node:fs';

const O_RDWR = 2;
const O_NOCTTY = 0o400;
const O_NONBLOCK = 0o4000;
const XON = '\x11';
const XOFF = '\x13';

const LIBC = dlopen('libc.so.6', {
  posix_openpt: { args: ['i32'], returns: 'i32' },
  grantpt: { args: ['i32'], returns: 'i32' },
  unlockpt: { args: ['i32'], returns: 'i32' },
  ptsname_r: { args: ['i32', 'ptr', 'u64'], returns: 'i32' },
}).symbols;

export class Terminal implements Disposable {
  readonly path: string;
  readonly #master: number;
  #text = '';

  constructor() {
    this.#master = LIBC.posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    const name = Buffer.alloc(64);
    const failed =
      this.#master < 0 ||
      LIBC.grantpt(this.#master) !== 0 ||
      LIBC.unlockpt(this.#master) !== 0 ||
      LIBC.ptsname_r(this.#master, ptr(name), BigInt(name.length)) !== 0;
    if (failed) throw new Error('no terminal can be had');
    this.path = name.toString('latin1').replace(/\0.*$/s, '');
  }

  /** Stops output, as Ctrl-S does. */
  hold(): void {
    writeSync(this.#master, XOFF);
  }

  release(): void {
    writeSync(this.#master, XON);
  }

  /** Everything that has arrived so far, without colours and the terminal's carriage returns. */
  text(): string {
    const chunk = Buffer.alloc(65_536);
    try {
      for (let size = 1; size > 0; ) {
        size = readSync(this.#master, chunk);
        this.#text += chunk.toString('latin1', 0, size);
      }
    } catch {
      // EAGAIN: no more data now. EIO: no process has it open.
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what this takes away
    return this.#text.replaceAll('\r\n', '\n').replace(/\x1b\[\d*m/g, '');
  }

  [Symbol.dispose](): void {
    closeSync(this.#master);
  }
}
