// Reports that the kernel has ended processes of a service because of its `memory_limit`. Reads the counter of its cgroup when its
// main process has been killed.
import type { Exit, ProcessSpec } from '../plan/process.ts';
import { renderSize } from '../text.ts';
import type { Announce } from './announcer.ts';

/** `owner`: that of the cgroups of this supervisor. Call the result when a main process has ended. */
export function makeLimitReporter(announce: Announce, owner: () => string): (spec: ProcessSpec, exit: Exit) => void {
  const seen = new Map<string, number>();
  return ({ attributes: { memory } }, exit) => {
    if (memory === null || exit.kind !== 'signal' || exit.signal !== 'SIGKILL') return;
    const { countLimitKills } = require('../linux/memory-cgroup.ts') as typeof import('../linux/memory-cgroup.ts');
    const { group, bytes } = memory;
    const kills = countLimitKills(group, owner());
    if (kills <= (seen.get(group) ?? 0)) return;
    seen.set(group, kills);
    const text = `used more than memory_limit (${renderSize(bytes)}): the kernel has ended it`;
    announce({ level: 'error', service: group, event: 'memory-limit', text });
  };
}
