// When the container ends and with which exit code: `exit: first`, `failure` and `all`, services that are not essential,
// tasks.
import { expect, test } from 'bun:test';
import { played, up, useRig } from '../helpers/rig.ts';

useRig();

const task = (fields = {}) => played({ type: 'task', ...fields });

test('exit: first: the first service to exit ends everything with its code', async () => {
  await using run = await up({ services: { a: played(), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await a.exit(3);
  await b.gone;
  await run.ends(3);
});

test('exit: first: a service that exits with 0 ends everything with 0', async () => {
  await using run = await up({ exit: 'first', services: { a: played(), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await b.exit(0);
  await a.gone;
  await run.ends(0);
});

test('exits during the shutdown after a failure change nothing', async () => {
  await using run = await up({ services: { a: played(), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await b.trap('TERM');
  await a.exit(3);
  await b.signalled('SIGTERM');
  await b.exit(7);
  await run.ends(3);
});

test('a SIGTERM during the shutdown after a failure changes nothing', async () => {
  await using run = await up({ services: { a: played(), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await b.trap('TERM');
  await a.exit(3);
  await b.signalled('SIGTERM');
  run.signal('SIGTERM');
  await b.exit(0);
  await run.ends(3);
});

test('exit: failure: a success changes nothing, the first failure ends everything', async () => {
  await using run = await up({ exit: 'failure', services: { a: played(), b: played(), c: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await a.exit(0);
  await run.state('a', 'completed');
  expect((await run.service('b')).state).toBe('ready');
  await b.exit(5);
  await run.ends(5);
});

test('exit: failure: when all have succeeded the code is 0', async () => {
  await using run = await up({ exit: 'failure', services: { a: played(), b: played() } });
  await (await run.puppet('a')).exit(0);
  await (await run.puppet('b')).exit(0);
  await run.ends(0);
});

test('exit: all: it ends when all have ended, with the code of the first that failed', async () => {
  await using run = await up({ exit: 'all', services: { a: played(), b: played(), c: played() } });
  const [a, b, c] = [await run.puppet('a'), await run.puppet('b'), await run.puppet('c')];
  await a.exit(0);
  await b.exit(6);
  await run.state('b', 'failed');
  expect((await run.service('c')).state).toBe('ready');
  await c.exit(7);
  await run.ends(6);
});

test('exit: all: 0 when none failed', async () => {
  await using run = await up({ exit: 'all', services: { a: played(), b: played() } });
  await (await run.puppet('a')).exit(0);
  await (await run.puppet('b')).exit(0);
  await run.ends(0);
});

test('the exit of a service that is not essential ends nothing, whatever its code', async () => {
  await using run = await up({ services: { a: played({ essential: false }), b: played() } });
  await (await run.puppet('a')).exit(9);
  expect((await run.state('a', 'failed')).exit).toEqual({ code: 9, signal: null });
  expect((await run.service('b')).state).toBe('ready');
  await (await run.puppet('b')).exit(2);
  await run.ends(2);
});

test('exit: all: the code of a service that is not essential does not count', async () => {
  await using run = await up({ exit: 'all', services: { a: played({ essential: false }), b: played() } });
  await (await run.puppet('a')).exit(9);
  await (await run.puppet('b')).exit(0);
  await run.ends(0);
});

test('a task that succeeds ends nothing', async () => {
  await using run = await up({ services: { setup: task(), a: played() } });
  await (await run.puppet('setup')).exit(0);
  await run.state('setup', 'completed');
  expect((await run.service('a')).state).toBe('ready');
  await (await run.puppet('a')).exit(4);
  await run.ends(4);
});

test('a task that fails ends everything with its code', async () => {
  await using run = await up({ services: { setup: task(), a: played() } });
  const a = await run.puppet('a');
  await (await run.puppet('setup')).exit(8);
  await a.gone;
  await run.ends(8);
});

test('a task that is not essential may fail', async () => {
  await using run = await up({ services: { setup: task({ essential: false }), a: played() } });
  await (await run.puppet('setup')).exit(8);
  await run.state('setup', 'failed');
  await (await run.puppet('a')).exit(0);
  await run.ends(0);
});

test('if there are only tasks and all succeed, it ends with 0', async () => {
  await using run = await up({ services: { one: task(), two: task({ depends_on: ['one'] }) } });
  await (await run.puppet('one')).exit(0);
  await (await run.puppet('two')).exit(0);
  await run.ends(0);
});

test('an exit counts only after the restart policy gives up', async () => {
  const restart = { policy: 'on-failure', max: 1, backoff: { initial: '10ms' } };
  await using run = await up({ services: { a: played({ restart }), b: played() } });
  await (await run.puppet('a', 1)).exit(3);
  await (await run.puppet('a', 2)).exit(4);
  await run.ends(4);
});

test('on a failure the dependents of the failed service stop as well', async () => {
  await using run = await up({ services: { db: played(), api: played({ depends_on: ['db'] }) } });
  const [db, api] = [await run.puppet('db'), await run.puppet('api')];
  await api.trap('TERM');
  await db.die(9);
  await api.signalled('SIGTERM');
  await api.exit(0);
  await run.ends(137);
});
