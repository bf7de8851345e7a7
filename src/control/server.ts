// Serves the API on the unix socket that PID 1 created. The socket listens before a supervisor starts and while it is
// replaced. Decides nothing about services.
import { createServer, type Socket } from 'node:net';
import type { ApiSource } from './api.ts';
import { ConnectionLimiter } from './connection-limiter.ts';
import type { TakeConnection } from './http-server.ts';

/** Above this number, idle connections are closed. */
const MOST_CONNECTIONS = 256;

/** Accepts connections on a listening descriptor. `isShort`: whether hardly any descriptors are left. */
export function serve(source: ApiSource, fd: number, isShort: () => boolean): Promise<{ close(): void }> {
  const limiter = new ConnectionLimiter<Socket>(MOST_CONNECTIONS, isShort);
  let http: Promise<TakeConnection> | null = null;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    limiter.admit(socket);
    http ??= import('./http-server.ts').then(({ makeHttpServer }) => makeHttpServer(source, limiter));
    void http.then((take) => take(socket));
  });
  return new Promise((resolve, reject) => {
    // The listener stays for later errors too: an error of accept(2) must not end the supervisor.
    server.on('error', reject);
    server.listen({ fd }, () => resolve({ close: () => server.close() }));
  });
}
