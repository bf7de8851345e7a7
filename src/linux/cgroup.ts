// What the container's cgroup says of memory: how often the kernel has killed for want of it. Reads both versions.
import { readText } from './files.ts';

const FILES = ['/sys/fs/cgroup/memory.events', '/sys/fs/cgroup/memory/memory.oom_control'];

/** Processes of this cgroup that the kernel's OOM killer has ended so far; null where nothing tells. */
export function countOomKills(): number | null {
  for (const file of FILES) {
    try {
      const count = /^oom_kill (\d+)/m.exec(readText(file))?.[1];
      if (count !== undefined) return Number(count);
    } catch {
      // The other version, or none.
    }
  }
  return null;
}
