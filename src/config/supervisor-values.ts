// `supervisor`: when PID 1 starts another supervisor, and when it gives up. The defaults are those of PID 1 (native/supervise.c)
// until it has heard of these.
import { type Complete, defaulted } from './field.ts';
import { orOff } from './service-values.ts';
import { duration, whole } from './shape.ts';

export const SUPERVISOR = {
  hung_after: defaulted(
    orOff(duration(100)),
    'a supervisor that answers PID 1 nothing for this long is replaced; `off`: never',
    '30s',
  ),
  stop_wait: defaulted(
    duration(100),
    'a request to stop that finds no supervisor for this long is carried out by PID 1 alone: all services at once',
    '2s',
  ),
  longest_pause: defaulted(
    duration(),
    'the longest pause before the next supervisor, if several end within a second of their start',
    '5s',
  ),
  deaths_starting: defaulted(
    whole('a number of deaths', 1, 1_000_000),
    'so many supervisors in a row that end before they have taken over: all services are stopped, exit code 70',
    5,
  ),
  deaths_young: defaulted(
    whole('a number of deaths', 1, 1_000_000),
    'the same for those that end within a second after they have taken over',
    20,
  ),
} as const;

export type SupervisorValues = Complete<typeof SUPERVISOR>;
