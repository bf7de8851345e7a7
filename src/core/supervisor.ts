// The entry of the core. step() decides everything and does nothing: (world, event, now) -> {world, effects}. Routes an event
// to the rule that it concerns (machine.ts for one service, shutdown.ts, operator.ts, reload.ts), then propagates what follows
// for other services (propagation.ts). Wanted and actual state are separate: a service starts when its own edges hold; one
// that is no longer wanted stops when no dependent keeps it.
import type { Millis } from '../plan/plan.ts';
import { shiftDeadlines } from './absence.ts';
import { type Changes, notify, type StepView } from './changes.ts';
import type { Event } from './event.ts';
import { passDeadline, stepService } from './machine.ts';
import { applySamples } from './memory-stop.ts';
import { forwardSignal, requestOperation, requestSignal, startIdleNeeds } from './operator.ts';
import { propagate } from './propagation.ts';
import { changePlan } from './reload.ts';
import { applyReading, passSchedule } from './scheduling.ts';
import { giveUp, isOverdue, killUnfinished, requestStop } from './shutdown.ts';
import { stateDeadlineOf } from './state.ts';
import { StepDraft, type StepResult } from './step-draft.ts';
import { takeOver } from './takeover.ts';
import type { World } from './world.ts';

export function step(world: World, event: Event, now: Millis): StepResult {
  if (world.phase.id === 'ended') return { world, effects: [] };
  // An event of an earlier run is dropped.
  if (event.type === 'service' && world.services.get(event.service)?.run !== event.run) return { world, effects: [] };
  if (event.type === 'was-absent') return { world: shiftDeadlines(world, event.by), effects: [] };
  if (event.type === 'taken-over') return takeOver(world, event.by);
  const draft = new StepDraft(world, now);
  if (event.type === 'deadline-passed') passDeadlines(draft, world);
  else draft.apply(changesOf(draft, event));
  propagate(draft);
  return draft.finish();
}

type OtherEvent = Exclude<Event, { readonly type: 'was-absent' | 'taken-over' | 'deadline-passed' }>;

function changesOf(view: StepView, event: OtherEvent): Changes {
  switch (event.type) {
    case 'began':
      return begin(view);
    case 'service':
      return stepOne(view, event);
    case 'stop-asked':
      return requestStop(view, event.signal);
    case 'signalled':
      return forwardSignal(view, event.signal);
    case 'operated':
      return requestOperation(view, event.operation, event.services);
    case 'signal-asked':
      return requestSignal(view, event.signal, event.services);
    case 'plan-changed':
      return changePlan(view, event.plan, event.scaled ?? null);
    case 'memory-read':
      return applySamples(view, event.samples);
    case 'clock-read':
      return applyReading(view, event.service, event.reading, event);
    default:
      return event satisfies never;
  }
}

function* begin(view: StepView): Changes {
  const { services } = view;
  for (const name of services.names()) {
    if (services.get(name).state.id === 'skipped') yield notify(name, { event: 'skipped' });
  }
  yield { type: 'beginning' };
  yield* startIdleNeeds(view);
}

function* stepOne(view: StepView, { service: name, event }: Event & { readonly type: 'service' }): Changes {
  const { services } = view;
  const result = stepService(services.planOf(name), services.get(name), event, view.context(name));
  yield { type: 'service-step', name, result };
}

/** Whatever is due: of each service, then of the shutdown. */
function passDeadlines(draft: StepDraft, world: World): void {
  const { services, now } = draft;
  for (const number of world.deadlines.due(now)) {
    const name = world.plan.services[number]?.name ?? '';
    if (!services.has(name)) continue;
    draft.apply(passSchedule(draft, name));
    propagate(draft);
    if (!services.has(name)) continue;
    const plan = services.planOf(name);
    const service = services.get(name);
    if ((stateDeadlineOf(plan, service) ?? Infinity) > now) continue;
    draft.apply([{ type: 'service-step', name, result: passDeadline(plan, service, draft.context(name)) }]);
    propagate(draft);
  }
  if (!isOverdue(draft)) return;
  draft.apply(killUnfinished(draft));
  propagate(draft);
  draft.apply(giveUp(draft));
}
