// The types of one run: the request, its connections, the state of its processes, and the record for the checkpoint. Changes
// nothing.
import type { LaunchFailure } from '../linux/launch.ts';
import type { Process } from '../linux/processes.ts';
import { signalName } from '../linux/signals.ts';
import type { Exit, ProcessSpec } from '../plan/process.ts';
import type { Input, PipeEnd } from './streams.ts';

export interface RunRequest {
  readonly spec: ProcessSpec;
  /** Name of the signal that PID 1 sends if the supervisor has died. */
  readonly stopSignal: string;
  /**
   * `vllm#3`: SVC_NAME and SVC_RUN of the program's environment, by which its processes are found if the kernel stores no mark. A
   * command beside the service (a probe, a hook) has a name that no environment yields, so that its run never claims processes of
   * the service.
   */
  readonly runName: string;
}

/** The descriptors and the notify socket of a run. */
export interface Connections {
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
  /** Called once: the main process has ended; other processes of the run may still be alive. */
  exited(exit: Exit): void;
  /** These processes of the run are still alive: the kernel does not permit PID 1 to send them SIGKILL. */
  killRefused?(left: readonly { readonly pid: number; readonly name: string }[]): void;
  /** The result of recordOf() has changed. */
  changed?(): void;
}

/** The checkpoint's record of a run, as data for JSON. */
export interface RunRecord {
  readonly id: number;
  /** 0 until the listener's `spawned` was called. */
  readonly pid: number;
  readonly start: number;
  /** Whether the listener's `exited` was called. */
  readonly exited: boolean;
  /** PID and start time. */
  readonly known: readonly (readonly [number, number])[];
  readonly ending: {
    readonly signal: Ending['signal'];
    readonly signalled: readonly string[];
    /** `pid:start`, and the process. */
    readonly cleanedUp: readonly (readonly [string, CleanedUp])[];
  } | null;
}

/** One run, from the spawn until no process of it is left. */
export interface Run {
  /** The number of the run in the protocol with PID 1. */
  readonly id: number;
  /** The pid of the main process; 0 until it executes. */
  pid: number;
  start: number;
  /** The mark of its processes (readMark). */
  readonly mark: string;
  readonly runName: string;
  /** Known members that are alive or have not been reaped yet: pid -> start time. */
  known: ReadonlyMap<number, number>;
  /** Set just before the listener's `exited` is called; `done` is called only after that. */
  exited: boolean;
  readonly listener: RunListener;
  /** Undefined unless the run is being ended. */
  ending: Ending | undefined;
}

/** A leftover process that was signalled. `wasKilled`: by SIGKILL. */
export interface CleanedUp {
  readonly pid: number;
  readonly name: string;
  readonly wasKilled: boolean;
}

export type Done = (cleanedUp: readonly CleanedUp[]) => void;

export interface Ending {
  signal: 'SIGTERM' | 'SIGKILL';
  /** `pid:start` of the processes that were sent `signal`. */
  readonly signalled: Set<string>;
  /** Leftover processes that were signalled, by `pid:start`. */
  readonly cleanedUp: Map<string, CleanedUp>;
  /** Called when no process is left; undefined: no caller waits for that. */
  done: Done | undefined;
  /** The pause before the next scan for processes, milliseconds. */
  pause: number;
  /** Cancels that scan. */
  cancel: () => void;
}

/** The checkpoint's record of a run. */
export function recordRun(run: Run): RunRecord {
  const { id, pid, start, exited, ending } = run;
  return {
    ...{ id, pid, start, exited },
    known: [...run.known],
    ending:
      ending === undefined
        ? null
        : {
            signal: ending.signal,
            signalled: [...ending.signalled],
            cleanedUp: [...ending.cleanedUp],
          },
  };
}

/** Whether two sets of processes, pid -> start time, are equal. */
export function isSame(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): boolean {
  return a.size === b.size && [...a].every(([pid, start]) => b.get(pid) === start);
}

/** A main process just after the spawn: a child of PID 1 that leads its own process group and session. */
export function newMain(pid: number, start: number, parent: number): Process {
  return { pid, start, name: '', state: 'S', parent, group: pid, session: pid, ticks: 0, threads: 1 };
}

/** Decodes a status of wait4(2): a signal in the low seven bits, else an exit code above them. */
export function readExit(status: number): Exit {
  const number = status & 0x7f;
  if (number === 0) return { kind: 'code', code: (status >> 8) & 0xff };
  return { kind: 'signal', signal: signalName(number), number };
}
