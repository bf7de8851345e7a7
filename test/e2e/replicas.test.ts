// Replicas of a service: their ports, numbers and logs, a dependent that waits for one of them, a replica that is killed, reloads
// with more and with fewer. Each run has its own network, so that ports are free.
import { expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Puppet, played, puppetCommand, type Run, until, up, useRig, variable } from '../helpers/rig.ts';

useRig();

/** SIOCSIFFLAGS with IFF_UP: a new network namespace has its loopback down. */
const ALONE = {
  unshare: ['--net'],
  before: `perl -e 'socket(S,2,2,0); $up = pack("a16s","lo",1); ioctl(S,0x8914,$up) or die $!'`,
} as const;

const model = (fields: object = {}) => played({ replicas: 3, port: 9000, ready: { http: '/v1/models' }, ...fields });

/** Simulates that a replica loads its model: it listens on the port in its environment, and responds. */
async function load(run: Run, name: string, number: number | null = null): Promise<Puppet> {
  const copy = await run.puppet(name, number);
  await copy.listen(Number((await copy.facts()).env.PORT));
  await copy.respond(200, '{}');
  await run.state(name, 'ready');
  return copy;
}

const stateOf = async (run: Run) =>
  (await run.status()).services.map(({ name, state, run: number }) => `${name} ${state} ${number}`);

test('three replicas: own ports, probes, numbers, log prefixes and log files; status accepts both names', async () => {
  const log = { file: { path: `model.${variable('SVC_REPLICA')}.log` } };
  await using run = await up(
    { services: { model: model({ log, env: { INDEX: `i${variable('SVC_REPLICA')}` } }), other: played() } },
    { ...ALONE, leaves: [0, 1, 2].map((index) => `model.${index}.log`) },
  );
  await run.puppet('other');
  const second = await load(run, 'model.1');
  expect((await stateOf(run)).slice(0, 3)).toEqual(['model.0 starting 1', 'model.1 ready 1', 'model.2 starting 1']);
  await load(run, 'model.0');
  await load(run, 'model.2');
  expect((await second.facts()).env).toMatchObject({
    SVC_NAME: 'model.1',
    SVC_REPLICA: '1',
    PORT: '9001',
    INDEX: 'i1',
  });
  await second.print('hello');
  await run.line(/^model\.1 +\| hello$/);
  await until('the line in its file', () => readFileSync(join(run.folder, 'model.1.log'), 'utf8') === 'hello\n');
  expect((await run.service('model.1')).replica).toEqual({ of: 'model', index: 1 });

  const listed = (text: string) => [...text.matchAll(/^(?!SERVICE)\S+/gm)].map(([name]) => name);
  expect(listed((await run.command('status', 'model')).stdout)).toEqual(['model.0', 'model.1', 'model.2']);
  expect(listed((await run.command('status', 'model.[02]')).stdout)).toEqual(['model.0', 'model.2']);
  expect((await run.command('status', 'modl')).stderr).toContain('the services are model, other');
  expect((await run.command('logs', 'model')).stdout).toBe('model.1 | hello\n');
  expect((await run.command('exec', 'model', '--', 'true')).stderr).toContain(
    'model has replicas: use the name of one, such as model.0',
  );
  expect((await run.command('exec', 'model.2', '--', 'printenv', 'SVC_REPLICA')).stdout).toBe('2\n');
  expect((await run.command('stop', 'model', '--wait')).code).toBe(0);
  expect(await stateOf(run)).toEqual(['model.0 stopped 1', 'model.1 stopped 1', 'model.2 stopped 1', 'other ready 1']);
});

test('a dependent that waits for one of three starts with the first that is ready', async () => {
  const wants = { model: { condition: 'ready', any: 1 } };
  await using run = await up({ services: { model: model(), web: played({ depends_on: wants }) } }, ALONE);
  for (const index of [0, 2]) await run.puppet(`model.${index}`);
  expect(await run.service('web')).toMatchObject({
    state: 'pending',
    reason: 'waits for 1 of model.0, model.1, model.2 to be ready',
  });
  await load(run, 'model.1');
  await run.puppet('web');
  expect(await stateOf(run)).toEqual(['model.0 starting 1', 'model.1 ready 1', 'model.2 starting 1', 'web ready 1']);
});

test('a killed replica restarts alone; the others and their dependents continue to run', async () => {
  const restart = { policy: 'always', backoff: { initial: '10ms' } };
  await using run = await up(
    { services: { model: model({ restart }), web: played({ depends_on: ['model'] }) } },
    ALONE,
  );
  const copies = [await load(run, 'model.0'), await load(run, 'model.1'), await load(run, 'model.2')];
  await run.puppet('web');
  run.kill(copies[1]?.pid ?? 0);
  await load(run, 'model.1', 2);
  expect(await stateOf(run)).toEqual(['model.0 ready 1', 'model.1 ready 2', 'model.2 ready 1', 'web ready 1']);
});

test('a reload from three to two stops the third, one back to three starts it, and nothing else changes', async () => {
  const config = (replicas: number) => ({
    services: { model: model({ replicas }), web: played({ depends_on: { model: { any: 1 } } }) },
  });
  await using run = await up(config(3), ALONE);
  for (const index of [0, 1, 2]) await load(run, `model.${index}`);
  await run.puppet('web');
  const write = (replicas: number) =>
    writeFileSync(join(run.folder, 'services.yaml'), JSON.stringify(config(replicas)));
  write(2);
  expect((await run.command('reload')).stdout).toBe(
    '~ web: depends_on\n    depends_on.model.2: ready, any: 1 → none\n    takes effect without a restart\n' +
      '- model.2: stops\napplied; 2 unchanged\n',
  );
  await run.line(/model\.2 is not in the configuration any more/);
  expect(await stateOf(run)).toEqual(['model.0 ready 1', 'model.1 ready 1', 'web ready 1']);
  write(3);
  expect((await run.command('reload')).stdout).toBe(
    '+ model.2: starts\n~ web: depends_on\n    depends_on.model.2: none → ready, any: 1\n' +
      '    takes effect without a restart\napplied; 2 unchanged\n',
  );
  await load(run, 'model.2', 1);
  expect(await stateOf(run)).toEqual(['model.0 ready 1', 'model.1 ready 1', 'model.2 ready 1', 'web ready 1']);
});

test('`up` accepts the name of all replicas, of one, and globs', async () => {
  const started = async (...args: string[]) => {
    await using run = await up({ services: { model: played({ replicas: 2 }), web: played() } }, { args });
    return (await run.status()).services.map(({ name }) => name);
  };
  expect(await started('model')).toEqual(['model.0', 'model.1']);
  expect(await started('model.1')).toEqual(['model.1']);
  expect(await started('up', 'm*.0', 'web')).toEqual(['model.0', 'web']);
});

test('a command written as one text gets its number from the shell', async () => {
  const command = `echo "I am ${variable('SVC_REPLICA')}"; exec ${puppetCommand.join(' ')}`;
  await using run = await up({ services: { a: { command, replicas: 2 } } });
  await run.line(/^a\.0 +\| I am 0$/);
  await run.line(/^a\.1 +\| I am 1$/);
});

test('scale adds and removes replicas; the number survives the supervisor and a reload, until the file has another', async () => {
  const file = (replicas: number, fields: Readonly<Record<string, unknown>> = {}) => ({
    services: { web: played({ replicas }), other: played(fields) },
  });
  await using run = await up(file(2));
  const write = (config: object) => writeFileSync(join(run.folder, 'services.yaml'), JSON.stringify(config));
  for (const name of ['web.0', 'web.1', 'other']) await run.puppet(name);
  expect(await run.command('scale', 'web=4', '--wait')).toMatchObject({
    code: 0,
    stdout: '+ web.2: starts\n+ web.3: starts\napplied; 3 unchanged\nready: web.2, web.3\n',
  });
  await run.line(/web scaled to 4 replicas: added web\.2, web\.3; 3 unchanged/);
  const added = await run.puppet('web.3');

  process.kill(run.supervisor.outer, 'SIGKILL');
  await run.line(/killed by SIGKILL and was restarted/);
  expect((await run.command('status')).stdout).toContain('web has 4 replicas by `svc-super scale`; the file has 2\n');
  expect((await run.status()).scale).toEqual({ web: { replicas: 4, file: 2 } });

  // Other changes of the file are not applied by scale.
  write(file(2, { env: { NEW: '1' } }));
  expect(await run.command('scale', 'web=3')).toMatchObject({ code: 1, stdout: '' });
  expect((await run.command('reload')).stdout).toBe(
    '= web: 4 replicas, set by `scale`; the file has 2\n~ other: env\n    env.NEW: none → 1\n    restarts\napplied; 4 unchanged\n',
  );
  await run.puppet('other', 2);
  expect((await run.command('scale', 'web=1', 'other=0')).stderr).toContain('`replicas` must be a whole number from 1');
  expect(await run.command('scale', 'web=1', 'web=2')).toMatchObject({ code: 64, stdout: '' });
  // One that is refused leaves the others as they are.
  expect((await run.status()).scale).toEqual({ web: { replicas: 4, file: 2 } });
  const removed = await run.command('scale', 'web=1', '--wait');
  expect(removed.stdout).toEndWith('applied; 2 unchanged\nstopped: web.1, web.2, web.3\n');
  expect((await run.command('scale', 'web=1', '--wait')).stdout).toBe('nothing has changed\n');
  for (const index of [1, 2, 3]) await run.line(new RegExp(`web\\.${index} is not in the configuration any more`));
  await until('the process of web.3 to end', () => added.isGone);
  expect(await stateOf(run)).toEqual(['web.0 ready 1', 'other ready 2']);

  write(file(3, { env: { NEW: '1' } }));
  expect((await run.command('reload')).stdout).toContain(
    '= web: 3 replicas, as the file has changed; the 1 set by `scale` no longer applies',
  );
  await run.puppet('web.2', 1);
  expect((await run.status()).scale).toEqual({});
  expect(await run.command('scale', 'web=x')).toMatchObject({ code: 64 });
});

test('scale --wait that changes nothing waits for the replicas of the scale before', async () => {
  await using run = await up({ services: { web: played({ replicas: 1, ready: { notify: true } }) } });
  await (await run.puppet('web')).notify();
  await run.state('web', 'ready');
  expect(await run.command('scale', 'web=2')).toMatchObject({ code: 0 });
  const [first, second] = [await run.puppet('web.0'), await run.puppet('web.1')];
  await first.notify();
  await run.state('web.0', 'ready');
  const again = (...more: string[]) => run.command('scale', 'web=2', '--wait', ...more);
  expect(await again('--timeout', '100ms')).toMatchObject({ code: 124, stderr: expect.stringContaining('web.1 is') });
  await second.notify();
  await run.state('web.1', 'ready');
  expect(await again()).toMatchObject({ code: 0, stdout: 'nothing has changed\n' });
});
