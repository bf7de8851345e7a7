// Where the counter of OOM kills is found, for both versions of cgroups, with and without a cgroup namespace.
import { describe, expect, test } from 'bun:test';
import { countOomKills, oomFiles } from '../../src/linux/cgroup.ts';

/** Reads these files only; all other paths do not exist. */
const reader = (files: Readonly<Record<string, string>>) => (path: string) => {
  const text = files[path];
  if (text === undefined) throw new Error(`ENOENT ${path}`);
  return text;
};

const V1 = 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n';
const V2 = 'low 0\nhigh 0\nmax 9\noom 2\noom_kill 2\noom_group_kill 0\n';

describe('out-of-memory kills are counted', () => {
  test('with version 2, in a container that sees its own cgroup as the root', () => {
    expect(countOomKills(reader({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.events': V2 }))).toBe(2);
  });

  test('with version 1, mounted for the container alone', () => {
    const files = {
      '/proc/self/cgroup': '5:memory:/docker/abc\n1:name=systemd:/docker/abc\n0::/docker/abc\n',
      '/sys/fs/cgroup/memory/memory.oom_control': V1,
    };
    expect(countOomKills(reader(files))).toBe(3);
  });

  test('in the process’s own cgroup, if the cgroups of the whole machine are visible, as with Apptainer', () => {
    const one = {
      '/proc/self/cgroup': '4:cpu,memory:/slurm/job_7\n0::/unified\n',
      '/sys/fs/cgroup/memory/memory.oom_control': 'oom_kill 99\n',
      '/sys/fs/cgroup/memory/slurm/job_7/memory.oom_control': V1,
    };
    const two = {
      '/proc/self/cgroup': '0::/system.slice/job_7\n',
      '/sys/fs/cgroup/system.slice/job_7/memory.events': V2,
    };
    expect([countOomKills(reader(one)), countOomKills(reader(two))]).toEqual([3, 2]);
  });

  test('not at all, if the kernel has no counter or there is no /proc', () => {
    const old = { '/proc/self/cgroup': '5:memory:/\n', '/sys/fs/cgroup/memory/memory.oom_control': 'under_oom 0\n' };
    expect([countOomKills(reader(old)), countOomKills(reader({}))]).toEqual([null, null]);
    expect(oomFiles('')).toHaveLength(2);
  });
});
