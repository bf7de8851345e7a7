// `supervisor`: when PID 1 starts another supervisor, and when it gives up. PID 1 uses the same defaults (native/supervise.c)
// until it has received these values. `log`: which of its own lines the supervisor prints.
import { type Complete, defaulted, type KeyRules } from './field.ts';
import { orOff } from './service-values.ts';
import { duration, whole, word } from './shape.ts';

export const SUPERVISOR = {
  hung_after: defaulted(
    orOff(duration(100)),
    'a supervisor that does not respond to PID 1 for this long is replaced; `off`: never',
    '30s',
  ),
  stop_wait: defaulted(
    duration(100),
    'if there is no supervisor for this long after a request to stop, PID 1 stops all services itself, all at the same time',
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
    'limit of supervisors in a row that end within a second after they have taken over; at the limit all services are stopped, exit code 70',
    20,
  ),
} as const;

export type SupervisorValues = Complete<typeof SUPERVISOR>;

export const OWN_LOG = {
  level: defaulted(
    word('debug', 'info', 'warn', 'error'),
    'the least important lines that are printed; `debug` adds probe attempts, signals and hooks; `up --quiet` means `warn`, `up --verbose` means `debug`. `svc-super events` has every line from `info` up',
    'info',
  ),
} as const;

const OF_SERVICES = 'it is about the output of services: write it under `defaults.log`, or in each service';

export const OWN_LOG_RULES: KeyRules = {
  owner: '`log`',
  elsewhere: Object.fromEntries(
    ['prefix', 'format', 'time', 'when_full', 'ansi', 'merge', 'drop', 'file', 'stderr_file'].map((key) => [
      key,
      OF_SERVICES,
    ]),
  ),
  advise: ({ kind }) =>
    kind === 'scalar' ? "write `{level: …}` for the supervisor's own lines, or `defaults.log` for services" : undefined,
};
