// Where cgroups for the memory of services are made, for both versions, with and without a cgroup namespace, and after a move.
import { expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findHome, removeEmpty } from '../../src/linux/memory-cgroup.ts';

const there =
  (...paths: readonly string[]) =>
  (path: string) =>
    paths.includes(path);
const V2 = ['/sys/fs/cgroup/cgroup.controllers', '/sys/fs/cgroup/cgroup.procs'];

test('version 2: the own cgroup, or what the container sees as the root', () => {
  expect(findHome('0::/\n', there(...V2))).toEqual({ version: 2, folder: '/sys/fs/cgroup' });
  const slice = '/sys/fs/cgroup/job_7/cgroup.procs';
  expect(findHome('0::/job_7\n', there(...V2, slice))).toEqual({ version: 2, folder: '/sys/fs/cgroup/job_7' });
  // The path is one of the machine, and the container sees its own part only.
  expect(findHome('0::/docker/abc\n', there(...V2))).toEqual({ version: 2, folder: '/sys/fs/cgroup' });
});

test('version 2, after PID 1 and the supervisor have moved: the cgroup above', () => {
  expect(findHome('0::/svc-super.self\n', there(...V2))).toEqual({ version: 2, folder: '/sys/fs/cgroup' });
});

test('version 1: that of the controller for memory, also beside version 2', () => {
  const table = '9:cpu:/\n4:memory:/docker/abc\n0::/\n';
  const v1 = '/sys/fs/cgroup/memory/cgroup.procs';
  const own = '/sys/fs/cgroup/memory/docker/abc/cgroup.procs';
  expect(findHome(table, there(v1, own))).toEqual({ version: 1, folder: '/sys/fs/cgroup/memory/docker/abc' });
  expect(findHome(table, there(v1))).toEqual({ version: 1, folder: '/sys/fs/cgroup/memory' });
});

test('none is mounted', () => {
  expect(findHome('0::/\n', there())).toBeNull();
  expect(findHome('', there(...V2))).toBeNull();
});

test('a cgroup that is still in use does not keep the others from being removed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'svc-cgroups-'));
  for (const path of ['svc-super.1.a', 'svc-super.1.b/in-use', 'svc-super.1.c', 'svc-super.2.a'])
    mkdirSync(join(folder, path), { recursive: true });
  removeEmpty(folder, 'svc-super.1.');
  expect(readdirSync(folder).sort()).toEqual(['svc-super.1.b', 'svc-super.2.a']);
  rmSync(folder, { recursive: true });
  expect(() => removeEmpty(folder, 'svc-super.1.')).not.toThrow();
});
