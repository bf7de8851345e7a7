// The book of one service and of its latest run, as the events and effects of the steps make them; and what follows from one
// book alone. Changes nothing: ledger.ts and effects.ts write into books.
import { isLikeAStop } from '../../../src/core/policy.ts';
import type { Millis, Probe, ServicePlan } from '../../../src/plan/plan.ts';
import type { Exit } from '../../../src/plan/process.ts';

export interface Flight {
  readonly kind: 'ready' | 'live';
  readonly index: number;
  readonly attempt: number;
  readonly expires: Millis;
}

/** One run, as its events and effects show it. */
export interface Run {
  readonly number: number;
  readonly since: Millis;
  born: boolean;
  readyAt: Millis | null;
  unready: boolean;
  exit: Exit | null;
  exitAt: Millis | null;
  /** Until then the end of the run waits for a request to stop that would explain it. */
  heldUntil: Millis | null;
  /** A request to stop explained the end. */
  isExplained: boolean;
  /** No process of the run is left. */
  emptied: boolean;
  /** Why and when the core stopped it; null: not yet. */
  stop: { readonly why: 'shutdown' | 'late' | 'stalled' | 'dead'; readonly at: Millis } | null;
  fellBack: boolean;
  cleanedUp: boolean;
  killedAt: Millis | null;
  flight: Flight | null;
  progressAt: Millis;
  /** `progressAt` before the effects of the step: an attempt that is abandoned with its run is no progress. */
  progressWas: Millis;
  /** The latest result of each probe, and how many like it came in a row: above zero successes, below failures. */
  readonly results: Map<string, { readonly detail: string; readonly row: number }>;
  readonly latched: Set<number>;
}

export interface Verdict {
  readonly success: boolean;
  readonly code: number;
}

export interface Book {
  plan: ServicePlan;
  /** The plan that a reload has set for the time after the present run; `none`: the service is removed then. */
  next: ServicePlan | 'none' | null;
  runs: number;
  run: Run | null;
  everBorn: boolean;
  /** While the service waits for its next run: from when to when that run may begin. */
  again: { readonly from: Millis; readonly to: Millis } | null;
  final: (Verdict & { readonly wasReady: boolean }) | null;
  everReady: boolean;
  streak: number;
  restarts: Millis[];
  blocked: number;
  wanted: 'up' | 'down' | 'again';
  /**
   * State of a service without processes after an operation: to start again, or held down; `by-hand`: it is started by hand,
   * and has not been.
   */
  rest: 'idle' | 'held' | 'by-hand' | null;
  /** As of the step before: whether another run was to follow, and whether it could never start. */
  wasToRunAgain: boolean;
  wasHopeless: boolean;
}

export const isLatch = ({ kind }: Probe): boolean => kind === 'log' || kind === 'notify';

/** Whether another run will follow the present or the last one. */
export function isToRunAgain({ wanted, again, rest, runs }: Book): boolean {
  return wanted === 'again' || again !== null || (rest === 'idle' && runs > 0);
}

/** Whether a run has begun and is not over. */
export function isUp({ run, final, again, rest }: Book): boolean {
  return run !== null && final === null && again === null && rest === null;
}

/** Whether a request to stop may explain the end: it came by the signal, or with a success code that is a failure here. */
export function isHeld(plan: ServicePlan, run: Run, exit: Exit): boolean {
  const isClean = exit.kind === 'code' && (exit.code === 0 || plan.successCodes.includes(exit.code));
  return isLikeAStop(exit) || (isClean && !verdictOf(plan, run, exit).success);
}

export function verdictOf(plan: ServicePlan, run: Run, exit: Exit): Verdict {
  const code = exit.kind === 'code' ? exit.code : 128 + exit.number;
  if (run.stop?.why === 'late' || run.stop?.why === 'stalled') return { success: false, code: 124 };
  if (run.stop?.why === 'dead') return { success: false, code: code === 0 ? 1 : code };
  const isEarly = plan.ready.length > 0 && plan.type === 'service' && run.readyAt === null;
  if (!isEarly && plan.successCodes.includes(code)) return { success: true, code: 0 };
  return { success: false, code: code === 0 ? 1 : code };
}

export function newBook(service: ServicePlan): Book {
  return {
    plan: service,
    next: null,
    runs: 0,
    run: null,
    everBorn: false,
    again: null,
    final: null,
    everReady: false,
    streak: 0,
    restarts: [],
    blocked: 0,
    wanted: 'up',
    rest: service.enabled && service.start !== 'auto' ? 'by-hand' : null,
    wasToRunAgain: false,
    wasHopeless: false,
  };
}

export function newRun(number: number, now: Millis): Run {
  return {
    number,
    since: now,
    born: false,
    readyAt: null,
    unready: false,
    exit: null,
    exitAt: null,
    heldUntil: null,
    isExplained: false,
    emptied: false,
    stop: null,
    fellBack: false,
    cleanedUp: false,
    killedAt: null,
    flight: null,
    progressAt: now,
    progressWas: now,
    results: new Map(),
    latched: new Set(),
  };
}
