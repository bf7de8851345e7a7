// The shutdown of everything: what begins it, the one deadline that all services share, what a repeated request does, and the
// exit code. Each function yields changes; none looks at more than one service unless it says so.
import { exitCodeOfSignal } from '../linux/exit-codes.ts';
import { signalNumber } from '../linux/signals.ts';
import type { SignalName } from '../plan/plan.ts';
import { levelsOf } from './barriers.ts';
import { type Changes, notifyAll, type StepView, stopLimit } from './changes.ts';
import { endsAll, reserved, SAME_REQUEST } from './policy.ts';
import type { Ended } from './run.ts';
import { isActive } from './state.ts';
import { killRun, stopRun } from './stopping.ts';
import { type EndCause, endOf, type Phase } from './world.ts';

/** Exit code of a stop that needed SIGKILL, for whichever reason: transition.ts notes each. */
const KILLED = exitCodeOfSignal(signalNumber('SIGKILL'));

/**
 * A run has failed or completed and is not restarted: decides whether that ends the container. Called twice for one run, at
 * its exit and when its processes are gone.
 */
export function* judgeEnd(view: StepView, name: string, ended: Ended): Changes {
  if (view.phase.id !== 'running') return;
  const { services, failures } = view;
  const isKnown = failures.some(({ service, run }) => service === name && run === ended.run);
  // A scheduled task runs again: its failure is no reason why something could not start.
  const isLasting = !services.planOf(name).schedule;
  if (!ended.verdict.success && !isKnown && isLasting) yield { type: 'failure', ended };
  const { exit } = services.world.plan;
  const plan = services.planOf(name);
  // Without its driver a container that starts by itself is of no use. A service that a user starts just fails.
  const isLost = ended.cause.kind === 'gpu-lost' && plan.start === 'auto';
  if (!isLost && !endsAll(exit, plan, ended.verdict)) return;
  yield* beginShutdown(view, { kind: 'service', ended });
  yield notifyAll({ event: 'stopping', why: { kind: 'ended', ended } });
}

/** Begins to stop all services. Examines every service. */
export function* beginShutdown({ services, now }: StepView, cause: EndCause): Changes {
  const deadline = now + services.world.plan.stopTimeout;
  const levels = levelsOf(services.index.graph, (number) => isActive(services.at(number).state));
  const askedAt = cause.kind === 'asked' ? now : null;
  yield { type: 'phase', phase: { id: 'stopping', cause, deadline, killed: false, askedAt, levels } };
}

/** A signal asks the supervisor to stop. */
export function* requestStop(view: StepView, signal: SignalName): Changes {
  const { phase, now } = view;
  if (phase.id === 'running') {
    yield* beginShutdown(view, { kind: 'asked', signal });
    const within = view.services.world.plan.stopTimeout;
    yield notifyAll({ event: 'stopping', why: { kind: 'signal', signal, within } });
    return;
  }
  if (phase.id !== 'stopping') return;
  if (phase.askedAt === null) {
    // A failure has begun the shutdown: it already does what a first request asks.
    yield { type: 'phase', phase: { ...phase, askedAt: now } };
    yield notifyAll({ event: 'stopping', why: { kind: 'again', signal } });
    return;
  }
  // A repeated SIGQUIT never kills: like the first, it asks for an end in order.
  if (signal === 'SIGQUIT' || now - phase.askedAt < SAME_REQUEST || phase.deadline <= now) return;
  yield notifyAll({ event: 'killing', signal });
  yield { type: 'phase', phase: { ...phase, deadline: now } };
  yield* killAll(view);
}

/** Stops a service as far as its dependents and the shared deadline allow. */
export function* stopInTime(
  view: StepView,
  number: number,
  { deadline, levels }: Phase & { readonly id: 'stopping' },
): Changes {
  const { services, now } = view;
  const service = services.at(number);
  const { state } = service;
  const isWaiting = state.id === 'backoff' || state.id === 'scheduled';
  const isStoppable = isActive(state) && (state.id !== 'stopping' || state.limit > deadline);
  if (!isWaiting && !isStoppable) return;
  // The deadline applies at once to a run that is already ending; the others wait for their dependents.
  if (state.id !== 'stopping' && !isWaiting && services.waits.isHeld(number, 'any')) return;
  const name = services.nameOf(number);
  const plan = services.planOf(name);
  const { stopTimeout } = services.world.plan;
  const shared = deadline - reserved(stopTimeout, levels[number] ?? 0);
  const limit = Math.max(now, Math.min(stopLimit(view, plan), shared));
  yield { type: 'service-step', name, result: stopRun(plan, service, { kind: 'asked' }, limit, view.context(name)) };
}

/** Sends SIGKILL to every process of every run. */
function* killAll(view: StepView): Changes {
  const { services } = view;
  for (const name of services.names()) {
    const result = killRun(services.planOf(name), services.get(name), view.context(name));
    yield { type: 'service-step', name, result };
  }
}

/** Whether the deadline and the wait for killed processes are over. */
export function isOverdue({ phase, now }: StepView): boolean {
  return phase.id === 'stopping' && now >= endOf(phase.deadline);
}

/** Kills the processes that are left after the deadline. */
export function* killUnfinished(view: StepView): Changes {
  const { services } = view;
  const left = services.names().filter((name) => isActive(services.get(name).state));
  if (left.length > 0) yield notifyAll({ event: 'unfinished', services: left });
  yield* killAll(view);
}

/** Ends though processes are left. The kernel kills the rest of a PID namespace. */
export function* giveUp({ phase }: StepView): Changes {
  if (phase.id === 'stopping') yield* finishShutdown({ phase: { ...phase, killed: true } });
}

/** Ends the supervisor with the exit code of the shutdown's cause. */
export function* finishShutdown({ phase }: Pick<StepView, 'phase'>): Changes {
  if (phase.id !== 'stopping') return;
  const { cause, killed } = phase;
  const code =
    cause.kind === 'asked' ? (killed ? KILLED : 0) : cause.kind === 'service' ? cause.ended.verdict.code : cause.code;
  const ended = cause.kind === 'asked' ? null : cause.ended;
  yield { type: 'phase', phase: { id: 'ended', code } };
  const culprit = ended !== null && !ended.verdict.success ? ended : null;
  yield { type: 'effect', effect: { type: 'end', code, culprit } };
}
