// Which processes belong to a run, from readings of /proc that are shared by all who ask in the same turn of the event
// loop. Remembers what a process was marked with, since that never changes. Signals nobody.
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
import { Spare } from './spare.ts';

interface Remembered {
  mark?: string | null;
  runName?: string | null;
}

/** As many processes are remembered before all are forgotten. */
const MOST = 4_096;

export class ProcessTable {
  readonly #clock: Clock;
  readonly #isOurChild: (pid: number) => boolean;
  readonly #settled: (pid: number) => Process | undefined;
  readonly #reaper: number;
  readonly #remembered = new Map<string, Remembered>();
  readonly #spare = new Spare();
  #snapshot: ProcessScan | null = null;
  #dead: ProcessScan['dead'] = new Map();
  /** Of the snapshot; null until somebody asks. */
  #index: { readonly of: ProcessScan; readonly byMark: boolean; readonly kin: ProcessIndex } | null = null;

  /**
   * `reaper`: PID 1, or the process that adopts orphans in its place. `isOurChild`: whether PID 1 spawned that process for
   * this supervisor. `settled`: the main process with that pid, if it has not been reaped. No other process can have its
   * pid, and it always belongs to its own run, so its files in /proc are not read.
   */
  constructor(
    clock: Clock,
    reaper: number,
    isOurChild: (pid: number) => boolean,
    settled: (pid: number) => Process | undefined,
  ) {
    this.#settled = settled;
    this.#clock = clock;
    this.#reaper = reaper;
    this.#isOurChild = isOurChild;
  }

  /**
   * The processes of a run that live; null when /proc cannot be read now, which is not the same as none. `byMark`: whether
   * marks could be put on at all.
   */
  membersOf(roots: Roots, byMark: boolean): Process[] | null {
    try {
      return (this.#known(byMark) ?? this.#spare.during(() => this.#kin(byMark))).membersOf(roots);
    } catch {
      return null;
    }
  }

  /** What a run goes on knowing: these members, and who is dead and has yet to be reaped. Nobody asks for others again. */
  remembered(known: Roots['known'], members: readonly Process[]): Map<number, number> {
    const unreaped = [...known].filter(([pid, start]) => this.#dead.get(pid) === start);
    return new Map([...unreaped, ...members.map(({ pid, start }) => [pid, start] as const)]);
  }

  /** A child that was spawned here: its mark is known without asking the kernel. */
  introduce(pid: number, start: number, mark: string): void {
    this.#memoryOf({ pid, start }).mark = mark;
  }

  /** Whether the last reading missed nobody who may have come from a run. A child of ours that is dead is its run's business. */
  get isWhole(): boolean {
    return this.#snapshot?.gone.every(this.#isOurChild) === true;
  }

  /** A main process was reaped: discards a reading that shows it, which was made before and lacks its orphans. */
  outdate(pid: number, start: number): void {
    if (this.#snapshot?.all.get(pid)?.start === start) this.forget();
  }

  /** What is known may be out of date: read again when next asked. */
  forget(): void {
    this.#snapshot = null;
    this.#index = null;
  }

  #read(): ProcessScan {
    if (this.#snapshot === null) {
      this.#snapshot = readProcesses(this.#reaper, this.#dead, this.#settled);
      this.#dead = this.#snapshot.dead;
      this.#clock.soon(() => this.forget());
    }
    return this.#snapshot;
  }

  /** The index of the current scan; null if it has not been computed. */
  #known(byMark: boolean): ProcessIndex | null {
    const known = this.#index;
    return known !== null && known.of === this.#snapshot && known.byMark === byMark ? known.kin : null;
  }

  #kin(byMark: boolean): ProcessIndex {
    const of = this.#read();
    const marks = {
      mark: (process: Process) => (byMark ? this.#markOf(process) : null),
      runName: (process: Process) => (byMark || this.#isOurChild(process.pid) ? null : this.#runNameOf(process)),
    };
    const kin = new ProcessIndex(of.all, marks, { reaper: this.#reaper, self: process.pid });
    this.#index = { of, byMark, kin };
    return kin;
  }

  #memoryOf({ pid, start }: Pick<Process, 'pid' | 'start'>): Remembered {
    const key = `${pid}:${start}`;
    let found = this.#remembered.get(key);
    if (found === undefined) {
      if (this.#remembered.size >= MOST) this.#remembered.clear();
      found = {};
      this.#remembered.set(key, found);
    }
    return found;
  }

  #markOf(process: Process): string | null {
    const memory = this.#memoryOf(process);
    // That there is none is remembered too: most processes of a machine carry none.
    if (memory.mark === undefined) memory.mark = readMark(process.pid);
    return memory.mark;
  }

  #runNameOf(process: Process): string | null {
    const memory = this.#memoryOf(process);
    memory.runName ??= readRunName(process.pid);
    return memory.runName;
  }
}
