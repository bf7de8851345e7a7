// Scheduled tasks as users see them: runs by the wall clock, what status, events and metrics say, a run by hand, and a supervisor
// that is replaced between two runs.
import { expect, test } from 'bun:test';
import { freePort, played, up, useRig } from '../helpers/rig.ts';

useRig();

test('a task runs every second by its schedule; a failure is recorded and ends nothing; a successor goes on', async () => {
  const port = await freePort();
  const job = played({ type: 'task', schedule: '* * * * * *', time_zone: 'Europe/Berlin', overlap: 'queue' });
  const control = { http: { listen: `127.0.0.1:${port}` } };
  await using run = await up({ control, services: { web: played(), job } });
  await run.puppet('web');
  await (await run.puppet('job', 1)).exit(3);
  await (await run.puppet('job', 2)).exit(0);
  const third = await run.puppet('job', 3);
  await run.line(/job exited with code 3/);
  const { schedule, state } = await run.service('job');
  expect(state).toBe('running');
  expect(schedule).toMatchObject({ cron: '* * * * * *', time_zone: 'Europe/Berlin', completed: 1, failed: 1 });
  expect(schedule?.last_run).toMatchObject({ success: true, exit: { code: 0, signal: null } });
  expect(Date.parse(schedule?.next_run ?? '')).toBeGreaterThan(Date.now() - 5_000);
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(metrics).toContain('svc_super_task_runs_total{service="job",result="failed"} 1\n');
  expect(metrics).toContain('svc_super_task_last_run_success{service="job"} 1\n');
  process.kill(run.supervisor.outer, 'SIGKILL');
  await third.exit(0);
  await (await run.puppet('job', 4)).exit(0);
  run.signal('SIGTERM');
  await run.ends(0);
});

test('a task with `every` runs at the start; `start` runs it at once, `stop` pauses it', async () => {
  await using run = await up({ services: { job: played({ type: 'task', every: '1h' }) } });
  await (await run.puppet('job', 1)).exit(0);
  const { reason } = await run.state('job', 'scheduled');
  expect(reason).toMatch(/^runs again in \S+; the latest run exited with code 0/);
  const started = run.command('start', 'job', '--wait');
  await (await run.puppet('job', 2)).exit(3);
  expect(await started).toMatchObject({ code: 1, stderr: expect.stringContaining('exited with code 3') });
  expect((await run.command('stop', 'job')).code).toBe(0);
  expect((await run.state('job', 'stopped')).schedule?.next_run).toBeNull();
});
