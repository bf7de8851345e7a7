// The names of states that users see. A task is never shown as `ready`, because it is meant to finish: while its program runs, it
// is `running`. Pure.
import type { ServicePlan } from '../plan/plan.ts';
import type { State } from './state.ts';

/** A state as `status`, the API and the metrics show it. */
export type StateName = State['id'] | 'running';

/** The public name of a state of a service of this type. */
export function stateName({ type }: Pick<ServicePlan, 'type'>, { id }: State): StateName {
  return type === 'task' && id === 'ready' ? 'running' : id;
}
