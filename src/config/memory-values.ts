// The fields that limit the memory of a service: watched by the supervisor (`max_memory`), or enforced by the kernel (`memory_limit`).
// Reads no memory, and creates no cgroup.
import { defaulted, field } from './field.ts';
import { OTHER_EXCESSES } from './other-systems.ts';
import { flag, size, wordOf } from './shape.ts';

/** The fields of a service. */
export const MEMORY = {
  max_memory: field(
    size(),
    'private memory of all its processes together, above which `on_exceed` applies: `8GiB`; read every five seconds, and again a second after a reading above it; two in a row count',
    'not watched',
  ),
  on_exceed: defaulted(
    wordOf(['restart', 'fail', 'warn'], OTHER_EXCESSES),
    'above `max_memory`: `restart` it whatever its policy, let the run `fail` with code 137, after which its `restart` policy decides, or `warn`',
    'restart',
  ),
  memory_limit: field(
    size(),
    'the most memory that the kernel lets it use, by a cgroup of its own; where no cgroup can be made, svc-super watches the memory instead, and the run fails above the limit',
    'that of the container',
  ),
  oom_group: defaulted(
    flag(),
    'whether the kernel ends all its processes when it exceeds `memory_limit`, and not the largest one only (cgroups v2)',
    true,
  ),
} as const;
