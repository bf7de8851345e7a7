// Finds the process that listens on a TCP port, from /proc/net/tcp and tcp6 (proc_pid_net(5)) and the descriptors in /proc.
// Never binds a port: a port in TIME_WAIT does not count as taken, and no other process finds the port taken by us.
import { listFolder, readLatin1 } from './files.ts';
import { processNames, readProcess } from './processes.ts';

const LISTEN = '0A';
/**
 * Wildcard and loopback addresses as the kernel prints them. Other listeners are ignored: a service can listen on 127.0.0.1 beside
 * them. One that listens on all addresses fails by itself, with the error of bind(2).
 */
const LOCAL = new Set([
  '00000000',
  '0100007F',
  '00000000000000000000000000000000',
  '00000000000000000000000001000000',
  '0000000000000000FFFF00000100007F',
]);

/** The inode of the socket that listens on `port`, from the text of one table; null if there is none. Pure. */
export function findListeningSocket(table: string, port: number): string | null {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of table.split('\n')) {
    const field = line.trim().split(/\s+/);
    const local = field[1];
    if (field[3] !== LISTEN || local === undefined || !local.endsWith(suffix)) continue;
    if (LOCAL.has(local.slice(0, -suffix.length))) return field[9] ?? null;
  }
  return null;
}

/** The process that listens on a port. `pid` is null if the process is not visible, such as one of another container. */
export interface PortHolder {
  readonly pid: number | null;
  /** `pid 12 (nginx)`. */
  readonly text: string;
}

/** Null if the port is free, or if the kernel does not provide the tables. */
export function findHolder(port: number): PortHolder | null {
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let text: string;
    try {
      text = readLatin1(table);
    } catch {
      continue;
    }
    const inode = findListeningSocket(text, port);
    if (inode === null) continue;
    const pid = holderOf(`socket:[${inode}]`);
    if (pid === null) return { pid, text: 'a process that is not visible in this container' };
    return { pid, text: `pid ${pid} (${readProcess(pid)?.name ?? '?'})` };
  }
  return null;
}

/** The text of findHolder(). */
export function describePortHolder(port: number): string | null {
  return findHolder(port)?.text ?? null;
}

function holderOf(socket: string): number | null {
  for (const pid of processNames()) {
    if (descriptorsOf(pid).some((path) => targetOf(path) === socket)) return Number(pid);
  }
  return null;
}

/** Paths of a process's descriptors; none for a process of another user, or one that has ended. */
function descriptorsOf(pid: string): readonly string[] {
  try {
    return listFolder(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`);
  } catch {
    return [];
  }
}

/** null: the descriptor has been closed since it was listed. */
function targetOf(path: string): string | null {
  try {
    return process.getBuiltinModule('node:fs').readlinkSync(path);
  } catch {
    return null;
  }
}
