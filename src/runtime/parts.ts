// The interfaces of the rooms that the executor uses: processes, pipes, the log, and what answers its questions about the
// machine. Types only.

import type { Exit } from '../core/policy.ts';
import type { LeftoverProcess } from '../core/run.ts';
import type { GpuReading } from '../plan/gpu-reading.ts';
import type { Pattern } from '../plan/pattern.ts';
import type { GpuPlan, ServicePlan, User } from '../plan/plan.ts';
import type { Clock } from '../ports.ts';

/** What a program is started with; see pid1/children.ts, which offers it. */
export interface Program {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | null;
  readonly user: User | null;
  readonly umask: number | null;
  readonly nice: number | null;
  readonly oomScoreAdj: number | null;
  readonly cpus: readonly number[] | null;
  readonly limits: ServicePlan['limits'];
  readonly stopSignal: string;
  readonly runName: string;
}

/** A handle on a run's processes; only pid1/ uses its content. `pid` is that of the main process, 0 before it executes. */
export type RunHandle = { readonly pid: number };

/** What a run of a program is connected to. */
export interface Connections {
  /** Descriptors from 1 on; null is /dev/null. */
  readonly output: readonly (Pipe | null)[];
  readonly notify: { readonly name: string; readonly onMessage: (text: string, uid: number) => void } | null;
}

export interface ProgramListener {
  spawned(pid: number): void;
  failed(failure: { readonly step: string; readonly message: string; readonly code: number }): void;
  exited(exit: Exit): void;
  killRefused?(left: readonly LeftoverProcess[]): void;
  /** What recordOf() returns for the run is another now. */
  changed(): void;
}

/** What a successor goes on with; only pid1/ knows its content. */
export interface KeptRun {
  readonly id: number;
  /** Whether its listener was told that the main process has ended. */
  readonly exited: boolean;
}

export interface ProcessRoom<Handle extends RunHandle = RunHandle> {
  spawn(request: Program & Connections & { readonly input: null }, listener: ProgramListener): Handle;
  /** Null: no process of the run is left. */
  recordOf(run: Handle): KeptRun | null;
  /**
   * Goes on with a run of the supervisor before this one; null: PID 1 does not know it. `done` is called when no process is
   * left, if it was being ended.
   */
  adopt(
    record: KeptRun,
    request: Program & Connections,
    listener: ProgramListener,
    done: (swept: readonly LeftoverProcess[]) => void,
  ): Handle | null;
  signal(run: Handle, signal: string, to: 'main' | 'group'): void;
  sweep(run: Handle, done: (swept: readonly LeftoverProcess[]) => void): void;
  /** Without `done`, who waits for the run's end already goes on waiting. */
  kill(run: Handle, done?: (swept: readonly LeftoverProcess[]) => void): void;
}

/** A pipe whose writing end goes to the program: made with the run, and readable from then on. */
export interface Pipe {
  open(path: string): void;
  read(): Promise<Uint8Array | null>;
  readNow(): Uint8Array | null;
  close(): Promise<void>;
}

export interface LogRoom {
  /** What a service prints from here on belongs to a new run of it. */
  beginRun(service: string): void;
  attach(
    service: string,
    style: Omit<ServicePlan['log'], 'drop'> & { readonly drop: readonly Pattern[] },
    stdout: Pipe,
    stderr: Pipe,
    watcher: { readonly patterns: Map<number, Pattern>; matched(index: number): void; progressed: (() => void) | null },
    /** Whether a supervisor that has died read these streams before. */
    isCut: boolean,
  ): AttachedStreams;
}

/** The two streams of one run, while they are read. */
export interface AttachedStreams {
  /** Reads what the pipes hold at this moment, as far as there is room for it. */
  drain(): void;
  /** No process of the run is left: stops reading once the streams are silent, even if another process holds them open. */
  release(): void;
}

export interface ExecutorParts<Handle extends RunHandle = RunHandle> {
  readonly clock: Clock;
  readonly processes: ProcessRoom<Handle>;
  readonly logs: LogRoom;
  makePipe(): Pipe;
  /** A random name that cannot be guessed. */
  randomName(): string;
  /** Who listens on a port, in words; null: nobody. */
  portHolder(port: number): string | null;
  runTool(program: Program, abort: AbortSignal): Promise<{ code: number | null; words: string; lastLine: string }>;
  /** Looks at the memory of these devices; never rejects. */
  readGpus(plan: GpuPlan, abort: AbortSignal): Promise<GpuReading>;
  /** Why a program could not be executed, from its exit code 126 or 127; null: no such reason is found. */
  explainExit(program: Pick<Program, 'argv' | 'env' | 'cwd' | 'user' | 'limits'>, exit: Exit): string | null;
  /** What recordOf() returns for a service is another now. */
  changed(service: string): void;
  /** Reports a sentence about a service. */
  warn(service: string, event: string, text: string): void;
  fileExists(path: string): boolean;
  readonly ownUid: number;
}
