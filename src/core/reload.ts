// A new configuration while services run: services that are new start, those that are gone stop, those that differ restart;
// nothing else is touched. Yields changes; reads no file.
import { difference, restartFields } from '../plan/difference.ts';
import type { Plan, ScaledService, ServicePlan } from '../plan/plan.ts';
import { type Changes, notify, notifyAll, type StepView } from './changes.ts';
import { resetToPending, startIdleNeeds, toIdle } from './operator.ts';
import { newSchedule } from './schedule.ts';
import { adoptSchedule, changeSchedule } from './scheduling.ts';
import { isActive, isOfSchedule, newService, type Service } from './state.ts';
import { gpuUseBefore, withUseBefore } from './world.ts';

interface Planned {
  readonly plan: ServicePlan;
  readonly service: Service;
}

/** Puts a plan into force. Examines every service. */
export function* changePlan(view: StepView, target: Plan, scaled: ScaledService | null): Changes {
  if (view.phase.id !== 'running') return;
  const { services: known } = view;
  const changes = difference(known.world.target, target);
  yield notifyAll({ event: 'reloaded', difference: changes, scaled });
  const services = new Map(known.view());
  const kept = planKept(view, target, new Set(changes.unchanged));
  for (const { plan, service } of kept) services.set(plan.name, service);
  const names = new Set(target.services.map(({ name }) => name));
  const removed = known.world.plan.services.filter(({ name }) => !names.has(name));
  for (const { name } of removed) {
    const service: Service = { ...known.get(name), next: 'none', wanted: 'down' };
    if (isActive(service.state)) services.set(name, service);
    else yield notify(name, { event: 'removed' });
  }
  const leaving = removed.filter(({ name }) => isActive(known.get(name).state));
  yield { type: 'plan', plans: [...kept.map(({ plan }) => plan), ...leaving], services, target };
  yield* startIdleNeeds(view);
}

/** The services of the new plan: the plan that is in force for each, and its value. */
function planKept({ services }: StepView, target: Plan, unchanged: ReadonlySet<string>): readonly Planned[] {
  const { plans } = services.index;
  // A service, changed or not, may get a GPU that another one gives up: it waits until that one's memory is free again.
  const useBefore = gpuUseBefore(plans, services.view());
  return target.services.map((after) => {
    const { name, edges, stageEdges } = after;
    const known = services.has(name) ? services.get(name) : undefined;
    const before = plans.get(name);
    const service = withUseBefore(known ?? newService(after), after, useBefore);
    if (known === undefined || before === undefined) return { plan: after, service };
    if (!unchanged.has(name)) return replan(before, service, after);
    // Unchanged is what the last plan and this one say: the plan of its run may still be an older one, with older edges. One that
    // waits is the one of the target, whose edges are in the checkpoint.
    const isWaiting = service.next !== null && service.next !== 'none';
    return { plan: { ...before, edges, stageEdges }, service: isWaiting ? { ...service, next: after } : service };
  });
}

/** Gives a service a new plan: at once where no process depends on what differs, else with its next run. */
function replan(before: ServicePlan, service: Service, after: ServicePlan): Planned {
  const isWaiting = service.next !== null;
  if (!isWaiting && restartFields(before, after).length === 0)
    return { plan: after, service: followStart(changeSchedule(before, service, after), after) };
  if (!isActive(service.state)) return { plan: after, service: adoptPlan({ ...service, next: null }, after) };
  const wanted = service.wanted === 'down' && service.next !== 'none' ? 'down' : 'again';
  // The edges are always those of the new plan: a mixture of both plans may have a cycle.
  return {
    plan: { ...before, edges: after.edges, stageEdges: after.stageEdges },
    service: { ...service, next: after, wanted },
  };
}

/** The value of a service whose program does not change: an idle one starts if it now starts with the supervisor. */
function followStart(service: Service, after: ServicePlan): Service {
  const { start } = after;
  if (start === 'auto')
    return service.state.id === 'idle' ? (adoptSchedule(service, after) ?? resetToPending(service)) : service;
  return service.state.id === 'stopped' ? toIdle(service, service.state.ended) : service;
}

/**
 * The value of a service without processes under its new plan: it starts again unless the operator has stopped it, or it is
 * started by hand.
 */
export function adoptPlan(service: Service, after: ServicePlan): Service {
  const schedule = isOfSchedule(after) ? (service.schedule ?? newSchedule()) : null;
  const fresh: Service = { ...service, next: null, schedule };
  if (!after.enabled) return { ...fresh, wanted: 'up', state: { id: 'skipped' } };
  const { state } = fresh;
  const isOn = state.id === 'pending' || state.id === 'backoff' || (state.id === 'scheduled' && schedule !== null);
  if (after.start !== 'auto' && !isOn) return toIdle(fresh, 'ended' in state ? state.ended : null);
  if (state.id === 'stopped' && fresh.wanted === 'down') return fresh;
  return adoptSchedule(fresh, after) ?? resetToPending(fresh);
}
