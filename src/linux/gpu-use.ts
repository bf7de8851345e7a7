// Reads the load and the memory in use of each GPU of the container, for the dashboard, `top` and the API. Queries the driver
// through gpu-driver.ts. No decision of the supervisor depends on these values. Loaded at the first request.
import { dirname, join } from '../paths.ts';
import type { GpuUse, GpuUses } from '../plan/gpu-reading.ts';
import { type DriverParts, GpuDriver } from './gpu-driver.ts';
import { findSmi, parseSmi } from './gpu-memory.ts';
import { readInventory } from './gpus.ts';
import { findAmdGpus } from './gpus-amd.ts';

interface UseParts extends DriverParts {
  /** The folder that contains `/dev`, `/proc` and `/sys`; default `/`. */
  readonly root?: string;
}

/** Time limit of one query, milliseconds. */
const LIMIT = 5_000;
const QUERY = ['--query-gpu=index,uuid,memory.used,memory.total,utilization.gpu', '--format=csv,noheader,nounits'];

/** Returns the function that reads all GPUs of the container. It never rejects, and queries no driver if there is no device. */
export function gpuUseReader(parts: UseParts): () => Promise<GpuUses> {
  const { root = '/', environment } = parts;
  const driver = new GpuDriver(parts, LIMIT);
  return () => {
    const { vendor, devices } = readInventory(root);
    if (vendor === null) return Promise.resolve({ devices: [], why: null });
    const names = devices.map(({ name }) => name);
    return vendor === 'amd' ? readAmd(driver, root) : readNvidia(driver, findSmi(environment.PATH ?? '', root), names);
  };
}

async function readNvidia(driver: GpuDriver, program: string | null, names: readonly string[]): Promise<GpuUses> {
  if (program === null) {
    return {
      devices: [],
      why: 'there is no nvidia-smi (it comes with NVIDIA_DRIVER_CAPABILITIES=compute,utility)',
    };
  }
  const result = await driver.query([program, ...QUERY], new AbortController().signal);
  if (result === null) return { devices: [], why: `nvidia-smi did not answer within ${LIMIT / 1_000} s` };
  if (result.failure !== null) return { devices: [], why: result.failure };
  const devices = parseUse(result.stdout, names);
  const why = devices.length === 0 ? result.stdout.trim().split('\n')[0] || `exit code ${result.code}` : null;
  return { devices, why };
}

/** Parses lines such as `0, GPU-8932f937-…, 1234, 81559, 97` (MiB, percent). Skips other lines. `names`: by GPU index. Pure. */
export function parseUse(text: string, names: readonly string[]): readonly GpuUse[] {
  return text.split('\n').flatMap((line): GpuUse[] => {
    const [row] = parseSmi(line);
    if (row === undefined) return [];
    const use = line.split(',')[4]?.trim() ?? '';
    return [
      {
        index: row.index,
        id: row.uuid === '' ? String(row.index) : row.uuid,
        name: names[row.index] ?? 'NVIDIA GPU',
        use_percent: /^\d+$/.test(use) ? Number(use) : null,
        memory_used_bytes: row.used,
        memory_total_bytes: row.total,
      },
    ];
  });
}

async function readAmd(driver: GpuDriver, root: string): Promise<GpuUses> {
  const { devices } = findAmdGpus(root);
  const files = devices.flatMap(({ memory: [used, total] }) => [used, total, join(dirname(used), 'gpu_busy_percent')]);
  // Reading these files queries the device, which can hang. `tail -v` names each file, so that a missing one shifts no value.
  const result = await driver.query(['tail', '-v', '-n', '1', ...files], new AbortController().signal);
  if (result === null) return { devices: [], why: `the driver did not answer within ${LIMIT / 1_000} s` };
  if (result.failure !== null) return { devices: [], why: result.failure };
  const values = new Map(
    [...result.stdout.matchAll(/^==> (.*) <==\n(\d+)$/gm)].map(([, file, value]) => [file, value]),
  );
  const numberIn = (file: string | undefined) => {
    const value = file === undefined ? undefined : values.get(file);
    return value === undefined ? null : Number(value);
  };
  return {
    devices: devices.map(({ uuid, name }, index) => ({
      index,
      id: uuid ?? String(index),
      name,
      use_percent: numberIn(files[index * 3 + 2]),
      memory_used_bytes: numberIn(files[index * 3]),
      memory_total_bytes: numberIn(files[index * 3 + 1]),
    })),
    why: null,
  };
}
