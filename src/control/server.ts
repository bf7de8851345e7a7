// Serves the API over the unix socket, mode 0600. Finds a place for it, replaces a socket that nobody answers on, leaves
// one that is alive alone. Decides nothing about services.
import { chmodSync, existsSync, lstatSync, mkdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Place } from './address.ts';
import type { ApiSource } from './api.ts';
import { Crowd } from './crowd.ts';
import type { Speaker } from './speaker.ts';

export interface Serving {
  readonly path: string;
  /** Where another supervisor answers: whoever asks without naming a socket asks that one. */
  readonly occupied: string | null;
  close(): void;
}

/** Where and why no socket could be had. */
export interface NotServing {
  readonly path: null;
  readonly reasons: readonly string[];
}

/** Past so many connections, those that say nothing are cut off. */
const MOST_CONNECTIONS = 256;

/** Listens at the first place that can be had. `isShort`: whether there are hardly any descriptors left. */
export async function serve(
  source: ApiSource,
  places: readonly Place[],
  isShort: () => boolean,
): Promise<Serving | NotServing> {
  const reasons: string[] = [];
  let occupied: string | null = null;
  for (const place of places) {
    const reason = await makeRoom(place);
    if (reason === OCCUPIED) occupied ??= place.path;
    if (reason !== null) {
      reasons.push(`${place.path}: ${reason}`);
      continue;
    }
    try {
      const server = await listen(source, place.path, isShort);
      return { path: place.path, occupied, close: () => closeServer(server, place) };
    } catch (error) {
      reasons.push(`${place.path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { path: null, reasons };
}

const OCCUPIED = 'another supervisor answers there';

/** Makes the folder and clears away what a supervisor that died left behind. Null when there is room. */
async function makeRoom({ path, folder }: Place): Promise<string | null> {
  try {
    if (folder !== null) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const found = lstatSync(folder);
      if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0) {
        return `${folder} is not a folder that only we may enter`;
      }
    }
    if (!existsSync(path)) return null;
    if (!lstatSync(path).isSocket()) return 'something that is not a socket stands there';
    if (await answers(path)) return OCCUPIED;
    unlinkSync(path);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const finish = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}

function listen(source: ApiSource, path: string, isShort: () => boolean): Promise<Server> {
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
    // The mode follows the umask; nobody but our user may ever connect, not even for a moment.
    const umask = process.umask(0o177);
    try {
      server.listen(path, () => {
        chmodSync(path, 0o600);
        resolve(server);
      });
    } finally {
      process.umask(umask);
    }
  });
}

function closeServer(server: Server, { path, folder }: Place): void {
  server.close();
  try {
    unlinkSync(path);
  } catch {
    // The server had removed it.
  }
  try {
    if (folder !== null) rmdirSync(folder);
  } catch {
    // Another supervisor of ours lives there too.
  }
}
