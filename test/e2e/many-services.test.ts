// Hundreds of services in stages and in chains: their states and order. Does not measure time (bench/rows/many.ts does).
import { expect, test } from 'bun:test';
import { up, useRig } from '../helpers/rig.ts';

useRig();

/** `count` services of the same kind, by name. */
function many<T>(count: number, prefix: string, make: (number: number) => T): Readonly<Record<string, T>> {
  return Object.fromEntries(Array.from({ length: count }, (_, number) => [`${prefix}${number}`, make(number)]));
}

test('two stages of 300 services start and stop without a SIGKILL', async () => {
  const sleeping = (group: string) => () => ({ command: ['/bin/sleep', '3600'], group });
  await using run = await up({
    services: { ...many(300, 'a', sleeping('first')), ...many(300, 'b', sleeping('second')) },
  });
  await run.line(/everything (?:is ready|has started) after/);
  const { services } = await run.status();
  expect(services.filter(({ state }) => state === 'ready').length).toBe(600);
  run.signal('SIGTERM');
  await run.ends(0);
  expect(run.lines.filter((line) => /did not stop|SIGKILL/.test(line))).toEqual([]);
});

test('a member of a stage of 300 reports its dependencies, and a stage that can never start is reported', async () => {
  await using run = await up({
    exit: 'all',
    services: {
      ...many(300, 'a', (number) => ({
        type: 'task',
        command: ['/bin/sleep', number < 2 ? '3600' : '0'],
        group: 'first',
      })),
      ...many(300, 'b', () => ({ command: ['/bin/sleep', '3600'], group: 'second' })),
    },
  });
  await run.state('a299', 'completed');
  await Promise.all(Array.from({ length: 298 }, (_, number) => run.state(`a${number + 2}`, 'completed')));
  expect(await run.service('b7')).toMatchObject({
    state: 'pending',
    reason: 'waits for a0 to be completed, a1 to be completed',
  });
  run.kill((await run.service('a1')).pid ?? 0);
  await run.state('a1', 'failed');
  expect(await run.service('b299')).toMatchObject({ state: 'pending', blocked: true });
  expect(run.lines.filter((line) => /b\d+ never starts: a1 was killed by SIGKILL/.test(line)).length).toBe(300);
  run.signal('SIGTERM');
  await run.ends(0);
});

test('a chain of 500 tasks completes in order', async () => {
  const task = (number: number) => ({
    type: 'task',
    command: ['/bin/sh', '-c', `echo done ${number}`],
    ...(number > 0 && { depends_on: [`t${number - 1}`] }),
  });
  await using run = await up({ services: many(500, 't', task) });
  await run.ends(0);
  const order = run.lines.flatMap((line) => /\| done (\d+)$/.exec(line)?.slice(1).map(Number) ?? []);
  expect(order).toEqual(Array.from({ length: 500 }, (_, number) => number));
});

test('300 services that exit again and again stop without a SIGKILL', async () => {
  const flapping = () => ({
    command: ['/bin/sh', '-c', 'exit 1'],
    restart: { policy: 'always', backoff: { initial: '50ms', max: '200ms' } },
  });
  await using run = await up({ services: many(300, 'f', flapping) });
  await run.line(/f299 exited with code 1/);
  run.signal('SIGTERM');
  await run.ends(0);
  expect(run.lines.filter((line) => /did not stop|SIGKILL/.test(line))).toEqual([]);
});
