// Serves the API over the unix socket that PID 1 has made. The socket listens before a supervisor starts and while it is
// replaced. Decides nothing about services.
import { createServer, type Socket } from 'node:net';
import type { ApiSource } from './api.ts';
import { Crowd } from './crowd.ts';
import type { Speaker } from './speaker.ts';

/** Past so many connections, those that say nothing are cut off. */
const MOST_CONNECTIONS = 256;

/** Accepts connections at a descriptor that listens. `isShort`: whether there are hardly any descriptors left. */
export function serve(source: ApiSource, fd: number, isShort: () => boolean): Promise<{ close(): void }> {
  const crowd = new Crowd<Socket>(MOST_CONNECTIONS, isShort);
  let speaker: Promise<Speaker> | null = null;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    crowd.admit(socket);
    speaker ??= import('./speaker.ts').then(({ speak }) => speak(source, crowd));
    void speaker.then((take) => take(socket));
  });
  return new Promise((resolve, reject) => {
    // For good: what accept(2) fails with later is no reason to end.
    server.on('error', reject);
    server.listen({ fd }, () => resolve({ close: () => server.close() }));
  });
}
