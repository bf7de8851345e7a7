// Checks the GPUs of a plan: whether the driver answers, and whether each device has the memory that `min_free` demands.
// `check --runtime` shows all findings; `up` refuses a start that cannot succeed.
import { EXIT_CODE } from '../linux/exit-codes.ts';
import type { GpuReader } from '../linux/gpu-memory.ts';
import type { GpuReading } from '../plan/gpu-reading.ts';
import type { GpuPlan, Plan, ServicePlan } from '../plan/plan.ts';
import type { PreflightFinding } from './finding.ts';

type GpuService = ServicePlan & { readonly gpus: GpuPlan };

/** The enabled services that have a GPU. */
export function gpuServices(plan: Plan): readonly GpuService[] {
  return plan.services.filter(
    (service): service is GpuService => service.enabled && service.gpus !== null && service.gpus.devices.length > 0,
  );
}

/** Reads all devices of these services with one query of the driver. */
function readAll(
  services: readonly GpuService[],
  readGpus: GpuReader,
  what: { readonly holders: boolean },
  abort = new AbortController().signal,
): Promise<GpuReading> {
  const [{ gpus: first } = { gpus: null }] = services;
  if (first === null) return Promise.resolve({ kind: 'memory', devices: [], holders: [] });
  return readGpus({ ...first, devices: allDevices(services) }, what, abort);
}

function allDevices(services: readonly GpuService[]): GpuPlan['devices'] {
  const devices = new Map(services.flatMap(({ gpus }) => gpus.devices.map((device) => [device.id, device] as const)));
  return [...devices.values()];
}

/** The state of the driver, and whether each service has the memory that `min_free` demands. */
export async function checkMemory(services: readonly GpuService[], readGpus: GpuReader): Promise<PreflightFinding[]> {
  const reading = await readAll(services, readGpus, { holders: true });
  if (reading.kind === 'lost') {
    const help =
      'restart the container, because a restart of the service does not help; then check the host (nvidia-smi, dmesg)';
    return [
      { service: null, check: 'driver', verdict: 'wrong', text: `the driver does not answer: ${reading.why}`, help },
    ];
  }
  const demanding = services.filter(({ gpus }) => gpus.minFree !== null);
  if (reading.kind === 'unreadable') {
    const text = `memory of the GPUs cannot be read: ${reading.why}`;
    const help = demanding.length === 0 ? {} : { help: '`min_free` is not checked, and no run waits for memory' };
    return [{ service: null, check: 'driver', verdict: 'doubtful', text, ...help }];
  }
  const devices = allDevices(services);
  const shown = reading.devices.map(({ used, total }, at) => {
    return `GPU ${devices[at]?.id} has ${toGib(total - used)} of ${toGib(total)} free`;
  });
  const driver: PreflightFinding = {
    service: null,
    check: 'driver',
    verdict: 'ok',
    text: `the driver answers: ${shown.join(', ')}`,
  };
  return [driver, ...demanding.map((service) => judgeMemory(service, devices, reading))];
}

function judgeMemory({ name, gpus }: GpuService, devices: GpuPlan['devices'], reading: GpuReading): PreflightFinding {
  const minFree = gpus.minFree ?? 0;
  const short = gpus.devices.flatMap(({ id }) => {
    const at = devices.findIndex((device) => device.id === id);
    const memory = reading.kind === 'memory' ? reading.devices[at] : undefined;
    return memory === undefined || memory.total - memory.used >= minFree ? [] : [{ id, ...memory }];
  });
  const [first] = short;
  if (first === undefined) {
    return { service: name, check: 'memory', verdict: 'ok', text: `${toGib(minFree)} are free on each of its GPUs` };
  }
  const free = `GPU ${first.id} has ${toGib(first.total - first.used)} of ${toGib(first.total)} free`;
  const text = `needs ${toGib(minFree)} (\`min_free\`), but ${free}`;
  const holders = reading.kind === 'memory' ? reading.holders : [];
  const named = holders.slice(0, 5).map(({ pid, name: program }) => `pid ${pid} (${program})`);
  const help =
    first.total < minFree
      ? 'it needs a larger GPU'
      : named.length === 0
        ? 'no process of this container has it open: check other containers and the host'
        : `open in ${named.join(', ')}`;
  return { service: name, check: 'memory', verdict: 'wrong', text, help };
}

/** `130.2 GiB`. */
function toGib(bytes: number): string {
  const gib = bytes / 1024 ** 3;
  return gib >= 1 ? `${Number(gib.toFixed(1))} GiB` : `${Math.round(bytes / 1024 ** 2)} MiB`;
}

/** Why a start is refused, and the exit code. */
interface StartRefusal {
  readonly text: string;
  readonly code: number;
}

/**
 * Refuses a start if the driver does not answer, or if a device is smaller than `min_free`; null: the start is possible.
 * Memory that is in use now may become free: each run waits for that (core/memory-wait.ts).
 */
export async function refuseGpus(plan: Plan, readGpus: GpuReader, abort: AbortSignal): Promise<StartRefusal | null> {
  const services = gpuServices(plan);
  const reading = await readAll(services, readGpus, { holders: false }, abort);
  if (reading.kind === 'unreadable') return null;
  if (reading.kind === 'lost') {
    // `on_lost: restart` applies to this start too.
    if (services.every(({ gpus }) => gpus.onLost === 'restart')) return null;
    const why = 'restart the container, because a restart of the service does not help';
    return { text: `the GPU driver does not answer (${reading.why}): ${why}`, code: EXIT_CODE.temporary };
  }
  const devices = allDevices(services);
  for (const { name, gpus } of services) {
    for (const { id } of gpus.devices) {
      const { total } = reading.devices[devices.findIndex((device) => device.id === id)] ?? { total: Infinity };
      if (gpus.minFree === null || total >= gpus.minFree) continue;
      const text = `${name} needs ${toGib(gpus.minFree)} (\`min_free\`), and GPU ${id} has ${toGib(total)} in all`;
      return { text, code: EXIT_CODE.config };
    }
  }
  return null;
}
