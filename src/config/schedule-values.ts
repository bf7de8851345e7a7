// When a task runs again: by an expression of cron, or at an interval. The table of these fields, and the checks across them.
import { whyNotCron, whyNotTimeZone } from './cron.ts';
import { defaulted, field } from './field.ts';
import { quote } from './reading.ts';
import { duration, flag, refined, type Shape, text, wordOf } from './shape.ts';

function cron(): Shape<string> {
  return refined(text({ wanted: 'a schedule (`*/15 * * * *`, `@daily`)' }), (written, node, name, reading) => {
    const fault = whyNotCron(written);
    if (fault === null) return written.trim();
    const { why, suggestion } = fault;
    return reading.report(node, 'wrong-value', `${name} (${quote(written)}) is not valid: ${why}`, { suggestion });
  });
}

function timeZone(): Shape<string> {
  return refined(text({ wanted: 'a time zone (`Europe/Berlin`)' }), (written, node, name, reading) => {
    const fault = whyNotTimeZone(written);
    if (fault === null) return written;
    const { why, suggestion } = fault;
    return reading.report(node, 'wrong-value', `${name} (${quote(written)}) is not valid: ${why}`, { suggestion });
  });
}

export const OVERLAPS = ['skip', 'queue', 'kill'] as const;

/** Words of Kubernetes and others. */
const OTHER_OVERLAPS: Readonly<Record<string, string>> = {
  forbid: 'skip',
  replace: 'kill',
  wait: 'queue',
  drop: 'skip',
};

export const SCHEDULE = {
  schedule: field(
    cron(),
    'for a task: when it runs, as cron has it: `"*/15 * * * *"` (minute, hour, day, month, weekday; six fields begin with the second) or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`',
    'it runs once, at the start',
  ),
  time_zone: field(
    timeZone(),
    'the time zone of `schedule`: `Europe/Berlin`',
    '`TZ` of its environment, else that of the container',
  ),
  every: field(
    duration(1_000),
    'for a task: it runs at the start, and again this long after the start of its latest run',
    'it runs once, at the start',
  ),
  overlap: defaulted(
    wordOf(OVERLAPS, OTHER_OVERLAPS),
    'when its time comes while it still runs: `skip` this time, `queue` one more run, or `kill` (stop) the run and start anew',
    'skip',
  ),
  catch_up: defaulted(
    flag(),
    'whether it runs once, late, for times that were missed by more than two minutes: the container was frozen, the clock was set, or no supervisor ran',
    false,
  ),
  jitter: defaulted(duration(), 'each time comes up to this much later, by chance', '0s'),
} as const;
