// Speaks HTTP on connections that server.ts has accepted. Loaded with the first of them: most containers are never asked
// anything, and the modules for it are a sixth of the memory of an idle supervisor.
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import type { ApiSource } from './api.ts';
import type { ConnectionLimiter } from './connection-limiter.ts';
import { handler } from './handler.ts';

/** Takes a connection over. */
export type TakeConnection = (socket: Socket) => void;

export function makeHttpServer(source: ApiSource, limiter: ConnectionLimiter<Socket>): TakeConnection {
  const answer = handler(source, true);
  const server = createServer((request, response) => {
    limiter.serve(request.socket, response);
    answer(request, response);
  });
  return (socket) => void server.emit('connection', socket);
}
