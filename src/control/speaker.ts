// Speaks HTTP on connections that server.ts has accepted. Loaded with the first of them: most containers are never asked
// anything, and the modules for it are a sixth of the memory of an idle supervisor.
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import type { ApiSource } from './api.ts';
import type { Crowd } from './crowd.ts';
import { handler } from './handler.ts';

/** Takes a connection over. */
export type Speaker = (socket: Socket) => void;

export function speak(source: ApiSource, crowd: Crowd<Socket>): Speaker {
  const answer = handler(source, true);
  const server = createServer((request, response) => {
    crowd.serve(request.socket, response);
    answer(request, response);
  });
  return (socket) => void server.emit('connection', socket);
}
