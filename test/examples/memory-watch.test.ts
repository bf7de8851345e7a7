// The example of memory limits with the built program: the service that leaks starts again, the other one runs on.
import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { missing, notRoot, ROOT, skipWhen, startStack, until } from './stack.ts';

const skipped = skipWhen([missing('unshare'), notRoot, missing('perl')], 'the example of memory limits');

test.skipIf(skipped)(
  'a service that leaks starts again, and the other one runs on',
  async () => {
    const env = { EXAMPLE: join(ROOT, 'examples/memory-watch'), LEAK_MIB: '64', MAX_MEMORY: '32MiB' };
    await using stack = await startStack('examples/memory-watch/services.yaml', env, { init: true });
    const state = async (name: string) => {
      const { services } = JSON.parse((await stack.command('status', '--json')).output) as {
        services: { name: string; restarts: number; memory: { exceeded: number } | null }[];
      };
      return services.find((one) => one.name === name);
    };
    await until('another run', async () => (await state('leaky'))?.restarts === 1);
    expect((await state('leaky'))?.memory?.exceeded).toBe(1);
    expect((await state('share'))?.restarts).toBe(0);
    expect(stack.output()).toMatch(
      /leaky uses .* of memory, more than max_memory \(32.0 MiB\): it is stopped, and starts again/,
    );
    // A supervisor that is killed leaves the cgroup of `share` behind.
    process.kill(stack.pid, 'SIGTERM');
    expect(await stack.exitCode).toBe(0);
  },
  60_000,
);
