// Ray Serve with stand-ins for Ray at its ports and endpoints, the real nginx in front of them, and nobody is root.

import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { type Box, healthy, skipBoxes, startBox } from './box.ts';
import { expectInOrder, missing, ROOT, until } from './stack.ts';

const skipped = skipBoxes('the example of Ray Serve', missing('nginx'));
const FRONT = 'http://127.0.0.1:8080';
const files = Object.fromEntries(
  await Promise.all(
    ['serve.yaml', 'nginx.conf'].map(async (name) => [
      `/srv/${name}`,
      await Bun.file(join(ROOT, 'examples/ray-serve', name)).text(),
    ]),
  ),
);

const start = (): Promise<Box> =>
  startBox({
    example: 'ray-serve',
    programs: { '/usr/local/bin/ray': 'ray', '/usr/local/bin/serve': 'serve' },
    files,
    user: 1000,
  });

describe.skipIf(skipped)('Ray Serve behind nginx', () => {
  test('the front is ready when both applications run, a request that is running at the end is answered', async () => {
    await using box = await start();
    await healthy(box);
    expectInOrder(box.output(), ['Ray runtime started.', '| Sent deploy request successfully.\n', 'b is running']);
    for (const name of ['a', 'b']) {
      const answer = await box.fetch(`${FRONT}/${name}/some/path?x=1`);
      expect(await answer.json()).toEqual({ name, python: `/opt/${name}/bin/python` });
    }
    expect(await box.status(`${FRONT}/-/routes`)).toBe(404);

    const late = box.fetch(`${FRONT}/a?wait=700`);
    // nginx has passed it on: it has a connection to Serve's proxy.
    await until('the request to be under way', async () =>
      (await box.exec('cat', '/proc/net/tcp')).output.match(/:1F40 .* 01 /),
    );
    process.kill(box.pid, 'SIGTERM');
    expect((await late).status).toBe(200);
    expect(await box.exitCode).toBe(0);
    expect(box.processes()).toEqual([]);
    expectInOrder(box.output(), ['signal 3 (SIGQUIT)', 'a answered', 'exit', 'Ray received SIGTERM']);
  }, 120_000);

  test('a killed raylet: Ray starts again, the applications are deployed again, and every route answers again', async () => {
    await using box = await start();
    await healthy(box);
    const worker = box.find('ray::ServeReplica:a').pid;
    process.kill(box.find(' raylet').pid, 'SIGKILL');
    await until('the health check to fail', async () => (await box.exec('svc-super', 'health')).code === 1);
    await healthy(box);
    for (const name of ['a', 'b']) expect(await box.status(`${FRONT}/${name}`)).toBe(200);
    // Its workers, in sessions of their own, were ended with it.
    expect(() => process.kill(worker, 0)).toThrow();
    expectInOrder(box.output(), [
      'deploy starts again after ray, which restarts',
      'ray exited with code 1',
      'Ray runtime started.',
      '| Sent deploy request successfully.\n',
      'b is running',
    ]);
    expect(box.output()).not.toContain('[state-dump]');
    process.kill(box.pid, 'SIGTERM');
    expect(await box.exitCode).toBe(0);
  }, 120_000);
});
