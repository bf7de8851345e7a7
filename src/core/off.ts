// Which states of a service mean that it is not meant to run: neither the health nor `wait` for all services counts it. A separate
// file, so that commands do not load the rest of the core. Pure.
import type { StateName } from './state-name.ts';

/** Whether a service is not enabled, its profile is off, or it has `start: manual` and was not started. */
export function isOff(state: StateName): boolean {
  return state === 'skipped' || state === 'idle';
}
