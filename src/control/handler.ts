// Handles one HTTP request of any listener: finds the route, reads a bounded body, writes JSON, text or a stream of lines.
// Every error becomes a response, never an exception.
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type ApiResponse,
  type ApiSource,
  findRoute,
  IDEMPOTENCY_KEY,
  isFound,
  parseBody,
  parseKey,
  type Route,
  refuse,
} from './api.ts';
import { API_HEADER, API_VERSION } from './api-header.ts';
import { ROUTES } from './routes.ts';
import { ResponseOutlet } from './streams.ts';

/** Limit of a body in bytes; the largest request is a command line for exec. */
export const MAX_BODY = 64 * 1024;

/** `isLocal`: the listener is the unix socket. A listener with more routes than the API passes its table. */
interface ListenerKind {
  readonly isLocal: boolean;
  readonly routes?: readonly Route[];
}

/** Handles the requests of a listener. */
export function makeHandler(
  source: ApiSource,
  { isLocal, routes = ROUTES }: ListenerKind,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    // A client that disconnects is not an error.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    void decide(source, isLocal, routes, request)
      .catch((error: unknown) => {
        const text = error instanceof Error ? error.message : String(error);
        return refuse(500, `a bug in svc-super, please report it: ${text}`);
      })
      .then((result) => send(result, request, response))
      .catch(() => response.destroy());
  };
}

async function decide(
  source: ApiSource,
  isLocal: boolean,
  routes: readonly Route[],
  request: IncomingMessage,
): Promise<ApiResponse> {
  const found = findRoute(request.method ?? '', request.url ?? '', routes);
  if (!isFound(found)) return found;
  const { route, params, query } = found;
  if (route.method === 'GET') return route.respond(source, { isLocal, params, query, body: {}, key: null });
  const text = await readBody(request);
  if (text === null) return refuse(413, `the body is larger than ${MAX_BODY} bytes`, { connection: 'close' });
  const parsed = parseBody(text);
  if ('status' in parsed) return parsed;
  const key = parseKey(request.headers[IDEMPOTENCY_KEY]);
  if (key !== null && typeof key !== 'string') return key;
  return route.respond(source, { isLocal, params, query, body: parsed.body, key });
}

/** The whole body; null if it is too large. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY) return null;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(result: ApiResponse, request: IncomingMessage, response: ServerResponse): void {
  if (response.destroyed) return;
  const common = { [API_HEADER]: API_VERSION, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
  if ('lines' in result) {
    // nginx collects a response in a buffer, unless this header forbids it: lines would arrive late, and the head with them.
    response.writeHead(result.status, {
      ...common,
      'content-type': 'application/x-ndjson',
      'x-accel-buffering': 'no',
    });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    // Send the head now, so that the follower of a silent service knows that the stream is open.
    response.flushHeaders();
    const outlet = new ResponseOutlet(response);
    const stop = result.lines(outlet);
    outlet.begin(stop);
    return;
  }
  const [type, text] =
    'type' in result ? [result.type, result.text] : ['application/json', `${JSON.stringify(result.body)}\n`];
  response.writeHead(result.status, {
    ...common,
    ...result.headers,
    'content-type': type,
    'content-length': Buffer.byteLength(text),
  });
  response.end(request.method === 'HEAD' ? undefined : text);
}
