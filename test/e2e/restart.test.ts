// Restarts: policies, the pause between two runs, limits, run numbers, and the port pre-flight before each run (SPEC
// sections 1 and 3).
import { expect, test } from 'bun:test';
import { createServer } from 'node:net';
import { freePort, played, type Run, until, up, useRig } from '../helpers/rig.ts';

useRig();

const soon = { initial: '1ms', max: '5ms' };

test('restart: never is the default', async () => {
  await using run = await up({ services: { a: played({ essential: false }), b: played() } });
  await (await run.puppet('a')).exit(1);
  expect(await run.state('a', 'failed')).toMatchObject({ run: 1, restarts: 0 });
});

test('restart: on-failure starts again after a failure, and not after a success', async () => {
  const restart = { policy: 'on-failure', backoff: soon };
  await using run = await up({ services: { a: played({ restart }), b: played() }, exit: 'failure' });
  await (await run.puppet('a', 1)).exit(1);
  await (await run.puppet('a', 2)).die(11);
  await (await run.puppet('a', 3)).exit(0);
  expect(await run.state('a', 'completed')).toMatchObject({ run: 3, restarts: 2 });
});

test('restart: always starts again after a success too', async () => {
  await using run = await up({ services: { a: played({ restart: { policy: 'always', backoff: soon } }) } });
  await (await run.puppet('a', 1)).exit(0);
  await (await run.puppet('a', 2)).exit(1);
  await run.puppet('a', 3);
});

test('a policy may be written as one word', async () => {
  await using run = await up({ services: { a: played({ restart: 'always' }) } });
  await (await run.puppet('a', 1)).exit(0);
  await run.puppet('a', 2);
});

test('each run has its number in SVC_RUN, in status and in the messages', async () => {
  await using run = await up({ services: { a: played({ restart: { policy: 'on-failure', max: 2, backoff: soon } }) } });
  const first = await run.puppet('a');
  expect(first.hello.run).toBe('1');
  await first.exit(1);
  const second = await run.puppet('a');
  expect((await second.facts()).env).toMatchObject({ SVC_RUN: '2', SVC_NAME: 'a' });
  expect(await run.service('a')).toMatchObject({ run: 2, restarts: 1, pid: second.pid });
  await second.exit(1);
  await (await run.puppet('a', 3)).exit(6);
  await run.ends(6);
  await run.line(/a exited with code 6 after .* in (?:its )?run 3; the container ends with code 6/);
});

test('max: past so many restarts it is failed for good, and that is said', async () => {
  await using run = await up({ services: { a: played({ restart: { policy: 'always', max: 1, backoff: soon } }) } });
  await (await run.puppet('a', 1)).exit(0);
  await (await run.puppet('a', 2)).exit(5);
  await run.ends(5);
  await run.line(/a exited with code 5 after .*; not started again: 1 restart was its limit/);
});

test('within: only restarts of that time count against max', async () => {
  const restart = { policy: 'always', max: 1, within: '300ms', backoff: soon };
  await using run = await up({ services: { a: played({ restart }) } });
  await (await run.puppet('a', 1)).exit(1);
  const second = await run.puppet('a', 2);
  // Until the first restart is older than 300 ms: the supervisor's own word on how long this run has been up.
  await until('the second run to last', async () => ((await run.service('a')).uptime_seconds ?? 0) > 0.35);
  await second.exit(1);
  await (await run.puppet('a', 3)).exit(4);
  await run.ends(4);
});

/** The pauses that the supervisor announced, milliseconds. */
function pauses(run: Run): number[] {
  return run.lines.flatMap((text) => {
    const [, amount, unit] = /starting again in ([\d.]+) (ms|s)/.exec(text) ?? [];
    return amount === undefined ? [] : [Number(amount) * (unit === 's' ? 1_000 : 1)];
  });
}

test('the pause grows by the factor up to its most, give or take a tenth, and is kept', async () => {
  const restart = { policy: 'always', max: 4, backoff: { initial: '50ms', max: '300ms', factor: 3 } };
  await using run = await up({ services: { a: played({ restart }) } });
  let gone = 0;
  for (const [index, pause] of [0, 50, 150, 300, 300].entries()) {
    const a = await run.puppet('a', index + 1);
    expect(performance.now() - gone).toBeGreaterThan(pause * 0.85);
    await a.exit(1);
    gone = performance.now();
  }
  await run.ends(1);
  const found = pauses(run);
  expect(found.length).toBe(4);
  for (const [index, wanted] of [50, 150, 300, 300].entries()) {
    expect(found[index]).toBeGreaterThanOrEqual(wanted * 0.9 - 1);
    expect(found[index]).toBeLessThanOrEqual(wanted * 1.1 + 1);
  }
});

test('between two runs the state is backoff, with the reason', async () => {
  const restart = { policy: 'always', backoff: { initial: '1h', max: '1h' } };
  await using run = await up({ services: { a: played({ restart }) } });
  await (await run.puppet('a')).exit(7);
  expect(await run.state('a', 'backoff')).toMatchObject({ pid: null, ready: false, exit: { code: 7, signal: null } });
  expect((await run.service('a')).reason).toMatch(/^exited with code 7 after/);
});

test('a stop that is asked for during the pause ends it', async () => {
  const restart = { policy: 'always', backoff: { initial: '1h', max: '1h' } };
  await using run = await up({ services: { a: played({ restart }) } });
  await (await run.puppet('a')).exit(7);
  await run.state('a', 'backoff');
  run.signal('SIGTERM');
  await run.ends(0);
});

test('what depends on a service goes on while that one starts again', async () => {
  const restart = { policy: 'always', backoff: soon };
  await using run = await up({ services: { db: played({ restart }), web: played({ depends_on: ['db'] }) } });
  const web = await run.puppet('web');
  await (await run.puppet('db', 1)).exit(1);
  await run.puppet('db', 2);
  expect(web.isGone).toBe(false);
  expect(await run.service('web')).toMatchObject({ state: 'ready', run: 1 });
});

test('a port that somebody else holds is a failed start that names the holder', async () => {
  const port = await freePort();
  await using run = await up({
    services: { first: played({ ready: { notify: true } }), vllm: played({ port, depends_on: ['first'] }) },
  });
  const first = await run.puppet('first');
  await first.rename('nginx: master');
  await first.listen(port);
  await first.notify();
  await run.ends(1);
  await run.line(new RegExp(`port ${port} of vllm is taken by pid ${first.pid} \\(nginx: master\\)`));
  expect(run.hasCalled('vllm')).toBe(false);
});

test('a port is looked at before each run: freed meanwhile, the next run starts', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const restart = { policy: 'on-failure', backoff: { initial: '20ms', max: '20ms' } };
  await using run = await up({ services: { a: played({ port, restart }) } });
  await run.line(new RegExp(`port ${port} of a is taken by a process that is not visible in this container`));
  await new Promise((resolve) => server.close(resolve));
  const a = await run.puppet('a');
  expect(a.run).toBeGreaterThan(1);
});

test('every one of several ports is looked at', async () => {
  const [one, two] = [await freePort(), await freePort()];
  await using run = await up({
    services: { first: played({ ready: { notify: true } }), a: played({ ports: [one, two], depends_on: ['first'] }) },
  });
  const first = await run.puppet('first');
  await first.listen(two);
  await first.notify();
  await run.ends(1);
  await run.line(new RegExp(`port ${two} of a is taken by pid ${first.pid} \\(perl\\)`));
});

test('the port of the run before, held by a process of it that had got away, is free for the next', async () => {
  const port = await freePort();
  await using run = await up({ services: { a: played({ port, restart: { policy: 'always', backoff: soon } }) } });
  const a = await run.puppet('a', 1);
  await a.spawn('holder', { daemon: true, title: 'holder' });
  const holder = await run.puppet('holder');
  await holder.ignore('TERM');
  await holder.listen(port);
  await a.exit(1);
  const next = await run.puppet('a', 2);
  await holder.gone;
  expect(await next.listen(port)).toBe(port);
});

test('a port that is taken before anything has started is said at once, and nothing is started', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  try {
    await using run = await up({ services: { first: played(), vllm: played({ port, depends_on: ['first'] }) } });
    await run.ends(1);
    await run.line(new RegExp(`port ${port} of vllm is taken by .*; nothing was started`));
    expect(run.hasCalled('first')).toBe(false);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test('depends_on with restart: true: a task runs again, and its dependent after it, when the service restarts', async () => {
  const services = {
    ray: played({ restart: { policy: 'on-failure', backoff: { initial: '100ms' } } }),
    deploy: played({ type: 'task', depends_on: { ray: { condition: 'started', restart: true } } }),
    web: played({ depends_on: { deploy: { condition: 'completed', restart: true } } }),
    beside: played({ depends_on: { ray: 'started' } }),
  };
  await using run = await up({ services });
  const [ray, deploy] = [await run.puppet('ray'), await run.puppet('deploy')];
  const beside = await run.puppet('beside');
  await deploy.exit(0);
  const web = await run.puppet('web');
  await ray.exit(1);
  await web.gone;
  await (await run.puppet('deploy', 2)).exit(0);
  await run.puppet('web', 2);
  await run.line(/deploy starts again after ray, which restarts/);
  expect((await run.service('beside')).run).toBe(1);
  expect((await run.service('web')).restarts).toBe(0);
  await beside.exit(5);
  await run.ends(5);
});
