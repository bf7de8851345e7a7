// Applies the step of one service: its new value, its notices and effects, and what the end of a run means for the container.
// What follows for other services is computed afterwards (propagation.ts).
import { type Changes, notify, type StepView } from './changes.ts';
import { endsAll } from './policy.ts';
import { adoptPlan } from './reload.ts';
import { evaluateEnd, runEndOf } from './run-end.ts';
import { startQueued } from './scheduling.ts';
import { judgeEnd } from './shutdown.ts';
import { isActive, isHookKilled, noteInstants, type Service, type ServiceStep } from './state.ts';

export function* transition(view: StepView, name: string, { service, effects, notices }: ServiceStep): Changes {
  const before = view.services.get(name);
  yield { type: 'service', name, service };
  for (const notice of notices) {
    if (notice.event !== 'stopped' || !isFirstCause(view, name, service.run)) yield notify(name, notice);
  }
  for (const effect of effects)
    yield { type: 'effect', effect: { type: 'service', service: name, run: service.run, effect } };
  if (runEndOf(before) === null) yield* assessExit(view, name, service);
  const isKilled = effects.some(({ type }) => type === 'kill') || isHookKilled(before.state, service.state, view.now);
  if (isKilled) yield* noteKill(view);
  const { state } = service;
  if (before.state.id === state.id && before.startedOnce === service.startedOnce) return;
  yield { type: 'service', name, service: noteInstants(service, view.now) };
  yield* applyReload(view, name);
  if ((state.id === 'failed' || state.id === 'completed' || state.id === 'scheduled') && state.ended !== null)
    yield* judgeEnd(view, name, state.ended);
  yield* startQueued(view, name);
}

function* noteKill({ phase }: StepView): Changes {
  if (phase.id === 'stopping') yield { type: 'phase', phase: { ...phase, killed: true } };
}

/**
 * The first cause is the first service that ends, not the first whose processes are gone: services that end because of it
 * must not come before it. So the end of a run that is not restarted counts from the exit of its main process.
 */
function* assessExit(view: StepView, name: string, service: Service): Changes {
  const over = runEndOf(service);
  if (over === null || view.phase.id !== 'running') return;
  const plan = view.services.planOf(name);
  const { ended, decision, limit } = evaluateEnd(plan, service, over, view.context(name));
  if (decision.restart) {
    // For the services that restart with it. Its own next run begins after `backoff`, when no process is left.
    yield { type: 'restart', name };
    return;
  }
  const { success } = ended.verdict;
  if (endsAll(view.services.world.plan.exit, plan, ended.verdict))
    yield notify(name, { event: success ? 'completed' : 'failed', ended, restarts: limit });
  yield* judgeEnd(view, name, ended);
}

/** Whether a run's end is the first cause, which was announced at its exit. */
function isFirstCause({ phase }: StepView, name: string, run: number): boolean {
  if (phase.id !== 'stopping' || phase.cause.kind !== 'service') return false;
  const { ended } = phase.cause;
  return ended.service === name && ended.run === run;
}

/** Once a run is over, the plan that a reload has made for its service comes into force. */
function* applyReload({ services, phase }: StepView, name: string): Changes {
  const service = services.get(name);
  const { next, state } = service;
  if (next === null || isActive(state) || phase.id !== 'running') return;
  if (next === 'none') {
    yield notify(name, { event: 'removed' });
    yield { type: 'removal', name };
  } else yield { type: 'service-plan', name, plan: next, service: adoptPlan(service, next) };
}
