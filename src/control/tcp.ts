// Serves the API over TCP, with the routes that only TCP has: the dashboard, health checks, metrics, the OpenAPI document.
// The guard checks every request first. Closes a connection that is slow, sends too much, or exceeds the limit. Loaded only
// if it is configured.
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { createServer as createListener, type Socket } from 'node:net';
import type { ControlPlan } from '../plan/plan.ts';
import type { ApiSource, Route } from './api.ts';
import { API_HEADER, API_VERSION } from './api-header.ts';
import { ConnectionLimiter } from './connection-limiter.ts';
import { makeGuard, needsToken, type Refusal } from './guard.ts';
import { MAX_BODY, makeHandler } from './handler.ts';
import { type Counters, METRICS_TYPE, renderMetrics } from './metrics.ts';
import { describeApi } from './openapi.ts';
import { historyOf, ROUTES } from './routes.ts';

interface TcpParts {
  readonly plan: ControlPlan;
  readonly source: ApiSource;
  counters(): Counters;
  /** Calls `fn` once after `ms` milliseconds; returns what cancels it. */
  after(ms: number, fn: () => void): () => void;
  /** Whether hardly any descriptors are left. */
  isShort(): boolean;
}

export type Listening = { readonly ok: true; close(): void } | { readonly ok: false; readonly reason: string };

/** Bytes of a request head. */
const MAX_HEAD = 16 * 1024;
const MAX_CONNECTIONS = 64;
/** Milliseconds: time limits for a head to arrive, and for a connection without progress. */
const HEAD_TIMEOUT = 5_000;
const IDLE_TIMEOUT = 30_000;

export function serveTcp(parts: TcpParts): Promise<Listening> {
  const { plan, source } = parts;
  const guard = makeGuard(plan);
  const respond = makeHandler(source, { isLocal: false, routes: [...ROUTES, ...extraRoutes(parts)] });
  const sockets = new Map<Socket, ConnectionTimeout>();
  // Not `maxConnections`, which rejects the latest connection: idle connections would exclude all other clients.
  const limiter = new ConnectionLimiter<Socket>(MAX_CONNECTIONS, parts.isShort);
  const server = createServer({ maxHeaderSize: MAX_HEAD, keepAliveTimeout: IDLE_TIMEOUT }, (request, response) => {
    limiter.serve(request.socket, response);
    sockets.get(request.socket)?.serve(request, response);
    const { method = '', url: target = '', rawHeaders } = request;
    const refusal = guard({ method, target, rawHeaders }) ?? tooLarge(request);
    if (refusal !== null) {
      refuse(refusal, request, response);
      return;
    }
    closeWhenStalled(request.socket, response, parts.after);
    respond(request, response);
  });
  // Accepted here and not by the HTTP server, which may report a connection only with its first request (Bun does).
  const listener = createListener({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    const timeout = new ConnectionTimeout(socket, parts.after);
    sockets.set(socket, timeout);
    socket.once('close', () => {
      sockets.delete(socket);
      timeout.end();
    });
    limiter.admit(socket);
    if (!socket.destroyed) server.emit('connection', socket);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (socket.writable) socket.end(renderPlain(STATUS_OF[error.code ?? ''] ?? 400), () => socket.destroy());
    else socket.destroy();
  });
  return new Promise((resolve) => {
    // The listener stays for later errors too: an error of accept(2) must not end the supervisor.
    listener.on('error', (error) => resolve({ ok: false, reason: error.message }));
    listener.listen({ host: plan.host, port: plan.port }, () => {
      const close = () => {
        listener.close();
        for (const socket of sockets.keys()) socket.destroy();
      };
      historyOf(source).keep();
      resolve({ ok: true, close });
    });
  });
}

/** Closes a connection whose request is not complete in time, or that sends no request for a while. */
class ConnectionTimeout {
  readonly #socket: Socket;
  readonly #after: TcpParts['after'];
  #cancel: () => void = () => undefined;

  constructor(socket: Socket, after: TcpParts['after']) {
    this.#socket = socket;
    this.#after = after;
    this.#limit(HEAD_TIMEOUT);
  }

  #limit(ms: number): void {
    this.#cancel();
    this.#cancel = this.#after(ms, () => this.#socket.destroy());
  }

  /** The head of a request has arrived. `closeWhenStalled` limits the time of the answer. */
  serve(request: IncomingMessage, response: ServerResponse): void {
    if (request.method === 'POST') {
      this.#limit(IDLE_TIMEOUT);
      request.once('end', () => this.end());
    } else {
      this.end();
    }
    // It also closes when the socket does.
    response.once('close', () => {
      if (!this.#socket.destroyed) this.#limit(IDLE_TIMEOUT);
    });
  }

  end(): void {
    this.#cancel();
  }
}

function extraRoutes({ plan, source, counters }: TcpParts): readonly Route[] {
  const page: Route = {
    method: 'GET',
    path: '/',
    summary: 'The dashboard',
    responses: { 200: 'a page of HTML' },
    respond: async () => {
      const { dashboard } = await import('./dashboard.ts');
      const text = plan.token === null ? dashboard.readOnlyPage : dashboard.page;
      return { status: 200, type: 'text/html; charset=utf-8', text, headers: dashboard.headers };
    },
  };
  const healthz: Route = {
    method: 'GET',
    path: '/healthz',
    summary: 'Whether the supervisor runs',
    responses: { 200: 'it runs' },
    respond: () => ({ status: 200, type: 'text/plain', text: 'ok\n' }),
  };
  const readyz: Route = {
    method: 'GET',
    path: '/readyz',
    summary:
      'Whether every essential service is ready and every essential task has completed; /v1/health lists the others',
    responses: { 200: 'ready', 503: 'not ready' },
    respond: () =>
      source.snapshot().healthy
        ? { status: 200, type: 'text/plain', text: 'ready\n' }
        : { status: 503, type: 'text/plain', text: 'not ready\n' },
  };
  const metrics: Route = {
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics in the text format of Prometheus',
    responses: { 200: 'the metrics' },
    respond: () => {
      const { version, history } = source;
      const measured = { snapshot: source.snapshot(), usage: source.usage(), counters: counters(), version, history };
      return { status: 200, type: METRICS_TYPE, text: renderMetrics(measured) };
    },
  };
  const openapi: Route = {
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document',
    responses: { 200: 'an OpenAPI 3.1 document' },
    respond: () => ({ status: 200, body: describeApi(all, source.version, (path) => !needsToken(plan, path)) }),
  };
  const own = [page, healthz, readyz, metrics, openapi];
  const all = [...ROUTES, ...own];
  return own;
}

function tooLarge({ headers }: IncomingMessage): Refusal | null {
  if (Number(headers['content-length'] ?? 0) <= MAX_BODY) return null;
  return { status: 413, error: `the body is larger than ${MAX_BODY} bytes` };
}

/** Sends the error and closes the connection without reading the body. */
function refuse({ status, error }: Refusal, request: IncomingMessage, response: ServerResponse): void {
  const text = `${JSON.stringify({ error })}\n`;
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  response.writeHead(status, {
    'content-type': 'application/json',
    [API_HEADER]: API_VERSION,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    connection: 'close',
    ...(status === 401 && { 'www-authenticate': 'Bearer' }),
  });
  response.end(request.method === 'HEAD' ? undefined : text);
}

const STATUS_OF: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };

/** A response to input that is not an HTTP request. */
function renderPlain(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
}

/** Closes a connection to which nothing could be written for a while. A reader of a silent stream may stay. */
function closeWhenStalled(socket: Socket, response: ServerResponse, after: TcpParts['after']): void {
  let written = socket.bytesWritten;
  const check = () => {
    const waits = response.writableLength > 0 || (response.writableEnded && !response.writableFinished);
    if (waits && socket.bytesWritten === written) {
      socket.destroy();
      return;
    }
    written = socket.bytesWritten;
    cancel = after(IDLE_TIMEOUT / 2, check);
  };
  let cancel = after(IDLE_TIMEOUT / 2, check);
  response.once('close', () => cancel());
}
