// The way up of one run: the memory of its GPUs, `before_start`, the program, its probes; and the watch once it is ready.
// Knows no other service.
//
//   memory --free--> before_start --done--> program --executes--> probes --hold--> ready <--> unready
import type { Millis, ServicePlan } from '../plan/plan.ts';
import { conclude } from './ending.ts';
import type { ServiceEffect, ServiceEvent } from './event.ts';
import { openGate, weighReading } from './gate.ts';
import { type Cause, isLikeAStop, renderDuration } from './policy.ts';
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
import { type Context, type Notice, type Running, type Service, type Starting, same, type Turn } from './state.ts';
import { holdBack, hookFailed, hookLate, killFirstHook, stopRun } from './stopping.ts';

const REPORTS: readonly Millis[] = [10_000, 30_000];
const REPORT_EVERY: Millis = 60_000;
/** What a start ends with that took too long, as timeout(1) has it. */
const TOO_LATE = 124;

type News<Type extends ServiceEvent['type']> = ServiceEvent & { readonly type: Type };

/** Begins a run: from `pending`, or when a pause is over. */
export function startRun(plan: ServicePlan, service: Service, { now }: Context): Turn {
  const begun: Service = { ...service, run: service.run + 1 };
  const state: Starting = {
    id: 'starting',
    pid: null,
    since: now,
    prelude: null,
    progressAt: now,
    reportAt: now + (REPORTS[0] ?? REPORT_EVERY),
    probing: NO_PROBING,
  };
  if (plan.gpus === null || plan.gpus.devices.length === 0) return startProgram(plan, begun, state, now);
  const waiting: Starting = { ...state, prelude: { id: 'memory', gate: openGate(now) } };
  return { service: { ...begun, state: waiting }, effects: [{ type: 'read-gpus' }], notices: [] };
}

/** The memory is free: what comes next. */
function startProgram(plan: ServicePlan, service: Service, state: Starting, now: Millis): Turn {
  const hook = plan.hooks.beforeStart;
  if (hook === null) return spawnProgram(service, state, now);
  const probing = { ...NO_PROBING, detail: 'before_start is under way' };
  const next: Starting = { ...state, prelude: { id: 'hook', since: now, deadline: now + hook.timeout }, probing };
  const effects: readonly ServiceEffect[] = [{ type: 'run-hook', hook: 'before_start', exit: null }];
  return { service: { ...service, state: next }, effects, notices: [] };
}

/** From here on it is the program's own time. */
function spawnProgram(service: Service, state: Starting, now: Millis): Turn {
  const next: Starting = { ...state, prelude: null, since: now, progressAt: now, probing: NO_PROBING };
  return { service: { ...service, state: next }, effects: [{ type: 'spawn' }], notices: [] };
}

export function onGpusRead(plan: ServicePlan, service: Service, news: News<'gpus-read'>, context: Context): Turn {
  const { state } = service;
  const { gpus } = plan;
  if (state.id !== 'starting' || state.prelude?.id !== 'memory' || gpus === null) return same(service);
  const { gate } = state.prelude;
  if (gate.readAt !== null) return same(service);
  const { now } = context;
  const weighed = weighReading(gpus, service.memory, gate, news.reading, now);
  const proceed = (memory: Service['memory'], notices: readonly Notice[]): Turn => {
    const turn = startProgram(plan, { ...service, memory }, state, now);
    return { ...turn, notices: [...notices, ...turn.notices] };
  };
  switch (weighed.id) {
    case 'open': {
      const { memory, remark } = weighed;
      const isNews = remark !== null && (memory !== null || service.run === 1);
      const warning = news.reading.kind === 'memory' && service.run === 1 ? news.reading.warning : undefined;
      return proceed(memory ?? service.memory, [
        ...(warning === undefined ? [] : [told(`has a GPU whose driver complains: ${warning}`, 'warn')]),
        ...(isNews ? [told(remark.text, remark.level)] : []),
      ]);
    }
    case 'wait': {
      const first = gate.steady === null ? [told(`waits for GPU memory: ${weighed.why}`)] : [];
      const probing = { ...state.probing, detail: `waits for GPU memory: ${weighed.why}` };
      const next: Starting = { ...state, prelude: { id: 'memory', gate: weighed.gate }, probing };
      return { service: { ...service, state: next }, effects: [], notices: first };
    }
    case 'shut': {
      const message = `GPU memory was not given back within ${renderDuration(gpus.freeTimeout)}: ${weighed.why}`;
      return fail(plan, service, state, { kind: 'not-started', step: 'gpus', message, code: 1 }, context);
    }
    case 'lost':
      if (gpus.onLost === 'exit') return fail(plan, service, state, { kind: 'gpu-lost', why: weighed.why }, context);
      return proceed(service.memory, [
        { level: 'warn', event: 'gpu-lost', text: `is started though its GPU does not answer: ${weighed.why}` },
      ]);
    default:
      return weighed satisfies never;
  }
}

function told(text: string, level: Notice['level'] = 'info'): Notice {
  return { level, event: 'gpu-memory', text };
}

function fail(plan: ServicePlan, service: Service, state: Starting, cause: Cause, context: Context): Turn {
  const over = { cause, exit: null, since: state.since, exitAt: context.now, readyAt: null };
  return conclude(plan, service, over, [], context);
}

/** `before_start` is over: the program, or a start that failed. */
export function endFirstHook(
  plan: ServicePlan,
  service: Service,
  state: Starting,
  news: News<'hook-ended'>,
  context: Context,
): Turn {
  if (state.prelude?.id !== 'hook' || news.hook !== 'before_start') return same(service);
  if (news.ok) return spawnProgram(service, state, context.now);
  const message = `before_start failed: ${news.detail}`;
  const cause: Cause = { kind: 'not-started', step: 'before_start', message, code: news.code };
  if (!context.ending && isLikeAStop({ kind: 'code', code: news.code }))
    return holdBack(service, state, cause, context);
  return fail(plan, service, state, cause, context);
}

/** `after_ready` is over: whatever it came to, the service goes on. */
export function endReadyHook(service: Service, state: Running, news: News<'hook-ended'>): Turn {
  if (state.hookUntil === null || news.hook !== 'after_ready') return same(service);
  const next: Service = { ...service, state: { ...state, hookUntil: null } };
  return { service: next, effects: [], notices: news.ok ? [] : [hookFailed(news)] };
}

export function onSpawned(plan: ServicePlan, service: Service, pid: number, { now }: Context): Turn {
  const { state } = service;
  const started = { ...service, startedOnce: true };
  if (state.id === 'stopping') return same({ ...started, state: { ...state, pid } });
  if (state.id !== 'starting') return same(service);
  const starting = { ...state, pid };
  const notice: Notice = { level: 'info', event: 'started', text: `started (pid ${pid})` };
  const turn = rounded(plan, started, starting, beginRounds(plan, now), now);
  return { ...turn, notices: [notice, ...turn.notices] };
}

export function onSpawnFailed(
  plan: ServicePlan,
  service: Service,
  failure: News<'spawn-failed'>,
  context: Context,
): Turn {
  const { state } = service;
  if (state.id !== 'starting' && state.id !== 'stopping') return same(service);
  const asked = state.id === 'stopping' && state.cause.kind === 'asked';
  const { step, message, code } = failure;
  const cause: Cause = asked ? { kind: 'asked' } : { kind: 'not-started', step, message, code };
  const over = { cause, exit: null, since: state.since, exitAt: context.now, readyAt: null };
  return conclude(plan, service, over, [], context);
}

export function onProbeNews(
  plan: ServicePlan,
  service: Service,
  event: News<'answered' | 'latched' | 'progressed'>,
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

/** Whatever is due of a start, once. */
export function passStarting(plan: ServicePlan, service: Service, state: Starting, context: Context): Turn {
  const { now, stopTimeout } = context;
  const { detail } = state.probing;
  if (state.prelude !== null) return passPrelude(service, state, context);
  const limit = now + (plan.stop.timeout ?? stopTimeout);
  if (plan.ready.length > 0 && now >= state.since + plan.startTimeout) {
    const cut = state.wasCut === true ? '; the supervisor was restarted meanwhile, and may have missed it' : '';
    const why = detail === null ? null : `${detail}${cut}`;
    return stopRun(plan, service, { kind: 'start-timeout', after: plan.startTimeout, detail: why }, limit, context);
  }
  if (plan.startStall !== null && now >= state.progressAt + plan.startStall) {
    return stopRun(plan, service, { kind: 'start-stall', after: plan.startStall, detail }, limit, context);
  }
  const { state: current, notices } = report(state, now);
  if (state.pid === null) return { service: { ...service, state: current }, effects: [], notices };
  const lost = expired(plan, state.probing, now);
  const turn =
    lost === null
      ? rounded(plan, service, current, continueRound(plan, state.probing, now), now)
      : rounded(plan, service, current, abandoning(answerRound(plan, state.probing, lost, state.since, now)), now);
  return { ...turn, notices: [...notices, ...turn.notices] };
}

function passPrelude(service: Service, state: Starting, context: Context): Turn {
  const { now } = context;
  const { prelude } = state;
  if (prelude?.id === 'hook' && now >= prelude.deadline) {
    const { text: message } = hookLate('before_start', now - prelude.since);
    const cause: Cause = { kind: 'not-started', step: 'before_start', message, code: TOO_LATE };
    return killFirstHook(service, state, cause, context);
  }
  const { state: current, notices } = report(state, now);
  if (prelude?.id === 'memory' && prelude.gate.readAt !== null && now >= prelude.gate.readAt) {
    const next: Starting = { ...current, prelude: { id: 'memory', gate: { ...prelude.gate, readAt: null } } };
    return { service: { ...service, state: next }, effects: [{ type: 'read-gpus' }], notices };
  }
  return { service: { ...service, state: current }, effects: [], notices };
}

/** Tells people now and then that it is still starting, and what it waits for. */
function report(state: Starting, now: Millis): { readonly state: Starting; readonly notices: readonly Notice[] } {
  if (now < state.reportAt) return { state, notices: [] };
  const { detail } = state.probing;
  const elapsed = now - state.since;
  // A millisecond more than has passed: `since + report - since` may come out a hair below `report`.
  const past = elapsed + 1;
  const next = REPORTS.find((at) => at > past) ?? Math.floor(past / REPORT_EVERY + 1) * REPORT_EVERY;
  const text = `still starting after ${renderDuration(elapsed)}${detail === null ? '' : `: ${detail}`}`;
  return {
    state: { ...state, reportAt: state.since + next },
    notices: [{ level: 'info', event: 'still-starting', text }],
  };
}

/** Whatever is due of a service that is ready, or was: a probe, or the end of `after_ready`'s time. */
export function passRunning(plan: ServicePlan, service: Service, state: Running, context: Context): Turn {
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
  return watched(plan, service, state, abandoning(answerWatch(plan, state.probing, lost, now)), context);
}

/** Takes over what a round came to: still starting, or ready. */
function rounded(plan: ServicePlan, service: Service, state: Starting, probed: Probed, now: Millis): Turn {
  const { probing, effects, outcome } = probed;
  if (outcome !== 'passed' || state.pid === null) {
    const progressAt = probing.changes === state.probing.changes ? state.progressAt : now;
    return { service: { ...service, state: { ...state, probing, progressAt } }, effects, notices: [] };
  }
  const hook = plan.hooks.afterReady;
  const next: Running = {
    id: 'ready',
    pid: state.pid,
    since: state.since,
    readyAt: now,
    hookUntil: hook === null ? null : now + hook.timeout,
    probing: beginWatch(plan, probing, now),
  };
  const after = now - state.since;
  const notices: readonly Notice[] =
    plan.ready.length === 0 ? [] : [{ level: 'info', event: 'ready', text: `ready after ${renderDuration(after)}` }];
  const run: readonly ServiceEffect[] = hook === null ? [] : [{ type: 'run-hook', hook: 'after_ready', exit: null }];
  return { service: { ...service, state: next, readyAfter: after }, effects: [...effects, ...run], notices };
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
