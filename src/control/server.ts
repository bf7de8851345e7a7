// Serves the API over the unix socket that PID 1 has made. The socket listens before a supervisor starts and while it is
// replaced. Decides nothing about services.
import { createServer, type Socket } from 'node:net';
import type { ApiSource } from './api.ts';
import { ConnectionLimiter } from './connection-limiter.ts';
import type { TakeConnection } from './http-server.ts';

/** Past so many connections, those that say nothing are cut off. */
const MOST_CONNECTIONS = 256;

/** Accepts connections at a descriptor that listens. `isShort`: whether there are hardly any descriptors left. */
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
    // For good: what accept(2) fails with later is no reason to end.
    server.on('error', reject);
    server.listen({ fd }, () => resolve({ close: () => server.close() }));
  });
}
