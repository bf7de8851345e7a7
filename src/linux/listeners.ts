// Who listens on a TCP port: /proc/net/tcp and tcp6 (proc_pid_net(5)), and whose descriptor that socket is. Binds nothing,
// so a port in TIME_WAIT or held by ourselves for a moment is never mistaken for taken.
import { listFolder, readText } from './files.ts';
import { processNames, readProcess } from './processes.ts';

const LISTEN = '0A';
/** Wildcard and loopback addresses as the kernel prints them; a listener on another address does not stand in the way. */
const LOCAL = new Set([
  '00000000',
  '0100007F',
  '00000000000000000000000000000000',
  '00000000000000000000000001000000',
  '0000000000000000FFFF00000100007F',
]);

/** The inode of the socket that listens on `port`, in one table's text; null: nobody. Pure. */
export function findListener(table: string, port: number): string | null {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of table.split('\n')) {
    const field = line.trim().split(/\s+/);
    const local = field[1];
    if (field[3] !== LISTEN || local === undefined || !local.endsWith(suffix)) continue;
    if (LOCAL.has(local.slice(0, -suffix.length))) return field[9] ?? null;
  }
  return null;
}

/** Who holds a port. `pid` is null for a process that cannot be seen from here. */
export interface PortHolder {
  readonly pid: number | null;
  /** In words: `pid 12 (nginx)`. */
  readonly text: string;
}

/** Null: it is free, or this kernel does not tell. */
export function findHolder(port: number): PortHolder | null {
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let text: string;
    try {
      text = readText(table);
    } catch {
      continue;
    }
    const inode = findListener(text, port);
    if (inode === null) continue;
    const pid = holderOf(`socket:[${inode}]`);
    if (pid === null) return { pid, text: 'a process that cannot be seen from here' };
    return { pid, text: `pid ${pid} (${readProcess(pid)?.name ?? '?'})` };
  }
  return null;
}

/** Who holds a port, in words; null as above. */
export function portHolder(port: number): string | null {
  return findHolder(port)?.text ?? null;
}

function holderOf(socket: string): number | null {
  const { readlinkSync } = process.getBuiltinModule('node:fs');
  for (const pid of processNames()) {
    try {
      for (const fd of listFolder(`/proc/${pid}/fd`)) {
        if (readlinkSync(`/proc/${pid}/fd/${fd}`) === socket) return Number(pid);
      }
    } catch {
      // Another user's, or gone.
    }
  }
  return null;
}
