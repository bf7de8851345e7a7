// A connection as bytes, for requests that no HTTP client would send: pieces with pauses between them, to a port of 127.0.0.1 or
// a unix socket. Collects the response until the other side closes, or a time limit.
import { connect } from 'node:net';

export interface Exchange {
  readonly text: string;
  /** The other side closed, or reset, the connection. */
  readonly closed: boolean;
  /** Time limit, milliseconds. */
  readonly took: number;
}

/** A number among the pieces is a pause in milliseconds. */
export function exchange(
  to: number | string,
  pieces: readonly (string | Uint8Array | number)[],
  { patience = 3_000, until }: { readonly patience?: number; readonly until?: RegExp } = {},
): Promise<Exchange> {
  const from = performance.now();
  return new Promise((resolve) => {
    const socket = typeof to === 'number' ? connect(to, '127.0.0.1') : connect(to);
    let text = '';
    let over = false;
    const finish = (closed: boolean) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, closed, took: performance.now() - from });
    };
    const timer = setTimeout(() => finish(false), patience);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (until?.test(text)) finish(false);
    });
    socket.on('close', () => finish(true));
    socket.on('error', () => finish(true));
    void (async () => {
      for (const piece of pieces) {
        if (over) return;
        if (typeof piece === 'number') await Bun.sleep(piece);
        else socket.write(piece);
      }
    })();
  });
}

/** The status of the first response in a text; null if there is none. */
export function statusOf({ text }: Exchange): number | null {
  const found = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1];
  return found === undefined ? null : Number(found);
}

/** Number of responses in a text. */
export function answersIn({ text }: Exchange): number {
  return [...text.matchAll(/HTTP\/1\.1 \d{3} /g)].length;
}
