// Plans when a task runs: the schedule of the configuration, with its time zone. Reads no clock, and computes no time:
// core/schedule.ts decides when a run is due.
import type { ServiceConfig } from '../config/config.ts';
import { whyNotTimeZone } from '../config/cron.ts';
import type { SchedulePlan } from './plan.ts';
import type { Problems } from './problems.ts';

/** null: the service has no schedule. `env`: the environment of the service, whose `TZ` is the default of `time_zone`. */
export function toSchedule(
  service: ServiceConfig,
  env: Readonly<Record<string, string>>,
  problems: Problems,
): SchedulePlan | null {
  const { schedule, every, overlap, catch_up, jitter } = service;
  const common = { overlap, catchUp: catch_up, jitter };
  if (every !== null) return { when: { kind: 'every', interval: every }, ...common };
  if (schedule === null) return null;
  const timeZone = service.time_zone ?? findTimeZone(service, env.TZ, problems);
  return { when: { kind: 'cron', expression: schedule, timeZone }, ...common };
}

/** The time zone that `TZ` names; null: none. A colon may precede the name (tzset(3)). A rule that is not a name is reported. */
function findTimeZone({ name, key }: ServiceConfig, written: string | undefined, problems: Problems): string | null {
  const zone = written?.replace(/^:/, '') ?? '';
  if (zone === '') return null;
  const fault = whyNotTimeZone(zone);
  if (fault === null) return zone;
  const message = `the schedule of \`${key}\` follows \`TZ\`, which is not the name of a time zone`;
  problems.error(['services', name, 'schedule'], 'wrong-value', message, {
    suggestion: 'add `time_zone: UTC`, or another name',
  });
  return null;
}
