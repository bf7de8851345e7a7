// Two supervisors of one user on one machine, as in two Slurm jobs: each command uses the intended supervisor or none, and each
// service has the socket of its own supervisor.
import { expect, test } from 'bun:test';
import { binary, isRoot, played, puppetShell, type Run, until, up, useRig } from '../helpers/rig.ts';

useRig();

/** Two supervisors below another one, with a private `/run`; each has a service `x` that prints its SVC_SUPER_SOCKET. */
async function two(jobs: readonly (string | null)[]): Promise<Run> {
  const inner = (job: string | null, file: string) => ({
    command: [binary, 'up', '-f', file],
    ...(job !== null && { env: { SLURM_JOB_ID: job } }),
  });
  const x = (name: string) =>
    JSON.stringify({
      name,
      services: {
        x: { command: `echo ${name} has $SVC_SUPER_SOCKET; exec ${puppetShell} ${name}`, env_inherit: 'none' },
      },
    });
  const [one = null, other = null] = jobs;
  const run = await up(
    {
      services: {
        one: inner(one, 'one.yaml'),
        other: { ...inner(other, 'other.yaml'), depends_on: { one: 'started' } },
      },
    },
    {
      files: { 'one.yaml': x('first'), 'other.yaml': x('second') },
      before: 'for d in /run /dev/shm; do mount -t tmpfs -o mode=755 none $d; done',
    },
  );
  return run;
}

/** Runs a command of svc-super inside, without SVC_SUPER_SOCKET; `job`: in that Slurm job. */
const ask = (run: Run, job: string | null, ...args: string[]) =>
  run.command(
    ...['exec', 'one', '--', 'env', '-u', 'SVC_SUPER_SOCKET', job === null ? '-uSLURM_JOB_ID' : `SLURM_JOB_ID=${job}`],
    ...[binary, ...args],
  );

const rootTest = test.skipIf(!isRoot);

rootTest('two Slurm jobs of one user: a command in one never reaches the other', async () => {
  await using run = await two(['1', '2']);
  await run.line(/first has \/run\/svc-super-1\.sock$/);
  await run.line(/second has \/run\/svc-super-2\.sock$/);
  expect(await ask(run, '2', 'stop', 'x', '--wait')).toMatchObject({ code: 0 });
  expect((await ask(run, '1', 'status')).stdout).toMatch(/^x +running/m);
  expect((await ask(run, '2', 'status')).stdout).toMatch(/^x +stopped/m);
  const third = await ask(run, '3', 'stop', 'x');
  expect(third.code).toBe(64);
  expect(third.stderr).toMatch(
    /^svc-super: 2 supervisors respond, and it is ambiguous which one is meant: select one with --socket PATH/,
  );
  expect((await ask(run, '1', 'status')).stdout).toMatch(/^x +running/m);
  run.signal('SIGTERM');
  await run.ends(0);
});

rootTest('where several supervisors answer a command lists them, and asks the one that --socket names', async () => {
  await using run = await two([null, null]);
  const first = await run.line(/first has (\/\S+)$/);
  const second = await run.line(/second has (\/\S+)$/);
  const paths = [first, second].map(({ text }) => text.slice(text.lastIndexOf(' ') + 1));
  expect(paths.map((path) => path.startsWith('/run/svc-super.sock')).filter(Boolean).length).toBe(1);
  const refused = await ask(run, null, 'status');
  expect(refused.code).toBe(64);
  for (const path of paths) expect(refused.stderr).toMatch(new RegExp(`^  ${path} \\(pid \\d+\\)$`, 'm'));
  expect((await ask(run, null, 'health')).code).toBe(1);
  expect((await ask(run, null, 'stop', 'x', '--wait', '--socket', `${paths[1]}`)).code).toBe(0);
  expect((await ask(run, null, 'status', `--socket=${paths[0]}`)).stdout).toMatch(/^x +running/m);
  expect((await ask(run, null, 'status', `--socket=${paths[1]}`)).stdout).toMatch(/^x +stopped/m);
  const missing = await ask(run, null, 'status', '--socket', '/nowhere');
  expect([missing.code, missing.stderr]).toEqual([
    69,
    'svc-super: no supervisor responds; searched\n  /nowhere: no such socket\n',
  ]);
  run.signal('SIGTERM');
  await run.ends(0);
});

test('the SVC_SUPER_SOCKET of a service is that of its supervisor, unless the configuration names another', async () => {
  const say = (name: string) => `echo ${name} has $SVC_SUPER_SOCKET; exec ${puppetShell} ${name}`;
  await using run = await up({
    services: {
      a: { command: say('a') },
      b: { command: say('b'), env_inherit: 'none', env: { PATH: '/usr/bin:/bin' } },
      c: { command: say('c'), env: { SVC_SUPER_SOCKET: '/mine' } },
      d: played({ ready: { exec: 'echo probe has $SVC_SUPER_SOCKET; exit 1', timeout: '5s' } }),
    },
  });
  await run.line(new RegExp(`a has ${run.socket}$`));
  await run.line(new RegExp(`b has ${run.socket}$`));
  await run.line(/c has \/mine$/);
  const shown = await until('the output of the probe', async () => {
    const { reason } = await run.service('d');
    return reason?.includes('probe has') ? reason : null;
  });
  expect(shown).toContain(`probe has ${run.socket}`);
  run.signal('SIGTERM');
  await run.ends(0);
});
