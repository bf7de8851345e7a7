// How a run's end is weighed and what the service is after it: completed, failed, stopped, or once more after a pause.
// Decides for one service; whether that ends the container is supervisor.ts's to say.
import type { Millis, ServicePlan } from '../plan/plan.ts';
import type { Ended, LeftoverProcess } from './event.ts';
import {
  type Cause,
  decideRestart,
  type Exit,
  judge,
  RESET_AFTER,
  type RestartDecision,
  type RestartHistory,
  randomOf,
  renderDuration,
  renderExit,
} from './policy.ts';
import type { Context, Notice, Service, ServiceStep, State } from './state.ts';
import { BACKGROUND_QUESTION, renderCleanedUp, renderEnd } from './words.ts';

/** A main process that ends this soon and leaves others behind may have gone into the background. */
const BACKGROUND_WITHIN: Millis = 10_000;

/** A run whose main process is gone, or never was. */
export interface RunEnd {
  readonly cause: Cause;
  readonly exit: Exit | null;
  readonly since: Millis;
  readonly exitAt: Millis;
  readonly readyAt: Millis | null;
}

/** What an end comes to: how it is judged, whether the service starts again, and all that in words. */
export interface EndEvaluation {
  readonly ended: Ended;
  readonly decision: RestartDecision;
  readonly history: RestartHistory;
  readonly text: string;
}

export function evaluateEnd(plan: ServicePlan, service: Service, over: RunEnd, { now, seed }: Context): EndEvaluation {
  const { cause, exit, since, exitAt, readyAt } = over;
  const verdict = judge(plan, cause, exit);
  const ended: Ended = { service: plan.name, run: service.run, cause, exit, verdict, lasted: exitAt - since };
  const history =
    readyAt !== null && exitAt - readyAt >= RESET_AFTER ? { ...service.history, streak: 0 } : service.history;
  const decision: RestartDecision =
    cause.kind === 'gpu-lost'
      ? { restart: false, why: 'policy' }
      : decideRestart(plan.restart, verdict.success, history, now, randomOf(seed, service.run));
  const counted = service.restarts === 1 ? '1 restart was' : `${service.restarts} restarts were`;
  const limit = !decision.restart && decision.why === 'limit' ? `; not started again: ${counted} its limit` : '';
  return { ended, decision, history, text: renderEnd(ended) + limit };
}

/**
 * The end of a run, which can be judged once its main process is gone; null while the main process lives, while a request to
 * stop may still explain its end, or if the service is no longer wanted.
 */
export function runEndOf({ state, wanted }: Service): RunEnd | null {
  if (state.id !== 'stopping' || state.exit === null || state.heldUntil !== null) return null;
  if (state.cause.kind === 'asked' || wanted !== 'up') return null;
  const { cause, exit, since, exitAt, readyAt } = state;
  return { cause, exit, since, exitAt: exitAt ?? since, readyAt };
}

/** Whether a main process ended like that of a program that goes into the background. */
function isLikeBackground({ cause, exit, lasted }: Ended): boolean {
  const isOwn = cause.kind === 'exited' || cause.kind === 'exited-early';
  return isOwn && exit?.kind === 'code' && exit.code === 0 && lasted < BACKGROUND_WITHIN;
}

/** A run is over, with no process left: completed, failed, stopped, or once more after a pause. */
export function endRun(
  plan: ServicePlan,
  before: Service,
  over: RunEnd,
  leftovers: readonly LeftoverProcess[],
  context: Context,
): ServiceStep {
  const { now, ending } = context;
  const { ended, decision, history, text } = evaluateEnd(plan, before, over, context);
  const { success } = ended.verdict;
  const isSuspect = leftovers.length > 0 && before.wasBackgroundSuspected !== true && isLikeBackground(ended);
  const service: Service = isSuspect ? { ...before, wasBackgroundSuspected: true } : before;
  const question = isSuspect ? `. ${BACKGROUND_QUESTION}` : '';
  const remains: readonly Notice[] =
    leftovers.length > 0
      ? [{ level: 'warn', event: 'cleaned-up', text: `${renderCleanedUp(plan.name, leftovers)}${question}` }]
      : [];
  const done = { id: success ? 'completed' : 'failed', at: now, ended } as const;
  const { wanted } = service;
  if (over.cause.kind === 'asked' || ending || wanted !== 'up') {
    const how = over.exit === null ? 'stopped' : `stopped (${renderExit(over.exit)})`;
    const notices: readonly Notice[] = [{ level: 'info', event: 'stopped', text: how }, ...remains];
    // Whatever ended a run that was not wanted any more: it is no failure.
    if (wanted === 'again' && !ending) {
      const again: Service = { ...service, state: { id: 'pending' }, wanted: 'up', history: { at: [], streak: 0 } };
      return { service: again, effects: [], notices };
    }
    const asked = over.cause.kind === 'asked' || wanted !== 'up';
    const state: State = asked ? { id: 'stopped', at: now, ended } : done;
    return { service: { ...service, state }, effects: [], notices };
  }
  if (decision.restart) {
    const level = success ? 'info' : 'warn';
    const again = `${text}; starting again in ${renderDuration(decision.delay)}`;
    const state: State = { id: 'backoff', until: now + decision.delay, ended };
    return {
      service: { ...service, state, history: decision.history },
      effects: [],
      notices: [{ level, event: 'restarting', text: again }, ...remains],
    };
  }
  return {
    service: { ...service, state: done, history },
    effects: [],
    notices: [{ level: success ? 'info' : 'error', event: done.id, text }, ...remains],
  };
}
