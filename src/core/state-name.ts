// The states under their public names. A task has no readiness of its own to show: while its program runs it is `running`.
import type { ServicePlan } from '../plan/plan.ts';
import type { State } from './state.ts';

/** A state as `status`, the API and the metrics show it. */
export type StateName = State['id'] | 'running';

export function stateName({ type }: Pick<ServicePlan, 'type'>, { id }: State): StateName {
  return type === 'task' && id === 'ready' ? 'running' : id;
}
