// Reads processes from /proc, with their parents, sessions and marks, and finds those of a run. Uses neither `ps` nor
// /proc/<pid>/task/<tid>/children (absent in gVisor and in kernels without CONFIG_PROC_CHILDREN). Sends no signals.
import { readlinkSync } from 'node:fs';
import { decodeBytes } from '../bytes.ts';
import { codeOf } from './errno.ts';
import { listFolder, readBytes, readLatin1 } from './files.ts';
import { LOCKS } from './limits.ts';

/** A PID may be reused; together with its start time (clock ticks since boot) it identifies one process. */
export interface Process {
  readonly pid: number;
  readonly start: number;
  readonly name: string;
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** User and system time in clock ticks. */
  readonly ticks: number;
  readonly threads: number;
}

export type Processes = ReadonlyMap<number, Process>;

/** The result of one scan of /proc. */
export interface ProcessScan {
  /** Live processes, by PID. */
  readonly all: Processes;
  /**
   * Processes that ended during the scan, as far as possible: those that were listed and no longer exist, and zombies whose
   * parent is PID 1. Each may have left a child that was created after the list was read, and that the scan has missed.
   * Zombies of other parents do not count, because their parent is alive. Zombies of an earlier scan do not count, because
   * they ended before the list was read.
   */
  readonly gone: readonly number[];
  /** Zombies that are children of PID 1: pid -> start. */
  readonly dead: ReadonlyMap<number, number>;
}

/** Parses /proc/<pid>/stat (proc_pid_stat(5)). The name is in parentheses and may contain any byte, `)` too. */
export function parseStat(text: string): Process | null {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return null;
  const field = text.slice(close + 2).split(' ');
  const number = (position: number) => Number(field[position - 3]);
  const pid = Number(text.slice(0, open));
  if (!Number.isInteger(pid) || field.length < 22) return null;
  return {
    pid,
    name: decodeName(text.slice(open + 1, close)),
    state: field[0] ?? '?',
    parent: number(4),
    group: number(5),
    session: number(6),
    ticks: number(14) + number(15),
    threads: number(20),
    start: number(22),
  };
}

/** `name` has one character for each byte. Nearly all names are ASCII, and there may be thousands. */
function decodeName(name: string): string {
  return /[\x80-\xff]/.test(name) ? decodeBytes(Buffer.from(name, 'latin1')) : name;
}

/**
 * Whether a process has ended: a zombie has no memory, descriptors or children, and waits to be reaped. A zombie with other
 * threads is alive: only its first thread has ended (pthread_exit(3) in `main`).
 */
export function isGone({ state, threads }: Process): boolean {
  return (state === 'Z' || state === 'X') && threads <= 1;
}

/** Resident pages of a process: its own, and those of files and shared memory (proc_pid_statm(5)). */
export function readMemory(pid: number): { readonly own: number; readonly shared: number } {
  try {
    const [, resident = 0, shared = 0] = readLatin1(`/proc/${pid}/statm`).split(' ').map(Number);
    return { own: resident - shared, shared };
  } catch {
    return { own: 0, shared: 0 };
  }
}

/** `pid:[4026531836]`: pid_namespaces(7). Empty if the kernel does not provide it. */
export function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

/** Reads one process, even a zombie; null if it does not exist. */
export function readProcess(pid: number): Process | null {
  try {
    return parseStat(readLatin1(`/proc/${pid}/stat`));
  } catch {
    return null;
  }
}

/** The names in /proc that are PIDs. Throws if /proc cannot be read now. */
export const processNames = (): string[] =>
  listFolder('/proc').filter((name) => {
    const first = name.charCodeAt(0);
    return first >= 48 && first <= 57;
  });

/** Throws if resources are exhausted: a process that cannot be read now may nevertheless exist. */
function throwIfShort(error: unknown): void {
  const code = codeOf(error);
  if (code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM') throw error;
}

/**
 * Reads all live processes of this PID namespace. /proc is not read atomically: see `gone`. Throws if it cannot be read now.
 * `reaper` is PID 1, or the process that adopts orphans in its place. `dead` are the zombies of an earlier scan. `findMain`
 * returns a process whose files need not be read. `names` and `read` replace /proc and its files.
 */
export function readProcesses(
  reaper: number,
  dead: ProcessScan['dead'] = new Map(),
  findMain: (pid: number) => Process | undefined = () => undefined,
  names = processNames,
  read = readLatin1,
): ProcessScan {
  const all = new Map<number, Process>();
  const gone: number[] = [];
  const zombies = new Map<number, number>();
  for (const entry of names()) {
    const main = findMain(Number(entry));
    if (main !== undefined) {
      all.set(main.pid, main);
      continue;
    }
    try {
      const found = parseStat(read(`/proc/${entry}/stat`));
      if (found === null) continue;
      if (!isGone(found)) all.set(found.pid, found);
      else if (found.parent === reaper) {
        zombies.set(found.pid, found.start);
        if (dead.get(found.pid) !== found.start) gone.push(found.pid);
      }
    } catch (error) {
      throwIfShort(error);
      gone.push(Number(entry));
    }
  }
  return { all, gone, dead: zombies };
}

const MARK_ROW = new RegExp(`^${LOCKS.row}\\s+(\\d+)`, 'm');

/**
 * The mark of a process: its soft RLIMIT_LOCKS, a limit that Linux has not enforced since 2.4 (getrlimit(2)) and that
 * every descendant inherits, through exec with an empty environment, setsid, setuid and renaming. Every user may read
 * /proc/<pid>/limits. In an ordinary container, not even root may read the environ of another user's process.
 */
export function readMark(pid: number): string | null {
  try {
    return MARK_ROW.exec(readLatin1(`/proc/${pid}/limits`))?.[1] ?? null;
  } catch (error) {
    throwIfShort(error);
    return null;
  }
}

/** The run of a process, from the variables in its initial environment: a substitute if the kernel stores no marks. */
export function readRunName(pid: number): string | null {
  try {
    const text = readLatin1(`/proc/${pid}/environ`);
    const service = /(?:^|\0)SVC_NAME=([^\0]*)/.exec(text)?.[1];
    const run = /(?:^|\0)SVC_RUN=([^\0]*)/.exec(text)?.[1];
    return service === undefined || run === undefined ? null : `${service}#${run}`;
  } catch (error) {
    throwIfShort(error);
    return null;
  }
}

/** The longest name in /proc/<pid>/stat, bytes: longer ones are cut. */
const LONGEST_NAME = 15;

/**
 * The name of a process. One that the kernel has cut, or that is not known (`''`: of a main process), is looked for in the command line:
 * the name of the program without its folder, or, behind an interpreter, that of the script. Without the colon of a title that the process has written itself: `nginx: worker process`.
 */
export function readTitle({ pid, name }: Process): string {
  if (name !== '' && Buffer.byteLength(name) < LONGEST_NAME) return name;
  try {
    const words = readBytes(`/proc/${pid}/cmdline`).toString().split(/[\0 ]/);
    const whole = words.map((word) => word.slice(word.lastIndexOf('/') + 1)).find((word) => word.startsWith(name));
    return whole?.replace(/:$/, '') ?? name;
  } catch {
    // The process has ended.
    return name;
  }
}

/** The values that identify the processes of a run: see `ProcessIndex`. */
export interface Roots {
  readonly main: number;
  readonly mainStart: number;
  readonly mark: string;
  readonly runName: string;
  /** Members found earlier: pid -> start. */
  readonly known: ReadonlyMap<number, number>;
}

/** Reads the marks of a process. A parameter of ProcessIndex, so that tests can use fake processes. */
export interface MarkReader {
  mark(process: Process): string | null;
  runName(process: Process): string | null;
}

/**
 * The processes of one scan, indexed by everything that can assign them to a run, so that the processes of a thousand runs
 * are found at the cost of one. Marks are read only for orphans; all other processes are found through their parents.
 */
export class ProcessIndex {
  readonly #all: Processes;
  readonly #apart: ReadonlySet<number>;
  readonly #children: ReadonlyMap<number, readonly Process[]>;
  readonly #groups: ReadonlyMap<number, readonly Process[]>;
  readonly #sessions: ReadonlyMap<number, readonly Process[]>;
  readonly #marked: ReadonlyMap<string | null, readonly Process[]>;
  readonly #named: ReadonlyMap<string | null, readonly Process[]>;

  /** `reaper`: PID 1, or the process that adopts orphans in its place. `self`: the supervisor. Neither is a member. */
  constructor(all: Processes, marks: MarkReader, { reaper, self }: { readonly reaper: number; readonly self: number }) {
    this.#all = all;
    this.#apart = new Set([reaper, self]);
    this.#children = Map.groupBy(all.values(), ({ parent }) => parent);
    this.#groups = Map.groupBy(all.values(), ({ group }) => group);
    this.#sessions = Map.groupBy(all.values(), ({ session }) => session);
    const orphans = [...new Set([reaper, 1])].flatMap((parent) => this.#children.get(parent) ?? []);
    this.#marked = Map.groupBy(orphans, (process) => marks.mark(process));
    this.#named = Map.groupBy(orphans, (process) => marks.runName(process));
  }

  /**
   * The processes of a run: its main process, and the group and the session of that process; processes with the mark of the
   * run; members found earlier; and all descendants of these. Never PID 1 or the supervisor.
   */
  membersOf({ main, mainStart, mark, runName, known }: Roots): Process[] {
    const found = this.#all.get(main);
    // If another process has the PID now, its group and session do not belong to the run.
    const isReused = found !== undefined && found.start !== mainStart;
    const queue = [
      ...(isReused ? [] : [this.#groups, this.#sessions]).flatMap((by) => by.get(main) ?? []),
      ...(this.#marked.get(mark) ?? []),
      ...(this.#named.get(runName) ?? []),
    ];
    for (const [pid, start] of known) {
      const process = this.#all.get(pid);
      if (process?.start === start) queue.push(process);
    }
    const members = new Map<number, Process>();
    for (let process = queue.pop(); process !== undefined; process = queue.pop()) {
      if (this.#apart.has(process.pid) || members.has(process.pid)) continue;
      members.set(process.pid, process);
      queue.push(...(this.#children.get(process.pid) ?? []));
    }
    return [...members.values()];
  }
}
