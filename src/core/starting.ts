// The start of one run: the memory of its GPUs, `before_start`, the program, its readiness probes; and the probes of a run that
// is ready. Knows no other service.
//
//   memory --free--> before_start --done--> program --executes--> probes --hold--> ready <--> unready
import { EXIT_CODE } from '../linux/exit-codes.ts';
import type { Millis, ServicePlan } from '../plan/plan.ts';
import type { StartFailure } from './detail.ts';
import type { ServiceEffect, ServiceEvent } from './event.ts';
import { beginMemoryWait, evaluateReading } from './memory-wait.ts';
import type { MemoryNotice, ServiceNotice } from './notice.ts';
import { type Cause, isLikeAStop } from './policy.ts';
import {
  type AttemptOutcome,
  applyRoundResult,
  applyWatchResult,
  beginRounds,
  beginWatch,
  continueRound,
  continueWatch,
  expired,
  latchRound,
  NO_PROBING,
  type Probed,
  type Probing,
} from './probing.ts';
import { endUnspawned } from './run-end.ts';
import { armInterval } from './schedule.ts';
import {
  type RunningState,
  type Service,
  type ServiceStep,
  type StartingState,
  type StepContext,
  unchanged,
} from './state.ts';
import { holdBack, hookFailed, hookLate, killFirstHook, stopRun } from './stopping.ts';

const FIRST_REPORT: Millis = 10_000;
const REPORTS: readonly Millis[] = [FIRST_REPORT, 30_000];
const REPORT_EVERY: Millis = 60_000;

type EventOf<Type extends ServiceEvent['type']> = ServiceEvent & { readonly type: Type };

/** Begins a run: of a pending service, or at the end of a pause. */
export function startRun(plan: ServicePlan, service: Service, context: StepContext): ServiceStep {
  const { now, seed } = context;
  const run = service.run + 1;
  const known = service.schedule;
  const schedule = plan.schedule === null || known === null ? known : armInterval(plan.schedule, known, run, now, seed);
  const begun: Service = { ...service, run, schedule, excess: null };
  const state: StartingState = {
    id: 'starting',
    pid: null,
    since: now,
    prelude: null,
    progressAt: now,
    reportAt: now + FIRST_REPORT,
    probing: NO_PROBING,
  };
  if (plan.gpus?.missing !== undefined) {
    const failure: StartFailure = { kind: 'no-gpu', why: plan.gpus.missing };
    return endUnspawned(plan, begun, now, { kind: 'not-started', failure, code: EXIT_CODE.config }, context);
  }
  if (plan.gpus === null || plan.gpus.devices.length === 0) return startProgram(plan, begun, state, now);
  const waiting: StartingState = { ...state, prelude: { id: 'memory', wait: beginMemoryWait(now) } };
  return { service: { ...begun, state: waiting }, effects: [{ type: 'read-gpus' }], notices: [] };
}

/** The memory is free: runs `before_start`, or spawns the program. */
function startProgram(plan: ServicePlan, service: Service, state: StartingState, now: Millis): ServiceStep {
  const hook = plan.hooks.beforeStart;
  if (hook === null) return spawnProgram(service, state, now);
  const probing: Probing = { ...NO_PROBING, detail: { kind: 'hook' } };
  const next: StartingState = { ...state, prelude: { id: 'hook', since: now, deadline: now + hook.timeout }, probing };
  const effects: readonly ServiceEffect[] = [{ type: 'run-hook', hook: 'before_start', exit: null }];
  return { service: { ...service, state: next }, effects, notices: [] };
}

/** Spawns the program. `start_timeout` counts from here. */
function spawnProgram(service: Service, state: StartingState, now: Millis): ServiceStep {
  const reportAt = now + FIRST_REPORT;
  const next: StartingState = { ...state, prelude: null, since: now, progressAt: now, reportAt, probing: NO_PROBING };
  return { service: { ...service, state: next }, effects: [{ type: 'spawn' }], notices: [] };
}

export function onGpusRead(
  plan: ServicePlan,
  service: Service,
  event: EventOf<'gpus-read'>,
  context: StepContext,
): ServiceStep {
  const { state } = service;
  const { gpus } = plan;
  if (state.id !== 'starting' || state.prelude?.id !== 'memory' || gpus === null) return unchanged(service);
  const { wait } = state.prelude;
  if (wait.readAt !== null) return unchanged(service);
  const { now } = context;
  const decision = evaluateReading(gpus, service.memory, wait, event.reading, now);
  const proceed = (memory: Service['memory'], notices: readonly ServiceNotice[]): ServiceStep => {
    const result = startProgram(plan, { ...service, memory }, state, now);
    return { ...result, notices: [...notices, ...result.notices] };
  };
  switch (decision.id) {
    case 'start': {
      const { memory, remark } = decision;
      const isNews = remark !== null && (memory !== null || service.run === 1);
      const warning = event.reading.kind === 'memory' && service.run === 1 ? event.reading.warning : undefined;
      return proceed(memory ?? service.memory, [
        ...(warning === undefined ? [] : [memoryNotice({ kind: 'complaint', warning })]),
        ...(isNews ? [memoryNotice(remark)] : []),
      ]);
    }
    case 'wait': {
      const first = wait.steady === null ? [memoryNotice({ kind: 'waits', shortage: decision.shortage })] : [];
      const detail = { kind: 'memory', shortage: decision.shortage } as const;
      const probing: Probing = { ...state.probing, detail };
      const next: StartingState = { ...state, prelude: { id: 'memory', wait: decision.wait }, probing };
      return { service: { ...service, state: next }, effects: [], notices: first };
    }
    case 'timeout': {
      const cause: Cause = { kind: 'not-started', failure: decision.failure, code: 1 };
      return endUnspawned(plan, service, state.since, cause, context);
    }
    case 'impossible': {
      const cause: Cause = { kind: 'not-started', failure: decision.failure, code: EXIT_CODE.config };
      return endUnspawned(plan, service, state.since, cause, context);
    }
    case 'lost':
      if (gpus.onLost === 'exit')
        return endUnspawned(plan, service, state.since, { kind: 'gpu-lost', why: decision.why }, context);
      return proceed(service.memory, [{ event: 'gpu-lost', why: decision.why }]);
    default:
      return decision satisfies never;
  }
}

function memoryNotice(about: MemoryNotice): ServiceNotice {
  return { event: 'gpu-memory', about };
}

/** `before_start` is over: spawns the program, or the start has failed. */
export function endFirstHook(
  plan: ServicePlan,
  service: Service,
  state: StartingState,
  event: EventOf<'hook-ended'>,
  context: StepContext,
): ServiceStep {
  if (state.prelude?.id !== 'hook' || event.hook !== 'before_start') return unchanged(service);
  if (event.ok) return spawnProgram(service, state, context.now);
  const failure: StartFailure = { kind: 'hook-failed', detail: event.detail };
  const cause: Cause = { kind: 'not-started', failure, code: event.code };
  // A stop that all processes are sent at once may end the hook before PID 1 reports its signal: no failure of the hook.
  if (!context.ending && isLikeAStop({ kind: 'code', code: event.code }))
    return holdBack(service, state, cause, context);
  return endUnspawned(plan, service, state.since, cause, context);
}

/** `after_ready` is over. The service stays ready even if the hook failed. */
export function endReadyHook(service: Service, state: RunningState, event: EventOf<'hook-ended'>): ServiceStep {
  if (state.hookUntil === null || event.hook !== 'after_ready') return unchanged(service);
  const next: Service = { ...service, state: { ...state, hookUntil: null } };
  return { service: next, effects: [], notices: event.ok ? [] : [hookFailed(event)] };
}

export function onSpawned(plan: ServicePlan, service: Service, pid: number, { now }: StepContext): ServiceStep {
  const { state } = service;
  const started = { ...service, startedOnce: true };
  if (state.id === 'stopping') return unchanged({ ...started, state: { ...state, pid } });
  if (state.id !== 'starting') return unchanged(service);
  const starting = { ...state, pid };
  const notice: ServiceNotice = { event: 'started', pid };
  const result = rounded(plan, started, starting, beginRounds(plan, now), now);
  return { ...result, notices: [notice, ...result.notices] };
}

export function onSpawnFailed(
  plan: ServicePlan,
  service: Service,
  failure: EventOf<'spawn-failed'>,
  context: StepContext,
): ServiceStep {
  const { state } = service;
  if (state.id !== 'starting' && state.id !== 'stopping') return unchanged(service);
  const asked = state.id === 'stopping' && state.cause.kind === 'asked';
  const { message, code } = failure;
  const cause: Cause = asked ? { kind: 'asked' } : { kind: 'not-started', failure: { kind: 'spawn', message }, code };
  return endUnspawned(plan, service, state.since, cause, context);
}

export function onProbeEvent(
  plan: ServicePlan,
  service: Service,
  event: EventOf<'probe-ended' | 'latched' | 'progressed'>,
  context: StepContext,
): ServiceStep {
  const { state } = service;
  const { now } = context;
  if (state.id === 'starting') {
    if (event.type === 'progressed') return unchanged({ ...service, state: { ...state, progressAt: now } });
    if (state.pid === null) return unchanged(service);
    const probed =
      event.type === 'latched'
        ? latchRound(plan, state.probing, event.index, now)
        : applyRoundResult(plan, state.probing, outcomeOf(event), state.since, now);
    return rounded(plan, service, state, probed, now);
  }
  if ((state.id === 'ready' || state.id === 'unready') && event.type === 'probe-ended') {
    return watched(plan, service, state, applyWatchResult(plan, state.probing, outcomeOf(event), now), context);
  }
  return unchanged(service);
}

function outcomeOf({ attempt, ok, detail }: EventOf<'probe-ended'>): AttemptOutcome {
  return { attempt, ok, detail: { kind: 'result', text: detail } };
}

/** The deadline of a starting service has passed: does what is due. */
export function passStarting(
  plan: ServicePlan,
  service: Service,
  state: StartingState,
  context: StepContext,
): ServiceStep {
  const { now, stopTimeout } = context;
  const { detail } = state.probing;
  if (state.prelude !== null) return passPrelude(service, state, context);
  const limit = now + (plan.stop.timeout ?? stopTimeout);
  if (plan.ready.length > 0 && now >= state.since + plan.startTimeout) {
    const { hasMissedOutput } = state;
    const cause: Cause = {
      kind: 'start-timeout',
      after: plan.startTimeout,
      detail,
      ...(hasMissedOutput && { hasMissedOutput }),
    };
    return stopRun(plan, service, cause, limit, context);
  }
  if (plan.startStall !== null && now >= state.progressAt + plan.startStall) {
    return stopRun(plan, service, { kind: 'start-stall', after: plan.startStall, detail }, limit, context);
  }
  const { state: current, notices } = report(state, now);
  if (state.pid === null) return { service: { ...service, state: current }, effects: [], notices };
  const lost = expired(plan, state.probing, now);
  const result =
    lost === null
      ? rounded(plan, service, current, continueRound(plan, state.probing, now), now)
      : rounded(plan, service, current, abandoning(applyRoundResult(plan, state.probing, lost, state.since, now)), now);
  return { ...result, notices: [...notices, ...result.notices] };
}

function passPrelude(service: Service, state: StartingState, context: StepContext): ServiceStep {
  const { now } = context;
  const { prelude } = state;
  if (prelude?.id === 'hook' && now >= prelude.deadline) {
    const failure: StartFailure = { kind: 'hook-late', after: now - prelude.since };
    const cause: Cause = { kind: 'not-started', failure, code: EXIT_CODE.timeout };
    return killFirstHook(service, state, cause, context);
  }
  const { state: current, notices } = report(state, now);
  if (prelude?.id === 'memory' && prelude.wait.readAt !== null && now >= prelude.wait.readAt) {
    const next: StartingState = { ...current, prelude: { id: 'memory', wait: { ...prelude.wait, readAt: null } } };
    return { service: { ...service, state: next }, effects: [{ type: 'read-gpus' }], notices };
  }
  return { service: { ...service, state: current }, effects: [], notices };
}

/** Reports at growing intervals that the service is still starting, and what it waits for. */
function report(
  state: StartingState,
  now: Millis,
): { readonly state: StartingState; readonly notices: readonly ServiceNotice[] } {
  if (now < state.reportAt) return { state, notices: [] };
  const { detail } = state.probing;
  const elapsed = now - state.since;
  // One millisecond is added because `since + report - since` may be slightly less than `report` in floating point.
  const past = elapsed + 1;
  const next = REPORTS.find((at) => at > past) ?? Math.floor(past / REPORT_EVERY + 1) * REPORT_EVERY;
  return {
    state: { ...state, reportAt: state.since + next },
    notices: [{ event: 'still-starting', elapsed, detail }],
  };
}

/** The deadline of a ready or unready service has passed: of a probe, or of `after_ready`. */
export function passRunning(
  plan: ServicePlan,
  service: Service,
  state: RunningState,
  context: StepContext,
): ServiceStep {
  const { now } = context;
  if (state.hookUntil !== null && now >= state.hookUntil) {
    return {
      service: { ...service, state: { ...state, hookUntil: null } },
      effects: [{ type: 'kill-hook' }],
      notices: [hookLate('after_ready', now - state.readyAt)],
    };
  }
  const lost = expired(plan, state.probing, now);
  if (lost === null) return watched(plan, service, state, continueWatch(plan, state.probing, now), context);
  return watched(plan, service, state, abandoning(applyWatchResult(plan, state.probing, lost, now)), context);
}

/** Applies the result of a round of readiness probes: still starting, or ready. */
function rounded(plan: ServicePlan, service: Service, state: StartingState, probed: Probed, now: Millis): ServiceStep {
  const { probing, effects, outcome } = probed;
  if (outcome !== 'passed' || state.pid === null) {
    const progressAt = probing.changes === state.probing.changes ? state.progressAt : now;
    return { service: { ...service, state: { ...state, probing, progressAt } }, effects, notices: [] };
  }
  const hook = plan.hooks.afterReady;
  const next: RunningState = {
    id: 'ready',
    pid: state.pid,
    since: state.since,
    readyAt: now,
    hookUntil: hook === null ? null : now + hook.timeout,
    probing: beginWatch(plan, probing, now),
  };
  const after = now - state.since;
  const notices: readonly ServiceNotice[] = plan.ready.length === 0 ? [] : [{ event: 'ready', after }];
  const run: readonly ServiceEffect[] = hook === null ? [] : [{ type: 'run-hook', hook: 'after_ready', exit: null }];
  return { service: { ...service, state: next, readyAfter: after }, effects: [...effects, ...run], notices };
}

/** Applies the result of a probe after the start: ready, unready, or not alive. */
function watched(
  plan: ServicePlan,
  service: Service,
  state: RunningState,
  probed: Probed,
  context: StepContext,
): ServiceStep {
  const { now, stopTimeout } = context;
  const { probing, effects, outcome } = probed;
  const { detail } = probing;
  const notices = livenessNotices(state.probing, probing);
  if (outcome === 'dead') {
    const cause: Cause = { kind: 'not-alive', detail: probing.lapse?.detail ?? null };
    const result = stopRun(plan, service, cause, now + (plan.stop.timeout ?? stopTimeout), context);
    return { ...result, notices: [...notices, ...result.notices] };
  }
  const id = outcome === 'unready' ? 'unready' : outcome === 'recovered' ? 'ready' : state.id;
  if (id !== state.id) {
    notices.push(id === 'ready' ? { event: 'ready', after: null } : { event: 'unready', detail });
  }
  const next: RunningState = { ...state, id, probing };
  return { service: { ...service, state: next }, effects, notices };
}

/** A liveness probe has failed, or all hold again. */
function livenessNotices({ lapse: before, watches }: Probing, { lapse: after }: Probing): ServiceNotice[] {
  if (after === before) return [];
  if (after === null) return [{ event: 'liveness-recovered' }];
  const { index, failures, of, detail } = after;
  // One probe holds again and another still fails: that failure has been reported.
  if (watches.some((watch) => watch.kind === 'live' && watch.index === index && watch.streak === -failures)) return [];
  return [{ event: 'liveness-failed', failures, of, detail }];
}

function abandoning(probed: Probed): Probed {
  return { ...probed, effects: [{ type: 'abandon-probe' }, ...probed.effects] };
}
