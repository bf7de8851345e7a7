// Exports each scheduled task as a CronJob, whose Pods share nothing with the Pod of the other services. Writes no container
// itself: it is an argument. Facts: batch/v1 CronJob (https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/).
import type { ServiceConfig } from '../../config/config.ts';
import { formatDuration } from '../../config/quantity.ts';
import { toSeconds } from '../quantities.ts';
import { changed, lost, type Remark, type Reporter, type Rules } from './report.ts';
import type { ExportService, ExportSource } from './source.ts';
import { compact } from './yaml.ts';

/** svc-super misses a time that it notices later than this; a CronJob gets the same deadline. */
const LATE_AFTER_SECONDS = 120;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Whether a service has `schedule` or `every`. */
export const isScheduled = ({ config }: ExportService): boolean => config.schedule !== null || config.every !== null;

/** The cron expression of a CronJob: five fields, without seconds. null: no expression has this interval. */
function cronOf({ schedule, every }: ServiceConfig): string | null {
  if (schedule !== null) {
    const fields = schedule.split(/\s+/);
    return fields.length === 6 ? fields.slice(1).join(' ') : schedule;
  }
  const [minutes, hours] = [(every ?? 0) / MINUTE, (every ?? 0) / HOUR];
  if (Number.isInteger(minutes) && minutes >= 1 && 60 % minutes === 0 && minutes < 60) return `*/${minutes} * * * *`;
  if (Number.isInteger(hours) && hours >= 1 && 24 % hours === 0)
    return hours === 24 ? '0 0 * * *' : `0 */${hours} * * *`;
  return null;
}

function aboutEvery({ config }: ExportService): Remark {
  const { every } = config;
  if (cronOf(config) !== null) return changed('a CronJob runs at fixed times, and not at the start');
  const interval = formatDuration(every ?? 0);
  return lost(
    `no expression of cron has an interval of ${interval}, so the output does not contain this task`,
    'write a `schedule`',
  );
}

/** What becomes of each field of a schedule. */
export const CRON_RULES: Rules = {
  schedule: ({ config }) =>
    config.schedule?.split(/\s+/).length === 6
      ? changed('a CronJob has no seconds: it runs once a minute at most')
      : null,
  every: aboutEvery,
  time_zone: 'kept',
  overlap: ({ config }) =>
    config.overlap === 'queue' ? changed('a CronJob skips a time at which its previous run has not ended') : null,
  catch_up: 'kept',
  jitter: lost('a CronJob has no jitter', 'sleep for a random time at the start of the command'),
};

/** Separates scheduled tasks from the services of the Pod, and removes the dependencies between both, which it reports. */
export function splitScheduled(
  services: readonly ExportService[],
  reporter: Reporter,
): { readonly scheduled: readonly ExportService[]; readonly others: readonly ExportService[] } {
  const scheduled = services.filter(isScheduled);
  const names = new Set(scheduled.map(({ name }) => name));
  const others = services.filter((service) => !isScheduled(service));
  const report = ({ key }: ExportService, why: string): void =>
    reporter.add(['services', key, 'depends_on'], `\`depends_on\` of ${key}`, changed(why));
  for (const service of scheduled)
    if (service.edges.length > 0) report(service, 'a CronJob is a Pod of its own, which waits for nothing');
  const kept = others.map((service) => {
    const edges = service.edges.filter(({ on }) => !names.has(on));
    if (edges.length < service.edges.length) report(service, 'no Pod waits for a CronJob');
    return { ...service, edges };
  });
  return { scheduled, others: kept };
}

/** A CronJob; null: no expression has the task's interval, which CRON_RULES report. `container`: the container of its Pods. */
export function toCronJob(
  { config: { stop_timeout } }: ExportSource,
  { config }: ExportService,
  name: string,
  container: object,
): object | null {
  const schedule = cronOf(config);
  if (schedule === null) return null;
  const retries = config.restart.policy === 'on-failure';
  const template = {
    spec: {
      restartPolicy: retries ? 'OnFailure' : 'Never',
      enableServiceLinks: false,
      terminationGracePeriodSeconds: toSeconds(stop_timeout),
      containers: [container],
    },
  };
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name, labels: { 'app.kubernetes.io/name': name } },
    spec: compact({
      schedule,
      timeZone: config.time_zone,
      concurrencyPolicy: config.overlap === 'kill' ? 'Replace' : 'Forbid',
      startingDeadlineSeconds: config.catch_up ? null : LATE_AFTER_SECONDS,
      jobTemplate: { spec: { backoffLimit: retries ? (config.restart.max ?? 6) : 0, template } },
    }),
  };
}
