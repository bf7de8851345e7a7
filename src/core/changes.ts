// What a step of the supervisor changes, as data. The rules (transition.ts, propagation.ts, shutdown.ts, reload.ts,
// operator.ts) read a StepView and yield Changes; only StepDraft (step-draft.ts) applies them. Types only, and their makers.
//
// A rule is a generator, so a rule that goes on after a change reads the view with that change already applied.
import type { Millis, Plan, ServicePlan, SignalName } from '../plan/plan.ts';
import type { Effect } from './event.ts';
import type { GlobalNotice, ServiceNotice } from './notice.ts';
import type { Ended } from './run.ts';
import type { ServicesDraft } from './services-draft.ts';
import type { Service, ServiceStep, StepContext } from './state.ts';
import type { Phase } from './world.ts';

export type StepChange =
  /** The supervisor begins: every service may have to be started. */
  | { readonly type: 'beginning' }
  /** The result of a step of one service's machine. */
  | { readonly type: 'service-step'; readonly name: string; readonly result: ServiceStep }
  /** Replaces a service's value. */
  | { readonly type: 'service'; readonly name: string; readonly service: Service }
  /** Replaces the plan and the value of a service without processes. */
  | { readonly type: 'service-plan'; readonly name: string; readonly plan: ServicePlan; readonly service: Service }
  /** Removes a service and its plan. */
  | { readonly type: 'removal'; readonly name: string }
  /** Replaces all plans and their services; `target` is the plan that was read. A service without a plan is removed. */
  | {
      readonly type: 'plan';
      readonly plans: readonly ServicePlan[];
      readonly services: ReadonlyMap<string, Service>;
      readonly target: Plan;
    }
  /** The service will run again: what restarts with it is to be found. */
  | { readonly type: 'restart'; readonly name: string }
  | { readonly type: 'phase'; readonly phase: Phase }
  /** A run has failed and is not restarted. */
  | { readonly type: 'failure'; readonly ended: Ended }
  | { readonly type: 'effect'; readonly effect: Effect };

export type Changes = Generator<StepChange, void>;

/** The step so far, for rules to read. */
export interface StepView {
  readonly now: Millis;
  readonly phase: Phase;
  /** Services that have failed and are not restarted, in that order. */
  readonly failures: readonly Ended[];
  readonly services: Pick<
    ServicesDraft,
    'world' | 'index' | 'waits' | 'counts' | 'has' | 'get' | 'at' | 'nameOf' | 'names' | 'planOf' | 'view'
  >;
  context(name: string): StepContext;
}

/** Reports something about one service. */
export function notify(service: string, notice: ServiceNotice): StepChange {
  return { type: 'effect', effect: { type: 'announce', service, notice } };
}

/** Reports something about all services. */
export function notifyAll(notice: GlobalNotice): StepChange {
  return { type: 'effect', effect: { type: 'announce', service: null, notice } };
}

/** Sends a signal to the main process of a run. */
export function signalEffect(service: string, run: number, signal: SignalName): StepChange {
  const effect = { type: 'signal', signal, to: 'main', continues: false } as const;
  return { type: 'effect', effect: { type: 'service', service, run, effect } };
}

/** The instant by which a stop that begins now reaches SIGKILL. */
export function stopLimit({ services, now }: StepView, { stop }: ServicePlan): Millis {
  return now + (stop.timeout ?? services.world.plan.stopTimeout);
}
