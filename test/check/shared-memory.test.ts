// What `check --runtime` reports on /dev/shm.
import { expect, test } from 'bun:test';
import { judgeSharedMemory } from '../../src/check/shared-memory.ts';
import { readSharedMemory } from '../../src/linux/shared-memory.ts';

const MIB = 1024 ** 2;

test('64 MiB, the default of containers, are reported as too little for a service with a GPU, with the fix', () => {
  const found = judgeSharedMemory({ total: 64 * MIB, free: 63.9 * MIB }, true);
  expect(found).toEqual({
    service: null,
    check: 'shared-memory',
    verdict: 'doubtful',
    text: '/dev/shm has 63 MiB of 64 MiB free, which is little for programs that use GPUs',
    help: 'start the container with `--shm-size=1g`; in Kubernetes mount an `emptyDir: {medium: Memory}` there',
  });
});

test('a /dev/shm of one gigabyte is enough, and any size is enough without a GPU', () => {
  expect(judgeSharedMemory({ total: 1024 * MIB, free: 1000 * MIB }, true)).toMatchObject({
    verdict: 'ok',
    text: '/dev/shm has 1000 MiB of 1 GiB free',
  });
  expect(judgeSharedMemory({ total: 64 * MIB, free: 64 * MIB }, false)).toMatchObject({ verdict: 'ok' });
  expect(judgeSharedMemory(null, false)).toMatchObject({ verdict: 'ok', text: 'there is no /dev/shm' });
  expect(judgeSharedMemory(null, true)).toMatchObject({ verdict: 'doubtful' });
});

test('the size of /dev/shm is that of its file system', () => {
  const found = readSharedMemory();
  if (found === null) return;
  const { stdout } = Bun.spawnSync(['stat', '-f', '-c', '%b %S', '/dev/shm']);
  const [blocks = 0, size = 0] = stdout.toString().trim().split(' ').map(Number);
  expect(found.total).toBe(blocks * size);
  expect(found.free).toBeLessThanOrEqual(found.total);
});
