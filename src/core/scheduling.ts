// Applies schedules to the world: a deadline requests a reading of the wall clock, and a time that has come starts a run, or
// follows `overlap` if a run has not ended. schedule.ts decides whether a time has come; propagation.ts starts pending services.
import type { SchedulePlan, ServicePlan } from '../plan/plan.ts';
import { type Changes, notify, type StepView } from './changes.ts';
import { applyOperation, resetToPending } from './operator.ts';
import {
  type ClockReading,
  countTime,
  evaluateClock,
  evaluateInterval,
  newSchedule,
  resetSchedule,
} from './schedule.ts';
import { isOfSchedule, type Service, scheduleDeadlineOf } from './state.ts';

/** Acts on a schedule whose deadline has passed; without effect for other services. */
export function* passSchedule(view: StepView, name: string): Changes {
  const { services, now, phase } = view;
  const service = services.get(name);
  const { schedule } = service;
  const plan = services.planOf(name);
  if (plan.schedule === null || schedule === null || (scheduleDeadlineOf(plan, service) ?? Infinity) > now) return;
  if (phase.id !== 'running') {
    yield { type: 'service', name, service: { ...service, schedule: { ...schedule, isOver: true } } };
    return;
  }
  const { when } = plan.schedule;
  if (when.kind === 'every') {
    const { verdict, schedule: next } = evaluateInterval(plan.schedule, schedule, when.interval, now);
    yield* takeTime(view, name, plan.schedule, { ...service, schedule: next }, verdict);
    return;
  }
  const reading = schedule.readings + 1;
  yield {
    type: 'service',
    name,
    service: { ...service, schedule: { ...schedule, isReading: true, readings: reading } },
  };
  yield { type: 'effect', effect: { type: 'read-clock', service: name, reading } };
}

/** Applies a reading of the wall clock to the schedule of a task. Drops it if it is not the latest that was requested. */
export function* applyReading(view: StepView, name: string, reading: number, clock: ClockReading): Changes {
  const { services, now, phase } = view;
  if (phase.id !== 'running' || !services.has(name)) return;
  const service = services.get(name);
  const { schedule } = service;
  const plan = services.planOf(name).schedule;
  if (plan === null || schedule === null || !schedule.isReading || schedule.readings !== reading) return;
  const { verdict, schedule: next } = evaluateClock(plan, schedule, clock, now, view.context(name).seed);
  yield* takeTime(view, name, plan, { ...service, schedule: next }, verdict);
}

/** Applies the verdict on a time. `service` has the new schedule. */
function* takeTime(
  view: StepView,
  name: string,
  plan: SchedulePlan,
  service: Service,
  verdict: 'early' | 'due' | 'missed',
): Changes {
  const { schedule } = service;
  if (verdict === 'early' || schedule === null) {
    yield { type: 'service', name, service };
    return;
  }
  if (verdict === 'missed') {
    yield notify(name, { event: 'time-missed' });
    yield { type: 'service', name, service: { ...service, schedule: countTime(schedule, 'missed') } };
    return;
  }
  const { id } = service.state;
  if (id === 'scheduled') {
    yield { type: 'service', name, service: toPending(service) };
    return;
  }
  const isStarting = id === 'pending';
  if (plan.overlap === 'kill' && !isStarting) {
    yield notify(name, { event: 'restart-asked', by: { kind: 'schedule' } });
    yield {
      type: 'service',
      name,
      service: { ...applyOperation(view.services.planOf(name), service, 'restart', view.now), schedule },
    };
  } else if (plan.overlap === 'queue' && !isStarting && !schedule.isQueued) {
    yield { type: 'service', name, service: { ...service, schedule: { ...schedule, isQueued: true } } };
  } else {
    const found = isStarting ? 'start' : schedule.isQueued ? 'queued' : id === 'backoff' ? 'restart' : 'run';
    yield notify(name, { event: 'time-skipped', found });
    yield { type: 'service', name, service: { ...service, schedule: countTime(schedule, 'skipped') } };
  }
}

/** Starts the run that `overlap: queue` has postponed, after a run has ended. */
export function* startQueued({ services, phase }: StepView, name: string): Changes {
  // A reload may have removed the service.
  if (!services.has(name)) return;
  const service = services.get(name);
  const { schedule, state } = service;
  if (schedule?.isQueued !== true || state.id !== 'scheduled' || phase.id !== 'running') return;
  yield { type: 'service', name, service: toPending({ ...service, schedule: { ...schedule, isQueued: false } }) };
}

/** The service as it starts when its dependencies allow, with its schedule unchanged. */
function toPending(service: Service): Service {
  return { ...resetToPending(service), schedule: service.schedule };
}

/** The service after a reload that may have changed its schedule. A run, or the wait for a start, continues. */
export function changeSchedule(before: ServicePlan, service: Service, after: ServicePlan): Service {
  if (JSON.stringify(before.schedule) === JSON.stringify(after.schedule)) return service;
  const { state } = service;
  if (after.schedule === null) {
    const unscheduled: Service = { ...service, schedule: null };
    return state.id === 'scheduled' ? resetToPending(unscheduled) : unscheduled;
  }
  const schedule = resetSchedule(service.schedule ?? newSchedule());
  if (state.id !== 'completed' && state.id !== 'failed') return { ...service, schedule };
  return { ...service, schedule, state: { id: 'scheduled', ended: state.ended } };
}

/**
 * A task without processes under a new plan that has a schedule: it waits for its next time. null: the plan has none, or a run was
 * about to start, which it still does.
 */
export function adoptSchedule(service: Service, after: ServicePlan): Service | null {
  if (!isOfSchedule(after) || service.state.id === 'pending' || service.state.id === 'backoff') return null;
  const ended = 'ended' in service.state ? service.state.ended : null;
  return { ...resetToPending(service), state: { id: 'scheduled', ended } };
}
