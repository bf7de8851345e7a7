// What /proc tells about processes: who descends from whom, in which session, with which mark. Reads only; no `ps`, no
// /proc/<pid>/task/<tid>/children (absent in gVisor and in kernels without CONFIG_PROC_CHILDREN). Signals nobody.
import { readlinkSync } from 'node:fs';
import { decodeBytes } from '../bytes.ts';
import { codeOf } from './errno.ts';
import { listFolder, readBytes, readText } from './files.ts';

/** A pid alone may be reused; with its start time (clock ticks since boot) it names one process for ever. */
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

/** What one reading of /proc has found. */
export interface ProcessScan {
  /** Those that live, by pid. */
  readonly all: Processes;
  /**
   * Those that were listed and are no more, or have become zombies and are children of PID 1: each may have gone this moment,
   * and have left a child that was born after the list was made and stands nowhere. A zombie of another's has a parent that
   * lives, and one that an earlier reading has shown was dead before the list was made.
   */
  readonly gone: readonly number[];
  /** Zombies that are children of PID 1: pid -> start. */
  readonly dead: ReadonlyMap<number, number>;
}

/** One line of /proc/<pid>/stat (proc_pid_stat(5)). The name stands in parentheses and may hold any byte, `)` too. */
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
 * A zombie has given up its memory, its descriptors and its children: it only waits to be reaped. One with other threads
 * lives: only its first thread has ended (pthread_exit(3) in `main`).
 */
export function isGone({ state, threads }: Process): boolean {
  return (state === 'Z' || state === 'X') && threads <= 1;
}

/** Resident pages of a process: its own, and those of files and shared memory (proc_pid_statm(5)). */
export function readMemory(pid: number): { readonly own: number; readonly shared: number } {
  try {
    const [, resident = 0, shared = 0] = readText(`/proc/${pid}/statm`).split(' ').map(Number);
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

/** One process, a zombie too; null where there is none. */
export function readProcess(pid: number): Process | null {
  try {
    return parseStat(readText(`/proc/${pid}/stat`));
  } catch {
    return null;
  }
}

/** Of the folders of /proc those that are processes. Throws when it cannot be read now. */
export const processNames = (): string[] =>
  listFolder('/proc').filter((name) => {
    const first = name.charCodeAt(0);
    return first >= 48 && first <= 57;
  });

/** That nothing could be read just now does not tell that nothing is there. */
function throwIfShort(error: unknown): void {
  const code = codeOf(error);
  if (code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM') throw error;
}

/**
 * All live processes of this PID namespace, as near to one moment as /proc allows. Throws if it cannot be read now.
 * `reaper` is PID 1, or the process that adopts orphans in its place. `dead` are the zombies of an earlier reading.
 * `settled` returns a process that needs no reading of its files. `names` and `read` replace /proc and its files.
 */
export function readProcesses(
  reaper: number,
  dead: ProcessScan['dead'] = new Map(),
  settled: (pid: number) => Process | undefined = () => undefined,
  names = processNames,
  read = readText,
): ProcessScan {
  const all = new Map<number, Process>();
  const gone: number[] = [];
  const zombies = new Map<number, number>();
  for (const entry of names()) {
    const known = settled(Number(entry));
    if (known !== undefined) {
      all.set(known.pid, known);
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

/**
 * The mark of a process: its soft RLIMIT_LOCKS, a limit that Linux has not enforced since 2.4 (getrlimit(2)) and that
 * every descendant inherits, through exec with an empty environment, setsid, setuid and renaming. /proc/<pid>/limits may
 * be read by anybody, unlike environ, which the superuser of an ordinary container may not read of another user's process.
 */
export function readMark(pid: number): string | null {
  try {
    return /^Max file locks\s+(\d+)/m.exec(readText(`/proc/${pid}/limits`))?.[1] ?? null;
  } catch (error) {
    throwIfShort(error);
    return null;
  }
}

/** Where limits cannot carry the mark: the run's own variables in the environment a process was executed with. */
export function readRunName(pid: number): string | null {
  try {
    const text = readText(`/proc/${pid}/environ`);
    const service = /(?:^|\0)SVC_NAME=([^\0]*)/.exec(text)?.[1];
    const run = /(?:^|\0)SVC_RUN=([^\0]*)/.exec(text)?.[1];
    return service === undefined || run === undefined ? null : `${service}#${run}`;
  } catch (error) {
    throwIfShort(error);
    return null;
  }
}

/** A process's name in full: its command line's first words, since `comm` is cut at 15 characters. */
export function readTitle(process: Process): string {
  try {
    const line = readBytes(`/proc/${process.pid}/cmdline`).toString().replaceAll('\0', ' ').trim();
    if (line.startsWith(process.name) && line.length > process.name.length)
      return line.split(' ', 1)[0] ?? process.name;
  } catch {
    // Gone meanwhile.
  }
  return process.name;
}

/** What makes processes one run's: see `ProcessIndex`. */
export interface Roots {
  readonly main: number;
  readonly mainStart: number;
  readonly mark: string;
  readonly runName: string;
  /** Members found earlier: pid -> start. */
  readonly known: ReadonlyMap<number, number>;
}

/** Reads what a process was marked with; given as an argument so that the rule can be tested on made-up processes. */
export interface MarkReader {
  mark(process: Process): string | null;
  runName(process: Process): string | null;
}

/**
 * The processes of one reading by all that can make them a run's, so that a thousand runs can be looked for at the cost of
 * one. Marks are asked for only of orphans: whoever has a parent is found through it.
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
   * A run's processes: main, its group and session, whoever carries the mark, those known from before, and all descendants
   * of these. Never PID 1 or the supervisor.
   */
  membersOf({ main, mainStart, mark, runName, known }: Roots): Process[] {
    const found = this.#all.get(main);
    // A main pid that belongs to another process now: its group and session numbers are no longer ours either.
    const reused = found !== undefined && found.start !== mainStart;
    const queue = [
      ...(reused ? [] : [this.#groups, this.#sessions]).flatMap((by) => by.get(main) ?? []),
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
