// A service that uses more memory than `max_memory`: it starts again, and status, events and metrics say so.
import { expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { exists } from '../../src/linux/files.ts';
import { findHome, whyNoCgroup } from '../../src/linux/memory-cgroup.ts';
import { freePort, played, up, useRig } from '../helpers/rig.ts';

useRig();

/** Cgroups of the service `leaky`, of any supervisor here. */
function leftCgroups(): readonly string[] {
  const home = findHome(readFileSync('/proc/self/cgroup', 'latin1'), exists);
  return home === null ? [] : readdirSync(home.folder).filter((name) => /^svc-super\..*\.leaky$/.test(name));
}

/** Takes 64 MiB, and keeps them. */
const LEAK = ['/usr/bin/perl', '-e', 'my $kept = qq(x) x (64 << 20); sleep 1 while 1'];

test('a service that leaks is restarted whatever its policy, and the others run on', async () => {
  const port = await freePort();
  const control = { http: { listen: `127.0.0.1:${port}` } };
  await using run = await up({
    control,
    services: {
      web: played({ max_memory: '1GiB' }),
      leaky: { command: LEAK, max_memory: '32MiB', restart: { policy: 'never', backoff: { initial: '1ms' } } },
    },
  });
  const web = await run.puppet('web');
  await run.line(/leaky uses \d+.* MiB of memory, more than max_memory \(32.0 MiB\): it is stopped, and starts again/);
  await run.line(/leaky started \(pid \d+\)/, { after: await run.line(/leaky uses/) });
  expect(await run.service('leaky')).toMatchObject({
    restarts: 1,
    memory: { max_bytes: 32 << 20, on_exceed: 'restart', exceeded: 1 },
  });
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(metrics).toContain('svc_super_service_memory_exceeded_total{service="leaky"} 1\n');
  expect(metrics).toContain(`svc_super_service_memory_max_bytes{service="web"} ${1 << 30}\n`);
  expect(await run.service('web')).toMatchObject({ pid: web.pid, restarts: 0 });
});

test('memory_limit: a service that uses more is ended, by the kernel where its cgroup can be made', async () => {
  const why = whyNoCgroup();
  await using run = await up({
    services: { web: played({ essential: false }), leaky: { command: LEAK, memory_limit: '32MiB' } },
  });
  const report =
    why === null
      ? /leaky used more than memory_limit \(32.0 MiB\): the kernel has ended it/
      : /leaky uses .* more than memory_limit \(32.0 MiB\): it is stopped, which counts as a failure/;
  await run.line(report);
  await run.ends(137);
  // Every cgroup of this supervisor is removed at its end.
  if (why === null) expect(leftCgroups()).toEqual([]);
});
