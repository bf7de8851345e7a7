// Tracks the process set of each run, from the spawn until no process is left. PID 1 spawns, signals and reaps; this file
// determines which processes belong to a run (a process set may outlive its main process), and when the last one has ended.
// Probes, hooks and stop commands are runs here too. Never decides when to signal, clean up or kill.

import { describeLaunchFailure } from '../linux/launch.ts';
import { limitName } from '../linux/limits.ts';
import { ProcessTable } from '../linux/process-table.ts';
import { isGone, type Process, readProcess, readTitle } from '../linux/processes.ts';
import { signalNumber } from '../linux/signals.ts';
import type { ProcessSpec } from '../plan/process.ts';
import type { Clock } from '../ports.ts';
import type { Pid1, SpawnListener } from './client.ts';
import type { RunEntry, SignalTarget } from './protocol.ts';
import {
  type Connections,
  type Done,
  type Ending,
  isSame,
  newMain,
  type Run,
  type RunListener,
  type RunRecord,
  type RunRequest,
  readExit,
  recordRun,
} from './run.ts';
import { arrangeStreams, type PipeEnd } from './streams.ts';

/**
 * After this many consecutive scans without a process of the run, no process is left, even if other processes ended during
 * each scan: on a busy machine this may happen in every scan.
 */
const EMPTY_SCANS = 3;
/** kill(2). */
const EPERM = 1;
/** The pause between two scans grows from the first to the last of these, milliseconds. */
const FIRST_PAUSE = 2;
const LAST_PAUSE = 100;

/** A mark combines the supervisor's random number and the number of the run. It is far above any limit that a user sets. */
const MARK_SHIFT = 20n;
const MARK_FLOOR = 0x1_0000_0000n;

interface ChildrenParts {
  readonly clock: Clock;
  readonly pid1: Pid1;
  /** A random 32-bit number that distinguishes the marks of this supervisor from those of other supervisors. */
  readonly seed: number;
  /**
   * False if the kernel stores no mark in a limit (gVisor): processes are then found by variables of their environment.
   */
  readonly hasMarks: boolean;
  /** The most descriptors that PID 1 may have open. */
  readonly files: number;
  /** Variables of every program, unless its own environment sets them. */
  readonly env: Readonly<Record<string, string>>;
}

export class Children {
  readonly #parts: ChildrenParts;
  readonly #runs = new Map<number, Run>();
  /** The main processes of the runs, by pid; null once the process was reaped. */
  readonly #mains = new Map<number, Process | null>();
  readonly #table: ProcessTable;
  #marks: bigint;
  /** Runs of the previous supervisor that have not been adopted yet. */
  #inherited = new Map<number, RunEntry>();
  /** Runs that are being ended. */
  readonly #ending = new Set<Run>();

  constructor(parts: ChildrenParts) {
    this.#parts = parts;
    this.#marks = firstMark(parts.seed);
    this.#table = new ProcessTable(
      parts.clock,
      parts.pid1.pid,
      (pid) => this.#mains.has(pid),
      (pid) => this.#mains.get(pid) ?? undefined,
    );
  }

  /** Distinguishes the cgroups of this supervisor, and of those before and after it, from those of others. */
  get owner(): string {
    return (this.#marks >> MARK_SHIFT).toString(16);
  }

  /** Loaded with the first limit of memory. */
  #cgroups(): typeof import('../linux/memory-cgroup.ts') {
    return require('../linux/memory-cgroup.ts') as typeof import('../linux/memory-cgroup.ts');
  }

  /** Starts a program in its own session. The listener is called later. */
  spawn({ spec, runName, stopSignal }: RunRequest, connections: Connections, listener: RunListener): Run {
    const id = this.#parts.pid1.nextRun();
    const mark = this.#marks + BigInt(id);
    const { input, output, notify } = connections;
    const { streams, pipes } = arrangeStreams(input, output);
    const { memory } = spec.attributes;
    const whole = { ...spec, env: { ...this.#parts.env, ...spec.env } };
    const run = this.#add(id, runName, listener);
    this.#parts.pid1.spawn(
      {
        spec: whole,
        run: id,
        stopSignal: signalNumber(stopSignal),
        mark: this.#parts.hasMarks ? mark : 0n,
        cgroup: memory === null ? null : this.#cgroups().cgroupOf(memory, this.owner),
        notify: notify?.name ?? null,
        terminal: input?.kind === 'terminal',
        streams,
      },
      this.#listener(run, whole, connections, pipes),
    );
    return run;
  }

  #add(id: number, runName: string, listener: RunListener): Run {
    const run: Run = {
      id,
      pid: 0,
      start: 0,
      mark: String(this.#marks + BigInt(id)),
      runName,
      listener,
      known: new Map(),
      exited: false,
      ending: undefined,
    };
    this.#runs.set(id, run);
    return run;
  }

  /**
   * Takes over a run of the previous supervisor; null: PID 1 has no entry for it. The listener is called later, with the
   * events that the previous supervisor did not receive. If the run was being ended, `done` is called when no process is
   * left.
   */
  adopt(
    record: RunRecord,
    { spec, runName }: RunRequest,
    connections: Connections,
    listener: RunListener,
    done: Done,
  ): Run | null {
    const entry = this.#inherited.get(record.id);
    if (entry === undefined) return null;
    const run = this.#add(record.id, runName, listener);
    this.#takeOver(run, record, entry, spec, connections, done);
    return run;
  }

  /** `spec`: null if only the previous supervisor knew it. */
  #takeOver(
    run: Run,
    record: RunRecord,
    entry: RunEntry,
    spec: ProcessSpec | null,
    connections: Connections,
    done: Done,
  ): void {
    this.#inherited.delete(record.id);
    const { pipes } = arrangeStreams(null, connections.output);
    if (record.pid > 0) this.#begin(run, record.pid, record.start, pipes, entry.pipes);
    run.known = new Map([...run.known, ...record.known]);
    run.exited = record.exited;
    if (record.exited) this.#mains.set(run.pid, null);
    const since = record.exited ? 'exited' : record.pid > 0 ? 'spawned' : 'requested';
    this.#parts.pid1.adopt(entry, since, this.#listener(run, spec, connections, pipes));
    const { ending } = record;
    if (ending !== null) {
      this.#beginEnding(run, ending.signal, done, {
        // SIGKILL is sent again, to determine the processes for which it is not permitted.
        signalled: new Set(ending.signal === 'SIGKILL' ? [] : ending.signalled),
        cleanedUp: new Map(ending.cleanedUp),
      });
      this.#parts.clock.soon(() => this.#scan(run));
    }
  }

  /** Sets the entries of PID 1's table from before this supervisor, for adopt(), and the seed of their marks. */
  inherit(runs: ReadonlyMap<number, RunEntry>, seed: number): void {
    this.#inherited = new Map(runs);
    this.#marks = firstMark(seed);
  }

  /** Kills the processes of runs that have not been adopted: short commands of the previous supervisor. */
  discardOthers(): void {
    for (const entry of this.#inherited.values()) this.#discard(entry);
  }

  #discard(entry: RunEntry): void {
    const nothing = { spawned: () => undefined, failed: () => undefined, exited: () => undefined };
    const record = { id: entry.run, pid: 0, start: 0, exited: false, known: [], ending: null };
    if (entry.state === 'failed') {
      this.#parts.pid1.release(entry.run);
      return;
    }
    const run = this.#add(entry.run, '', nothing);
    this.#takeOver(run, record, entry, null, { input: null, output: [], notify: null }, () => undefined);
    this.kill(run);
  }

  /** The checkpoint's record of a run; null: no process of it is left. */
  recordOf(run: Run): RunRecord | null {
    if (!this.#runs.has(run.id)) return null;
    return recordRun(run);
  }

  /** Records that the program is executing, and opens its pipes. */
  #begin(run: Run, pid: number, start: number, pipes: readonly PipeEnd[], descriptors: readonly number[]): void {
    const { pid1, hasMarks } = this.#parts;
    run.pid = pid;
    run.start = start;
    this.#mains.set(pid, newMain(pid, start, pid1.pid));
    run.known = new Map([[pid, start]]);
    if (hasMarks) this.#table.setMark(pid, start, run.mark);
    for (const [index, pipe] of pipes.entries()) pipe.open(`/proc/${pid1.pid}/fd/${descriptors[index]}`);
  }

  #listener(run: Run, spec: ProcessSpec | null, { notify }: Connections, pipes: readonly PipeEnd[]): SpawnListener {
    const { listener } = run;
    return {
      spawned: (pid, start, descriptors) => {
        // PID 1 may report it a second time: in its table, and as an event.
        if (run.pid > 0) return;
        this.#begin(run, pid, start, pipes, descriptors);
        listener.changed?.();
        listener.spawned(pid);
        // A kill was requested before the program was executing.
        if (run.ending !== undefined) this.#scan(run);
      },
      failed: (failure) => {
        this.#runs.delete(run.id);
        this.#forgetEnding(run);
        for (const pipe of pipes) void pipe.close();
        if (spec === null) return;
        listener.failed(describeLaunchFailure(spec, failure, { files: this.#parts.files, resource: limitName }));
      },
      exited: (status) => {
        if (run.exited) return;
        this.#table.discardIfAlive(run.pid, run.start);
        if (this.#mains.has(run.pid)) this.#mains.set(run.pid, null);
        run.exited = true;
        listener.changed?.();
        listener.exited(readExit(status));
        this.#scan(run);
      },
      notified: (text, uid) => notify?.onMessage(text, uid),
    };
  }

  /**
   * Sends one signal to a run's main process or its process group. Scans the process set first, so that no process is
   * lost when its parent ends.
   */
  signal(run: Run, signal: string, to: 'main' | 'group'): void {
    this.#members(run);
    if (!run.exited) void this.#parts.pid1.signal(signalNumber(signal), [{ kind: to, run: run.id }]);
  }

  /**
   * Cleans up after the main process has ended: SIGTERM to the leftover processes. Calls `done` with their names when
   * none is left.
   */
  cleanUp(run: Run, done: Done): void {
    this.#end(run, 'SIGTERM', done);
  }

  /**
   * Sends SIGKILL to all processes of the run, and to those that they fork in the meantime. The `done` of an earlier call is
   * kept, unless this call has one.
   */
  kill(run: Run, done?: Done): void {
    this.#end(run, 'SIGKILL', done);
  }

  #end(run: Run, signal: Ending['signal'], done: Done | undefined): void {
    if (!this.#runs.has(run.id)) {
      // No process of the run is left, or the program was never executed.
      done?.([]);
      return;
    }
    if (run.ending === undefined) {
      this.#beginEnding(run, signal, done);
    } else {
      run.ending.done = done ?? run.ending.done;
      if (signal === 'SIGKILL' && run.ending.signal !== 'SIGKILL') {
        run.ending.signal = signal;
        run.ending.signalled.clear();
        run.ending.pause = FIRST_PAUSE;
        run.listener.changed?.();
      }
    }
    this.#scan(run);
  }

  /** `before`: the processes that the previous supervisor has signalled. */
  #beginEnding(
    run: Run,
    signal: Ending['signal'],
    done: Done | undefined,
    before: Pick<Ending, 'signalled' | 'cleanedUp'> = { signalled: new Set(), cleanedUp: new Map() },
  ): void {
    run.ending = { ...before, signal, done, pause: FIRST_PAUSE, cancel: () => undefined };
    this.#ending.add(run);
    if (this.#ending.size === 1) this.#parts.pid1.watch(true);
    run.listener.changed?.();
  }

  /** Removes a run from those that are being ended. */
  #forgetEnding(run: Run): void {
    if (run.ending === undefined) return;
    run.ending.cancel();
    run.ending = undefined;
    this.#ending.delete(run);
    if (this.#ending.size === 0) this.#parts.pid1.watch(false);
  }

  /** Scans runs that are being ended again, if a reaped orphan belonged to them. Null: all of these runs. */
  rescan(reaped: readonly number[] | null): void {
    for (const run of this.#ending) {
      if (run.ending === undefined || !run.exited) continue;
      if (reaped !== null && !reaped.some((pid) => run.known.has(pid))) continue;
      run.ending.cancel();
      run.ending.cancel = this.#parts.clock.after(0, () => this.#scan(run));
    }
  }

  /**
   * Scans a run that is being ended: signals the members that have not been signalled, and finishes when no process is
   * left.
   */
  #scan(run: Run): void {
    const { ending } = run;
    if (ending === undefined) return;
    ending.cancel();
    let alive = this.#members(run);
    for (let scans = 1; alive?.length === 0 && !this.#table.isComplete && scans < EMPTY_SCANS; scans += 1) {
      this.#table.discard();
      alive = this.#members(run);
    }
    if (alive?.length === 0 && run.exited) {
      this.#forgetEnding(run);
      this.#runs.delete(run.id);
      this.#mains.delete(run.pid);
      this.#parts.pid1.release(run.id);
      run.listener.changed?.();
      ending.done?.([...ending.cleanedUp.values()].sort((a, b) => a.pid - b.pid));
      return;
    }
    if (alive !== null && this.#signalNew(run, ending, alive)) return;
    ending.cancel = this.#parts.clock.after(ending.pause, () => this.#scan(run));
    ending.pause = Math.min(LAST_PAUSE, ending.pause * 2);
  }

  /**
   * Signals the members that have not been sent this signal yet. Returns true if SIGKILL was sent: then the next scan
   * follows as soon as it was delivered, because a process may have forked in the meantime.
   */
  #signalNew(run: Run, ending: Ending, alive: readonly Process[]): boolean {
    const { signal } = ending;
    const targets: SignalTarget[] = [];
    const named: Process[] = [];
    for (const process of alive) {
      const key = `${process.pid}:${process.start}`;
      if (ending.signalled.has(key)) continue;
      ending.signalled.add(key);
      // Processes that are killed together with the main process do not outlive it.
      if (run.exited && process.pid !== run.pid) {
        const name = ending.cleanedUp.get(key)?.name ?? readTitle(process);
        ending.cleanedUp.set(key, { pid: process.pid, name, wasKilled: signal === 'SIGKILL' });
      }
      targets.push({ kind: 'process', pid: process.pid, start: process.start });
      named.push(process);
    }
    // A program that is not executing yet is in no scan: PID 1 finds it by its run.
    if (run.pid === 0 && signal === 'SIGKILL' && !ending.signalled.has('main')) {
      ending.signalled.add('main');
      targets.push({ kind: 'main', run: run.id });
    }
    if (targets.length === 0) return false;
    run.listener.changed?.();
    const delivered = this.#parts.pid1.signal(signalNumber(signal), targets);
    if (signal !== 'SIGKILL') return false;
    void delivered.then((failures) => {
      const left = failures.flatMap(({ index, errno }) => (errno === EPERM ? (named[index] ?? []) : []));
      if (left.length > 0)
        run.listener.killRefused?.(left.map((process) => ({ pid: process.pid, name: readTitle(process) })));
      this.#table.discard();
      if (run.ending === ending) this.#scan(run);
    });
    return true;
  }

  /**
   * The current processes of a run; null if /proc cannot be read. Updates `known`, so that each process is still found when
   * its parents have ended.
   */
  #members(run: Run): Process[] | null {
    const { pid: main, start: mainStart, mark, runName, known } = run;
    if (main === 0) return [];
    const members = this.#table.membersOf({ main, mainStart, mark, runName, known }, this.#parts.hasMarks);
    if (members === null) return null;
    run.known = this.#table.updateKnown(known, members);
    if (!isSame(known, run.known)) run.listener.changed?.();
    return members;
  }

  /** The live processes of a run, including the main process, for display. */
  processesOf(run: Run): readonly Process[] {
    return (this.#members(run) ?? []).flatMap((process) => {
      if (process.pid !== run.pid) return [process];
      const main = readProcess(run.pid);
      return main === null || isGone(main) ? [] : [main];
    });
  }

  /**
   * Sends SIGKILL to all known processes, without waiting, because PID 1 has died. (Not possible if it was PID 1 of its
   * namespace, which ends with it.) Returns whether there was such a process.
   */
  killEverything(): boolean {
    // Without PID 1 it is not known which of them have been reaped, so all are read from /proc.
    for (const pid of this.#mains.keys()) this.#mains.set(pid, null);
    this.#table.discard();
    let found = false;
    for (const run of this.#runs.values()) {
      for (const { pid } of this.#members(run) ?? []) {
        found = true;
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // The process has ended.
        }
      }
    }
    return found;
  }
}

const firstMark = (seed: number): bigint => (BigInt(seed >>> 0) + MARK_FLOOR) << MARK_SHIFT;
