// What is known of one service while the program runs: the State, one member of a union with just its own data, and what
// outlives a state (run number, restarts). Each state has at most one deadline. Data only; machine.ts moves it.
import type { Millis, ServicePlan } from '../plan/plan.ts';
import type { ServiceEffect } from './event.ts';
import type { MemoryWait } from './memory-wait.ts';
import type { ServiceNotice } from './notice.ts';
import type { Cause, Exit, RestartHistory } from './policy.ts';
import { type Probing, probingDeadline } from './probing.ts';
import type { Ended, LeftoverProcess, StopStage } from './run.ts';

export type State =
  | { readonly id: 'skipped' }
  | { readonly id: 'pending' }
  | Starting
  | Running
  | Stopping
  | { readonly id: 'backoff'; readonly until: Millis; readonly ended: Ended }
  | { readonly id: 'stopped' | 'completed' | 'failed'; readonly at: Millis; readonly ended: Ended | null };

export interface Starting {
  readonly id: 'starting';
  readonly pid: number | null;
  /** When the program was asked for; during a prelude, when that began. */
  readonly since: Millis;
  /** What still comes before the program; null: nothing. */
  readonly prelude: Prelude | null;
  /** Last sign of progress: output, or an answer that differs from the one before. */
  readonly progressAt: Millis;
  /** When people are told next that it is still starting. */
  readonly reportAt: Millis;
  /** The supervisor was restarted while a probe waited for something in the output; absent: it was not. */
  readonly wasCut?: true;
  readonly probing: Probing;
}

/** The memory of its GPUs, then `before_start`. */
export type Prelude =
  | { readonly id: 'memory'; readonly wait: MemoryWait }
  | { readonly id: 'hook'; readonly since: Millis; readonly deadline: Millis };

export interface Running {
  readonly id: 'ready' | 'unready';
  readonly pid: number;
  readonly since: Millis;
  readonly readyAt: Millis;
  /** By when `after_ready` must be done; null: it is not under way. */
  readonly hookUntil: Millis | null;
  readonly probing: Probing;
}

export interface Stopping {
  readonly id: 'stopping';
  readonly pid: number | null;
  readonly since: Millis;
  /** When the ladder began. */
  readonly askedAt: Millis;
  readonly cause: Cause;
  /** How the main process ended; null while it lives. */
  readonly exit: Exit | null;
  readonly exitAt: Millis | null;
  readonly readyAt: Millis | null;
  readonly stage: StopStage;
  /** While `before_stop` waits for a probe: the attempt under way, or the pause before the next one. */
  readonly drain: Drain | null;
  /** What outlived the main process; known from stage `hooks` on. */
  readonly leftovers: readonly LeftoverProcess[];
  /** When the next stage is killing; on the last one, when people are told that it does not help. */
  readonly deadline: Millis;
  /** The latest moment the ladder may reach SIGKILL. */
  readonly limit: Millis;
  /**
   * The main process ended as if it had been asked to stop, before any request to stop: until then, a request may arrive
   * that explains it. null: the end counts as it is.
   */
  readonly heldUntil: Millis | null;
  /** Processes that the supervisor may not send SIGKILL to; absent: there are none. */
  readonly refused?: readonly LeftoverProcess[];
}

/** `until`: by when the attempt must have answered; when the pause is over. */
export interface Drain {
  readonly id: 'probing' | 'pausing';
  readonly attempt: number;
  readonly until: Millis;
}

export interface Service {
  readonly state: State;
  /** Number of the latest run; 0 before the first. */
  readonly run: number;
  /** Restarts by policy since the supervisor began. */
  readonly restarts: number;
  readonly history: RestartHistory;
  /** Whether some run's program was executed. */
  readonly startedOnce: boolean;
  /** How long the latest start took that got to ready. */
  readonly readyAfter: Millis | null;
  /** What the operator or a reload wants: `down` once its run is over, `again` after it. `up` until somebody says else. */
  readonly wanted: 'up' | 'down' | 'again';
  /** The plan that comes into force when its run is over; `none`: it is in no plan any more and vanishes then. */
  readonly next: ServicePlan | 'none' | null;
  readonly firsts: Firsts;
  /** Whether a notice has suggested that its program goes into the background; absent: not yet. */
  readonly wasBackgroundSuspected?: true;
  /** Bytes in use on each of its GPUs before its last run, by the device's id; what is not in it is not known. */
  readonly memory: Readonly<Record<string, number>>;
}

/** Instants of its first start, its first readiness and its first end for good: where start-up time went. */
export interface Firsts {
  readonly startedAt: Millis | null;
  readonly readyAt: Millis | null;
  readonly endedAt: Millis | null;
}

/** What a step tells besides the new state. */
export interface ServiceStep {
  readonly service: Service;
  readonly effects: readonly ServiceEffect[];
  readonly notices: readonly ServiceNotice[];
}

/** Numbers that belong to the world and not to the service. */
export interface Context {
  readonly now: Millis;
  /** Seed of this service's jitter. */
  readonly seed: number;
  readonly stopTimeout: Millis;
  /** True while everything is being stopped: no restart any more. */
  readonly ending: boolean;
}

export function newService(plan: ServicePlan): Service {
  return {
    state: { id: plan.enabled ? 'pending' : 'skipped' },
    run: 0,
    restarts: 0,
    history: { at: [], streak: 0 },
    startedOnce: false,
    readyAfter: null,
    wanted: 'up',
    next: null,
    firsts: { startedAt: null, readyAt: null, endedAt: null },
    memory: {},
  };
}

/** Whether a run has processes, or may have. */
export function isActive(state: State): boolean {
  return state.id === 'starting' || state.id === 'ready' || state.id === 'unready' || state.id === 'stopping';
}

/** Whether it stops or is to stop. Its ports and GPUs are free only when none of its processes is left. */
export function isLeaving({ state, wanted }: Service): boolean {
  return isActive(state) && (state.id === 'stopping' || wanted !== 'up');
}

/** Whether another run follows the current or latest one. */
export function isToRunAgain({ state, wanted, run }: Service): boolean {
  return wanted === 'again' || state.id === 'backoff' || (state.id === 'pending' && run > 0);
}

/** Whether the run fails or is killed if a deadline of this state passes. */
export function hasRunDeadline(state: State): boolean {
  switch (state.id) {
    case 'starting':
    case 'stopping':
      return true;
    case 'ready':
    case 'unready':
      return state.hookUntil !== null || state.probing.flight !== null;
    default:
      return false;
  }
}

/** Whether the main process is there to take a signal. */
export function hasMain(state: State): boolean {
  return 'pid' in state && state.pid !== null && !(state.id === 'stopping' && state.exit !== null);
}

/** The one instant at which this service wants a `deadline-passed`; null: none. */
export function deadlineOf(plan: ServicePlan, { state }: Service): Millis | null {
  switch (state.id) {
    case 'starting': {
      if (state.prelude !== null) return Math.min(state.reportAt, preludeDeadline(state.prelude));
      const stall = plan.startStall === null ? Infinity : state.progressAt + plan.startStall;
      const timeout = plan.ready.length === 0 ? Infinity : state.since + plan.startTimeout;
      const least = Math.min(timeout, stall, state.reportAt, probingDeadline(state.probing) ?? Infinity);
      return least === Infinity ? null : least;
    }
    case 'ready':
    case 'unready': {
      const least = Math.min(probingDeadline(state.probing) ?? Infinity, state.hookUntil ?? Infinity);
      return least === Infinity ? null : least;
    }
    case 'stopping':
      return Math.min(state.deadline, state.drain?.until ?? Infinity, state.heldUntil ?? Infinity);
    case 'backoff':
      return state.until;
    case 'skipped':
    case 'pending':
    case 'stopped':
    case 'completed':
    case 'failed':
      return null;
    default:
      return assertNever(state);
  }
}

function preludeDeadline(prelude: Prelude): Millis {
  return prelude.id === 'hook' ? prelude.deadline : (prelude.wait.readAt ?? Infinity);
}

/** Whether a dependent keeps what it depends on from being stopped. One that SIGKILL was sent to needs nothing more. */
export function holdsUp(state: State): boolean {
  return isActive(state) && !(state.id === 'stopping' && (state.stage === 'killed' || state.stage === 'hooks-killed'));
}

/**
 * Whether a shutdown had to kill `after_exit`, which belongs to the run as its program does. At its own deadline it fails
 * as it does at any other time.
 */
export function isHookKilled(before: State, after: State, now: Millis): boolean {
  if (before.id !== 'stopping' || before.stage !== 'hooks') return false;
  const isOwnFault = now >= before.deadline && now < before.limit;
  return after.id === 'stopping' && after.stage === 'hooks-killed' && !isOwnFault;
}

/** Notes the first time that a service is in a state that a start's timeline tells of. */
export function noteFirsts(service: Service, now: Millis): Service {
  const { state, firsts } = service;
  const next = {
    startedAt: firsts.startedAt ?? (state.id === 'starting' ? now : null),
    readyAt: firsts.readyAt ?? (state.id === 'ready' ? now : null),
    endedAt: firsts.endedAt ?? (state.id === 'completed' || state.id === 'failed' ? now : null),
  };
  return { ...service, firsts: next };
}

/** Nothing comes of it. */
export function unchanged(service: Service): ServiceStep {
  return { service, effects: [], notices: [] };
}

export function assertNever(value: never): never {
  throw new Error(`bug: unhandled ${JSON.stringify(value)}`);
}
