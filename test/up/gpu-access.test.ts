// Access to the GPUs: one reader for all callers, because two would query the driver twice at once.
import { expect, test } from 'bun:test';
import type { Children } from '../../src/pid1/children.ts';
import { GpuAccess } from '../../src/up/gpu-access.ts';

test('callers that come before the modules are loaded share one reader', async () => {
  const clock = { now: () => 0, wall: () => 0, after: () => () => undefined, soon: () => undefined };
  const access = new GpuAccess({ clock, environment: {}, children: {} as Children });
  const [one, other] = await Promise.all([access.reader(), access.reader()]);
  expect(one).toBe(other);
});
