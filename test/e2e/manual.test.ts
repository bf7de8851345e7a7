// Services that are started by hand: by `svc-super start`, with what they need, and by profiles.
import { expect, test } from 'bun:test';
import { played, type Run, up, useRig } from '../helpers/rig.ts';

useRig();

const states = async (run: Run) => (await run.status()).services.map(({ name, state }) => `${name} ${state}`);

test('start: manual and profiles: idle until they are started or turned on, also after a reload and a new supervisor', async () => {
  const services = {
    web: played(),
    store: played({ start: 'manual' }),
    debug: played({ start: 'manual', depends_on: ['store'] }),
    tool: played({ profiles: ['tools'] }),
    extra: played({ profiles: ['extra'] }),
  };
  await using run = await up({ services }, { args: ['up', '--profile', 'tools'] });
  await run.puppet('web');
  await run.puppet('tool');
  await run.state('web', 'ready');
  await run.state('tool', 'ready');
  expect(await states(run)).toEqual(['web ready', 'store idle', 'debug idle', 'tool ready', 'extra idle']);
  expect((await run.status()).services.map(({ wanted }) => wanted)).toEqual(['up', 'down', 'down', 'up', 'down']);
  expect((await run.command('health')).code).toBe(0);
  expect((await run.command('wait')).code).toBe(0);
  expect((await run.command('wait', 'debug')).stderr).toBe('svc-super: debug is idle: `svc-super start` starts it\n');
  expect((await run.command('restart', '--group', 'none')).code).not.toBe(0);

  expect((await run.command('start', '--wait', 'debug')).stdout).toBe('ready: debug\n');
  await run.puppet('store');
  const debug = await run.puppet('debug');
  // The checkpoint has the state of each, and the profiles that are on.
  const { outer } = run.supervisor;
  process.kill(outer, 'SIGKILL');
  await run.line(/SIGKILL and was restarted/);
  await run.status();
  expect((await run.command('reload')).stdout).toBe('nothing has changed\n');
  expect(await states(run)).toEqual(['web ready', 'store ready', 'debug ready', 'tool ready', 'extra idle']);
  expect((await run.command('stop', '--wait', 'debug')).stdout).toBe('stopped: debug\n');
  await run.reaped(debug.pid);
  expect(await run.service('debug')).toMatchObject({ state: 'idle', reason: '`svc-super start` starts it', run: 1 });
  expect(await run.service('extra')).toMatchObject({
    state: 'idle',
    reason: 'its profile is off; `svc-super start` starts it',
  });
  run.signal('SIGTERM');
  await run.ends(0);
});

test('a profile that no service has, and a dependency on one that is off, are errors before anything starts', async () => {
  const services = { web: played({ depends_on: ['tool'] }), tool: played({ profiles: ['tools'] }) };
  await using wrong = await up({ services }, { args: ['up', '--profile', 'tolls'] });
  await wrong.ends(78);
  expect(wrong.output.text()).toContain('no service has the profile `tolls`');
  await using off = await up({ services });
  await off.ends(78);
  expect(off.output.text()).toContain('`web` depends on `tool`, whose profile `tools` is off');
});
