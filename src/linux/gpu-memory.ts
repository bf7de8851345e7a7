// Reads how much memory of a GPU is in use, and which processes have the GPU open. Queries the driver through gpu-driver.ts:
// with nvidia-smi; for AMD with `cat`, because reading /sys queries the device. The core decides what a lost driver means.
// Loaded only if a service has `gpus`.
import { readlinkSync } from 'node:fs';
import { join } from '../paths.ts';
import type { GpuReading, Holder } from '../plan/gpu-reading.ts';
import type { GpuDevice, GpuPlan } from '../plan/plan.ts';
import type { Captured } from './capture.ts';
import { listNames, readFile } from './device-files.ts';
import { mayExecute } from './files.ts';
import { type DriverParts, GpuDriver } from './gpu-driver.ts';
import { findNvidiaGpus } from './gpus.ts';
import { findAmdGpus } from './gpus-amd.ts';
import { lastLineOf, linesOf } from './lines.ts';

interface GpuReaderParts extends DriverParts {
  /** The service that each process belongs to, as far as known. */
  owners?(): ReadonlyMap<number, string>;
  /** Where `/dev`, `/proc` and `/sys` are. */
  readonly root?: string;
  /** Time limit of one query of the driver, milliseconds. */
  readonly limit?: number;
}

/** Reads once. The result is meaningless after an abort. */
export type GpuReader = (plan: GpuPlan, how: { readonly holders: boolean }, abort: AbortSignal) => Promise<GpuReading>;

/** Milliseconds. On a machine with eight GPUs, a driver that was not in use needs some seconds. */
const LIMIT = 10_000;
const MIB = 1024 * 1024;
/** Folders of nvidia-smi outside PATH: of the container runtime, of older plugins of Kubernetes, of WSL 2. */
const SMI_FOLDERS = ['/usr/bin', '/usr/local/nvidia/bin', '/usr/local/bin', '/usr/lib/wsl/lib'];

export function gpuReader(parts: GpuReaderParts): GpuReader {
  const { root = '/', limit = LIMIT } = parts;
  const driver = new GpuDriver(parts, limit);
  const path = parts.environment.PATH ?? '';
  return async (plan, { holders }, abort) => {
    const { devices, vendor } = plan;
    if (devices.length === 0) return { kind: 'memory', devices: [], holders: [] };
    const reading =
      vendor === 'amd'
        ? await queryAmd(driver, devices, root, abort)
        : await queryNvidia(driver, devices, path, root, abort);
    if (reading.kind !== 'memory' || !holders) return reading;
    return { ...reading, holders: findHolders(plan, root, parts.owners?.() ?? new Map()) };
  };
}

async function queryNvidia(
  driver: GpuDriver,
  devices: readonly GpuDevice[],
  path: string,
  root: string,
  abort: AbortSignal,
): Promise<GpuReading> {
  if (devices.some(({ index, id }) => index === null && !id.startsWith('GPU-'))) {
    return { kind: 'unreadable', why: 'nvidia-smi does not report the memory of a MIG slice' };
  }
  const program = findSmi(path, root);
  if (program === null) {
    const why = 'there is no nvidia-smi (it comes with NVIDIA_DRIVER_CAPABILITIES=compute,utility)';
    return { kind: 'unreadable', why };
  }
  const query = ['--query-gpu=index,uuid,memory.used,memory.total', '--format=csv,noheader,nounits'];
  const result = await driver.query([program, ...query], abort);
  if (result === null) return timedOut('nvidia-smi', driver);
  if (result.failure !== null) return { kind: 'unreadable', why: result.failure };
  return interpretSmi(result, devices);
}

async function queryAmd(
  driver: GpuDriver,
  devices: readonly GpuDevice[],
  root: string,
  abort: AbortSignal,
): Promise<GpuReading> {
  if (devices.some(({ index }) => index === null))
    return { kind: 'unreadable', why: 'the kernel does not report the UUIDs of its GPUs' };
  const found = findAmdGpus(root).devices;
  const files = devices.flatMap(({ index }) => (index === null ? [] : (found[index]?.memory ?? [])));
  if (files.length !== devices.length * 2) return { kind: 'lost', why: 'a GPU has disappeared from /sys/class/kfd' };
  const result = await driver.query(['cat', ...files], abort);
  if (result === null) return timedOut('the driver', driver);
  if (result.failure !== null) return { kind: 'unreadable', why: result.failure };
  const isMissing = /No such file|Permission denied/.test(result.stderr);
  if (result.code !== 0) return { kind: isMissing ? 'unreadable' : 'lost', why: lastLineOf(result.stderr) };
  const numbers = result.stdout.trim().split(/\s+/).map(Number);
  const memory = devices.map((_, at) => ({ used: numbers[at * 2] ?? Number.NaN, total: numbers[at * 2 + 1] ?? 0 }));
  if (memory.some(({ used, total }) => !Number.isFinite(used) || !(total > 0))) {
    return { kind: 'unreadable', why: 'the kernel does not report its memory' };
  }
  return { kind: 'memory', devices: memory, holders: [] };
}

function timedOut(program: string, { limit }: GpuDriver): GpuReading {
  return { kind: 'lost', why: `${program} did not answer within ${limit / 1_000} s` };
}

interface SmiRow {
  readonly index: number;
  readonly uuid: string;
  /** Bytes; null if nvidia-smi does not report it. */
  readonly used: number | null;
  readonly total: number | null;
}

/** Parses lines such as `0, GPU-8932f937-…, 1234, 81559`. A value that is not known is `[N/A]` or similar. Pure. */
export function parseSmi(text: string): readonly SmiRow[] {
  return text.split('\n').flatMap((line): SmiRow[] => {
    const [index = '', uuid = '', used = '', total = ''] = line.split(',').map((field) => field.trim());
    const bytes = (field: string) => (/^\d+$/.test(field) ? Number(field) * MIB : null);
    return /^\d+$/.test(index) ? [{ index: Number(index), uuid, used: bytes(used), total: bytes(total) }] : [];
  });
}

/** Exit codes for a query that is refused, whatever the state of the driver: invalid argument, no permission, old library. */
const REFUSED = new Set([2, 4, 13]);
/** The exit code for a warning about the infoROM; the output is the same as with exit code 0. */
const WARNED = 14;

/**
 * Interprets a result of nvidia-smi. The exit code may be about another device, or only a warning ("infoROM is corrupted",
 * https://github.com/pytorch/pytorch/issues/87464): the driver works if the output has the memory of all our devices. On the
 * other hand, the exit code may be 0 although the output is only an error message.
 */
function interpretSmi({ code, stdout, stderr }: Captured, devices: readonly GpuDevice[]): GpuReading {
  const rows = parseSmi(stdout);
  const reading = toReading(rows, devices);
  const message = messageOf(stdout, stderr);
  if (code === 0 && rows.length > 0) return reading;
  if (code === WARNED && rows.length > 0 && reading.kind !== 'memory') return reading;
  if (reading.kind === 'memory') return { ...reading, warning: message ?? `nvidia-smi ended with exit code ${code}` };
  if (code === 0) return { kind: 'lost', why: message ?? 'nvidia-smi lists no GPU' };
  // If only the library is missing, the state of the driver is not known.
  const isLibraryMissing = /libnvidia-ml|shared libraries/.test(`${stdout}${stderr}`);
  return { kind: isLibraryMissing || REFUSED.has(code) ? 'unreadable' : 'lost', why: message ?? `exit code ${code}` };
}

/** The line of the output that names a failure, and otherwise the first line that is not about a device; null: none. */
function messageOf(stdout: string, stderr: string): string | null {
  const lines = [...linesOf(stdout), ...linesOf(stderr)].filter((line) => parseSmi(line).length === 0);
  return lines.find((line) => /^(?:Failed|Unable) to /.test(line)) ?? lines[0] ?? null;
}

function toReading(rows: readonly SmiRow[], devices: readonly GpuDevice[]): GpuReading {
  const memory: { readonly used: number; readonly total: number }[] = [];
  for (const { id, index } of devices) {
    const row = rows.find((one) => (index === null ? isNamed(one.uuid, id) : one.index === index));
    if (row === undefined) return { kind: 'lost', why: explainAbsence(id, index, rows) };
    const { used, total } = row;
    if (used === null || total === null) {
      return { kind: 'unreadable', why: `nvidia-smi does not report the memory of GPU ${id}` };
    }
    memory.push({ used, total });
  }
  return { kind: 'memory', devices: memory, holders: [] };
}

/** Whether `id` is the UUID or its beginning, as in CUDA_VISIBLE_DEVICES. */
function isNamed(uuid: string | null, id: string): boolean {
  return uuid?.toLowerCase().startsWith(id.toLowerCase()) === true;
}

function explainAbsence(id: string, index: number | null, rows: readonly SmiRow[]): string {
  // The GPU existed when the plan was made: it has fallen off the bus, or was removed from the container.
  if (index !== null) return `nvidia-smi does not list GPU ${id} any more`;
  // Without an index, the plan could not check the UUID: only the driver has the list of UUIDs.
  const shown = rows.slice(0, 4).map(({ uuid }) => uuid);
  const more = rows.length > shown.length ? ` and ${rows.length - shown.length} more` : '';
  return `there is no GPU ${id}: nvidia-smi lists ${shown.join(', ')}${more}`;
}

/**
 * Finds the processes that have one of the devices open. Ignores /dev/nvidia-uvm and /dev/kfd, which every process that uses
 * any GPU has open. Does not find processes whose descriptors we may not list. PIDs are those of our own PID namespace.
 */
function findHolders({ vendor, devices }: GpuPlan, root: string, owners: ReadonlyMap<number, string>): Holder[] {
  const found = vendor === 'amd' ? findAmdGpus(root).devices : findNvidiaGpus(root).devices;
  const files = new Set(
    devices
      .flatMap(
        ({ id, index }) => found.find((one, at) => (index === null ? isNamed(one.uuid, id) : at === index)) ?? [],
      )
      .map(({ path }) => `/${path.slice(root.length).replace(/^\/+/, '')}`),
  );
  const proc = join(root, 'proc');
  return listNames(proc).flatMap((entry): Holder[] => {
    if (!/^\d+$/.test(entry)) return [];
    const isOpen = listNames(join(proc, entry, 'fd')).some((fd) => files.has(target(join(proc, entry, 'fd', fd))));
    if (!isOpen) return [];
    const pid = Number(entry);
    const name = (readFile(join(proc, entry, 'comm')) ?? '?').trim();
    return [{ pid, name, service: owners.get(pid) ?? null }];
  });
}

function target(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

/** The path of nvidia-smi, from PATH or from SMI_FOLDERS; null if it does not exist. */
export function findSmi(path: string, root: string): string | null {
  const folders = [
    ...path.split(':').filter((folder) => folder.startsWith('/')),
    ...SMI_FOLDERS.map((folder) => join(root, folder)),
  ];
  return folders.map((folder) => join(folder, 'nvidia-smi')).find(mayExecute) ?? null;
}
