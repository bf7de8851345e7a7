// The life of ONE service as a function: (plan, service, event, context) -> service, effects and notices. Knows no other
// service: propagation.ts and shutdown.ts decide when it starts and stops. Never waits, reads or writes. This file selects
// the function for an event or a deadline; starting.ts, stopping.ts and run-end.ts have the rules.
//
//   pending ---> starting ---> ready <---> unready
//     ^             |            |            |
//     |             +------------+------------+---> stopping ---> completed, failed, stopped
//     |                                                 |                     |
//     |             starting (next run) <--- backoff <--+                     |
//     +-------------------------- operator, reload ---------------------------+
//
// All transitions, which test/core/machine.test.ts compares with those that occur. `[*]`: no plan has the service.
//
//   [*] --> pending, scheduled, skipped, idle: a new service; `skipped` if it is not enabled, `idle` if it is started by hand
//   idle --> pending: the operator starts it, or a service that starts needs it
//   pending --> starting: its gates are open
//   pending --> failed, scheduled: the GPUs that it requests are not there
//   starting --> ready: its readiness probes hold
//   ready --> unready: a continuous readiness probe fails
//   unready --> ready: the probe holds again
//   starting, ready, unready --> stopping: it exits, is to stop, misses a deadline or fails its liveness probe
//   starting --> failed, backoff, stopped, idle, pending: the run ends while it has no process
//   stopping --> completed, failed: no process is left, and it is not restarted
//   stopping --> backoff: no process is left, and it restarts after a pause
//   stopping --> stopped, idle: no process is left, and it was to stop; `idle` if it is started by hand
//   starting, stopping --> scheduled: the run of a scheduled task is over, and it is not restarted
//   stopping --> pending: no process is left, and it was to restart
//   backoff --> starting: the pause is over
//   pending, backoff, scheduled --> stopped, idle: the operator stops it, or everything stops
//   scheduled --> pending: its time has come, the operator starts it, or a reload takes its schedule away
//   skipped, idle, completed, failed --> scheduled: a reload enables it, or gives it a schedule, or lets it start by itself
//   backoff, stopped, completed, failed, skipped --> pending: the operator starts it, or a reload changes it
//   stopped, completed, failed, skipped --> idle: a reload changes it, and it is started by hand
//   pending, backoff, scheduled, stopped, completed, failed, idle --> skipped: a reload disables it
//   pending, backoff, scheduled, stopped, completed, failed, skipped, idle --> [*]: a reload removes it
//
// `starting` begins with a prelude where GPUs or `before_start` are in the plan. `stopping` has the stages of stopping.ts.
// Each state has at most one deadline, by deadlineOf().
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
import { assertNever, type Service, type ServiceStep, type StepContext, unchanged } from './state.ts';
import {
  endHook,
  onDrainResult,
  onEmptied,
  onExited,
  onKillRefused,
  onStopCommandFailed,
  passStopping,
} from './stopping.ts';

/** Applies an event of the current run. */
export function stepService(
  plan: ServicePlan,
  service: Service,
  event: ServiceEvent,
  context: StepContext,
): ServiceStep {
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

/** Applies the deadline of this service: whatever is due, once. */
export function passDeadline(plan: ServicePlan, service: Service, context: StepContext): ServiceStep {
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
    case 'idle':
    case 'pending':
    case 'scheduled':
    case 'stopped':
    case 'completed':
    case 'failed':
      return unchanged(service);
    default:
      return assertNever(state);
  }
}
