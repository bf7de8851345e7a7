// The value of one service: its State, one member of a union with only its own data, and what outlives a state (run number,
// restarts). Of the instants that a state waits for, deadlineOf() returns the earliest. Contains data and questions about it;
// machine.ts makes the next value.
import type { Millis, ServicePlan } from '../plan/plan.ts';
import type { Exit } from '../plan/process.ts';
import type { ServiceEffect } from './event.ts';
import type { MemoryWait } from './memory-wait.ts';
import type { MemoryExcess } from './memory-watch.ts';
import type { ServiceNotice } from './notice.ts';
import type { Cause, RestartHistory } from './policy.ts';
import { type Probing, probingDeadline } from './probing.ts';
import type { Ended, LeftoverProcess, StopStage } from './run.ts';
import { checkAtOf, newSchedule, type Schedule } from './schedule.ts';

export type State =
  | { readonly id: 'skipped' }
  /** Started by hand only. `ended`: its last run, which was stopped; null: there was none. */
  | { readonly id: 'idle'; readonly ended: Ended | null }
  | { readonly id: 'pending' }
  | StartingState
  | RunningState
  | StoppingState
  | { readonly id: 'backoff'; readonly until: Millis; readonly ended: Ended }
  /** A task with a schedule waits for its time; `ended`: its latest run. */
  | { readonly id: 'scheduled'; readonly ended: Ended | null }
  | { readonly id: 'stopped' | 'completed' | 'failed'; readonly at: Millis; readonly ended: Ended | null };

export interface StartingState {
  readonly id: 'starting';
  readonly pid: number | null;
  /** When the program was spawned; during a prelude, when the prelude began. */
  readonly since: Millis;
  /** The step before the program that is under way; null: the program is spawned. */
  readonly prelude: Prelude | null;
  /** The last progress: output, or a probe result that differs from the one before. */
  readonly progressAt: Millis;
  /** When the next `still-starting` is due. */
  readonly reportAt: Millis;
  /** Set if the supervisor was restarted while a probe waited for output, some of which may have been lost. */
  readonly hasMissedOutput?: true;
  readonly probing: Probing;
}

/** The steps before the program: wait for memory of its GPUs, then run `before_start`. */
export type Prelude =
  | { readonly id: 'memory'; readonly wait: MemoryWait }
  | { readonly id: 'hook'; readonly since: Millis; readonly deadline: Millis };

export interface RunningState {
  readonly id: 'ready' | 'unready';
  readonly pid: number;
  readonly since: Millis;
  readonly readyAt: Millis;
  /** The deadline of `after_ready`; null: it does not run. */
  readonly hookUntil: Millis | null;
  readonly probing: Probing;
}

export interface StoppingState {
  readonly id: 'stopping';
  readonly pid: number | null;
  readonly since: Millis;
  /** When the stop began. */
  readonly askedAt: Millis;
  readonly cause: Cause;
  /** How the main process ended; null while it runs. */
  readonly exit: Exit | null;
  readonly exitAt: Millis | null;
  readonly readyAt: Millis | null;
  readonly stage: StopStage;
  /** While `before_stop` waits for a probe: the attempt under way, or the pause before the next attempt. */
  readonly drain: DrainProgress | null;
  /** Processes that outlived the main process and are reported; known from stage `held` on. */
  readonly leftovers: readonly LeftoverProcess[];
  /** When the next stage begins; in the last stage, when the next `unkillable` is due. */
  readonly deadline: Millis;
  /** The instant by which SIGKILL is sent; Infinity: no request to stop has set one. */
  readonly limit: Millis;
  /**
   * The main process ended as if it had been asked to stop, before any request: until this instant, a request that arrives
   * counts as the cause. null: the end counts as it is.
   */
  readonly heldUntil: Millis | null;
  /** Processes that the supervisor may not send SIGKILL to; absent: there are none. */
  readonly refused?: readonly LeftoverProcess[];
}

/** `until`: the deadline of the attempt, or the end of the pause. */
export interface DrainProgress {
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
  /** Whether the program was executed in any run. */
  readonly startedOnce: boolean;
  /** How long the latest start took that became ready. */
  readonly readyAfter: Millis | null;
  /**
   * What the operator or a reload wants of a service that may run. `down`: stop it. `again`: stop it, then start it again. `up`
   * otherwise, and while it is idle or not enabled, where the API says `down` (snapshot.ts).
   */
  readonly wanted: 'up' | 'down' | 'again';
  /** The plan that comes into force when its run is over; `none`: the service is removed then. */
  readonly next: ServicePlan | 'none' | null;
  readonly instants: Instants;
  /** Set if a notice has suggested that its program goes into the background. */
  readonly wasBackgroundSuspected?: true;
  /** Bytes in use on each of its GPUs before its last run, by the id of the device; of others that is not known. */
  readonly memory: Readonly<Record<string, number>>;
  /** null: its run does not use too much memory (memory-watch.ts). */
  readonly excess: MemoryExcess | null;
  /** How often a run of it has used too much memory. */
  readonly exceededCount: number;
  /** null: its plan has no schedule. */
  readonly schedule: Schedule | null;
}

/** For the timeline: instants of its first start, its first readiness, and its first end that no restart followed. */
interface Instants {
  readonly startedAt: Millis | null;
  readonly readyAt: Millis | null;
  readonly endedAt: Millis | null;
  /** Its first end with success. */
  readonly completedAt: Millis | null;
  /** The end of its latest run; null: none has ended, or one is under way. */
  readonly overAt: Millis | null;
}

/** The result of a step of one service. */
export interface ServiceStep {
  readonly service: Service;
  readonly effects: readonly ServiceEffect[];
  readonly notices: readonly ServiceNotice[];
}

/** The part of the world that the step of a service depends on. */
export interface StepContext {
  readonly now: Millis;
  /** Seed of this service's jitter. */
  readonly seed: number;
  readonly stopTimeout: Millis;
  /** True in a shutdown: no run is restarted. */
  readonly ending: boolean;
}

export function newService(plan: ServicePlan): Service {
  const schedule = isOfSchedule(plan) ? newSchedule() : null;
  const first: State = schedule === null ? { id: 'pending' } : { id: 'scheduled', ended: null };
  return {
    state: firstState(plan, first),
    run: 0,
    restarts: 0,
    history: { at: [], streak: 0 },
    startedOnce: false,
    readyAfter: null,
    wanted: 'up',
    next: null,
    instants: { startedAt: null, readyAt: null, endedAt: null, completedAt: null, overAt: null },
    memory: {},
    excess: null,
    exceededCount: 0,
    schedule,
  };
}

function firstState({ enabled, start }: ServicePlan, first: State): State {
  if (!enabled) return { id: 'skipped' };
  return start === 'auto' ? first : { id: 'idle', ended: null };
}

/** Whether it runs again and again, by a schedule. */
export function isOfSchedule({ schedule }: Pick<ServicePlan, 'schedule'>): boolean {
  return schedule !== null;
}

/** Whether a run has processes, or may have. */
export function isActive(state: State): boolean {
  return state.id === 'starting' || state.id === 'ready' || state.id === 'unready' || state.id === 'stopping';
}

/** Whether it stops or is to stop. Its ports and GPUs are free when none of its processes is left. */
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

/** Whether the main process runs, so that it can receive a signal. */
export function hasMain(state: State): boolean {
  return 'pid' in state && state.pid !== null && !(state.id === 'stopping' && state.exit !== null);
}

/** The one instant at which this service wants a `deadline-passed`; null: none. */
export function deadlineOf(plan: ServicePlan, service: Service): Millis | null {
  const least = Math.min(stateDeadlineOf(plan, service) ?? Infinity, scheduleDeadlineOf(plan, service) ?? Infinity);
  return least === Infinity ? null : least;
}

/** When its schedule wants one. The schedule of a task that is stopped, or is to stop, does not go on. */
export function scheduleDeadlineOf(plan: ServicePlan, { state, wanted, schedule }: Service): Millis | null {
  if (plan.schedule === null || schedule === null || wanted === 'down') return null;
  if (state.id === 'skipped' || state.id === 'idle' || state.id === 'stopped') return null;
  return checkAtOf(plan.schedule, schedule, state.id === 'scheduled');
}

/** When its state wants one. */
export function stateDeadlineOf(plan: ServicePlan, { state }: Service): Millis | null {
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
    case 'idle':
    case 'pending':
    case 'scheduled':
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

/** Whether a dependent delays the stop of its dependencies. After SIGKILL it does not. */
export function holdsUp(state: State): boolean {
  return isActive(state) && !(state.id === 'stopping' && (state.stage === 'killed' || state.stage === 'hooks-killed'));
}

/**
 * Whether a shutdown has killed `after_exit` at the deadline of the stop: then exit code 137 applies, as for a program. At
 * the deadline of the hook itself, the hook fails, as outside of a shutdown.
 */
export function isHookKilled(before: State, after: State, now: Millis): boolean {
  if (before.id !== 'stopping' || before.stage !== 'hooks') return false;
  const isOwnFault = now >= before.deadline && now < before.limit;
  return after.id === 'stopping' && after.stage === 'hooks-killed' && !isOwnFault;
}

/** Notes the instants that the state of the service sets. */
export function noteInstants(service: Service, now: Millis): Service {
  const { state, instants } = service;
  const hasEnded =
    state.id === 'completed' || state.id === 'failed' || (state.id === 'scheduled' && state.ended !== null);
  const hasCompleted = state.id === 'completed' || (state.id === 'scheduled' && state.ended?.verdict.success === true);
  const startedAt = instants.startedAt ?? (state.id === 'starting' ? now : null);
  const next: Instants = {
    startedAt,
    readyAt: instants.readyAt ?? (state.id === 'ready' ? now : null),
    endedAt: instants.endedAt ?? (hasEnded ? now : null),
    completedAt: instants.completedAt ?? (hasCompleted ? now : null),
    overAt: isActive(state) || startedAt === null ? null : (instants.overAt ?? now),
  };
  return { ...service, instants: next };
}

/** The event has no effect besides the given value. */
export function unchanged(service: Service): ServiceStep {
  return { service, effects: [], notices: [] };
}

export function assertNever(value: never): never {
  throw new Error(`bug: unhandled ${JSON.stringify(value)}`);
}
