// Env files and secrets on the real binary: a task writes them, and each start of the service that uses them reads them.
import { expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { played, up, useRig } from '../helpers/rig.ts';

useRig();

const USES = { depends_on: ['make'], env_file: 'made.env', env: { TOKEN: { file: 'token' } } };
const LEAVES = { leaves: ['made.env', 'token'] };

test('each start reads what a task has written, and a successor keeps the environment of the run', async () => {
  const make = { type: 'task', command: 'echo A=1 > made.env; printf one > token' };
  const other = played({ depends_on: ['web'], env_file: 'own.env' });
  const more = { files: { 'own.env': 'B=1\n' }, leaves: ['own.env', ...LEAVES.leaves] };
  await using run = await up({ services: { make, web: played(USES), other } }, more);
  const web = await run.puppet('web');
  await run.puppet('other');
  expect((await web.facts()).env).toMatchObject({ A: '1', TOKEN: 'one' });
  writeFileSync(join(run.folder, 'made.env'), 'A=2\n');
  writeFileSync(join(run.folder, 'token'), 'two\n');
  expect((await run.command('restart', 'web')).code).toBe(0);
  const again = await run.puppet('web', 2);
  expect((await again.facts()).env).toMatchObject({ A: '2', TOKEN: 'two' });
  await run.state('web', 'ready');
  writeFileSync(join(run.folder, 'token'), 'three\n');
  process.kill(run.supervisor.outer, 'SIGKILL');
  await run.line(/the supervisor was killed by SIGKILL and was restarted/);
  expect((await run.command('exec', 'web', '--', 'sh', '-c', 'echo $A $TOKEN')).stdout).toBe('2 two\n');
  writeFileSync(join(run.folder, 'own.env'), 'B=2\n');
  expect((await run.command('restart', 'other')).code).toBe(0);
  expect((await (await run.puppet('other', 2)).facts()).env.B).toBe('2');
  // Two files were missing at load: what a task writes is no change. The third was read at the start after its change.
  expect((await run.command('reload')).stdout).toBe('nothing has changed\n');
});

test('a file that the task has not made is an error of the start, and the restart policy applies', async () => {
  const restart = { policy: 'on-failure', backoff: { initial: '20ms', max: '20ms' } };
  const services = { make: { type: 'task', command: ':' }, web: played({ ...USES, restart }) };
  await using run = await up({ services }, LEAVES);
  await run.line(
    /web could not be started: cannot read .*made\.env: there is no such file; the task make, which ran before, should have made it/,
  );
  writeFileSync(join(run.folder, 'token'), 'x');
  writeFileSync(join(run.folder, 'made.env'), '');
  await run.state('web', 'ready');
});

test('without a restart policy the container ends, and check shows once for all replicas which file is made later', async () => {
  const services = { make: { type: 'task', command: ':' }, web: played({ ...USES, replicas: 2 }) };
  await using run = await up({ services });
  const checked = await run.command('check');
  expect(checked.code).toBe(0);
  expect(checked.stdout.match(/token does not exist yet/g)?.length).toBe(1);
  expect(checked.stdout).toMatch(
    /web {2}.*\/token does not exist yet, and is read at each start: the task make, which runs/,
  );
  await run.ends(1);
});
