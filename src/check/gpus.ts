// Checks the GPUs of a plan: whether the driver responds, and whether each device has the memory that `min_free` demands.
// `check --runtime` shows all findings; `up` refuses a start that cannot succeed. Changes nothing on a device.
import { EXIT_CODE } from '../linux/exit-codes.ts';
import type { GpuReader } from '../linux/gpu-memory.ts';
import type { GpuReading, Holder } from '../plan/gpu-reading.ts';
import type { GpuPlan, Plan, ServicePlan } from '../plan/plan.ts';
import type { PreflightFinding } from './finding.ts';

type GpuService = ServicePlan & { readonly gpus: GpuPlan };
type DeviceId = GpuPlan['devices'][number]['id'];
type MemoryReading = Extract<GpuReading, { readonly kind: 'memory' }>;

/** Bytes. */
type DeviceMemory = MemoryReading['devices'][number];

/** A reading of the devices of several services. */
type ServicesReading =
  | Exclude<GpuReading, MemoryReading>
  | {
      readonly kind: 'memory';
      /** By device, in the order in which the services name them. */
      readonly memory: ReadonlyMap<DeviceId, DeviceMemory>;
      readonly holders: readonly Holder[];
    };

const RESTART_CONTAINER = 'restart the container, because a restart of the service does not help';

/** The enabled services that have a GPU. */
export function gpuServices(plan: Plan): readonly GpuService[] {
  return plan.services.filter(
    (service): service is GpuService => service.enabled && service.gpus !== null && service.gpus.devices.length > 0,
  );
}

/** Reads all devices of these services with one query of the driver. */
async function readAll(
  services: readonly GpuService[],
  readGpus: GpuReader,
  how: { readonly holders: boolean },
  abort: AbortSignal,
): Promise<ServicesReading> {
  const [first] = services;
  if (first === undefined) return { kind: 'memory', memory: new Map(), holders: [] };
  const byId = new Map(services.flatMap(({ gpus }) => gpus.devices.map((device) => [device.id, device] as const)));
  const devices = [...byId.values()];
  const reading = await readGpus({ ...first.gpus, devices }, how, abort);
  if (reading.kind !== 'memory') return reading;
  const memory = devices.flatMap(({ id }, at) => {
    const found = reading.devices[at];
    return found === undefined ? [] : [[id, found] as const];
  });
  return { kind: 'memory', memory: new Map(memory), holders: reading.holders };
}

/** The state of the driver, and whether each service has the memory that `min_free` demands. */
export async function checkMemory(services: readonly GpuService[], readGpus: GpuReader): Promise<PreflightFinding[]> {
  const reading = await readAll(services, readGpus, { holders: true }, new AbortController().signal);
  const demanding = services.filter(({ gpus }) => gpus.minFree !== null);
  const driver = judgeDriver(reading, demanding.length > 0);
  if (reading.kind !== 'memory') return [driver];
  return [driver, ...demanding.map((service) => judgeMemory(service, reading.memory, reading.holders))];
}

/** `hasDemands`: a service has `min_free`. */
function judgeDriver(reading: ServicesReading, hasDemands: boolean): PreflightFinding {
  const about = { service: null, check: 'driver' } as const;
  switch (reading.kind) {
    case 'lost': {
      const help = `${RESTART_CONTAINER}; then check the host (nvidia-smi, dmesg)`;
      return { ...about, verdict: 'wrong', text: `the driver does not answer: ${reading.why}`, help };
    }
    case 'unreadable': {
      const text = `memory of the GPUs cannot be read: ${reading.why}`;
      const help = '`min_free` is not checked, and no run waits for memory';
      return { ...about, verdict: 'doubtful', text, ...(hasDemands && { help }) };
    }
    case 'memory': {
      const shown = [...reading.memory].map(([id, memory]) => describeFree(id, memory)).join(', ');
      return { ...about, verdict: 'ok', text: `the driver answers: ${shown}` };
    }
    default:
      return reading satisfies never;
  }
}

/** Whether each device of a service has the memory that `min_free` demands; otherwise names the first that lacks it. */
function judgeMemory(
  { name, gpus }: GpuService,
  memory: ReadonlyMap<DeviceId, DeviceMemory>,
  holders: readonly Holder[],
): PreflightFinding {
  const about = { service: name, check: 'memory' } as const;
  const minFree = gpus.minFree ?? 0;
  for (const { id } of gpus.devices) {
    const found = memory.get(id);
    if (found === undefined || found.total - found.used >= minFree) continue;
    const text = `needs ${renderMemory(minFree)} (\`min_free\`), but ${describeFree(id, found)}`;
    const help = found.total < minFree ? 'it needs a larger GPU' : describeHolders(holders);
    return { ...about, verdict: 'wrong', text, help };
  }
  return { ...about, verdict: 'ok', text: `${renderMemory(minFree)} are free on each of its GPUs` };
}

function describeFree(id: DeviceId, { used, total }: DeviceMemory): string {
  return `GPU ${id} has ${renderMemory(total - used)} of ${renderMemory(total)} free`;
}

function describeHolders(holders: readonly Holder[]): string {
  if (holders.length === 0) return 'no process of this container has it open: check other containers and the host';
  const named = holders.slice(0, 5).map(({ pid, name }) => `pid ${pid} (${name})`);
  return `open in ${named.join(', ')}`;
}

/** `130.2 GiB`, `24 GiB`: without `.0`, as people write `min_free`. */
function renderMemory(bytes: number): string {
  const gib = bytes / 1024 ** 3;
  return gib >= 1 ? `${Number(gib.toFixed(1))} GiB` : `${Math.round(bytes / 1024 ** 2)} MiB`;
}

/** Why a start is refused, and the exit code. */
interface StartRefusal {
  readonly text: string;
  readonly code: number;
}

/**
 * Refuses a start of these services if the driver does not respond, or if a device is smaller than `min_free`; null: it is possible.
 * Memory that is in use now may become free: each run waits for that (core/memory-wait.ts).
 */
export async function refuseGpus(
  services: readonly GpuService[],
  readGpus: GpuReader,
  abort: AbortSignal,
): Promise<StartRefusal | null> {
  const reading = await readAll(services, readGpus, { holders: false }, abort);
  if (reading.kind === 'unreadable') return null;
  if (reading.kind === 'lost') {
    // `on_lost: restart` applies to this start too.
    if (services.every(({ gpus }) => gpus.onLost === 'restart')) return null;
    const text = `the GPU driver does not answer (${reading.why}): ${RESTART_CONTAINER}`;
    return { text, code: EXIT_CODE.temporary };
  }
  for (const { name, gpus } of services) {
    for (const { id } of gpus.devices) {
      const total = reading.memory.get(id)?.total;
      if (total === undefined || gpus.minFree === null || total >= gpus.minFree) continue;
      const needs = `${name} needs ${renderMemory(gpus.minFree)} (\`min_free\`)`;
      return { text: `${needs}, and GPU ${id} has ${renderMemory(total)} in all`, code: EXIT_CODE.config };
    }
  }
  return null;
}
