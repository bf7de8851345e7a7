// Checks whether /dev/shm is large enough, for `check --runtime`. Pure.
import type { SharedMemory } from '../linux/shared-memory.ts';
import type { PreflightFinding } from './finding.ts';

const MIB = 1024 ** 2;
/** vLLM's executor takes 160 MiB for two GPUs, PyTorch's data loaders more; Docker, Podman and Kubernetes give 64 MiB. */
const ENOUGH_FOR_GPUS = 1024 * MIB;

/** `usesGpus`: whether a service has a GPU. Such programs share tensors through /dev/shm. */
export function judgeSharedMemory(memory: SharedMemory | null, usesGpus: boolean): PreflightFinding {
  const base = { service: null, check: 'shared-memory' } as const;
  const help = 'start the container with `--shm-size=1g`; in Kubernetes mount an `emptyDir: {medium: Memory}` there';
  if (memory === null)
    return { ...base, verdict: usesGpus ? 'doubtful' : 'ok', text: 'there is no /dev/shm', ...(usesGpus && { help }) };
  const text = `/dev/shm has ${toMib(memory.free)} of ${toMib(memory.total)} free`;
  // Compares the total and not the free size: the advice is a total, `--shm-size=1g`, which is 1 GiB.
  const isShort = usesGpus && memory.total < ENOUGH_FOR_GPUS;
  return isShort
    ? { ...base, verdict: 'doubtful', text: `${text}, which is little for programs that use GPUs`, help }
    : { ...base, verdict: 'ok', text };
}

/** `64 MiB`, `1.5 GiB`. */
function toMib(bytes: number): string {
  const gib = bytes / (1024 * MIB);
  return gib >= 1 ? `${Number(gib.toFixed(1))} GiB` : `${Math.floor(bytes / MIB)} MiB`;
}
