// The stop of one run: `before_stop`, the stop signal, the leftover processes, SIGKILL, `after_exit`. The stages are the same
// for every cause, and the run ends only when none of its processes is left. Knows no other service.
//
//   draining --done, or no time left--> asked --main gone--> leftovers --none left--> held? --> hooks --> (run-end.ts)
//       \______________ main gone ________________/ \____ deadline: killed ____/
import type { Millis, ServicePlan } from '../plan/plan.ts';
import type { Exit } from '../plan/process.ts';
import type { ServiceEffect, ServiceEvent } from './event.ts';
import type { ServiceNotice } from './notice.ts';
import { type Cause, drainTime, HELD, isHeldBack, LEFTOVER_GRACE } from './policy.ts';
import type { HookName, LeftoverProcess } from './run.ts';
import { endRun, endUnspawned } from './run-end.ts';
import {
  assertNever,
  type DrainProgress,
  type RunningState,
  type Service,
  type ServiceStep,
  type StartingState,
  type StepContext,
  type StoppingState,
  unchanged,
} from './state.ts';

const REPORT_EVERY: Millis = 60_000;
const UNKILLABLE_AFTER: Millis = 10_000;

type EventOf<Type extends ServiceEvent['type']> = ServiceEvent & { readonly type: Type };

/** The state in the first stage, or in a later one if the main process has exited or was never spawned. */
function beginStopping(
  state: StartingState | RunningState,
  now: Millis,
  how: Pick<StoppingState, 'cause' | 'exit' | 'exitAt' | 'stage' | 'deadline' | 'limit'> &
    Partial<Pick<StoppingState, 'drain' | 'heldUntil'>>,
): StoppingState {
  const { pid, since } = state;
  const readyAt = state.id === 'starting' ? null : state.readyAt;
  return { id: 'stopping', pid, since, askedAt: now, readyAt, drain: null, leftovers: [], heldUntil: null, ...how };
}

/** Asks a run to stop. `limit` is the instant by which SIGKILL is sent. A service without a run becomes `stopped`. */
export function stopRun(
  plan: ServicePlan,
  service: Service,
  cause: Cause,
  limit: Millis,
  context: StepContext,
): ServiceStep {
  const { state } = service;
  const { now } = context;
  switch (state.id) {
    case 'starting':
      if (state.prelude !== null) return stopPrelude(plan, service, state, cause, context);
      return ask(plan, service, beginStopping(state, now, firstStage(cause, limit)), [{ type: 'abandon-probe' }]);
    case 'ready':
    case 'unready': {
      const quiet: readonly ServiceEffect[] = [
        { type: 'abandon-probe' },
        ...(state.hookUntil === null ? [] : [{ type: 'kill-hook' } as const]),
      ];
      const draining = beginDraining(plan, state, cause, limit, now);
      if (draining === null) return ask(plan, service, beginStopping(state, now, firstStage(cause, limit)), quiet);
      const { state: next, effect } = draining;
      return { service: { ...service, state: next }, effects: [...quiet, effect], notices: [] };
    }
    case 'stopping': {
      if (state.heldUntil !== null && cause.kind === 'asked') return explain(plan, service, state, limit, context);
      if (limit >= state.limit || state.stage === 'killed' || state.stage === 'hooks-killed') return unchanged(service);
      const by = state.stage === 'draining' ? now + drainTime(limit - now) : limit;
      const deadline = Math.min(state.deadline, Math.max(now, by));
      return { service: { ...service, state: { ...state, limit, deadline } }, effects: [], notices: [] };
    }
    case 'backoff':
    case 'scheduled':
      return {
        service: { ...service, state: { id: 'stopped', at: now, ended: state.ended } },
        effects: [],
        notices: [],
      };
    case 'skipped':
    case 'idle':
    case 'pending':
    case 'stopped':
    case 'completed':
    case 'failed':
      return unchanged(service);
    default:
      return assertNever(state);
  }
}

/** `before_start` ended as if by a stop signal: the run waits for a request to stop that explains it. */
export function holdBack(service: Service, state: StartingState, cause: Cause, { now }: StepContext): ServiceStep {
  const heldUntil = now + HELD;
  const how = {
    cause,
    exit: null,
    exitAt: now,
    stage: 'held',
    deadline: heldUntil,
    limit: Infinity,
    heldUntil,
  } as const;
  return { service: { ...service, state: beginStopping(state, now, how) }, effects: [], notices: [] };
}

/** A request to stop arrives in time to explain an end: the end becomes part of the stop. */
function explain(
  plan: ServicePlan,
  service: Service,
  state: StoppingState,
  limit: Millis,
  context: StepContext,
): ServiceStep {
  const known: StoppingState = { ...state, cause: { kind: 'asked' }, heldUntil: null, limit, deadline: limit };
  if (state.stage !== 'held') return unchanged({ ...service, state: known });
  return tidy(plan, service, { ...known, leftovers: reportable(known, state.leftovers) }, context);
}

function firstStage(cause: Cause, limit: Millis) {
  return { cause, exit: null, exitAt: null, stage: 'asked', deadline: limit, limit } as const;
}

/** Sends the stop signal or runs `stop.command`, after the effects in `before`. */
function ask(plan: ServicePlan, service: Service, state: StoppingState, before: readonly ServiceEffect[]): ServiceStep {
  const { signal, to, argv } = plan.stop;
  const effect: ServiceEffect =
    argv === null ? { type: 'signal', signal, to, continues: true } : { type: 'run-stop-command' };
  return { service: { ...service, state }, effects: [...before, effect], notices: [] };
}

/** Stops a run whose program is not spawned yet. */
function stopPrelude(
  plan: ServicePlan,
  service: Service,
  state: StartingState,
  cause: Cause,
  context: StepContext,
): ServiceStep {
  if (state.prelude?.id === 'hook') return killFirstHook(service, state, cause, context);
  const result = endUnspawned(plan, service, state.since, cause, context);
  return { ...result, effects: [{ type: 'abandon-probe' }, ...result.effects] };
}

/** Kills `before_start`; the run is over when none of its processes is left. */
export function killFirstHook(service: Service, state: StartingState, cause: Cause, { now }: StepContext): ServiceStep {
  const next = beginStopping(state, now, {
    cause,
    exit: null,
    exitAt: now,
    stage: 'hooks-killed',
    deadline: now + UNKILLABLE_AFTER,
    limit: now,
  });
  return { service: { ...service, state: next }, effects: [{ type: 'kill-hook' }], notices: [] };
}

/**
 * Begins `before_stop`; null if there is none, or no time for it. It does not run for a service that was never ready, and it
 * does not wait for a probe of a service that failed its liveness probe.
 */
function beginDraining(
  plan: ServicePlan,
  state: RunningState,
  cause: Cause,
  limit: Millis,
  now: Millis,
): { readonly state: StoppingState; readonly effect: ServiceEffect } | null {
  const hook = plan.hooks.beforeStop;
  if (hook === null || limit <= now) return null;
  const deadline = now + Math.min(drainTime(limit - now), hook.timeout ?? Infinity);
  const how = { cause, exit: null, exitAt: null, stage: 'draining', deadline, limit } as const;
  if (!('waitFor' in hook)) {
    return {
      state: beginStopping(state, now, how),
      effect: { type: 'run-hook', hook: 'before_stop', exit: null },
    };
  }
  if (cause.kind === 'not-alive') return null;
  const attempt = state.probing.attempts + 1;
  const drain = { id: 'probing', attempt, until: now + hook.waitFor.timeout } as const;
  return { state: beginStopping(state, now, { ...how, drain }), effect: askProbe(attempt) };
}

function askProbe(attempt: number): ServiceEffect {
  return { type: 'probe', kind: 'drain', index: 0, attempt };
}

/** Sends SIGKILL to all processes of a run at once, in a shutdown: an `after_exit` that has not begun has no time left. */
export function killRun(plan: ServicePlan, service: Service, context: StepContext): ServiceStep {
  const result = stopRun(plan, service, { kind: 'asked' }, context.now, context);
  const { state } = result.service;
  if (state.id !== 'stopping' || state.stage === 'killed' || state.stage === 'hooks-killed') return result;
  const killing = advanceToKill(result.service, state, context.now);
  // A probe and `after_ready` may be under way. A stop signal is not sent.
  const quiet = result.effects.filter(({ type }) => type === 'abandon-probe' || type === 'kill-hook');
  return { ...killing, effects: [...quiet, ...killing.effects] };
}

/** Goes to the last stage: SIGKILL to the run, or to `after_exit` if the run has no other process. */
function advanceToKill(service: Service, state: StoppingState, now: Millis): ServiceStep {
  const deadline = now + UNKILLABLE_AFTER;
  if (state.stage === 'hooks') {
    const next: StoppingState = { ...state, stage: 'hooks-killed', deadline };
    return { service: { ...service, state: next }, effects: [{ type: 'kill-hook' }], notices: [] };
  }
  const hook: readonly ServiceEffect[] = state.stage === 'draining' ? [{ type: 'kill-hook' }] : [];
  const next: StoppingState = { ...state, stage: 'killed', drain: null, deadline };
  return { service: { ...service, state: next }, effects: [...hook, { type: 'kill' }], notices: [] };
}

/** The main process has exited: by itself, or during a stop. */
export function onExited(
  plan: ServicePlan,
  service: Service,
  exit: Exit,
  { now, stopTimeout, ending }: StepContext,
): ServiceStep {
  const { state } = service;
  switch (state.id) {
    case 'starting':
    case 'ready':
    case 'unready': {
      const { timeout, leftoverTimeout } = plan.stop;
      const deadline = now + (leftoverTimeout ?? Math.min(LEFTOVER_GRACE, timeout ?? stopTimeout));
      const isEarly = state.id === 'starting' && plan.ready.length > 0 && plan.type === 'service';
      const cause: Cause = { kind: isEarly ? 'exited-early' : 'exited' };
      const heldUntil = !ending && isHeldBack(plan, cause, exit) ? now + HELD : null;
      const how = { cause, exit, exitAt: now, stage: 'leftovers', deadline, limit: Infinity, heldUntil } as const;
      const hook: readonly ServiceEffect[] =
        state.id === 'starting' || state.hookUntil === null ? [] : [{ type: 'kill-hook' }];
      const next = beginStopping(state, now, how);
      const effects: readonly ServiceEffect[] = [{ type: 'abandon-probe' }, ...hook, { type: 'clean-up' }];
      return { service: { ...service, state: next }, effects, notices: [] };
    }
    case 'stopping': {
      if (state.exit !== null) return unchanged(service);
      const gone = { ...state, exit, exitAt: now };
      if (state.stage === 'killed') return unchanged({ ...service, state: gone });
      const quiet: readonly ServiceEffect[] =
        state.stage === 'draining' ? [{ type: 'abandon-probe' }, { type: 'kill-hook' }] : [];
      // A shell that dies of the stop signal leaves its child, which has the whole time of the stop to finish.
      const next: StoppingState = { ...gone, stage: 'leftovers', drain: null, deadline: state.limit };
      return { service: { ...service, state: next }, effects: [...quiet, { type: 'clean-up' }], notices: [] };
    }
    case 'skipped':
    case 'idle':
    case 'pending':
    case 'scheduled':
    case 'backoff':
    case 'stopped':
    case 'completed':
    case 'failed':
      return unchanged(service);
    default:
      return assertNever(state);
  }
}

/** No process of the run is left: runs `after_exit`, if there is one, or ends the run. */
export function onEmptied(
  plan: ServicePlan,
  service: Service,
  leftovers: readonly LeftoverProcess[],
  context: StepContext,
): ServiceStep {
  const { state } = service;
  if (state.id !== 'stopping' || state.exit === null) return unchanged(service);
  if (state.stage === 'hooks' || state.stage === 'hooks-killed') return unchanged(service);
  const empty: StoppingState = { ...state, leftovers: reportable(state, leftovers) };
  if (state.heldUntil === null || state.stage === 'killed') return tidy(plan, service, empty, context);
  return unchanged({ ...service, state: { ...empty, stage: 'held', deadline: state.heldUntil } });
}

/**
 * The leftover processes that are reported: those of a main process that ended by itself, and those that needed SIGKILL. A stop ends
 * all processes of a run, and which of them ends last means nothing: a shell ends before its child.
 */
function reportable({ cause }: StoppingState, leftovers: readonly LeftoverProcess[]): readonly LeftoverProcess[] {
  if (cause.kind === 'exited' || cause.kind === 'exited-early') return leftovers;
  return leftovers.filter(({ wasKilled }) => wasKilled === true);
}

/** Runs `after_exit`, or ends the run. */
function tidy(plan: ServicePlan, service: Service, state: StoppingState, context: StepContext): ServiceStep {
  const hook = plan.hooks.afterExit;
  if (hook === null || state.exit === null) return finish(plan, service, state, context);
  const { now, ending } = context;
  // In a shutdown the deadline of the stop applies too; before a restart only the hook's own.
  const deadline = Math.min(now + hook.timeout, ending ? state.limit : Infinity);
  if (deadline <= now) {
    const result = finish(plan, service, state, context);
    return { ...result, notices: [...result.notices, { event: 'hook-failed', failure: { kind: 'not-run' } }] };
  }
  const next: StoppingState = { ...state, stage: 'hooks', deadline, limit: ending ? state.limit : Infinity };
  return {
    service: { ...service, state: next },
    effects: [{ type: 'run-hook', hook: 'after_exit', exit: state.exit }],
    notices: [],
  };
}

function finish(plan: ServicePlan, service: Service, state: StoppingState, context: StepContext): ServiceStep {
  const { cause, exit, since, exitAt, readyAt, leftovers } = state;
  return endRun(plan, service, { cause, exit, since, exitAt: exitAt ?? context.now, readyAt }, leftovers, context);
}

/** Reports the processes that the supervisor may not send SIGKILL to. */
export function onKillRefused(service: Service, left: readonly LeftoverProcess[]): ServiceStep {
  const { state } = service;
  if (state.id !== 'stopping') return unchanged(service);
  return {
    service: { ...service, state: { ...state, refused: left } },
    effects: [],
    notices: [{ event: 'unkillable', refused: left, waited: null }],
  };
}

/** Sends the stop signal in place of a `stop.command` that failed: otherwise only SIGKILL would stop the run. */
export function onStopCommandFailed(plan: ServicePlan, service: Service, detail: string): ServiceStep {
  const { state } = service;
  if (state.id !== 'stopping' || state.stage !== 'asked') return unchanged(service);
  const { signal, to } = plan.stop;
  return {
    service,
    effects: [{ type: 'signal', signal, to, continues: true }],
    notices: [{ event: 'stop-command-failed', detail, signal }],
  };
}

/** A hook has ended during a stop. That a hook was killed has been reported when it was. */
export function endHook(
  plan: ServicePlan,
  service: Service,
  state: StoppingState,
  event: EventOf<'hook-ended'>,
  context: StepContext,
): ServiceStep {
  const notices = event.ok ? [] : [hookFailed(event)];
  if (state.stage === 'draining' && event.hook === 'before_stop') {
    const result = ask(plan, service, atAsked(state), []);
    return { ...result, notices };
  }
  if (state.stage === 'hooks' && event.hook === 'after_exit') {
    const result = finish(plan, service, state, context);
    return { ...result, notices: [...notices, ...result.notices] };
  }
  const last = state.exit === null ? 'before_start' : 'after_exit';
  if (state.stage === 'hooks-killed' && event.hook === last) return finish(plan, service, state, context);
  return unchanged(service);
}

/** `before_stop` is over: the program has the time until `limit`. */
function atAsked(state: StoppingState): StoppingState {
  return { ...state, stage: 'asked', drain: null, deadline: state.limit };
}

export function hookFailed({ hook, detail }: { readonly hook: HookName; readonly detail: string }): ServiceNotice {
  return { event: 'hook-failed', failure: { kind: 'failed', hook, detail } };
}

export function hookLate(hook: HookName, after: Millis): ServiceNotice {
  return { event: 'hook-failed', failure: { kind: 'late', hook, after } };
}

/** The result of the probe that `before_stop` waits for. */
export function onDrainResult(
  plan: ServicePlan,
  service: Service,
  event: EventOf<'probe-ended'>,
  { now }: StepContext,
): ServiceStep {
  const { state } = service;
  const hook = plan.hooks.beforeStop;
  if (state.id !== 'stopping' || state.drain?.id !== 'probing' || state.drain.attempt !== event.attempt) {
    return unchanged(service);
  }
  if (event.ok || hook === null || !('waitFor' in hook)) return ask(plan, service, atAsked(state), []);
  const drain: DrainProgress = { ...state.drain, id: 'pausing', until: now + hook.waitFor.interval };
  return unchanged({ ...service, state: { ...state, drain } });
}

/** The deadline of a stage, or of an attempt, has passed. */
export function passStopping(
  plan: ServicePlan,
  service: Service,
  state: StoppingState,
  context: StepContext,
): ServiceStep {
  const { now } = context;
  if (state.heldUntil !== null && now >= state.heldUntil) {
    const counted: StoppingState = { ...state, heldUntil: null };
    return state.stage === 'held' ? tidy(plan, service, counted, context) : unchanged({ ...service, state: counted });
  }
  if (now < state.deadline) return state.drain === null ? unchanged(service) : passDrain(plan, service, state, now);
  const waited = now - state.askedAt;
  switch (state.stage) {
    case 'draining': {
      const result = ask(plan, service, atAsked(state), [{ type: 'abandon-probe' }, { type: 'kill-hook' }]);
      return { ...result, notices: [{ event: 'hook-failed', failure: { kind: 'given-up', waited } }] };
    }
    case 'held':
      return tidy(plan, service, state, context);
    case 'asked':
    case 'leftovers': {
      return {
        ...advanceToKill(service, state, now),
        notices: [{ event: 'killed', waited: state.exit === null ? waited : null }],
      };
    }
    case 'hooks': {
      const cut: ServiceNotice = { event: 'hook-failed', failure: { kind: 'cut' } };
      const late = hookLate('after_exit', plan.hooks.afterExit?.timeout ?? now - (state.exitAt ?? state.askedAt));
      return { ...advanceToKill(service, state, now), notices: [now >= state.limit ? cut : late] };
    }
    case 'killed':
    case 'hooks-killed': {
      // Only a process in uninterruptible sleep outlives SIGKILL; it may still hold the GPU or the port.
      return {
        service: { ...service, state: { ...state, deadline: now + REPORT_EVERY } },
        effects: [],
        notices: [{ event: 'unkillable', refused: state.refused ?? null, waited }],
      };
    }
    default:
      return assertNever(state.stage);
  }
}

/** An attempt without a result is abandoned; after a pause the next attempt begins. */
function passDrain(plan: ServicePlan, service: Service, state: StoppingState, now: Millis): ServiceStep {
  const { drain } = state;
  const hook = plan.hooks.beforeStop;
  if (drain === null || now < drain.until) return unchanged(service);
  // A reload has changed `before_stop`: there is no probe to wait for any more.
  if (hook === null || !('waitFor' in hook)) return ask(plan, service, atAsked(state), [{ type: 'abandon-probe' }]);
  const { interval, timeout } = hook.waitFor;
  if (drain.id === 'probing') {
    const next: DrainProgress = { ...drain, id: 'pausing', until: now + interval };
    const effects: readonly ServiceEffect[] = [{ type: 'abandon-probe' }];
    return { service: { ...service, state: { ...state, drain: next } }, effects, notices: [] };
  }
  const attempt = drain.attempt + 1;
  const next: DrainProgress = { id: 'probing', attempt, until: now + timeout };
  return { service: { ...service, state: { ...state, drain: next } }, effects: [askProbe(attempt)], notices: [] };
}
