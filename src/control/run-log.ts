// The latest runs of each service: when each began and ended, and how. Made from the notices of the core; no decision depends on
// it. The time is an argument. Not part of the checkpoint: a new supervisor begins with an empty log.
import type { Notice } from '../core/notice.ts';
import type { Ended } from '../core/run.ts';
import { renderEnd } from '../messages/ends.ts';
import type { Millis } from '../plan/plan.ts';
import type { Exit } from '../plan/process.ts';

/** A run of a service. Instants are wall times in milliseconds. */
export interface PastRun {
  readonly run: number;
  /** null: the program was not executed; or it was stopped, and a previous supervisor had started it. */
  readonly startedAt: number | null;
  /** From the spawn; null: it has not been ready. */
  readonly readyAfter: Millis | null;
  /** null: the run has not ended. */
  readonly endedAt: number | null;
  /** From the spawn to the end of the main process; null: it has not ended, or its start is not known. */
  readonly lasted: Millis | null;
  readonly exit: Exit | null;
  readonly result: 'running' | 'completed' | 'failed' | 'stopped';
  /** How the run ended, as a sentence; null: it has not ended. */
  readonly text: string | null;
}

/** Runs of a service that are kept. */
export const MAX_RUNS = 20;

/** Keeps the latest MAX_RUNS runs of each service. */
export class RunLog {
  readonly #runs = new Map<string, PastRun[]>();

  /** The latest runs of a service, oldest first. */
  of(service: string): readonly PastRun[] {
    return this.#runs.get(service) ?? [];
  }

  /**
   * Records what a notice reports about a run; ignores other notices. `run`: the latest run of the service; `wall`: milliseconds.
   */
  note(service: string, run: number, notice: Notice, wall: number): void {
    switch (notice.event) {
      case 'started':
        this.#put(service, { ...newRecord(run), startedAt: wall });
        return;
      case 'ready':
        if (notice.after !== null) this.#put(service, { ...this.#record(service, run), readyAfter: notice.after });
        return;
      case 'completed':
      case 'failed':
      case 'restarting':
        this.#put(service, this.#end(service, notice.ended, wall));
        return;
      case 'stopped':
        this.#stop(service, run, notice.exit, wall);
        return;
      case 'removed':
        this.#runs.delete(service);
        return;
      default:
    }
  }

  #end(service: string, ended: Ended, wall: number): PastRun {
    const { run, exit, verdict, lasted, cause } = ended;
    const record = this.#record(service, run);
    const startedAt = record.startedAt ?? (cause.kind === 'not-started' ? null : wall - lasted);
    const result = verdict.success ? 'completed' : 'failed';
    return { ...record, startedAt, endedAt: wall, lasted, exit, result, text: renderEnd(ended) };
  }

  #stop(service: string, run: number, exit: Exit | null, wall: number): void {
    const record = this.#record(service, run);
    // No run ends if the service was stopped before its first start, or in the pause before a restart.
    if (record.endedAt !== null || (record.startedAt === null && exit === null)) return;
    const lasted = record.startedAt === null ? null : wall - record.startedAt;
    this.#put(service, { ...record, endedAt: wall, lasted, exit, result: 'stopped', text: 'stopped on request' });
  }

  #record(service: string, run: number): PastRun {
    return this.of(service).find((record) => record.run === run) ?? newRecord(run);
  }

  #put(service: string, record: PastRun): void {
    const others = this.of(service).filter(({ run }) => run !== record.run);
    this.#runs.set(service, [...others, record].slice(-MAX_RUNS));
  }
}

function newRecord(run: number): PastRun {
  return {
    run,
    startedAt: null,
    readyAfter: null,
    endedAt: null,
    lasted: null,
    exit: null,
    result: 'running',
    text: null,
  };
}
