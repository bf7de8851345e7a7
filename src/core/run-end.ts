// The end of a run: whether it is a success, and what state follows: completed, failed, stopped, or backoff before the next run.
// Decides for one service; shutdown.ts decides whether that ends the container.
import type { Millis, RestartPolicy, ServicePlan } from '../plan/plan.ts';
import type { Exit } from '../plan/process.ts';
import type { ServiceNotice } from './notice.ts';
import {
  type Cause,
  decideRestart,
  judge,
  RESET_AFTER,
  type RestartDecision,
  type RestartHistory,
  randomOf,
} from './policy.ts';
import type { Ended, LeftoverProcess } from './run.ts';
import { noteEnd } from './schedule.ts';
import type { Service, ServiceStep, State, StepContext } from './state.ts';

/** A main process that exits this soon and leaves other processes may have gone into the background. */
const BACKGROUND_WITHIN: Millis = 10_000;

/** A run whose main process has exited, or was never spawned. */
interface RunEnd {
  readonly cause: Cause;
  readonly exit: Exit | null;
  readonly since: Millis;
  readonly exitAt: Millis;
  readonly readyAt: Millis | null;
}

/** What the end of a run means: success or failure, and whether the service restarts. */
interface EndEvaluation {
  readonly ended: Ended;
  readonly decision: RestartDecision;
  readonly history: RestartHistory;
  /** `restart.max`, if it is why the service does not restart; else null. */
  readonly limit: number | null;
}

export function evaluateEnd(
  plan: ServicePlan,
  service: Service,
  over: RunEnd,
  { now, seed }: StepContext,
): EndEvaluation {
  const { cause, exit, since, exitAt, readyAt } = over;
  const verdict = judge(plan, cause, exit);
  const ended: Ended = { service: plan.name, run: service.run, cause, exit, verdict, lasted: exitAt - since };
  const history =
    readyAt !== null && exitAt - readyAt >= RESET_AFTER ? { ...service.history, streak: 0 } : service.history;
  // Another start would find no GPU either, whatever the policy.
  const decision: RestartDecision =
    cause.kind === 'gpu-lost' || isWithoutGpu(cause)
      ? { restart: false, why: 'policy' }
      : decideRestart(policyFor(plan, cause), verdict.success, history, now, randomOf(seed, service.run));
  const limit = !decision.restart && decision.why === 'limit' ? plan.restart.max : null;
  return { ended, decision, history, limit };
}

/** Whether a run was not started because its GPUs are not there or too small, which another run cannot change. */
function isWithoutGpu(cause: Cause): boolean {
  return cause.kind === 'not-started' && (cause.failure.kind === 'no-gpu' || cause.failure.kind === 'small-gpu');
}

/** The policy for an end: `on_exceed: restart` is stronger than the policy of the service, within its limit. */
function policyFor({ restart }: ServicePlan, cause: Cause): RestartPolicy {
  return cause.kind === 'memory' && cause.watch.onExceed === 'restart' ? { ...restart, policy: 'always' } : restart;
}

/**
 * The end of a run, which can be evaluated once its main process has exited; null while the main process runs, while a request
 * to stop may still explain its exit, and if the service is no longer wanted.
 */
export function runEndOf({ state, wanted }: Service): RunEnd | null {
  if (state.id !== 'stopping' || state.exit === null || state.heldUntil !== null) return null;
  if (state.cause.kind === 'asked' || wanted !== 'up') return null;
  const { cause, exit, since, exitAt, readyAt } = state;
  return { cause, exit, since, exitAt: exitAt ?? since, readyAt };
}

/** Whether a main process exited as that of a program that goes into the background: soon, and with code 0. */
function isLikeBackground({ cause, exit, lasted }: Ended): boolean {
  const isOwn = cause.kind === 'exited' || cause.kind === 'exited-early';
  return isOwn && exit?.kind === 'code' && exit.code === 0 && lasted < BACKGROUND_WITHIN;
}

/** Ends a run that never had a main process: its start has failed, or was stopped before. `since`: when the start began. */
export function endUnspawned(
  plan: ServicePlan,
  service: Service,
  since: Millis,
  cause: Cause,
  context: StepContext,
): ServiceStep {
  return endRun(plan, service, { cause, exit: null, since, exitAt: context.now, readyAt: null }, [], context);
}

/** Ends a run of which no process is left: completed, failed, stopped, or scheduled or backoff before the next run. */
export function endRun(
  plan: ServicePlan,
  before: Service,
  over: RunEnd,
  leftovers: readonly LeftoverProcess[],
  context: StepContext,
): ServiceStep {
  const { now, ending } = context;
  const { ended, decision, history, limit } = evaluateEnd(plan, before, over, context);
  const { success } = ended.verdict;
  const isSuspect = leftovers.length > 0 && before.wasBackgroundSuspected !== true && isLikeBackground(ended);
  const { schedule } = before;
  const noted = schedule === null ? before : { ...before, schedule: noteEnd(schedule, ended, now) };
  const service: Service = isSuspect ? { ...noted, wasBackgroundSuspected: true } : noted;
  const remains: readonly ServiceNotice[] =
    leftovers.length > 0 ? [{ event: 'cleaned-up', name: plan.name, leftovers, isBackground: isSuspect }] : [];
  const done = { id: success ? 'completed' : 'failed', at: now, ended } as const;
  const { wanted } = service;
  if (over.cause.kind === 'asked' || ending || wanted !== 'up') {
    const notices: readonly ServiceNotice[] = [{ event: 'stopped', exit: over.exit }, ...remains];
    // The end of a run that was no longer wanted is no failure, whatever its exit.
    if (wanted === 'again' && !ending) {
      const again: Service = { ...service, state: { id: 'pending' }, wanted: 'up', history: { at: [], streak: 0 } };
      return { service: again, effects: [], notices };
    }
    if (wanted === 'down' && !ending && plan.start !== 'auto')
      return { service: { ...service, state: { id: 'idle', ended }, wanted: 'up' }, effects: [], notices };
    const asked = over.cause.kind === 'asked' || wanted !== 'up';
    const state: State = asked ? { id: 'stopped', at: now, ended } : done;
    return { service: { ...service, state }, effects: [], notices };
  }
  if (decision.restart) {
    const state: State = { id: 'backoff', until: now + decision.delay, ended };
    return {
      service: { ...service, state, history: decision.history },
      effects: [],
      notices: [{ event: 'restarting', ended, delay: decision.delay }, ...remains],
    };
  }
  const rest: State = plan.schedule === null ? done : { id: 'scheduled', ended };
  return {
    service: { ...service, state: rest, history },
    effects: [],
    notices: [{ event: done.id, ended, restarts: limit }, ...remains],
  };
}
