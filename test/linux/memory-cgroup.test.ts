// Where cgroups for the memory of services are made, for both versions, with and without a cgroup namespace, and after a move.
import { describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findHome, limitKillsIn, moveAll, removeEmpty } from '../../src/linux/memory-cgroup.ts';

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

describe('the processes of the own cgroup move', () => {
  /** The kernel: `forks` has the processes that appear after each list was read. */
  const kernel = (forks: (pass: number) => readonly string[]) => {
    const left = new Set(['1', '7']);
    const moved: string[] = [];
    let pass = 0;
    moveAll({
      pids: () => {
        const listed = [...left];
        pass += 1;
        for (const pid of forks(pass)) left.add(pid);
        return listed;
      },
      move: (pid) => {
        left.delete(pid);
        moved.push(pid);
      },
      give: () => {
        if (left.size > 0) throw Object.assign(new Error('busy'), { code: 'EBUSY' });
      },
    });
    return moved;
  };

  test('with those that are forked meanwhile', () => {
    expect(kernel((pass) => (pass === 1 ? ['8', '9'] : []))).toEqual(['1', '7', '8', '9']);
  });

  test('not forever', () => {
    expect(() => kernel((pass) => [`${pass + 9}`])).toThrow('busy');
  });
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

test('kills for another reason than the limit of the cgroup do not count', () => {
  const folder = mkdtempSync(join(tmpdir(), 'svc-cgroup-'));
  const kills = (files: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return limitKillsIn(folder);
  };
  expect(limitKillsIn(folder)).toBe(0);
  expect(kills({ 'memory.oom_control': 'under_oom 0\noom_kill 2\n', 'memory.failcnt': '0\n' })).toBe(0);
  expect(kills({ 'memory.failcnt': '40\n' })).toBe(2);
  // The limit of the container, then its own, with `memory.oom.group`, then that of the container again.
  expect(kills({ 'memory.events': 'max 0\noom 0\noom_kill 3\noom_group_kill 0\n' })).toBe(0);
  expect(kills({ 'memory.events': 'max 9\noom 1\noom_kill 6\noom_group_kill 1\n' })).toBe(1);
  expect(kills({ 'memory.events': 'max 9\noom 1\noom_kill 9\noom_group_kill 1\n' })).toBe(1);
  rmSync(folder, { recursive: true });
});
