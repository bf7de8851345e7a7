// The example of scheduled tasks with the built program: the order of the first runs, runs by interval and by the clock, and a run by
// hand.
import { expect, test } from 'bun:test';
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { missing, notRoot, openFolder, skipWhen, startStack, until } from './stack.ts';

const FILE = 'examples/scheduled-tasks/services.yaml';
const skipped = skipWhen([missing('unshare'), notRoot], 'the example of scheduled tasks');

test.skipIf(skipped)('a page waits for the first refresh, and is saved by the clock and by hand', async () => {
  const data = await openFolder();
  try {
    await using stack = await startStack(
      FILE,
      { DATA: data, REFRESH_EVERY: '1s', SAVE_AT: '* * * * * *' },
      { init: true },
    );
    const saved = () => readdirSync(join(data, 'saved')).length;
    await until('a page to be saved twice', () => existsSync(join(data, 'saved')) && saved() >= 2);
    const { output } = await stack.command('status', '--json');
    const { services } = JSON.parse(output) as { services: { name: string; state: string; schedule: unknown }[] };
    const [refresh, save, page] = ['refresh', 'save', 'page'].map((name) => services.find((one) => one.name === name));
    expect(page?.state).toBe('ready');
    expect(refresh?.schedule).toMatchObject({ cron: null, every_seconds: 1, failed: 0 });
    expect(save?.schedule).toMatchObject({ cron: '* * * * * *', time_zone: 'Europe/Berlin' });
    expect((await stack.command('stop', 'save')).code).toBe(0);
    const before = saved();
    expect((await stack.command('start', 'save')).code).toBe(0);
    await until('a run by hand', () => saved() > before);
    expect(stack.output()).toMatch(/^svc-super \| \d{4}-\d\d-\d\dT[\d:.]{12}Z page started/m);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});
