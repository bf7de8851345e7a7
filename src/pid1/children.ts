// The process set of each run, from the spawn until no process is left. PID 1 spawns, signals and reaps; this file
// knows which processes belong to a run (a process set may outlive its main process), and when the last one has ended.
// Probes, hooks and stop commands are runs here too. Never decides when to signal, clean up or kill.
import { Census } from '../linux/census.ts';
import { describeLaunchFailure, type LaunchAttributes, type LaunchFailure } from '../linux/launch.ts';
import { isGone, type Process, readProcess, readTitle } from '../linux/processes.ts';
import { signalName, signalNumber } from '../linux/signals.ts';
import type { Clock } from '../ports.ts';
import type { Pid1, SpawnListener } from './client.ts';
import { RESOURCES, type SignalTarget, type Stream } from './protocol.ts';

export type ChildExit =
  | { readonly kind: 'code'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string; readonly number: number };

/** A pipe that PID 1 creates with the run. `open` is called with its path when the program is executing. */
export interface PipeEnd {
  open(path: string): void;
  close(): Promise<void>;
}

export interface Input {
  readonly kind: 'file' | 'terminal';
  readonly path: string;
}

export interface SpawnRequest extends LaunchAttributes {
  readonly umask: number | null;
  /** Name of the signal that PID 1 sends if the supervisor has died. */
  readonly stopSignal: string;
  /** `vllm#3`: SVC_NAME and SVC_RUN of the program's environment, or a name that no environment has. */
  readonly runName: string;
  /** Standard input; null is /dev/null. A `terminal` is also its output and its controlling terminal. */
  readonly input: Input | null;
  /** Descriptors of the child, from 1 on; null is /dev/null. The same pipe may occur twice. */
  readonly output: readonly (PipeEnd | null)[];
  /** Name of a notify socket in the abstract namespace, and the callback for each message; null: none. */
  readonly notify: { readonly name: string; readonly onMessage: (text: string, uid: number) => void } | null;
}

export interface RunListener {
  /** The program itself is executing. */
  spawned(pid: number): void;
  /** The program was never executed; no process is left. */
  failed(failure: LaunchFailure): void;
  /** The main process has ended; other processes of the run may still live. */
  exited(exit: ChildExit): void;
  /** These processes of the run are still alive: the kernel does not permit PID 1 to send them SIGKILL. */
  killRefused?(left: readonly { readonly pid: number; readonly name: string }[]): void;
}

/** One run, from the spawn until no process of it is left. */
interface Run {
  /** The number of the run in the protocol with PID 1. */
  readonly id: number;
  /** The pid of the main process; 0 until it executes. */
  pid: number;
  start: number;
  readonly mark: string;
  readonly runName: string;
  /** Known members that are alive or have not been reaped yet: pid -> start time. */
  known: ReadonlyMap<number, number>;
  /** Set just before the listener's `exited` is called; `done` is called only after that. */
  exited: boolean;
  readonly listener: RunListener;
  /** Set while the run is being ended; undefined before. */
  ending: Ending | undefined;
}

type Done = (swept: readonly { readonly pid: number; readonly name: string }[]) => void;

interface Ending {
  signal: 'SIGTERM' | 'SIGKILL';
  /** `pid:start` of the processes that were sent `signal`. */
  readonly signalled: Set<string>;
  readonly swept: Map<string, { readonly pid: number; readonly name: string }>;
  /** Called when no process is left; undefined: no caller waits for that. */
  done: Done | undefined;
  pause: number;
  cancel: () => void;
}

/**
 * After this many consecutive scans without a process of the run, no process is left, even if some processes
 * disappeared during each scan: on a machine where processes come and go all the time, every scan may be like that.
 */
const EMPTY_SCANS = 3;
/** kill(2). */
const EPERM = 1;
/** The pause between two scans grows from the first to the last of these, milliseconds. */
const FIRST_PAUSE = 2;
const LAST_PAUSE = 100;

/** A mark is this supervisor's random number and the run's number, far above any limit that a user would set. */
const MARK_SHIFT = 20n;
const MARK_FLOOR = 0x1_0000_0000n;

export interface ChildrenParts {
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
  readonly #census: Census;
  readonly #marks: bigint;
  #count = 0n;
  /** Runs that are being ended. */
  readonly #ending = new Set<Run>();

  constructor(parts: ChildrenParts) {
    this.#parts = parts;
    this.#marks = (BigInt(parts.seed >>> 0) + MARK_FLOOR) << MARK_SHIFT;
    this.#census = new Census(
      parts.clock,
      parts.pid1.pid,
      (pid) => this.#mains.has(pid),
      (pid) => this.#mains.get(pid) ?? undefined,
    );
  }

  /** Starts a program in its own session. The listener is called later. */
  spawn(request: SpawnRequest, listener: RunListener): Run {
    this.#count += 1n;
    const mark = this.#marks + this.#count;
    const { streams, pipes } = layOut(request.input, request.output);
    const { argv, cwd, user, umask, nice, oomScoreAdj, cpus, limits, runName, notify } = request;
    const env = { ...this.#parts.env, ...request.env };
    const attributes = { argv, env, cwd, user, umask, nice, oomScoreAdj, cpus, limits };
    const id = this.#parts.pid1.spawn(
      {
        ...attributes,
        stopSignal: signalNumber(request.stopSignal),
        mark: this.#parts.hasMarks ? mark : 0n,
        notify: notify?.name ?? null,
        terminal: request.input?.kind === 'terminal',
        streams,
      },
      this.#listener(() => run, request, pipes, listener),
    );
    const run: Run = {
      id,
      pid: 0,
      start: 0,
      mark: String(mark),
      runName,
      listener,
      known: new Map(),
      exited: false,
      ending: undefined,
    };
    this.#runs.set(id, run);
    return run;
  }

  #listener(of: () => Run, request: SpawnRequest, pipes: readonly PipeEnd[], listener: RunListener): SpawnListener {
    const { pid1 } = this.#parts;
    return {
      spawned: (pid, start, descriptors) => {
        const run = of();
        run.pid = pid;
        run.start = start;
        this.#mains.set(pid, newMain(pid, start, pid1.pid));
        run.known = new Map([[pid, start]]);
        if (this.#parts.hasMarks) this.#census.introduce(pid, start, run.mark);
        for (const [index, pipe] of pipes.entries()) pipe.open(`/proc/${pid1.pid}/fd/${descriptors[index]}`);
        listener.spawned(pid);
        // A kill was requested before the program was executing.
        if (run.ending !== undefined) this.#scan(run);
      },
      failed: (failure) => {
        this.#runs.delete(of().id);
        this.#forgetEnding(of());
        for (const pipe of pipes) void pipe.close();
        listener.failed(describeLaunchFailure(request, failure, { files: this.#parts.files, resource: resourceName }));
      },
      exited: (status) => {
        const run = of();
        this.#census.outdate(run.pid, run.start);
        if (this.#mains.has(run.pid)) this.#mains.set(run.pid, null);
        run.exited = true;
        listener.exited(readExit(status));
        this.#scan(run);
      },
      notified: (text, uid) => request.notify?.onMessage(text, uid),
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
  sweep(run: Run, done: Done): void {
    this.#end(run, 'SIGTERM', done);
  }

  /**
   * Sends SIGKILL to all processes of the run, and to those that they fork meanwhile. A `done` of an earlier call is
   * kept, unless this call gives another one.
   */
  kill(run: Run, done?: Done): void {
    this.#end(run, 'SIGKILL', done);
  }

  #end(run: Run, signal: Ending['signal'], done: Done | undefined): void {
    if (!this.#runs.has(run.id)) {
      // No process of it is left, or it was never executed.
      done?.([]);
      return;
    }
    if (run.ending === undefined) {
      run.ending = {
        signal,
        signalled: new Set(),
        swept: new Map(),
        done,
        pause: FIRST_PAUSE,
        cancel: () => undefined,
      };
      this.#ending.add(run);
      if (this.#ending.size === 1) this.#parts.pid1.watch(true);
    } else {
      run.ending.done = done ?? run.ending.done;
      if (signal === 'SIGKILL' && run.ending.signal !== 'SIGKILL') {
        run.ending.signal = signal;
        run.ending.signalled.clear();
        run.ending.pause = FIRST_PAUSE;
      }
    }
    this.#scan(run);
  }

  /** Removes a run from those that are being ended. */
  #forgetEnding(run: Run): void {
    if (run.ending === undefined) return;
    run.ending.cancel();
    run.ending = undefined;
    this.#ending.delete(run);
    if (this.#ending.size === 0) this.#parts.pid1.watch(false);
  }

  /** Scans again the runs that are being ended and to which one of the reaped orphans belonged (null: all of them). */
  lookAgain(reaped: readonly number[] | null): void {
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
    for (let scans = 1; alive?.length === 0 && !this.#census.isWhole && scans < EMPTY_SCANS; scans += 1) {
      this.#census.forget();
      alive = this.#members(run);
    }
    if (alive?.length === 0 && run.exited) {
      this.#forgetEnding(run);
      this.#runs.delete(run.id);
      this.#mains.delete(run.pid);
      this.#parts.pid1.release(run.id);
      ending.done?.([...ending.swept.values()].sort((a, b) => a.pid - b.pid));
      return;
    }
    if (alive !== null && this.#signalNew(run, ending, alive)) return;
    ending.cancel = this.#parts.clock.after(ending.pause, () => this.#scan(run));
    ending.pause = Math.min(LAST_PAUSE, ending.pause * 2);
  }

  /**
   * Signals the members that have not been sent this signal yet. Returns true if SIGKILL was sent: then the next scan
   * follows as soon as it was delivered, because a process may have forked meanwhile.
   */
  #signalNew(run: Run, ending: Ending, alive: readonly Process[]): boolean {
    const { signal } = ending;
    const targets: SignalTarget[] = [];
    const named: Process[] = [];
    for (const process of alive) {
      const key = `${process.pid}:${process.start}`;
      if (ending.signalled.has(key)) continue;
      ending.signalled.add(key);
      if (process.pid !== run.pid && !ending.swept.has(key))
        ending.swept.set(key, { pid: process.pid, name: readTitle(process) });
      targets.push({ kind: 'process', pid: process.pid, start: process.start });
      named.push(process);
    }
    // A program that is not executing yet is in no scan: PID 1 finds it by its run.
    if (run.pid === 0 && signal === 'SIGKILL' && !ending.signalled.has('main')) {
      ending.signalled.add('main');
      targets.push({ kind: 'main', run: run.id });
    }
    if (targets.length === 0) return false;
    const delivered = this.#parts.pid1.signal(signalNumber(signal), targets);
    if (signal !== 'SIGKILL') return false;
    void delivered.then((failures) => {
      const left = failures.flatMap(({ index, errno }) => (errno === EPERM ? (named[index] ?? []) : []));
      if (left.length > 0)
        run.listener.killRefused?.(left.map((process) => ({ pid: process.pid, name: readTitle(process) })));
      this.#census.forget();
      if (run.ending === ending) this.#scan(run);
    });
    return true;
  }

  /**
   * The current processes of a run; null if /proc cannot be read. Remembers each, so that it is found again when its
   * parents have ended.
   */
  #members(run: Run): Process[] | null {
    const { pid: main, start: mainStart, mark, runName, known } = run;
    if (main === 0) return [];
    const members = this.#census.membersOf({ main, mainStart, mark, runName, known }, this.#parts.hasMarks);
    if (members !== null) run.known = this.#census.remembered(known, members);
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
    // Without PID 1 it is unknown which of these have been reaped.
    for (const pid of this.#mains.keys()) this.#mains.set(pid, null);
    this.#census.forget();
    let found = false;
    for (const run of this.#runs.values()) {
      for (const { pid } of this.#members(run) ?? []) {
        found = true;
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended meanwhile.
        }
      }
    }
    return found;
  }
}

export type { Run };

/** A main process just after the spawn: a child of PID 1 that leads its own process group and session. */
function newMain(pid: number, start: number, parent: number): Process {
  return { pid, start, name: '', state: 'S', parent, group: pid, session: pid, ticks: 0, threads: 1 };
}

/**
 * The streams of a program, and its pipes in the order in which PID 1 creates them. `output` are the descriptors from 1
 * on.
 */
function layOut(
  input: Input | null,
  output: readonly (PipeEnd | null)[],
): {
  readonly streams: ReadonlyMap<number, Stream>;
  readonly pipes: readonly PipeEnd[];
} {
  const pipes: PipeEnd[] = [];
  const streams = new Map<number, Stream>();
  if (input === null) streams.set(0, { kind: 'null' });
  else if (input.kind === 'file') streams.set(0, { kind: 'path', path: input.path, access: 'read' });
  else for (const fd of [0, 1, 2]) streams.set(fd, { kind: 'path', path: input.path, access: 'readWrite' });
  output.forEach((pipe, index) => {
    const target = index + 1;
    // Standard streams are always open. Other descriptors are opened only for a pipe.
    if (pipe === null) {
      if (target <= 2) streams.set(target, { kind: 'null' });
      return;
    }
    const known = pipes.indexOf(pipe);
    streams.set(target, known < 0 ? { kind: 'pipe' } : { kind: 'same', pipe: known });
    if (known < 0) pipes.push(pipe);
  });
  return { streams, pipes };
}

/** Decodes a status of wait4(2): a signal in the low seven bits, else an exit code above them. */
function readExit(status: number): ChildExit {
  const number = status & 0x7f;
  if (number === 0) return { kind: 'code', code: (status >> 8) & 0xff };
  return { kind: 'signal', signal: signalName(number), number };
}

function resourceName(index: number): string {
  return Object.entries(RESOURCES).find(([, number]) => number === index)?.[0] ?? String(index);
}
