// One request over one connection to the supervisor, and its response piece by piece. Implements HTTP itself: a client for
// one request must load fast and start no thread. Does not retry: client.ts does.
import { connect } from 'node:net';
import { API_HEADER } from './api-header.ts';
import { type Receiver, ResponseParser } from './response.ts';

export interface ClientRequest {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
  /** Identifies a POST, so that a repetition has no second effect. */
  readonly key?: string;
}

/** Calls `fn` once after `ms` milliseconds; returns a function that cancels the call. */
export type After = (ms: number, fn: () => void) => () => void;

/** One connection to a supervisor. */
export interface SupervisorConnection {
  write(bytes: Uint8Array): void;
  close(): void;
}

export interface SupervisorListener {
  data(bytes: Uint8Array): void;
  closed(): void;
}

/** Connects. Rejects with an Error with `code`. */
export type Open = (listener: SupervisorListener) => Promise<SupervisorConnection>;

/** What requests over TCP have in addition. */
export interface Remote {
  /** The Host header: name and port of the URL. */
  readonly authority: string;
  /** The path of the URL, without a slash at its end: a proxy may serve the API below it. */
  readonly prefix: string;
  readonly token: string | null;
}

export function connectTo(path: string, listener: SupervisorListener): Promise<SupervisorConnection> {
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

export type Outcome =
  | { readonly kind: 'answered'; readonly status: number }
  /** The connection closed before the end of the response. `status`: null, before its head. */
  | { readonly kind: 'broken'; readonly status: number | null }
  /** `end` was called. */
  | { readonly kind: 'ended' }
  /** There is no connection: no process listens there, or this user may not connect. */
  | {
      readonly kind: 'unreachable';
      readonly why: string;
      /** Nothing responds at the address: for a host, it may be the wrong one, or the listener is not reachable from here. */
      readonly isSilent?: true;
    }
  /** A proxy responds that has no response from a supervisor (RFC 9110: 502, 503, 504). */
  | { readonly kind: 'gateway'; readonly status: number }
  /** The process that responds is no supervisor. `status`: the code of its HTTP response; null: it does not speak HTTP. */
  | { readonly kind: 'foreign'; readonly status: number | null };

export interface Exchange {
  readonly outcome: Promise<Outcome>;
  /** Ends the exchange early. */
  end(): void;
}

/** `remote`: null for the unix socket, on which only a supervisor listens. */
export function exchange(open: Open, request: ClientRequest, receiver: Receiver, remote: Remote | null): Exchange {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  let connection: SupervisorConnection | null = null;
  let isOver = false;
  const settle = (outcome: Outcome) => {
    isOver = true;
    connection?.close();
    resolve(outcome);
  };
  const parser = new ResponseParser(receiver, remote === null ? null : API_HEADER);
  const listener: SupervisorListener = {
    data(bytes) {
      if (isOver) return;
      try {
        parser.push(Buffer.from(bytes));
      } catch {
        settle(describeForeign(parser.status));
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
      connection = opened;
      if (isOver) opened.close();
      else opened.write(Buffer.from(render(request, remote)));
    },
    (error: unknown) => settle(describeRefusal(error)),
  );
  return { outcome: promise, end: () => settle({ kind: 'ended' }) };
}

/** A response without the header of a supervisor. */
function describeForeign(status: number | null): Outcome {
  const isGateway = status !== null && status >= 502 && status <= 504;
  return isGateway ? { kind: 'gateway', status } : { kind: 'foreign', status };
}

function render({ method = 'GET', path, body, key }: ClientRequest, remote: Remote | null): string {
  const text = body === undefined ? '' : JSON.stringify(body);
  const { authority, prefix, token } = remote ?? { authority: 'svc-super', prefix: '', token: null };
  const bearer = token === null ? '' : `Authorization: Bearer ${token}\r\n`;
  const head = `${method} ${prefix}${path} HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n${bearer}`;
  const named = key === undefined ? '' : `Idempotency-Key: ${key}\r\n`;
  const about =
    method === 'GET' ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n`;
  return `${head}${named}${about}\r\n${text}`;
}

/** Why connect(2) failed (unix(7), tcp(7)), or the look-up of a name (getaddrinfo(3)), or TLS. */
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
      return { kind: 'unreachable', why: 'no process listens there', isSilent: true };
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_NONAME':
    case 'EAI_NODATA':
      return { kind: 'unreachable', why: 'there is no host of that name' };
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return { kind: 'unreachable', why: 'there is no route to that host', isSilent: true };
    case 'ETIMEDOUT':
      return { kind: 'unreachable', why: 'that host does not respond', isSilent: true };
    case 'EACCES':
    case 'EPERM':
      return { kind: 'unreachable', why: 'permission denied' };
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return { kind: 'unreachable', why: 'its certificate is for another host name: use the name in the certificate' };
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return {
        kind: 'unreachable',
        why: `its certificate ${code === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet'}: renew it, or set the clock of this machine`,
      };
    default:
      return { kind: 'unreachable', why: error instanceof Error ? describeFailure(error) : String(error) };
  }
}

/** A failure that has no errno: mostly of TLS, with the words of OpenSSL. */
function describeFailure({ message }: Error): string {
  if (/wrong.version.number/i.test(message)) return 'it does not speak TLS there: write http://';
  if (/certificate/i.test(message)) return `its certificate is not trusted (${message}): name one in SSL_CERT_FILE`;
  return message;
}
