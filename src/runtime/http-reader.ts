// Reads one HTTP/1 response piece by piece (RFC 9112), as leniently as clients do where that is harmless: bare LF line
// ends, interim responses that were not requested. Pure: opens no connection and interprets no status code.
import { printable } from '../text.ts';

/** A malformed response. The message follows "WHERE does not speak HTTP: ". */
export class HttpError extends Error {
  override readonly name = 'HttpError';
}

/** The longest head of a response, and the longest line between chunks, bytes. */
const LONGEST_HEAD = 64 * 1024;
const SHOWN = 40;
const LF = 10;
const NOTHING: Uint8Array = new Uint8Array(0);

/** How the end of a body is determined. `left`: bytes of the body, or of the chunk, that are still to come. */
type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; left: number }
  | { readonly kind: 'chunked'; at: 'size' | 'data' | 'data-end' | 'trailer'; left: number }
  | { readonly kind: 'until-close' };

export class ResponseReader {
  /** The status code of the final response; null until its head has been read. */
  status: number | null = null;
  /** The whole response has been read, or as much of its body as is kept. */
  isComplete = false;
  readonly #isHead: boolean;
  readonly #bodyKept: number;
  readonly #body: Uint8Array[] = [];
  #bodySize = 0;
  #held: Uint8Array = NOTHING;
  #framing: Framing = { kind: 'none' };

  /**
   * `method` is the method of the request: a response to HEAD has no body. At most `bodyKept` bytes of a body are read.
   */
  constructor(method: string, bodyKept: number) {
    this.#isHead = method === 'HEAD';
    this.#bodyKept = bodyKept;
  }

  /** The body as far as it has been read. */
  get body(): Buffer {
    return Buffer.concat(this.#body);
  }

  /** Takes the next bytes of the connection. Throws an HttpError. */
  push(bytes: Uint8Array): void {
    if (this.isComplete) return;
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    while (this.status === null) if (!this.#readHead()) return;
    this.#readBody();
  }

  /** Call it when the server has closed the connection. Returns false if the response is incomplete. */
  close(): boolean {
    if (this.#framing.kind === 'until-close' && this.status !== null) this.isComplete = true;
    return this.isComplete;
  }

  /** Reads one head; false if it is not complete yet. */
  #readHead(): boolean {
    const end = endOfHead(this.#held);
    if (end === null) {
      const start = latin1(this.#held.subarray(0, 5));
      if (!'HTTP/'.startsWith(start)) throw new HttpError(`its response begins with ${quoted(latin1(this.#held))}`);
      if (this.#held.length > LONGEST_HEAD) throw new HttpError('its headers are longer than 64 KiB');
      return false;
    }
    const [first = '', ...lines] = latin1(this.#held.subarray(0, end)).split(/\r?\n/);
    const status = /^HTTP\/1\.\d (\d{3})(?: |$)/.exec(first)?.[1];
    if (status === undefined) throw new HttpError(`its response begins with ${quoted(first)}`);
    this.#held = this.#held.subarray(end);
    const code = Number(status);
    // RFC 9110, 15.2: a client must be able to parse interim responses even if it did not expect one.
    if (code >= 100 && code < 200 && code !== 101) return true;
    this.#framing = this.#frame(code, parseHeaders(lines));
    this.status = code;
    return true;
  }

  /** RFC 9112, 6.3. */
  #frame(status: number, headers: ReadonlyMap<string, readonly string[]>): Framing {
    const lengths = (headers.get('content-length') ?? []).flatMap((value) => value.split(',').map((one) => one.trim()));
    if (lengths.length > 1)
      throw new HttpError(`it sends Content-Length twice (${lengths.slice(0, 4).join(', ').slice(0, SHOWN)})`);
    const [length] = lengths;
    if (length !== undefined && !/^\d{1,15}$/.test(length)) {
      throw new HttpError(`its Content-Length is ${quoted(length)}`);
    }
    if (this.#isHead || status === 101 || status === 204 || status === 304) return { kind: 'none' };
    const codings = (headers.get('transfer-encoding') ?? []).join(',').toLowerCase();
    if (/(?:^|,)\s*chunked\s*$/.test(codings)) return { kind: 'chunked', at: 'size', left: 0 };
    // If the last coding is not `chunked`, or there is no length, the body ends with the connection.
    if (codings !== '' || length === undefined) return { kind: 'until-close' };
    return { kind: 'length', left: Number(length) };
  }

  #readBody(): void {
    const framing = this.#framing;
    if (framing.kind === 'none') this.isComplete = true;
    else if (framing.kind === 'until-close') this.#keep(this.#held.length);
    else if (framing.kind === 'length') {
      framing.left -= this.#keep(framing.left);
      if (framing.left === 0) this.isComplete = true;
    } else this.#readChunks(framing);
    if (this.#bodySize >= this.#bodyKept) this.isComplete = true;
  }

  #readChunks(chunk: Framing & { readonly kind: 'chunked' }): void {
    while (!this.isComplete && this.#bodySize < this.#bodyKept) {
      if (chunk.at === 'data') {
        chunk.left -= this.#keep(chunk.left);
        if (chunk.left > 0) return;
        chunk.at = 'data-end';
        continue;
      }
      const line = this.#takeLine();
      if (line === null) return;
      if (chunk.at === 'size') {
        const size = /^([0-9a-f]{1,12})[ \t]*(?:;|$)/i.exec(line)?.[1];
        if (size === undefined) throw new HttpError(`a chunk begins with ${quoted(line)}, not with its size`);
        chunk.left = Number.parseInt(size, 16);
        chunk.at = chunk.left === 0 ? 'trailer' : 'data';
      } else if (chunk.at === 'trailer') this.isComplete = line === '';
      else if (line === '') chunk.at = 'size';
      else throw new HttpError('a chunk is longer than its size');
    }
  }

  /** The next line without its end; null if it is not complete yet. */
  #takeLine(): string | null {
    const end = this.#held.indexOf(LF);
    if (end < 0) {
      if (this.#held.length > LONGEST_HEAD) throw new HttpError('a line within its body is longer than 64 KiB');
      return null;
    }
    const line = latin1(this.#held.subarray(0, end)).replace(/\r$/, '');
    this.#held = this.#held.subarray(end + 1);
    return line;
  }

  /** Moves up to `most` bytes into the body; returns how many. */
  #keep(most: number): number {
    const taken = this.#held.subarray(0, Math.min(most, this.#held.length));
    this.#held = this.#held.subarray(taken.length);
    const kept = taken.subarray(0, Math.max(0, this.#bodyKept - this.#bodySize));
    if (kept.length > 0) this.#body.push(new Uint8Array(kept));
    this.#bodySize += kept.length;
    return taken.length;
  }
}

/** The offset after the empty line that ends a head; null if the head is not complete yet. */
function endOfHead(bytes: Uint8Array): number | null {
  for (let at = bytes.indexOf(LF); at >= 0 && at < LONGEST_HEAD; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === 13 && bytes[at + 2] === LF) return at + 3;
  }
  return null;
}

/** The headers by lower-case name, each with its values in order. */
function parseHeaders(lines: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const headers = new Map<string, string[]>();
  let values: string[] | undefined;
  for (const line of lines) {
    if (line === '') continue;
    // Obsolete line folding (RFC 9112, 5.2).
    if (/^[ \t]/.test(line) && values !== undefined) {
      values.push(`${values.pop() ?? ''} ${line.trim()}`);
      continue;
    }
    const colon = line.indexOf(':');
    if (colon < 1) throw new HttpError(`a header is ${quoted(line)}`);
    const name = line.slice(0, colon).trimEnd().toLowerCase();
    values = headers.get(name) ?? [];
    headers.set(name, values);
    values.push(line.slice(colon + 1).trim());
  }
  return headers;
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');

/** The first characters in quotes. Each stands for one byte: those outside ASCII are escaped too. */
function quoted(bytes: string): string {
  const text = printable(bytes.slice(0, SHOWN)).replaceAll(
    /[^\x20-\x7e]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16)}`,
  );
  return `"${text}${bytes.length > SHOWN ? '…' : ''}"`;
}
