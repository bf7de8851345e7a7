// The fields that say when a task runs again: by a cron expression, or at an interval. Computes no times: cron.ts does.
import { type Fault, whyNotCron, whyNotTimeZone } from './cron.ts';
import { defaulted, field } from './field.ts';
import { quote } from './reading.ts';
import { duration, flag, refined, type Shape, text, wordOf } from './shape.ts';

/** A text for which `whyNot` returns null, without spaces around it. `wanted`: what is expected, for messages. */
function checkedText(wanted: string, whyNot: (written: string) => Fault | null): Shape<string> {
  return refined(text({ wanted }), (written, node, name, reading) => {
    const fault = whyNot(written);
    if (fault === null) return written.trim();
    const { why, suggestion } = fault;
    return reading.report(node, 'wrong-value', `${name} (${quote(written)}) is not valid: ${why}`, { suggestion });
  });
}

/** What happens if the time of a run comes while the previous run has not ended. */
export const OVERLAPS = ['skip', 'queue', 'kill'] as const;

/** Words that Kubernetes and other systems use for these. */
const OTHER_OVERLAPS: Readonly<Record<string, string>> = {
  forbid: 'skip',
  replace: 'kill',
  wait: 'queue',
  drop: 'skip',
};

export const SCHEDULE = {
  schedule: field(
    checkedText('a schedule (`*/15 * * * *`, `@daily`)', whyNotCron),
    'for a task: when it runs, as cron has it: `"*/15 * * * *"` (minute, hour, day, month, weekday; six fields begin with the second) or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`',
    'it runs once, at the start',
  ),
  time_zone: field(
    checkedText('a time zone (`Europe/Berlin`)', whyNotTimeZone),
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
  jitter: defaulted(duration(), 'each run starts up to this much later than its time, at random', '0s'),
} as const;
