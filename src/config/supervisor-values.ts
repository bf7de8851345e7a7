// `supervisor`: when PID 1 starts another supervisor, and when it gives up. PID 1 uses the same defaults (native/supervise.c)
// until it has received these values.
import { type Complete, defaulted } from './field.ts';
import { orOff } from './service-values.ts';
import { duration, whole } from './shape.ts';

export const SUPERVISOR = {
  hung_after: defaulted(
    orOff(duration(100)),
    'a supervisor that does not respond to PID 1 for this long is replaced; `off`: never',
    '30s',
  ),
  stop_wait: defaulted(
    duration(100),
    'if there is no supervisor for this long after a request to stop, PID 1 stops all services at once itself',
    '2s',
  ),
  longest_pause: defaulted(
    duration(),
    'the longest pause before the next supervisor, if several supervisors end within a second after their start',
    '5s',
  ),
  deaths_starting: defaulted(
    whole('a number of deaths', 1, 1_000_000),
    'limit of supervisors in a row that end before they have taken over; at the limit all services are stopped, exit code 70',
    5,
  ),
  deaths_young: defaulted(
    whole('a number of deaths', 1, 1_000_000),
    'the same for those that end within a second after they have taken over',
    20,
  ),
} as const;

export type SupervisorValues = Complete<typeof SUPERVISOR>;
