// Serves HTTP on connections that server.ts has accepted. Loaded at the first connection: most containers receive no request,
// and these modules are a sixth of the memory of an idle supervisor.
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import type { ApiSource } from './api.ts';
import type { ConnectionLimiter } from './connection-limiter.ts';
import { makeHandler } from './handler.ts';

/** Takes over a connection. */
export type TakeConnection = (socket: Socket) => void;

export function makeHttpServer(source: ApiSource, limiter: ConnectionLimiter<Socket>): TakeConnection {
  const respond = makeHandler(source, { isLocal: true });
  const server = createServer((request, response) => {
    limiter.serve(request.socket, response);
    respond(request, response);
  });
  return (socket) => void server.emit('connection', socket);
}
