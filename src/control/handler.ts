// One HTTP request to its route and back, whichever listener it came through: reads a bounded body, writes JSON, text or
// a stream of lines. Whatever goes wrong becomes an answer, never an exception.
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type Answer,
  type ApiSource,
  findRoute,
  isFound,
  KEY,
  parseBody,
  parseKey,
  type Route,
  refuse,
} from './api.ts';
import { ROUTES } from './routes.ts';
import { ResponseOutlet } from './streams.ts';

/** As much of a body as is read, bytes: the largest request is a command line for exec. */
export const MAX_BODY = 64 * 1024;

/**
 * Answers requests. `isLocal`: the listener is the unix socket. One that offers more than the API gives a table of its own.
 */
export function handler(
  source: ApiSource,
  isLocal: boolean,
  routes: readonly Route[] = ROUTES,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    // A client that has gone is no news.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    void decide(source, isLocal, routes, request)
      .catch((error: unknown) => {
        const text = error instanceof Error ? error.message : String(error);
        return refuse(500, `a bug in svc-super, please report it: ${text}`);
      })
      .then((answer) => send(answer, request, response))
      .catch(() => response.destroy());
  };
}

async function decide(
  source: ApiSource,
  isLocal: boolean,
  routes: readonly Route[],
  request: IncomingMessage,
): Promise<Answer> {
  const found = findRoute(request.method ?? '', request.url ?? '', routes);
  if (!isFound(found)) return found;
  const { route, params, query } = found;
  if (route.method === 'GET') return route.answer(source, { isLocal, params, query, body: {}, key: null });
  const text = await readBody(request);
  if (text === null) return refuse(413, `the body is larger than ${MAX_BODY} bytes`, { connection: 'close' });
  const parsed = parseBody(text);
  if ('status' in parsed) return parsed;
  const key = parseKey(request.headers[KEY]);
  if (key !== null && typeof key !== 'string') return key;
  return route.answer(source, { isLocal, params, query, body: parsed.body, key });
}

/** The whole body; null when it is too large. */
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

function send(answer: Answer, request: IncomingMessage, response: ServerResponse): void {
  if (response.destroyed) return;
  const common = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
  if ('lines' in answer) {
    response.writeHead(answer.status, { ...common, 'content-type': 'application/x-ndjson' });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    // The head goes out now: a follower of a silent service is to know that it is heard.
    response.flushHeaders();
    const outlet = new ResponseOutlet(response);
    const stop = answer.lines(outlet);
    outlet.begin(stop);
    return;
  }
  const [type, text] =
    'type' in answer ? [answer.type, answer.text] : ['application/json', `${JSON.stringify(answer.body)}\n`];
  response.writeHead(answer.status, {
    ...common,
    ...answer.headers,
    'content-type': type,
    'content-length': Buffer.byteLength(text),
  });
  response.end(request.method === 'HEAD' ? undefined : text);
}
