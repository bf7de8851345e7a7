// Reads what the native program passes to this file: a pipe or a file in memory at a fixed descriptor, with lines
// `key=value`, the arguments and the environment of the container (native/handover.c writes it). It can be read only
// once.
import { readSync } from 'node:fs';
import { decodeBytes } from '../bytes.ts';

/**
 * Numbers of descriptors, the same as in native/handover.h. `pid1`: the connection to PID 1; `handover`: what this file reads;
 * `control`: see isConnected; `idle`: the reading end of a pipe, for the threads of the pool; threads.ts opens the
 * writing end through /proc.
 */
export const FD = { pid1: 3, handover: 4, control: 5, idle: 6 } as const;

/**
 * `supervise`: supervise services, as a child of PID 1; `command`: execute a short command; `explain`: print why a
 * program could not be executed.
 */
export type HandoverRole = 'supervise' | 'command' | 'explain';

export interface Handover {
  readonly role: HandoverRole;
  /** The native program that runs as PID 1, or in its place, above a supervisor; 0 for the other roles. */
  readonly pid1: number;
  /** CLOCK_MONOTONIC at the handover, milliseconds. */
  readonly now: number;
  /** Bytes of a memory page: 4,096 on x86-64, up to 65,536 on arm64. */
  readonly page: number;
  /** The original RLIMIT_NOFILE of the container; Infinity if it is unlimited. */
  readonly files: { readonly soft: number; readonly hard: number };
  /** Whether standard input, output and error are terminals. */
  readonly terminals: readonly [boolean, boolean, boolean];
  /** Whether the kernel can store, in a resource limit, the mark by which a process is known to belong to a run (linux/processes.ts). */
  readonly hasMarks: boolean;
  /** Path of the control socket; null if there is none. */
  readonly socket: string | null;
  /**
   * For a command: whether FD.control is a connection to the supervisor. For the supervisor, FD.control is its
   * listening socket.
   */
  readonly isConnected: boolean;
  /** Paths of the control socket that could not be used, and why: an errno, or a number of linux/socket-paths.ts. */
  readonly looked: readonly { readonly path: string; readonly why: number }[];
  /** The supervisors that answer. If more than one may be meant, none is connected. */
  readonly found: readonly { readonly path: string; readonly pid: number }[];
  /** For `exec`: the pseudo-terminal of the command; null if there is none. */
  readonly terminal: string | null;
  /** For `explain`: the errno of exec, and the program. */
  readonly errno: number;
  readonly program: string;
  /** How many times a supervisor was started as a successor; 0 also if all before this one died before they had started a service. */
  readonly restarts: number;
  /** For a successor: CLOCK_MONOTONIC when the last supervisor that had taken over died, milliseconds. */
  readonly diedAt: number;
  /** For a successor: when PID 1 last received bytes from that supervisor, milliseconds. */
  readonly heardAt: number;
  /** For a successor: how that supervisor ended, and then those that died before they took over; at most 16. */
  readonly deaths: readonly { readonly how: 'exit' | 'signal' | 'hung'; readonly number: number }[];
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

const PROTOCOL = '1';
const CHUNK = 64 * 1024;

/** Returns null if there is no handover, because this file was executed directly. */
export function readHandover(): Handover | null {
  const parts: Buffer[] = [];
  try {
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK);
      const size = readSync(FD.handover, chunk, 0, CHUNK, null);
      if (size === 0) break;
      parts.push(chunk.subarray(0, size));
    }
  } catch {
    return null;
  }
  return parseHandover(Buffer.concat(parts));
}

/** Pure. Returns null if the bytes are not a handover of this release. */
export function parseHandover(bytes: Buffer): Handover | null {
  const texts = splitTexts(bytes);
  const end = texts.findIndex((text) => text.length === 0);
  if (end < 0) return null;
  const lines = texts.slice(0, end).map(decodeBytes);
  const valuesOf = (key: string) =>
    lines.flatMap((line) => (line.startsWith(`${key}=`) ? line.slice(key.length + 1) : []));
  const number = (key: string) => Number(valuesOf(key)[0] ?? 0);
  if (valuesOf('protocol')[0] !== PROTOCOL) return null;
  const argumentsFrom = end + 1;
  const variablesFrom = argumentsFrom + number('arguments');
  const variables = texts.slice(variablesFrom, variablesFrom + number('variables')).map(decodeBytes);
  const limit = (key: string) => (number(key) < 0 ? Number.POSITIVE_INFINITY : number(key));
  const isTerminal = (fd: number) => number(`terminal${fd}`) === 1;
  return {
    role: (valuesOf('role')[0] ?? 'command') as HandoverRole,
    pid1: number('pid'),
    now: number('now'),
    page: number('page'),
    files: { soft: limit('soft_files'), hard: limit('hard_files') },
    terminals: [isTerminal(0), isTerminal(1), isTerminal(2)],
    hasMarks: number('marks') === 1,
    socket: valuesOf('socket')[0] ?? null,
    isConnected: number('connected') === 1,
    looked: valuesOf('looked')
      .map(numbered)
      .map(([why, path]) => ({ why, path })),
    found: valuesOf('found')
      .map(numbered)
      .map(([pid, path]) => ({ pid, path })),
    terminal: valuesOf('terminal')[0] ?? null,
    restarts: number('restarts'),
    diedAt: number('died_at'),
    heardAt: number('heard_at'),
    deaths: valuesOf('death').map((text) => {
      const [how = '', code] = text.split(' ');
      return { how: how as Handover['deaths'][number]['how'], number: Number(code) };
    }),
    errno: number('errno'),
    program: valuesOf('program')[0] ?? '',
    argv: texts.slice(argumentsFrom, variablesFrom).map(decodeBytes),
    environment: environmentOf(variables),
  };
}

/** `NUMBER PATH`. */
function numbered(text: string): readonly [number, string] {
  const space = text.indexOf(' ');
  return [Number(text.slice(0, space)), text.slice(space + 1)];
}

function splitTexts(bytes: Buffer): Buffer[] {
  const texts: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0, from);
    if (end < 0) break;
    texts.push(bytes.subarray(from, end));
    from = end + 1;
  }
  return texts;
}

/**
 * If a name occurs twice, the first counts, as for getenv(3). `fromEntries` makes even `__proto__` an ordinary
 * property.
 */
function environmentOf(variables: readonly string[]): Record<string, string> {
  const found = new Map<string, string>();
  for (const variable of variables) {
    const equals = variable.indexOf('=');
    if (equals > 0 && !found.has(variable.slice(0, equals)))
      found.set(variable.slice(0, equals), variable.slice(equals + 1));
  }
  return Object.fromEntries(found);
}
