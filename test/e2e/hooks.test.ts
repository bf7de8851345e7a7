// Hooks on the real binary: their place in a service's life cycle, their user, their output, and that all of their processes end,
// however they exit.
import { expect, test } from 'bun:test';
import { isRoot, played, puppetCommand, puppetShell, until, up, useRig } from '../helpers/rig.ts';

useRig();

const hook = (role: string): readonly string[] => [...puppetCommand, role];
const QUICK = { policy: 'on-failure', backoff: { initial: '1ms' } };

test('the program waits for before_start, whose output has the name of the service', async () => {
  await using run = await up({ services: { web: played({ hooks: { before_start: hook('prepare') } }) } });
  const prepare = await run.puppet('prepare');
  expect(await run.service('web')).toMatchObject({ state: 'starting', pid: null, reason: 'before_start is under way' });
  await prepare.print('making folders');
  await run.line(/^web {7}\| making folders$/);
  expect(run.hasCalled('web')).toBe(false);
  await prepare.exit(0);
  const web = await run.puppet('web');
  run.signal('SIGTERM');
  await web.gone;
  await run.ends(0);
});

test('a failed before_start is a failed start, with its code and its last lines in the post-mortem', async () => {
  await using run = await up({
    services: { web: { command: ['sleep', '1000'], hooks: { before_start: 'echo no space left >&2; exit 9' } } },
  });
  await run.ends(9);
  await run.line(/web could not be started: before_start failed: exit code 9$/);
  await run.line(/^svc-super \|.*no space left$/);
});

test('before_start that exceeds its timeout is killed with its process set, and the start fails with 124', async () => {
  await using run = await up({
    services: {
      web: { command: ['sleep', '1000'], hooks: { before_start: { command: hook('prepare'), timeout: '1s' } } },
    },
  });
  const prepare = await run.puppet('prepare');
  await prepare.spawn('far', { session: true, daemon: true });
  const far = await run.puppet('far');
  await Promise.all([prepare.gone, far.gone]);
  await run.ends(124);
  await run.line(/web could not be started: before_start did not end within 1\.0 s: killed$/);
});

test('leftover processes of before_start end before the program begins', async () => {
  await using run = await up({ services: { web: played({ hooks: { before_start: hook('prepare') } }) } });
  const prepare = await run.puppet('prepare');
  await prepare.spawn('daemon', { session: true, daemon: true });
  const daemon = await run.puppet('daemon');
  await prepare.exit(0);
  await daemon.gone;
  const web = await run.puppet('web');
  await web.exit(0);
  await run.ends(0);
});

test('a missing command of before_start is a failed start with 127', async () => {
  await using run = await up({ services: { web: { command: ['sleep', '1'], hooks: { before_start: ['/no/such'] } } } });
  await run.ends(127);
  await run.line(/web could not be started: before_start failed: .*\/no\/such/);
});

test('a stop during before_start kills it, and the program is never started', async () => {
  await using run = await up({ services: { web: played({ hooks: { before_start: hook('prepare') } }) } });
  const prepare = await run.puppet('prepare');
  await prepare.ignore('TERM', 'INT');
  run.signal('SIGTERM');
  await prepare.gone;
  await run.ends(0);
  expect(run.hasCalled('web')).toBe(false);
});

test('after_ready runs when the service is ready, with its main pid, and delays nothing', async () => {
  await using run = await up(
    {
      services: {
        web: played({ ready: { file: 'go' }, hooks: { after_ready: 'echo "main is $MAINPID"; exit 4' } }),
        api: played({ depends_on: ['web'] }),
      },
    },
    { leaves: ['go'] },
  );
  const web = await run.puppet('web');
  await web.eval(`open(my $f, '>', '${run.folder}/go'); close($f); 1`);
  await run.line(new RegExp(`^web {7}\\| main is ${web.pid}$`));
  await run.line(/web after_ready failed: exit code 4$/);
  const api = await run.puppet('api');
  expect(await run.service('web')).toMatchObject({ state: 'ready' });
  await api.exit(0);
  await run.ends(0);
});

test('after_ready is killed with its service', async () => {
  await using run = await up({ services: { web: played({ hooks: { after_ready: hook('warm') } }) } });
  const web = await run.puppet('web');
  const warm = await run.puppet('warm');
  await warm.ignore('TERM');
  await web.exit(3);
  await warm.gone;
  await run.ends(3);
});

test('before_stop ends before the stop signal, and runs after its dependents have stopped', async () => {
  await using run = await up({
    services: { web: played({ hooks: { before_stop: hook('leave') } }), api: played({ depends_on: ['web'] }) },
  });
  const web = await run.puppet('web');
  const api = await run.puppet('api');
  await api.trap('TERM');
  run.signal('SIGTERM');
  await api.signalled('SIGTERM');
  expect(run.hasCalled('leave')).toBe(false);
  await api.exit(0);
  const leave = await run.puppet('leave');
  expect(await run.service('web')).toMatchObject({
    state: 'stopping',
    reason: 'asked to stop: before_stop is under way',
  });
  await web.trap('TERM');
  await leave.exit(0);
  await web.signalled('SIGTERM');
  await web.exit(0);
  await run.ends(0);
});

test('before_stop waits until the service reports that it is idle', async () => {
  const port = 9000;
  await using run = await up(
    {
      services: {
        model: played({
          port,
          ready: { http: '/metrics' },
          hooks: { before_stop: { wait_for: { http: { path: '/metrics', matches: 'running 0$' }, interval: '20ms' } } },
        }),
      },
    },
    { unshare: ['--net'] },
  );
  const model = await run.puppet('model');
  await model.trap('TERM');
  await model.eval(`system('ip', 'link', 'set', 'lo', 'up'); 1`);
  await model.listen(port);
  await model.respond(200, 'vllm:num_requests_running 2');
  await run.state('model', 'ready');
  run.signal('SIGTERM');
  await run.state('model', 'stopping');
  const before = (await run.service('model')).uptime_seconds ?? 0;
  await until('some attempts', async () => ((await run.service('model')).uptime_seconds ?? 0) > before + 0.3);
  expect(model.signals).toEqual([]);
  await model.respond(200, 'vllm:num_requests_running 0');
  await model.signalled('SIGTERM');
  await model.exit(0);
  await run.ends(0);
});

test('a service that does not become idle is stopped after three quarters of the time', async () => {
  await using run = await up({
    stop_timeout: '2s',
    services: { model: played({ hooks: { before_stop: { wait_for: { file: '/no/such' } } } }) },
  });
  const model = await run.puppet('model');
  await model.trap('TERM');
  run.signal('SIGTERM');
  await model.signalled('SIGTERM');
  await model.exit(0);
  await run.ends(0);
  await run.line(/model before_stop was not done within 1\.5 s: stopping it all the same$/);
});

test('after_exit receives the exit of the run, and ends before the next one begins', async () => {
  await using run = await up({
    services: { web: played({ restart: QUICK, hooks: { after_exit: hook('clean') } }) },
  });
  const web = await run.puppet('web', 1);
  await web.die(11);
  const clean = await run.puppet('clean', 1);
  expect(await clean.eval('join(" ", @ENV{qw(SVC_NAME SVC_RUN SVC_EXIT_CODE SVC_EXIT_SIGNAL)})')).toBe(
    'web 1 139 SIGSEGV',
  );
  expect(run.hasCalled('web')).toBe(false);
  await clean.spawn('rest', { session: true, daemon: true });
  const rest = await run.puppet('rest');
  await clean.exit(0);
  await rest.gone;
  const second = await run.puppet('web', 2);
  run.signal('SIGTERM');
  await second.gone;
  await (await run.puppet('clean', 2)).exit(0);
  await run.ends(0);
});

test('during after_exit there is no main process to show or to signal', async () => {
  await using run = await up({ services: { web: played({ hooks: { after_exit: hook('clean') } }) } });
  await (await run.puppet('web')).exit(0);
  const clean = await run.puppet('clean');
  expect(await run.service('web')).toMatchObject({ state: 'stopping', pid: null });
  expect(await run.command('signal', 'HUP', 'web')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('web is stopping: it has no process'),
  });
  await clean.exit(0);
  await run.ends(0);
});

test('the first cause is the failed service, not the result of its after_exit', async () => {
  await using run = await up({
    services: { web: played({ hooks: { after_exit: 'echo cleaning; exit 77' } }) },
  });
  await (await run.puppet('web')).exit(6);
  await run.ends(6);
  await run.line(/web after_exit failed: exit code 77$/);
});

test.skipIf(!isRoot)('hooks run as the user of the service, in its folder and with its environment', async () => {
  await using run = await up({
    services: {
      web: {
        command: 'sleep 1000',
        user: 'nobody',
        cwd: '/usr',
        env: { WORD: 'hello' },
        hooks: { before_start: 'echo "$(id -un) $(pwd) $WORD $SVC_NAME $SVC_RUN"' },
      },
    },
  });
  await run.line(/^web {7}\| nobody \/usr hello web 1$/);
  run.signal('SIGTERM');
  await run.ends(0);
});

test('a text with several commands runs in a shell, and killing the hook ends all of them', async () => {
  await using run = await up({
    services: { web: { command: 'sleep 1000', hooks: { before_start: `${puppetShell} far & ${puppetShell} near` } } },
  });
  const near = await run.puppet('near');
  const far = await run.puppet('far');
  run.signal('SIGTERM');
  await Promise.all([near.gone, far.gone]);
  await run.ends(0);
});
