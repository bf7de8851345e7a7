// The life of ONE service as a function: (plan, state, event, now) -> state and effects. Knows no other service: when to
// start and stop is told by supervisor.ts. Never waits, reads or writes.
//
//   skipped                                      (not enabled: nothing ever happens)
//
//   pending --start--> starting --probes hold--> ready <--continuous probe--> unready
//      ^                  |                        |                             |
//      |                  +------ exited, stop, start_timeout, start_stall, not alive ----+
//      |                                           v                                      |
//      +--(operator)-- stopped <-- unwanted -- stopping  <--------------------------------+
//                                                  |
//                      completed / failed <--------+--------> backoff --pause over--> starting (next run)
//
// `stopping` climbs one ladder, whoever asked: asked -> (main gone) leftovers -> killed, and is left only when no
// process of the run remains ("emptied"). Each state has at most one deadline, computed by deadlineOf().
import type { Millis, ServicePlan } from '../plan/plan.ts';
import type { Ended, ServiceEffect, ServiceEvent, SweptProcess } from './event.ts';
import {
  type Cause,
  decideRestart,
  type Exit,
  judge,
  LEFTOVER_GRACE,
  RESET_AFTER,
  type RestartDecision,
  type RestartHistory,
  randomOf,
  renderDuration,
  renderExit,
} from './policy.ts';
import {
  answerRound,
  answerWatch,
  beginRounds,
  beginWatch,
  continueRound,
  continueWatch,
  expired,
  latchRound,
  NO_PROBING,
  type Probed,
} from './probing.ts';
import {
  type Context,
  type Notice,
  never,
  type Running,
  type Service,
  type Starting,
  type State,
  type Stopping,
  type Turn,
} from './state.ts';
import { renderEnd, renderSwept } from './words.ts';

const REPORTS: readonly Millis[] = [10_000, 30_000];
const REPORT_EVERY: Millis = 60_000;
const UNKILLABLE_AFTER: Millis = 10_000;

/** Begins a run: from `pending`, or when a pause is over. */
export function startRun(service: Service, { now }: Context): Turn {
  const state: State = {
    id: 'starting',
    pid: null,
    since: now,
    progressAt: now,
    reportAt: now + (REPORTS[0] ?? REPORT_EVERY),
    probing: NO_PROBING,
  };
  return { service: { ...service, state, run: service.run + 1 }, effects: [{ type: 'spawn' }], notices: [] };
}

/** The foot of the ladder, or its second rung where the main process is gone already. */
function beginStopping(
  state: Starting | Running,
  now: Millis,
  how: Pick<Stopping, 'cause' | 'exit' | 'exitAt' | 'rung' | 'deadline' | 'limit'>,
): Stopping {
  const { pid, since } = state;
  return { id: 'stopping', pid, since, askedAt: now, readyAt: state.id === 'starting' ? null : state.readyAt, ...how };
}

/** Asks a run to stop. `limit` is the instant by which SIGKILL comes; a pause or a wait just ends. */
export function stopRun(plan: ServicePlan, service: Service, cause: Cause, limit: Millis, context: Context): Turn {
  const { state } = service;
  const { now } = context;
  switch (state.id) {
    case 'starting':
    case 'ready':
    case 'unready': {
      const next = beginStopping(state, now, {
        cause,
        exit: null,
        exitAt: null,
        rung: 'asked',
        deadline: limit,
        limit,
      });
      const ask: ServiceEffect =
        plan.stop.argv === null
          ? { type: 'signal', signal: plan.stop.signal, to: plan.stop.to }
          : { type: 'run-stop-command' };
      return { service: { ...service, state: next }, effects: [{ type: 'abandon-probe' }, ask], notices: [] };
    }
    case 'stopping': {
      if (limit >= state.limit || state.rung === 'killed') return same(service);
      const deadline = Math.min(state.deadline, limit);
      return { service: { ...service, state: { ...state, limit, deadline } }, effects: [], notices: [] };
    }
    case 'backoff':
      return {
        service: { ...service, state: { id: 'stopped', at: now, ended: state.ended } },
        effects: [],
        notices: [],
      };
    case 'skipped':
    case 'pending':
    case 'stopped':
    case 'completed':
    case 'failed':
      return same(service);
    default:
      return never(state);
  }
}

/** SIGKILL to the whole set, now. */
export function killRun(plan: ServicePlan, service: Service, context: Context): Turn {
  const turn = stopRun(plan, service, { kind: 'asked' }, context.now, context);
  const { state } = turn.service;
  if (state.id !== 'stopping' || state.rung === 'killed') return turn;
  return {
    service: { ...turn.service, state: { ...state, rung: 'killed', deadline: context.now + UNKILLABLE_AFTER } },
    effects: [{ type: 'abandon-probe' }, { type: 'kill' }],
    notices: [],
  };
}

/** News of the current run. */
export function stepService(plan: ServicePlan, service: Service, event: ServiceEvent, context: Context): Turn {
  switch (event.type) {
    case 'spawned':
      return onSpawned(plan, service, event.pid, context);
    case 'spawn-failed':
      return onSpawnFailed(plan, service, event, context);
    case 'exited':
      return onExited(plan, service, event.exit, context);
    case 'emptied':
      return onEmptied(plan, service, event.swept, context);
    case 'stop-command-failed':
      return onStopCommandFailed(plan, service, event.detail);
    case 'answered':
    case 'latched':
    case 'progressed':
      return onProbeNews(plan, service, event, context);
    default:
      return never(event);
  }
}

/** The deadline of this service has passed: whatever is due, once. */
export function passDeadline(plan: ServicePlan, service: Service, context: Context): Turn {
  const { state } = service;
  const { now } = context;
  switch (state.id) {
    case 'starting':
      return passStarting(plan, service, state, context);
    case 'ready':
    case 'unready': {
      const lost = expired(plan, state.probing, now);
      if (lost === null) return watched(plan, service, state, continueWatch(plan, state.probing, now), context);
      const probed = answerWatch(plan, state.probing, lost, now);
      return watched(plan, service, state, abandoning(probed), context);
    }
    case 'stopping': {
      if (now < state.deadline) return same(service);
      const waited = renderDuration(now - state.askedAt);
      if (state.rung === 'killed') {
        // Only a process in uninterruptible sleep outlives SIGKILL; it may still hold the GPU or the port.
        const text = `still has processes ${waited} after it was told to stop: they do not die of SIGKILL`;
        return {
          service: { ...service, state: { ...state, deadline: now + REPORT_EVERY } },
          effects: [],
          notices: [{ level: 'error', event: 'unkillable', text }],
        };
      }
      const text =
        state.exit === null
          ? `did not stop within ${waited}: sent SIGKILL to all its processes`
          : 'what was left of it did not stop in time: sent SIGKILL';
      return {
        service: { ...service, state: { ...state, rung: 'killed', deadline: now + UNKILLABLE_AFTER } },
        effects: [{ type: 'kill' }],
        notices: [{ level: 'warn', event: 'killed', text }],
      };
    }
    case 'backoff':
      return now < state.until ? same(service) : startRun({ ...service, restarts: service.restarts + 1 }, context);
    case 'skipped':
    case 'pending':
    case 'stopped':
    case 'completed':
    case 'failed':
      return same(service);
    default:
      return never(state);
  }
}

function onSpawned(plan: ServicePlan, service: Service, pid: number, { now }: Context): Turn {
  const { state } = service;
  const started = { ...service, startedOnce: true };
  if (state.id === 'stopping') return same({ ...started, state: { ...state, pid } });
  if (state.id !== 'starting') return same(service);
  const starting = { ...state, pid };
  const notice: Notice = { level: 'info', event: 'started', text: `started (pid ${pid})` };
  const turn = rounded(plan, started, starting, beginRounds(plan, now), now);
  return { ...turn, notices: [notice, ...turn.notices] };
}

function onSpawnFailed(
  plan: ServicePlan,
  service: Service,
  failure: { readonly step: string; readonly message: string; readonly code: number },
  context: Context,
): Turn {
  const { state } = service;
  if (state.id !== 'starting' && state.id !== 'stopping') return same(service);
  const asked = state.id === 'stopping' && state.cause.kind === 'asked';
  const cause: Cause = asked
    ? { kind: 'asked' }
    : { kind: 'not-started', step: failure.step, message: failure.message, code: failure.code };
  const over = { cause, exit: null, since: state.since, exitAt: context.now, readyAt: null };
  return conclude(plan, service, over, [], context);
}

/** A stop that was not even asked for would end in SIGKILL: fall back to the signal. */
function onStopCommandFailed(plan: ServicePlan, service: Service, detail: string): Turn {
  const { state } = service;
  if (state.id !== 'stopping' || state.rung !== 'asked') return same(service);
  const { signal, to } = plan.stop;
  const text = `stop.command failed (${detail}): sent ${signal} instead`;
  return {
    service,
    effects: [{ type: 'signal', signal, to }],
    notices: [{ level: 'warn', event: 'stop-command-failed', text }],
  };
}

function onExited(plan: ServicePlan, service: Service, exit: Exit, { now, stopTimeout }: Context): Turn {
  const { state } = service;
  switch (state.id) {
    case 'starting':
    case 'ready':
    case 'unready': {
      const deadline = now + Math.min(LEFTOVER_GRACE, plan.stop.timeout ?? stopTimeout);
      const end = {
        cause: { kind: 'exited' },
        exit,
        exitAt: now,
        rung: 'leftovers',
        deadline,
        limit: Infinity,
      } as const;
      const next = beginStopping(state, now, end);
      return {
        service: { ...service, state: next },
        effects: [{ type: 'abandon-probe' }, { type: 'sweep' }],
        notices: [],
      };
    }
    case 'stopping': {
      if (state.exit !== null) return same(service);
      const gone = { ...state, exit, exitAt: now };
      if (state.rung === 'killed') return same({ ...service, state: gone });
      const deadline = Math.min(state.limit, now + LEFTOVER_GRACE);
      return {
        service: { ...service, state: { ...gone, rung: 'leftovers', deadline } },
        effects: [{ type: 'sweep' }],
        notices: [],
      };
    }
    case 'skipped':
    case 'pending':
    case 'backoff':
    case 'stopped':
    case 'completed':
    case 'failed':
      return same(service);
    default:
      return never(state);
  }
}

function onEmptied(plan: ServicePlan, service: Service, swept: readonly SweptProcess[], context: Context): Turn {
  const { state } = service;
  if (state.id !== 'stopping' || state.exit === null) return same(service);
  const { cause, exit, since, exitAt, readyAt } = state;
  const over = { cause, exit, since, exitAt: exitAt ?? context.now, readyAt };
  return conclude(plan, service, over, swept, context);
}

/** A run whose main process is gone, or never was. */
export interface Over {
  readonly cause: Cause;
  readonly exit: Exit | null;
  readonly since: Millis;
  readonly exitAt: Millis;
  readonly readyAt: Millis | null;
}

/** What an end comes to: how it is judged, whether the service starts again, and all that in words. */
export interface Weighed {
  readonly ended: Ended;
  readonly decision: RestartDecision;
  readonly history: RestartHistory;
  readonly text: string;
}

export function weigh(plan: ServicePlan, service: Service, over: Over, { now, seed }: Context): Weighed {
  const { cause, exit, since, exitAt, readyAt } = over;
  const verdict = judge(plan, cause, exit);
  const ended: Ended = { service: plan.name, run: service.run, cause, exit, verdict, lasted: exitAt - since };
  const history =
    readyAt !== null && exitAt - readyAt >= RESET_AFTER ? { ...service.history, streak: 0 } : service.history;
  const decision = decideRestart(plan.restart, verdict.success, history, now, randomOf(seed, service.run));
  const counted = service.restarts === 1 ? '1 restart was' : `${service.restarts} restarts were`;
  const limit = !decision.restart && decision.why === 'limit' ? `; not started again: ${counted} its limit` : '';
  return { ended, decision, history, text: renderEnd(ended) + limit };
}

/** The end of a run as it can be weighed as soon as its main process is gone; null while that lives, or when it is wanted no more. */
export function overOf({ state, wanted }: Service): Over | null {
  if (state.id !== 'stopping' || state.exit === null || state.cause.kind === 'asked' || wanted !== 'up') return null;
  const { cause, exit, since, exitAt, readyAt } = state;
  return { cause, exit, since, exitAt: exitAt ?? since, readyAt };
}

/** A run is over, with no process left: completed, failed, stopped, or once more after a pause. */
function conclude(
  plan: ServicePlan,
  service: Service,
  over: Over,
  swept: readonly SweptProcess[],
  context: Context,
): Turn {
  const { now, ending } = context;
  const { ended, decision, history, text } = weigh(plan, service, over, context);
  const { success } = ended.verdict;
  const remains: readonly Notice[] =
    swept.length > 0 ? [{ level: 'warn', event: 'swept', text: renderSwept(plan.name, swept) }] : [];
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

function passStarting(plan: ServicePlan, service: Service, state: Starting, context: Context): Turn {
  const { now, stopTimeout } = context;
  const { detail } = state.probing;
  const limit = now + (plan.stop.timeout ?? stopTimeout);
  if (plan.ready.length > 0 && now >= state.since + plan.startTimeout) {
    return stopRun(plan, service, { kind: 'start-timeout', after: plan.startTimeout, detail }, limit, context);
  }
  if (plan.startStall !== null && now >= state.progressAt + plan.startStall) {
    return stopRun(plan, service, { kind: 'start-stall', after: plan.startStall, detail }, limit, context);
  }
  let notices: readonly Notice[] = [];
  let current = state;
  if (now >= state.reportAt) {
    const elapsed = now - state.since;
    // A millisecond more than has passed: `since + report - since` may come out a hair below `report`.
    const past = elapsed + 1;
    const next = REPORTS.find((report) => report > past) ?? Math.floor(past / REPORT_EVERY + 1) * REPORT_EVERY;
    current = { ...state, reportAt: state.since + next };
    const text = `still starting after ${renderDuration(elapsed)}${detail === null ? '' : `: ${detail}`}`;
    notices = [{ level: 'info', event: 'still-starting', text }];
  }
  if (state.pid === null) return { service: { ...service, state: current }, effects: [], notices };
  const lost = expired(plan, state.probing, now);
  const turn =
    lost === null
      ? rounded(plan, service, current, continueRound(plan, state.probing, now), now)
      : rounded(plan, service, current, abandoning(answerRound(plan, state.probing, lost, state.since, now)), now);
  return { ...turn, notices: [...notices, ...turn.notices] };
}

function onProbeNews(
  plan: ServicePlan,
  service: Service,
  event: ServiceEvent & { readonly type: 'answered' | 'latched' | 'progressed' },
  context: Context,
): Turn {
  const { state } = service;
  const { now } = context;
  if (state.id === 'starting') {
    if (event.type === 'progressed') return same({ ...service, state: { ...state, progressAt: now } });
    if (state.pid === null) return same(service);
    const probed =
      event.type === 'latched'
        ? latchRound(plan, state.probing, event.index, now)
        : answerRound(plan, state.probing, event, state.since, now);
    return rounded(plan, service, state, probed, now);
  }
  if ((state.id === 'ready' || state.id === 'unready') && event.type === 'answered') {
    return watched(plan, service, state, answerWatch(plan, state.probing, event, now), context);
  }
  return same(service);
}

/** Takes over what a round came to: still starting, or ready. */
function rounded(plan: ServicePlan, service: Service, state: Starting, probed: Probed, now: Millis): Turn {
  const { probing, effects, outcome } = probed;
  if (outcome === 'passed' && state.pid !== null) {
    const next: Running = {
      id: 'ready',
      pid: state.pid,
      since: state.since,
      readyAt: now,
      probing: beginWatch(plan, probing, now),
    };
    const after = now - state.since;
    const notices: Notice[] =
      plan.ready.length === 0 ? [] : [{ level: 'info', event: 'ready', text: `ready after ${renderDuration(after)}` }];
    return { service: { ...service, state: next, readyAfter: after }, effects, notices };
  }
  const progressAt = probing.changes === state.probing.changes ? state.progressAt : now;
  return { service: { ...service, state: { ...state, probing, progressAt } }, effects, notices: [] };
}

/** Takes over what a watch's answer came to: ready, unready, or not alive any more. */
function watched(plan: ServicePlan, service: Service, state: Running, probed: Probed, context: Context): Turn {
  const { now, stopTimeout } = context;
  const { probing, effects, outcome } = probed;
  const { detail } = probing;
  if (outcome === 'dead') {
    const cause: Cause = { kind: 'not-alive', detail: detail ?? 'no answer' };
    return stopRun(plan, service, cause, now + (plan.stop.timeout ?? stopTimeout), context);
  }
  const id = outcome === 'unready' ? 'unready' : outcome === 'recovered' ? 'ready' : state.id;
  const notices: Notice[] = [];
  if (id !== state.id) {
    notices.push(
      id === 'ready'
        ? { level: 'info', event: 'ready', text: 'ready again' }
        : { level: 'warn', event: 'unready', text: `not ready any more: ${detail}` },
    );
  }
  const next: Running = { ...state, id, probing };
  return { service: { ...service, state: next }, effects, notices };
}

function abandoning(probed: Probed): Probed {
  return { ...probed, effects: [{ type: 'abandon-probe' }, ...probed.effects] };
}

function same(service: Service): Turn {
  return { service, effects: [], notices: [] };
}
