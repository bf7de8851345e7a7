// The memory of a service: watched by the supervisor, or limited by the kernel where a cgroup can be made. Makes no cgroup itself.
import type { ServiceConfig } from '../config/config.ts';
import { renderSize } from '../text.ts';
import type { MemoryWatchPlan } from './plan.ts';
import type { Problems } from './problems.ts';
import type { MemoryLimit } from './process.ts';

export interface MemoryPlan {
  readonly watch: MemoryWatchPlan | null;
  readonly limit: MemoryLimit | null;
}

/** `limitMemory` returns why the kernel cannot limit the memory of a service; null: it can. Without it, it can. */
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
  const message = `the kernel cannot limit the memory of \`${key}\`: ${why}. It is watched instead: above ${renderSize(memory_limit)} its run fails`;
  const suggestion =
    'give the container a cgroup that it may write (`podman run --systemd=always`, a privileged container), or write `max_memory`';
  problems.warn(['services', name, 'memory_limit'], 'no-cgroup', message, { suggestion });
  return { watch: watch ?? { field: 'memory_limit', max: memory_limit, onExceed: 'fail' }, limit: null };
}
