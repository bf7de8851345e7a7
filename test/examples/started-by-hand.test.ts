// The example of services that are started by hand with the built program: a profile, a start with what it needs, a stop.
import { expect, test } from 'bun:test';
import { missing, notRoot, type Stack, skipWhen, startStack, until } from './stack.ts';

const FILE = 'examples/started-by-hand/services.yaml';
const skipped = skipWhen([missing('unshare'), notRoot], 'the example of services that are started by hand');

async function states(stack: Stack): Promise<readonly string[]> {
  const { output } = await stack.command('status', '--json');
  const { services } = JSON.parse(output) as { services: { name: string; state: string }[] };
  return services.map(({ name, state }) => `${name} ${state}`);
}

test.skipIf(skipped)('a profile selects the server, and the notebook runs from its start to its stop', async () => {
  await using stack = await startStack(FILE, { SVC_SUPER_PROFILES: 'cpu' });
  await until('the server', async () => (await states(stack)).includes('cpu ready'));
  expect(await states(stack)).toEqual(['cpu ready', 'gpu idle', 'page ready', 'cache idle', 'notebook idle']);
  expect((await stack.command('health')).code).toBe(0);
  const started = await stack.command('start', '--wait', 'notebook');
  expect([started.code, started.output]).toEqual([0, expect.stringContaining('ready: notebook\n')]);
  expect((await states(stack)).slice(3)).toEqual(['cache ready', 'notebook ready']);
  expect((await stack.command('stop', '--wait', 'notebook')).code).toBe(0);
  expect((await states(stack)).slice(3)).toEqual(['cache ready', 'notebook idle']);
});
