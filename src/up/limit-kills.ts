// Reports that the kernel has killed processes of a service because of its `memory_limit`, when its main process or a hook has ended by
// SIGKILL too. Reads the counter of the service's cgroup; decides nothing.
import type { Plan } from '../plan/plan.ts';
import type { Exit, ProcessSpec } from '../plan/process.ts';
import { renderSize } from '../text.ts';
import type { Announce } from './announcer.ts';

/** How often the kernel has killed processes of a service because of its limit (`countLimitKills`). */
type CountKills = (service: string) => number;

/**
 * Returns a function to call when a main process or a hook has ended. `plan`: the services whose cgroups an earlier supervisor
 * may have made. Kills from before this supervisor are not reported, so that no later SIGKILL is blamed on them.
 */
export function makeLimitReporter(
  announce: Announce,
  countKills: CountKills,
  plan: Pick<Plan, 'services'>,
): (spec: ProcessSpec, exit: Exit) => void {
  const limited = plan.services.filter(({ attributes }) => attributes.memory !== null);
  const seen = new Map(limited.map(({ name }) => [name, countKills(name)]));
  return ({ attributes: { memory } }, exit) => {
    if (memory === null) return;
    const { group, bytes } = memory;
    const before = seen.get(group) ?? 0;
    const kills = countKills(group);
    // Noted after every exit: the kill of a child in this run must not explain a SIGKILL in a later one.
    seen.set(group, kills);
    if (kills <= before || exit.kind !== 'signal' || exit.signal !== 'SIGKILL') return;
    const text = `used more than memory_limit (${renderSize(bytes)}): the kernel has ended it`;
    announce({ level: 'error', service: group, event: 'memory-limit', text });
  };
}
