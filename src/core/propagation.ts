// Propagates the changes of a step until nothing changes: starts the services that may start now, stops those that may stop
// now, and ends the supervisor when nothing runs any more. Examines only services that a change has touched.
import { type Changes, notify, notifyAll, type StepView, stopLimit } from './changes.ts';
import { isOff } from './off.ts';
import { applyOperation } from './operator.ts';
import { beginShutdown, finishShutdown, stopInTime } from './shutdown.ts';
import { startRun } from './starting.ts';
import { isActive, isLeaving } from './state.ts';
import type { StepDraft } from './step-draft.ts';
import { stopRun } from './stopping.ts';
import { allEnded } from './world.ts';

/** Applies what follows from the changes so far. */
export function propagate(draft: StepDraft): void {
  if (draft.pending !== 'propagation') return;
  const { services } = draft;
  while (services.isTouched) {
    draft.apply(restartDependents(draft));
    draft.apply(reportNeverStarting(draft));
    const { graph } = services.index;
    for (const number of services.takeTouched()) {
      // The numbers belong to other services now, and all services are touched.
      if (services.index.graph !== graph) break;
      if (draft.phase.id === 'running') draft.apply(startOrStop(draft, number));
      else if (draft.phase.id === 'stopping') draft.apply(stopInTime(draft, number, draft.phase));
    }
  }
  draft.settle();
  draft.apply(endWhenOver(draft));
}

/** Starts a pending service whose barriers are open, or stops a service that is no longer wanted. */
function* startOrStop(view: StepView, number: number): Changes {
  const { services } = view;
  const service = services.at(number);
  const { state, wanted } = service;
  const name = services.nameOf(number);
  const plan = services.planOf(name);
  if (state.id === 'pending') {
    // A service that still needs the same port or GPU is leaving. Its end touches this one again (ServicesDraft).
    const isClaimed = (services.index.conflicts[number] ?? []).some((other) => isLeaving(services.at(other)));
    if (services.waits.isOpen(number) && !isClaimed)
      yield { type: 'service-step', name, result: startRun(plan, service, view.context(name)) };
    return;
  }
  if (wanted === 'up' || !isActive(state) || state.id === 'stopping') return;
  // If several services are to stop, dependents stop first; a dependent that stays does not delay its dependencies.
  if (services.waits.isHeld(number, 'unwanted')) return;
  const result = stopRun(plan, service, { kind: 'asked' }, stopLimit(view, plan), view.context(name));
  yield { type: 'service-step', name, result };
}

/** Restarts the services that are to be restarted together with what they depend on, as if the operator had asked. */
function* restartDependents(draft: StepDraft): Changes {
  const { services, now } = draft;
  // All of them are marked before any is stopped, so that dependents stop first.
  for (const { name, on } of services.takeDependentsToRestart()) {
    const service = services.get(name);
    const { state, wanted, run } = service;
    if (draft.phase.id !== 'running' || run === 0 || wanted !== 'up') continue;
    // A scheduled task that waits for its time has no run that would have to follow.
    if (state.id === 'pending' || state.id === 'scheduled' || isOff(state.id)) continue;
    yield notify(name, { event: 'restart-asked', by: { kind: 'dependency', name: on } });
    yield { type: 'service', name, service: applyOperation(services.planOf(name), service, 'restart', now) };
  }
}

/**
 * Announces once, for each service, that it never starts and why, in the step in which that becomes certain. The first
 * essential one ends the container.
 */
function* reportNeverStarting(draft: StepDraft): Changes {
  if (draft.phase.id !== 'running') return;
  const { services } = draft;
  const blocked = services.takeNewlyBlocked();
  for (const { name, blockage } of blocked) yield notify(name, { event: 'blocked', blockage });
  if (services.world.plan.exit === 'all') return;
  const first = blocked.find(({ name }) => services.planOf(name).essential);
  if (first === undefined) return;
  const causes = new Set(first.causes().map(({ service }) => service));
  const ended = draft.failures.find(({ service }) => causes.has(service)) ?? null;
  yield* beginShutdown(draft, { kind: 'never-starts', code: ended?.verdict.code ?? 1, ended });
  yield notifyAll({ event: 'stopping', why: { kind: 'never-starts', service: first.name } });
}

/** Ends the supervisor when no service runs or will run without outside help. */
function* endWhenOver(view: StepView): Changes {
  const { services, phase } = view;
  if (services.counts.changing > 0) return;
  if (phase.id === 'running') {
    // The operator may start again what the operator has stopped: the supervisor keeps running.
    if (services.counts.held > 0) return;
    // The same for what waits for an idle service, which the operator may start.
    const { index, waits } = services;
    if (index.graph.order.some((number) => services.at(number).state.id === 'pending' && !waits.isBlocked(number)))
      return;
    const { blocked, code, ended } = allEnded(services.index.plans, services.view(), view.failures);
    yield notifyAll({ event: 'all-ended', blocked, code });
    yield* beginShutdown(view, { kind: 'all-ended', code, ended });
  }
  yield* finishShutdown(view);
}
