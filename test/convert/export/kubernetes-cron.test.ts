// Scheduled tasks in the exports: CronJobs of Kubernetes, and what the report says where the output has no schedule.
import { expect, test } from 'bun:test';
import { parseAllDocuments } from 'yaml';
import { exportedText } from './rig.ts';

const FILE = `
services:
  db: { command: db }
  backup:
    type: task
    command: [backup, now]
    schedule: "30 3 * * *"
    time_zone: Europe/Berlin
    overlap: kill
    restart: { policy: on-failure, max: 2 }
    depends_on: [db]
  refresh: { type: task, command: refresh, every: 15m, catch_up: true }
  odd: { type: task, command: odd, every: 7m, jitter: 5s }
  web: { command: web, depends_on: { refresh: completed } }
`;

test('each scheduled task is a CronJob, and the Pod has the others', async () => {
  const { text, report } = await exportedText(FILE, { format: 'kubernetes' });
  const documents = parseAllDocuments(text).map((document) => document.toJS());
  expect(documents.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
    'Deployment services',
    'CronJob backup',
    'CronJob refresh',
  ]);
  const [workload, backup, refresh] = documents;
  const { initContainers = [], containers } = workload.spec.template.spec;
  expect([...initContainers, ...containers].map(({ name }: { name: string }) => name).sort()).toEqual(['db', 'web']);
  expect(backup.spec).toMatchObject({
    schedule: '30 3 * * *',
    timeZone: 'Europe/Berlin',
    concurrencyPolicy: 'Replace',
    startingDeadlineSeconds: 120,
    jobTemplate: { spec: { backoffLimit: 2, template: { spec: { restartPolicy: 'OnFailure' } } } },
  });
  expect(refresh.spec).toMatchObject({ schedule: '*/15 * * * *', concurrencyPolicy: 'Forbid' });
  expect(refresh.spec.startingDeadlineSeconds).toBeUndefined();
  const said = report.join('\n');
  expect(said).toContain('`depends_on` of backup: a CronJob is a Pod of its own, which waits for nothing');
  expect(said).toContain('`depends_on` of web: no Pod waits for a CronJob');
  expect(said).toContain('`every` of odd: no expression of cron has an interval of 7m');
  expect(said).toContain('`jitter` of odd: a CronJob has no jitter');
});

test('a file of scheduled tasks alone has no Deployment', async () => {
  const only = 'services: { job: { type: task, command: job, schedule: "*/5 0 * * * *" } }\n';
  const { text, report } = await exportedText(only, { format: 'kubernetes' });
  expect(parseAllDocuments(text).map((document) => document.toJS().kind)).toEqual(['CronJob']);
  expect(parseAllDocuments(text)[0]?.toJS().spec.schedule).toBe('0 * * * *');
  expect(report.join('\n')).toContain('a CronJob has no seconds');
});

test('Compose runs it once, and the report says so', async () => {
  const { report } = await exportedText(FILE, { format: 'compose' });
  expect(report.join('\n')).toContain('`schedule` of backup: no engine starts a container by a schedule');
});
