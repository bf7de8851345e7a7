// Which states are those of a service that is not part of what runs: neither the health nor a wait for all counts it. A file of its
// own, so that the commands do not load the core.
import type { StateName } from './state-name.ts';

/** Whether a service is not enabled, or is started by hand and has not been. */
export function isOff(state: StateName): boolean {
  return state === 'skipped' || state === 'idle';
}
