// The life of ONE service as a function: (plan, state, event, now) -> state and effects. Knows no other service: when to
// start and stop is told by supervisor.ts. Never waits, reads or writes. This file says who is asked; starting.ts,
// stopping.ts and run-end.ts decide.
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
// `starting` begins with a prelude where GPUs or `before_start` are in the plan. `stopping` climbs one ladder, whoever
// asked, and is left only when no process of the run remains. Each state has at most one deadline, by deadlineOf().
import type { ServicePlan } from '../plan/plan.ts';
import type { ServiceEvent } from './event.ts';
import {
  endFirstHook,
  endReadyHook,
  onGpusRead,
  onProbeEvent,
  onSpawned,
  onSpawnFailed,
  passRunning,
  passStarting,
  startRun,
} from './starting.ts';
import { assertNever, type Context, type Service, type ServiceStep, unchanged } from './state.ts';
import {
  endHook,
  onDrainResult,
  onEmptied,
  onExited,
  onKillRefused,
  onStopCommandFailed,
  passStopping,
} from './stopping.ts';

/** News of the current run. */
export function stepService(plan: ServicePlan, service: Service, event: ServiceEvent, context: Context): ServiceStep {
  const { state } = service;
  switch (event.type) {
    case 'spawned':
      return onSpawned(plan, service, event.pid, context);
    case 'spawn-failed':
      return onSpawnFailed(plan, service, event, context);
    case 'exited':
      return onExited(plan, service, event.exit, context);
    case 'emptied':
      return onEmptied(plan, service, event.leftovers, context);
    case 'kill-refused':
      return onKillRefused(service, event.left);
    case 'stop-command-failed':
      return onStopCommandFailed(plan, service, event.detail);
    case 'probe-ended':
      if (state.id === 'stopping') return onDrainResult(plan, service, event, context);
      return onProbeEvent(plan, service, event, context);
    case 'latched':
    case 'progressed':
      return onProbeEvent(plan, service, event, context);
    case 'gpus-read':
      return onGpusRead(plan, service, event, context);
    case 'hook-ended':
      if (state.id === 'starting') return endFirstHook(plan, service, state, event, context);
      if (state.id === 'ready' || state.id === 'unready') return endReadyHook(service, state, event);
      return state.id === 'stopping' ? endHook(plan, service, state, event, context) : unchanged(service);
    default:
      return assertNever(event);
  }
}

/** The deadline of this service has passed: whatever is due, once. */
export function passDeadline(plan: ServicePlan, service: Service, context: Context): ServiceStep {
  const { state } = service;
  switch (state.id) {
    case 'starting':
      return passStarting(plan, service, state, context);
    case 'ready':
    case 'unready':
      return passRunning(plan, service, state, context);
    case 'stopping':
      return passStopping(plan, service, state, context);
    case 'backoff':
      if (context.now < state.until) return unchanged(service);
      return startRun(plan, { ...service, restarts: service.restarts + 1 }, context);
    case 'skipped':
    case 'pending':
    case 'stopped':
    case 'completed':
    case 'failed':
      return unchanged(service);
    default:
      return assertNever(state);
  }
}
