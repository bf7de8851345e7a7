// Bytes to whole lines, as they go out: framed with a prefix or as JSON objects. Pure: a framer holds the unfinished line
// of one stream and nothing else. Bytes that are no UTF-8 pass through as they came (text) or escaped (JSON).

/** A longer line is cut here, bytes; the cut is marked. */
export const LONGEST_LINE = 64 * 1024;
/** What ends a piece of a line that goes on, and begins the next piece. */
const CUT_MARK = ' [...]';

const NEWLINE = 10;
const RETURN = 13;

/** What was completed by a push: the lines without their ends, and whether each is a piece of a longer one. */
export interface Line {
  readonly bytes: Uint8Array;
  readonly cut: boolean;
}

/** Splits one stream into lines. A lone carriage return ends a line too, so that progress bars are seen as they move. */
export class LineSplitter {
  #held: Uint8Array[] = [];
  #size = 0;
  /** The last byte was a carriage return: a newline that follows belongs to it. */
  #afterReturn = false;

  push(chunk: Uint8Array): Line[] {
    const lines: Line[] = [];
    let from = 0;
    if (this.#afterReturn && chunk.length > 0) {
      if (chunk[0] === NEWLINE) from = 1;
      this.#afterReturn = false;
    }
    let nextReturn = chunk.indexOf(RETURN, from);
    while (from < chunk.length) {
      const newline = chunk.indexOf(NEWLINE, from);
      const atReturn = nextReturn >= 0 && (newline < 0 || nextReturn < newline);
      const end = atReturn ? nextReturn : newline;
      if (end < 0) break;
      this.#complete(chunk.subarray(from, end), lines, atReturn);
      from = end + 1;
      if (!atReturn) continue;
      if (chunk[from] === NEWLINE) from += 1;
      else if (from === chunk.length) this.#afterReturn = true;
      nextReturn = chunk.indexOf(RETURN, from);
    }
    if (from < chunk.length) this.#hold(chunk.subarray(from), lines);
    return lines;
  }

  /** The last line, if the stream ended without an end of line. */
  end(): Line[] {
    const lines: Line[] = [];
    if (this.#size > 0) this.#complete(new Uint8Array(0), lines, false);
    return lines;
  }

  #hold(rest: Uint8Array, lines: Line[]): void {
    let piece = rest;
    while (this.#size + piece.length > LONGEST_LINE) {
      const room = LONGEST_LINE - this.#size;
      lines.push({ bytes: this.#take(piece.subarray(0, room)), cut: true });
      piece = piece.subarray(room);
    }
    if (piece.length === 0) return;
    // The chunk's memory belongs to the reader.
    this.#held.push(piece.slice());
    this.#size += piece.length;
  }

  #complete(last: Uint8Array, lines: Line[], byReturn: boolean): void {
    let piece = last;
    while (this.#size + piece.length > LONGEST_LINE) {
      const room = LONGEST_LINE - this.#size;
      lines.push({ bytes: this.#take(piece.subarray(0, room)), cut: true });
      piece = piece.subarray(room);
    }
    // A bar that begins with its carriage return would make an empty line each time.
    if (byReturn && this.#size + piece.length === 0) return;
    lines.push({ bytes: this.#take(piece), cut: false });
  }

  #take(last: Uint8Array): Uint8Array {
    if (this.#size === 0) return last;
    const whole = Buffer.concat([...this.#held, last]);
    this.#held = [];
    this.#size = 0;
    return whole;
  }
}

/** How a service's lines look on the way out. */
export interface Frame {
  readonly service: string;
  readonly stream: 'stdout' | 'stderr';
  readonly format: 'text' | 'json';
  /** What stands before each line of text; empty for none. */
  readonly prefix: string;
}

/** Lines as the bytes that are written: each ends with a newline. `time` is wall time in milliseconds. */
export function renderLines(lines: readonly Line[], frame: Frame, time: number): Uint8Array {
  if (frame.format === 'json') {
    const stamp = new Date(time).toISOString();
    const text = lines.map(({ bytes, cut }) => {
      const msg = Buffer.from(bytes).toString('utf8');
      const entry = { time: stamp, service: frame.service, stream: frame.stream, msg, ...(cut && { cut: true }) };
      return `${JSON.stringify(entry)}\n`;
    });
    return Buffer.from(text.join(''));
  }
  const prefix = Buffer.from(frame.prefix);
  const mark = Buffer.from(CUT_MARK);
  let size = 0;
  for (const { bytes, cut } of lines) size += prefix.length + bytes.length + (cut ? mark.length : 0) + 1;
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  for (const { bytes, cut } of lines) {
    out.set(prefix, at);
    at += prefix.length;
    out.set(bytes, at);
    at += bytes.length;
    if (cut) {
      out.set(mark, at);
      at += mark.length;
    }
    out[at] = NEWLINE;
    at += 1;
  }
  return out;
}

/** ANSI colours that tell neighbours apart on dark and light grounds. */
const COLOURS = [36, 33, 35, 32, 34, 96, 93, 95, 92, 94];

/** `vllm       | `: aligned to the longest name, coloured by position where asked. */
export function renderPrefix(name: string, width: number, colour: number | null): string {
  const text = `${name.padEnd(width)} | `;
  return colour === null ? text : `\x1b[${COLOURS[colour % COLOURS.length]}m${text}\x1b[0m`;
}
