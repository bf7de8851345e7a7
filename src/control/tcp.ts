// Serves the API over TCP, with what belongs to that alone: the dashboard, health checks, metrics, the document of the API.
// The guard checks every request first. Disconnects a client that is slow, sends too much or is one too many. Loaded only
// where the configuration wants it.
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { createServer as createListener, type Socket } from 'node:net';
import type { ControlPlan } from '../plan/plan.ts';
import type { ApiSource, Route } from './api.ts';
import { ConnectionLimiter } from './connection-limiter.ts';
import { dashboard } from './dashboard.ts';
import { makeGuard, needsToken, type Refusal } from './guard.ts';
import { handler, MAX_BODY } from './handler.ts';
import { type Counters, METRICS_TYPE, renderMetrics } from './metrics.ts';
import { describeApi } from './openapi.ts';
import { ROUTES } from './routes.ts';

export interface TcpParts {
  readonly plan: ControlPlan;
  readonly source: ApiSource;
  counters(): Counters;
  /** Calls `fn` once after `ms` milliseconds; returns what cancels it. */
  after(ms: number, fn: () => void): () => void;
  /** Whether there are hardly any descriptors left. */
  isShort(): boolean;
}

export type Listening = { readonly ok: true; close(): void } | { readonly ok: false; readonly reason: string };

/** Bytes of a request's head. */
const MAX_HEAD = 16 * 1024;
const MAX_CONNECTIONS = 64;
/** Milliseconds for a head to arrive, and for anything at all to move. */
const HEAD_PATIENCE = 5_000;
const IDLE = 30_000;

export function serveTcp(parts: TcpParts): Promise<Listening> {
  const { plan, source } = parts;
  const guard = makeGuard(plan);
  const answer = handler(source, false, [...ROUTES, ...extraRoutes(parts)]);
  const sockets = new Map<Socket, Patience>();
  // Not `maxConnections`, which refuses the latest: silent connections would exclude all other clients.
  const limiter = new ConnectionLimiter<Socket>(MAX_CONNECTIONS, parts.isShort);
  const server = createServer({ maxHeaderSize: MAX_HEAD, keepAliveTimeout: IDLE }, (request, response) => {
    limiter.serve(request.socket, response);
    sockets.get(request.socket)?.serve(request, response);
    const { method = '', url: target = '', rawHeaders } = request;
    const refusal = guard({ method, target, rawHeaders }) ?? tooLarge(request);
    if (refusal !== null) {
      refuse(refusal, request, response);
      return;
    }
    watch(request.socket, response, parts.after);
    answer(request, response);
  });
  // Accepted here and not by the HTTP server, which may report a connection only when a request has come (Bun does).
  const listener = createListener({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    const patience = new Patience(socket, parts.after);
    sockets.set(socket, patience);
    socket.once('close', () => {
      sockets.delete(socket);
      patience.end();
    });
    limiter.admit(socket);
    if (!socket.destroyed) server.emit('connection', socket);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (socket.writable) socket.end(renderPlain(STATUS_OF[error.code ?? ''] ?? 400), () => socket.destroy());
    else socket.destroy();
  });
  return new Promise((resolve) => {
    // For good: what accept(2) fails with later is no reason to end.
    listener.on('error', (error) => resolve({ ok: false, reason: error.message }));
    listener.listen({ host: plan.host, port: plan.port }, () => {
      const close = () => {
        listener.close();
        for (const socket of sockets.keys()) socket.destroy();
      };
      resolve({ ok: true, close });
    });
  });
}

/** Closes a connection whose request is not complete in time, or that sends no request for a while. */
class Patience {
  readonly #socket: Socket;
  readonly #after: TcpParts['after'];
  #cancel: () => void = () => undefined;

  constructor(socket: Socket, after: TcpParts['after']) {
    this.#socket = socket;
    this.#after = after;
    this.#limit(HEAD_PATIENCE);
  }

  #limit(ms: number): void {
    this.#cancel();
    this.#cancel = this.#after(ms, () => this.#socket.destroy());
  }

  /** The head of a request has arrived. `watch` limits the time of the answer. */
  serve(request: IncomingMessage, response: ServerResponse): void {
    if (request.method === 'POST') {
      this.#limit(IDLE);
      request.once('end', () => this.end());
    } else {
      this.end();
    }
    response.once('close', () => this.#limit(IDLE));
  }

  end(): void {
    this.#cancel();
  }
}

function extraRoutes({ plan, source, counters }: TcpParts): readonly Route[] {
  const text = plan.token === null ? dashboard.readOnlyPage : dashboard.page;
  const page: Route = {
    method: 'GET',
    path: '/',
    summary: 'The dashboard',
    answers: { 200: 'a page of HTML' },
    answer: () => ({ status: 200, type: 'text/html; charset=utf-8', text, headers: dashboard.headers }),
  };
  const healthz: Route = {
    method: 'GET',
    path: '/healthz',
    summary: 'Whether the supervisor lives',
    answers: { 200: 'it does' },
    answer: () => ({ status: 200, type: 'text/plain', text: 'ok\n' }),
  };
  const readyz: Route = {
    method: 'GET',
    path: '/readyz',
    summary:
      'Whether every essential service is ready and every essential task has completed; /v1/health says who is not',
    answers: { 200: 'all are', 503: 'some are not' },
    answer: () =>
      source.snapshot().healthy
        ? { status: 200, type: 'text/plain', text: 'ready\n' }
        : { status: 503, type: 'text/plain', text: 'not ready\n' },
  };
  const metrics: Route = {
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics in the text format of Prometheus',
    answers: { 200: 'the metrics' },
    answer: () => {
      const { version, history } = source;
      const measured = { snapshot: source.snapshot(), usage: source.usage(), counters: counters(), version, history };
      return { status: 200, type: METRICS_TYPE, text: renderMetrics(measured) };
    },
  };
  const openapi: Route = {
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document',
    answers: { 200: 'an OpenAPI 3.1 document' },
    answer: () => ({ status: 200, body: describeApi(all, source.version, (path) => !needsToken(plan, path)) }),
  };
  const own = [page, healthz, readyz, metrics, openapi];
  const all = [...ROUTES, ...own];
  return own;
}

function tooLarge({ headers }: IncomingMessage): Refusal | null {
  if (Number(headers['content-length'] ?? 0) <= MAX_BODY) return null;
  return { status: 413, error: `the body is larger than ${MAX_BODY} bytes` };
}

/** Says no more than the refusal, and reads no more of the connection. */
function refuse({ status, error }: Refusal, request: IncomingMessage, response: ServerResponse): void {
  const text = `${JSON.stringify({ error })}\n`;
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    connection: 'close',
    ...(status === 401 && { 'www-authenticate': 'Bearer' }),
  });
  response.end(request.method === 'HEAD' ? undefined : text);
}

const STATUS_OF: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };

/** An answer to what was no request. */
function renderPlain(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
}

/** Cuts off a reader to whom nothing could be written for a while. One with nothing to read may wait. */
function watch(socket: Socket, response: ServerResponse, after: TcpParts['after']): void {
  let written = socket.bytesWritten;
  const look = () => {
    const waits = response.writableLength > 0 || (response.writableEnded && !response.writableFinished);
    if (waits && socket.bytesWritten === written) {
      socket.destroy();
      return;
    }
    written = socket.bytesWritten;
    cancel = after(IDLE / 2, look);
  };
  let cancel = after(IDLE / 2, look);
  response.once('close', () => cancel());
}
