// Plans how the memory of a service is limited: the supervisor watches it (`max_memory`), or the kernel enforces a limit of its
// cgroup (`memory_limit`). Makes no cgroup and reads no memory.
import type { ServiceConfig } from '../config/config.ts';
import { renderSize } from '../text.ts';
import type { MemoryWatchPlan } from './plan.ts';
import type { Problems } from './problems.ts';
import type { MemoryLimit } from './process.ts';

/** null: not watched, not limited. */
export interface MemoryPlan {
  readonly watch: MemoryWatchPlan | null;
  readonly limit: MemoryLimit | null;
}

/** `limitMemory` returns why the kernel cannot limit the memory of services here; null: it can. */
export function toMemory(
  { name, key, max_memory, on_exceed, memory_limit, oom_group }: ServiceConfig,
  limitMemory: () => string | null,
  problems: Problems,
): MemoryPlan {
  const watch = max_memory === null ? null : ({ field: 'max_memory', max: max_memory, onExceed: on_exceed } as const);
  if (memory_limit === null) return { watch, limit: null };
  const why = limitMemory();
  if (why === null) return { watch, limit: { bytes: memory_limit, oomGroup: oom_group, group: name } };
  // A limit that nothing enforces would let one service take the memory of the others.
  const instead =
    watch === null
      ? `svc-super watches it instead: a run that uses more than ${renderSize(memory_limit)} fails`
      : `Only \`max_memory\` applies, with \`on_exceed: ${on_exceed}\``;
  const message = `the kernel cannot limit the memory of \`${key}\`: ${why}. ${instead}`;
  const cgroup =
    'give the container a cgroup that it may write (`podman run --systemd=always`, a privileged container)';
  const suggestion = `${cgroup}, or ${watch === null ? 'write `max_memory`' : 'remove `memory_limit`'}`;
  problems.warn(['services', name, 'memory_limit'], 'no-cgroup', message, { suggestion });
  return { watch: watch ?? { field: 'memory_limit', max: memory_limit, onExceed: 'fail' }, limit: null };
}
