// Finds the processes of a run. All callers in the same turn of the event loop share one scan of /proc. Caches the mark of
// each process, because it never changes. Sends no signals.
import type { Clock } from '../ports.ts';
import {
  type Process,
  ProcessIndex,
  type ProcessScan,
  type Roots,
  readMark,
  readProcesses,
  readRunName,
} from './processes.ts';
import { ReservedDescriptor } from './reserved-descriptor.ts';

/** The marks of one process; undefined: not read yet. Null: the process has none, and a name of a run it may get. */
interface CachedMarks {
  mark?: string | null;
  runName?: string | null;
}

/** When the cache has this many processes, it is emptied. */
const MOST_CACHED = 4_096;

export class ProcessTable {
  readonly #clock: Clock;
  readonly #isOurChild: (pid: number) => boolean;
  readonly #findMain: (pid: number) => Process | undefined;
  readonly #reaper: number;
  /** By `PID:START`. */
  readonly #cache = new Map<string, CachedMarks>();
  readonly #reserve = new ReservedDescriptor();
  #scan: ProcessScan | null = null;
  #dead: ProcessScan['dead'] = new Map();
  /** The index of a scan; null until the first call that needs it. */
  #index: { readonly of: ProcessScan; readonly byMark: boolean; readonly processes: ProcessIndex } | null = null;

  /**
   * `reaper`: PID 1, or the process that adopts orphans in its place. `isOurChild`: whether PID 1 spawned that process for
   * this supervisor. `findMain`: the main process with that PID, if it has not been reaped. No other process can have its
   * PID, and it always belongs to its own run, so its files in /proc are not read.
   */
  constructor(
    clock: Clock,
    reaper: number,
    isOurChild: (pid: number) => boolean,
    findMain: (pid: number) => Process | undefined,
  ) {
    this.#findMain = findMain;
    this.#clock = clock;
    this.#reaper = reaper;
    this.#isOurChild = isOurChild;
  }

  /**
   * The live processes of a run; null if /proc cannot be read now, which does not mean that there are none. `byMark`:
   * whether the kernel stores marks.
   */
  membersOf(roots: Roots, byMark: boolean): Process[] | null {
    try {
      return (this.#currentIndex(byMark) ?? this.#reserve.during(() => this.#makeIndex(byMark))).membersOf(roots);
    } catch {
      return null;
    }
  }

  /** The new value of `known` of a run: these members, and known processes that are dead and not reaped (pid -> start). */
  updateKnown(known: Roots['known'], members: readonly Process[]): Map<number, number> {
    const unreaped = [...known].filter(([pid, start]) => this.#dead.get(pid) === start);
    return new Map([...unreaped, ...members.map(({ pid, start }) => [pid, start] as const)]);
  }

  /** Caches the mark of a process that was spawned for this supervisor, so that it need not be read. */
  setMark(pid: number, start: number, mark: string): void {
    this.#cached({ pid, start }).mark = mark;
  }

  /**
   * Whether the last scan cannot have missed a process of a run. Dead children that PID 1 spawned for us do not count: the
   * exit of the run is handled separately.
   */
  get isComplete(): boolean {
    return this.#scan?.gone.every(this.#isOurChild) === true;
  }

  /** Call it when a main process was reaped: discards a scan that shows it alive, because that scan lacks its orphans. */
  discardIfAlive(pid: number, start: number): void {
    if (this.#scan?.all.get(pid)?.start === start) this.discard();
  }

  /** Discards the current scan: the next call reads /proc again. */
  discard(): void {
    this.#scan = null;
    this.#index = null;
  }

  #currentScan(): ProcessScan {
    if (this.#scan === null) {
      this.#scan = readProcesses(this.#reaper, this.#dead, this.#findMain);
      this.#dead = this.#scan.dead;
      this.#clock.soon(() => this.discard());
    }
    return this.#scan;
  }

  /** The index of the current scan; null if it has not been computed. */
  #currentIndex(byMark: boolean): ProcessIndex | null {
    const index = this.#index;
    return index !== null && index.of === this.#scan && index.byMark === byMark ? index.processes : null;
  }

  #makeIndex(byMark: boolean): ProcessIndex {
    const of = this.#currentScan();
    const marks = {
      mark: (process: Process) => (byMark ? this.#markOf(process) : null),
      runName: (process: Process) => (byMark || this.#isOurChild(process.pid) ? null : this.#runNameOf(process)),
    };
    const processes = new ProcessIndex(of.all, marks, { reaper: this.#reaper, self: process.pid });
    this.#index = { of, byMark, processes };
    return processes;
  }

  #cached({ pid, start }: Pick<Process, 'pid' | 'start'>): CachedMarks {
    const key = `${pid}:${start}`;
    let found = this.#cache.get(key);
    if (found === undefined) {
      if (this.#cache.size >= MOST_CACHED) this.#cache.clear();
      found = {};
      this.#cache.set(key, found);
    }
    return found;
  }

  #markOf(process: Process): string | null {
    const cached = this.#cached(process);
    // Null is cached too, because most processes of a machine have no mark.
    if (cached.mark === undefined) cached.mark = readMark(process.pid);
    return cached.mark;
  }

  #runNameOf(process: Process): string | null {
    const cached = this.#cached(process);
    // Null is read again: /proc shows no environment while a process executes a program, and shows the new one afterwards.
    cached.runName ??= readRunName(process.pid);
    return cached.runName;
  }
}
