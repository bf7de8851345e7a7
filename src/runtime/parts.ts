// The interfaces through which the executor uses other folders: processes, pipes, the log, and facts about the machine. Types
// only.
import type { LeftoverProcess } from '../core/run.ts';
import type { Connections, RunListener, RunRecord, RunRequest } from '../pid1/run.ts';
import type { GpuReading } from '../plan/gpu-reading.ts';
import type { Pattern } from '../plan/pattern.ts';
import type { GpuPlan, ServicePlan } from '../plan/plan.ts';
import type { Exit, ProcessSpec } from '../plan/process.ts';
import type { Clock } from '../ports.ts';

/** A handle on a run's processes; only pid1/ uses its content. `pid`: the main process, 0 before it executes. */
export type RunHandle = { readonly pid: number };

interface ProcessControl<Handle extends RunHandle = RunHandle> {
  spawn(request: RunRequest, connections: Connections, listener: RunListener): Handle;
  /** Null: no process of the run is left. */
  recordOf(run: Handle): RunRecord | null;
  /**
   * Takes over a run of the previous supervisor; null: PID 1 has no entry for it. If the run was being ended, `done` is called
   * when no process is left.
   */
  adopt(
    record: RunRecord,
    request: RunRequest,
    connections: Connections,
    listener: RunListener,
    done: (leftovers: readonly LeftoverProcess[]) => void,
  ): Handle | null;
  signal(run: Handle, signal: string, to: 'main' | 'group'): void;
  cleanUp(run: Handle, done: (leftovers: readonly LeftoverProcess[]) => void): void;
  /** Without `done`, the `done` of an earlier call stays in force. */
  kill(run: Handle, done?: (leftovers: readonly LeftoverProcess[]) => void): void;
}

/** A pipe whose writing end goes to the program. It can be read as soon as the object exists. */
export interface Pipe {
  /** Opens the reading end. `path`: the path of the pipe, which PID 1 reports once it has created the pipe. */
  open(path: string): void;
  /** The next bytes; null at the end. */
  read(): Promise<Uint8Array | null>;
  /** The bytes that are available now; null: there are none. */
  readNow(): Uint8Array | null;
  close(): Promise<void>;
}

interface Logs {
  /** Output of the service from now on belongs to a new run of it. */
  beginRun(service: string): void;
  attach(
    service: string,
    style: Omit<ServicePlan['log'], 'drop'> & { readonly drop: readonly Pattern[] },
    stdout: Pipe,
    stderr: Pipe,
    /** `progressed` is called for each block of output; null: output is not watched for progress (`start_stall` is not set). */
    watcher: { readonly patterns: Map<number, Pattern>; matched(index: number): void; progressed: (() => void) | null },
    /** Whether a supervisor that has died read these streams before. */
    isTakenOver: boolean,
  ): AttachedStreams;
}

/** The two streams of one run, while they are read. */
interface AttachedStreams {
  /** Reads the bytes that the pipes hold now, until the queues of the sinks are full. */
  drain(): void;
  /** Call it when no process of the run is left: closes the streams once they are silent, even if a process has them open. */
  release(): void;
}

export interface ExecutorParts<Handle extends RunHandle = RunHandle> {
  readonly clock: Clock;
  readonly processes: ProcessControl<Handle>;
  readonly logs: Logs;
  makePipe(): Pipe;
  /** A random name that cannot be guessed. */
  randomName(): string;
  /** The process that listens on a port, such as `pid 12 (nginx)`; null: none. */
  describePortHolder(port: number): string | null;
  /** Reads the env files and secrets of a service; `failure` says why one of them cannot be used, null: there is none. */
  readEnvironment(plan: ServicePlan): { readonly env: ServicePlan['env']; readonly failure: string | null };
  /**
   * Runs a command of a service. `output`: pipes that the caller reads; absent: only the last line is kept. `code`: as a shell gives
   * it; null: it was not run, because of an abort. `summary` describes its end.
   */
  runTool(
    request: RunRequest,
    abort: AbortSignal,
    output?: readonly Pipe[],
  ): Promise<{ code: number | null; summary: string; lastLine: string }>;
  /** Reads the memory of these devices; never rejects. */
  readGpus(plan: GpuPlan, abort: AbortSignal): Promise<GpuReading>;
  /** The cause of an exit, such as a program that could not be executed (126, 127); null: no cause is found. */
  explainExit(spec: ProcessSpec, exit: Exit): string | null;
  /** The result of Executor.recordOf() for a service has changed. */
  changed(service: string): void;
  /** Reports a warning about a service. */
  warn(service: string, event: string, text: string): void;
  fileExists(path: string): boolean;
  readonly ownUid: number;
}
