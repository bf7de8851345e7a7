// One request over one connection to the supervisor, and its response as it comes. Has its own HTTP: a client for one
// request must load fast and start no thread. Asks once; client.ts decides whether to ask again.
import { connect } from 'node:net';
import { ResponseParser } from './response.ts';

export interface Question {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
  /** Identifies a POST, so that a repetition has no second effect. */
  readonly key?: string;
}

/** Calls `fn` once after `ms` milliseconds; returns what cancels it. */
export type After = (ms: number, fn: () => void) => () => void;

/** One connection to a supervisor. */
export interface Line {
  write(bytes: Uint8Array): void;
  close(): void;
}

export interface LineListener {
  data(bytes: Uint8Array): void;
  closed(): void;
}

/** Connects. Rejects with an Error with `code`. */
export type Open = (listener: LineListener) => Promise<Line>;

export function connectTo(path: string, listener: LineListener): Promise<Line> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once('connect', () =>
      resolve({ write: (bytes) => void socket.write(bytes), close: () => socket.destroy() }),
    );
    socket.on('data', (bytes: Buffer) => listener.data(bytes));
    socket.on('error', reject);
    socket.once('close', () => listener.closed());
  });
}

/** Takes the response in. */
export interface Receiver {
  /** The head has arrived, with that content type. */
  begin(type: string): void;
  take(bytes: Uint8Array): void;
}

export type Outcome =
  | { readonly kind: 'answered'; readonly status: number }
  /** The connection closed before the end of the response. `status`: null, before its head. */
  | { readonly kind: 'broken'; readonly status: number | null }
  /** `end` was called. */
  | { readonly kind: 'ended' }
  /** There is no connection: no process listens there, or this user may not connect. */
  | { readonly kind: 'unreachable'; readonly why: string }
  | { readonly kind: 'foreign' };

export interface Exchange {
  readonly outcome: Promise<Outcome>;
  /** Ends it before its time. */
  end(): void;
}

export function exchange(open: Open, question: Question, receiver: Receiver): Exchange {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  let line: Line | null = null;
  let isOver = false;
  const settle = (outcome: Outcome) => {
    isOver = true;
    line?.close();
    resolve(outcome);
  };
  const parser = new ResponseParser(receiver);
  const listener: LineListener = {
    data(bytes) {
      if (isOver) return;
      try {
        parser.push(Buffer.from(bytes));
      } catch {
        settle({ kind: 'foreign' });
        return;
      }
      if (parser.isDone && parser.status !== null) settle({ kind: 'answered', status: parser.status });
    },
    closed() {
      if (parser.status !== null && parser.endsWithConnection) settle({ kind: 'answered', status: parser.status });
      else settle({ kind: 'broken', status: parser.status });
    },
  };
  open(listener).then(
    (opened) => {
      line = opened;
      if (isOver) opened.close();
      else opened.write(Buffer.from(render(question)));
    },
    (error: unknown) => settle(describeRefusal(error)),
  );
  return { outcome: promise, end: () => settle({ kind: 'ended' }) };
}

function render({ method = 'GET', path, body, key }: Question): string {
  const text = body === undefined ? '' : JSON.stringify(body);
  const head = `${method} ${path} HTTP/1.1\r\nHost: svc-super\r\nConnection: close\r\n`;
  const named = key === undefined ? '' : `Idempotency-Key: ${key}\r\n`;
  const about =
    method === 'GET' ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n`;
  return `${head}${named}${about}\r\n${text}`;
}

/** Why connect(2) failed (unix(7)). */
function describeRefusal(error: unknown): Outcome {
  const code = error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : '';
  switch (code) {
    // The queue of connections that no supervisor has accepted is full.
    case 'EAGAIN':
    // The supervisor has died since it accepted the connection.
    case 'ECONNRESET':
    case 'EPIPE':
      return { kind: 'broken', status: null };
    case 'ENOENT':
      return { kind: 'unreachable', why: 'no such socket' };
    case 'ECONNREFUSED':
      return { kind: 'unreachable', why: 'no process listens there' };
    case 'EACCES':
    case 'EPERM':
      return { kind: 'unreachable', why: 'permission denied' };
    default:
      return { kind: 'unreachable', why: error instanceof Error ? error.message : String(error) };
  }
}
