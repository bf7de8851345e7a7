// An incremental parser of HTTP/1.1 and HTTP/1.0 responses: status, content type, and body (RFC 9112: by length, in chunks, or until the
// end of the connection). Supports the part of HTTP that the supervisor sends. Pure; throws if the input is no response.

/** Receives the response. */
export interface Receiver {
  /** The head has arrived; `type` is its content type. */
  begin(type: string): void;
  take(bytes: Uint8Array): void;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const MOST_HEAD = 64 * 1024;
/** A proxy may respond with HTTP/1.0. */
const BEGINS = ['HTTP/1.1 ', 'HTTP/1.0 '] as const;

type Body =
  | { readonly kind: 'length'; left: number }
  | { readonly kind: 'chunked'; left: number; last: boolean }
  | { readonly kind: 'rest' };

export class ResponseParser {
  status: number | null = null;
  isDone = false;
  readonly #receiver: Receiver;
  readonly #requires: string | null;
  #held: Buffer = Buffer.alloc(0);
  #body: Body | null = null;

  /** `requires`: a header without which the response is an error. */
  constructor(receiver: Receiver, requires: string | null = null) {
    this.#receiver = receiver;
    this.#requires = requires;
  }

  /** Whether only the end of the connection ends the body. */
  get endsWithConnection(): boolean {
    return this.#body?.kind === 'rest';
  }

  push(bytes: Uint8Array): void {
    this.#held = this.#held.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#held, bytes]);
    if (this.#body === null && !this.#readHead()) return;
    const body = this.#body;
    if (body?.kind === 'chunked') this.#readChunks(body);
    else if (body?.kind === 'length') this.#readLength(body);
    else this.#hand(this.#held.length);
  }

  /** Reads one head. Returns false if it is not complete yet. */
  #readHead(): boolean {
    const end = this.#held.indexOf(HEAD_END);
    if (end < 0) {
      const start = this.#held.subarray(0, 9).toString('latin1');
      const isHead = BEGINS.some((begin) => begin.startsWith(start));
      if (this.#held.length > MOST_HEAD || !isHead) throw new Error('no HTTP');
      return false;
    }
    const [first = '', ...lines] = this.#held.subarray(0, end).toString('latin1').split('\r\n');
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1];
    if (status === undefined) throw new Error('no HTTP');
    const headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
      }),
    );
    this.#held = this.#held.subarray(end + HEAD_END.length);
    const length = headers.get('content-length');
    if (headers.get('transfer-encoding')?.toLowerCase() === 'chunked')
      this.#body = { kind: 'chunked', left: 0, last: false };
    else this.#body = length === undefined ? { kind: 'rest' } : { kind: 'length', left: Number(length) };
    this.status = Number(status);
    if (this.#requires !== null && !headers.has(this.#requires)) throw new Error(`no ${this.#requires}`);
    this.#receiver.begin(headers.get('content-type') ?? '');
    return true;
  }

  #hand(count: number): void {
    if (count > 0) this.#receiver.take(this.#held.subarray(0, count));
    this.#held = this.#held.subarray(count);
  }

  #readLength(body: Body & { readonly kind: 'length' }): void {
    const count = Math.min(body.left, this.#held.length);
    body.left -= count;
    this.#hand(count);
    this.isDone = body.left === 0;
  }

  #readChunks(body: Body & { readonly kind: 'chunked' }): void {
    for (;;) {
      if (body.left > 0) {
        // The two bytes after a chunk are its end, not data.
        const data = Math.min(this.#held.length, Math.max(0, body.left - 2));
        this.#hand(data);
        body.left -= data;
        if (body.left > 2 || this.#held.length < 2) return;
        this.#held = this.#held.subarray(2);
        body.left = 0;
        if (body.last) {
          this.isDone = true;
          return;
        }
      }
      const end = this.#held.indexOf('\r\n');
      if (end < 0) return;
      const size = Number.parseInt(this.#held.subarray(0, end).toString('latin1'), 16);
      if (!Number.isInteger(size)) throw new Error('no chunk');
      this.#held = this.#held.subarray(end + 2);
      body.last = size === 0;
      body.left = size + 2;
    }
  }
}
