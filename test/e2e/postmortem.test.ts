// Further parts of the post-mortem: its copy in /dev/termination-log if that exists, and an out-of-memory verdict from the cgroup.
// Both are files that a mount namespace can simulate.
import { expect, test } from 'bun:test';
import { isRoot, played, up, useRig } from '../helpers/rig.ts';
import { Web } from '../helpers/web.ts';

useRig();

/** A private /dev, with a termination log that is also `log` in the run's folder. */
const OWN_DEV = `
mkdir dev && mount -t tmpfs none dev
for node in null zero urandom; do : > dev/$node; mount --bind /dev/$node dev/$node; done
ln -s /proc/self/fd dev/fd; ln -s /proc/self/fd/1 dev/stdout; ln -s /proc/self/fd/2 dev/stderr
: > dev/termination-log; mount --bind log dev/termination-log
mount --rbind dev /dev`;

test.skipIf(!isRoot)('the post-mortem is written to /dev/termination-log too', async () => {
  await using run = await up(
    { services: { vllm: played() } },
    { files: { log: '' }, before: OWN_DEV, leaves: ['dev'] },
  );
  const vllm = await run.puppet('vllm');
  await vllm.print('no kernel image is available');
  await vllm.exit(3);
  await run.ends(3);
  const log = await Bun.file(`${run.folder}/log`).text();
  expect(log).toMatch(/^vllm exited with code 3 after [\d.]+ m?s; the container ends with code 3\n/);
  expect(log).toContain('last line of vllm:\n  no kernel image is available\n');
});

test('the post-mortem omits lines of probes and `drop`, and begins at the first line that looks like an error', async () => {
  await using web = await Web.serve(() => ({ status: 200 }));
  const ready = { http: { port: web.port, path: '/health' } };
  await using run = await up({ services: { vllm: played({ ready, log: { drop: '^Route: ' } }) } });
  const vllm = await run.puppet('vllm');
  const lines = Array.from(
    { length: 30 },
    (_, index) => `frame ${index}\nINFO: "GET /health HTTP/1.1" 200 OK\nRoute: /x`,
  );
  await vllm.write(1, `fine\nRuntimeError: CUDA error\n${lines.join('\n')}\nthe end`);
  await vllm.exit(3);
  await run.ends(3);
  const told = run.lines
    .filter((line) => line.startsWith('svc-super'))
    .map((line) => line.replace(/^.*?\| error: /, ''));
  const from = told.findIndex((line) => line.startsWith('last '));
  expect(told.slice(from)).toEqual([
    'last 32 lines of vllm, without 30 about probes:',
    '  RuntimeError: CUDA error',
    ...Array.from({ length: 30 }, (_, index) => `  frame ${index}`),
    '  the end',
  ]);
});

test.skipIf(!isRoot)('a requested stop writes nothing there', async () => {
  await using run = await up({ services: { a: played() } }, { files: { log: '' }, before: OWN_DEV, leaves: ['dev'] });
  await run.puppet('a');
  run.signal('SIGTERM');
  await run.ends(0);
  expect(await Bun.file(`${run.folder}/log`).text()).toBe('');
});

for (const [version, file] of [
  ['2', 'memory.events'],
  ['1', 'memory/memory.oom_control'],
] as const) {
  const path = `/sys/fs/cgroup/${file}`;
  const before = `mount -t tmpfs none /sys/fs/cgroup; mkdir -p ${path.replace(/\/[^/]*$/, '')}; printf 'oom 3\\noom_kill 3\\n' > ${path}`;

  test.skipIf(!isRoot)(`an out-of-memory kill is detected by cgroup version ${version}, and reported`, async () => {
    await using run = await up({ services: { vllm: played() } }, { before });
    const vllm = await run.puppet('vllm');
    await vllm.reopen(path, 'oom 4\noom_kill 4\n');
    await vllm.die(9);
    await run.ends(137);
    await run.line(/out of memory: the kernel killed a process of this container/);
  });

  test.skipIf(!isRoot)(`earlier kills do not count, cgroup version ${version}`, async () => {
    await using run = await up({ services: { vllm: played() } }, { before });
    await (await run.puppet('vllm')).die(9);
    await run.ends(137);
    expect(run.lines.filter((text) => text.includes('out of memory'))).toEqual([]);
  });
}
