// How much memory of a GPU is in use, and which processes have it open. Asks the driver through gpu-driver.ts: nvidia-smi,
// for AMD `cat`, since reading /sys asks the device. Decides nothing: what a lost driver means is the core's business.
// Loaded only where a service has `gpus`.
import { readlinkSync } from 'node:fs';
import { join } from '../paths.ts';
import type { GpuReading, Holder } from '../plan/gpu-reading.ts';
import type { GpuDevice, GpuPlan } from '../plan/plan.ts';
import type { Captured } from './capture.ts';
import { mayExecute } from './files.ts';
import { type DriverParts, GpuDriver } from './gpu-driver.ts';
import { findNvidiaGpus, listDevices, read } from './gpus.ts';
import { findAmdGpus } from './gpus-amd.ts';
import { lastLineOf, linesOf } from './lines.ts';

export interface GpuReaderParts extends DriverParts {
  /** The service that each process belongs to, as far as known. */
  owners?(): ReadonlyMap<number, string>;
  /** Where `/dev`, `/proc` and `/sys` are. */
  readonly root?: string;
  /** Time limit of one answer of the driver, milliseconds. */
  readonly limit?: number;
}

/** Reads once. The result is meaningless after an abort. */
export type GpuReader = (plan: GpuPlan, how: { readonly holders: boolean }, abort: AbortSignal) => Promise<GpuReading>;

/** A machine with eight GPUs whose driver sleeps between uses takes some seconds. */
const LIMIT = 10_000;
const MIB = 1024 * 1024;
/** Where it is when PATH does not say: mounted by the container runtime, by Kubernetes' older plugins, in WSL 2. */
const SMI_PLACES = ['/usr/bin', '/usr/local/nvidia/bin', '/usr/local/bin', '/usr/lib/wsl/lib'];

export function gpuReader(parts: GpuReaderParts): GpuReader {
  const { root = '/', limit = LIMIT } = parts;
  const driver = new GpuDriver(parts, limit);
  const path = parts.environment.PATH ?? '';
  return async (plan, { holders }, abort) => {
    const { devices, vendor } = plan;
    if (devices.length === 0) return { kind: 'memory', devices: [], holders: [] };
    const reading =
      vendor === 'amd'
        ? await askAmd(driver, devices, root, abort)
        : await askNvidia(driver, devices, path, root, abort);
    if (reading.kind !== 'memory' || !holders) return reading;
    return { ...reading, holders: findHolders(plan, root, parts.owners?.() ?? new Map()) };
  };
}

async function askNvidia(
  driver: GpuDriver,
  devices: readonly GpuDevice[],
  path: string,
  root: string,
  abort: AbortSignal,
): Promise<GpuReading> {
  if (devices.some(({ index, id }) => index === null && !id.startsWith('GPU-'))) {
    return { kind: 'unreadable', why: 'nvidia-smi does not tell the memory of a MIG slice' };
  }
  const program = findSmi(path, root);
  if (program === null) {
    const why = 'there is no nvidia-smi (it comes with NVIDIA_DRIVER_CAPABILITIES=compute,utility)';
    return { kind: 'unreadable', why };
  }
  const query = ['--query-gpu=index,uuid,memory.used,memory.total', '--format=csv,noheader,nounits'];
  const answer = await driver.ask([program, ...query], abort);
  if (answer === null) return noAnswer('nvidia-smi', driver);
  if (answer.failure !== null) return { kind: 'unreadable', why: answer.failure };
  return judgeSmi(answer, devices);
}

async function askAmd(
  driver: GpuDriver,
  devices: readonly GpuDevice[],
  root: string,
  abort: AbortSignal,
): Promise<GpuReading> {
  const found = findAmdGpus(root).devices;
  const files = devices.flatMap(({ index }) => (index === null ? [] : (found[index]?.memory ?? [])));
  if (files.length !== devices.length * 2) return { kind: 'lost', why: 'a device of it is gone from /sys/class/kfd' };
  const answer = await driver.ask(['cat', ...files], abort);
  if (answer === null) return noAnswer('the driver', driver);
  if (answer.failure !== null) return { kind: 'unreadable', why: answer.failure };
  const missing = /No such file|Permission denied/.test(answer.stderr);
  if (answer.code !== 0) return { kind: missing ? 'unreadable' : 'lost', why: lastLineOf(answer.stderr) };
  const numbers = answer.stdout.trim().split(/\s+/).map(Number);
  const memory = devices.map((_, at) => ({ used: numbers[at * 2] ?? Number.NaN, total: numbers[at * 2 + 1] ?? 0 }));
  if (memory.some(({ used, total }) => !Number.isFinite(used) || total === 0)) {
    return { kind: 'unreadable', why: 'the kernel shows no memory of it' };
  }
  return { kind: 'memory', devices: memory, holders: [] };
}

function noAnswer(who: string, { limit }: GpuDriver): GpuReading {
  return { kind: 'lost', why: `${who} did not answer within ${limit / 1_000} s` };
}

interface SmiRow {
  readonly index: number;
  readonly uuid: string;
  /** Bytes; null: it does not tell. */
  readonly used: number | null;
  readonly total: number | null;
}

/** `0, GPU-8932f937-…, 1234, 81559`, one device a line; `[N/A]` and the like where there is nothing to tell. Pure. */
export function parseSmi(text: string): readonly SmiRow[] {
  return text.split('\n').flatMap((line): SmiRow[] => {
    const [index = '', uuid = '', used = '', total = ''] = line.split(',').map((field) => field.trim());
    const bytes = (field: string) => (/^\d+$/.test(field) ? Number(field) * MIB : null);
    return /^\d+$/.test(index) ? [{ index: Number(index), uuid, used: bytes(used), total: bytes(total) }] : [];
  });
}

/** Exit codes by which it refuses the question, whatever the driver does: a wrong argument, no permission, too old for it. */
const REFUSED = new Set([2, 4, 13]);
/** It warns of the infoROM, and has answered like with 0. */
const WARNED = 14;

/**
 * What nvidia-smi's answer means. Its exit code may be that of another device, or of a mere warning ("infoROM is
 * corrupted", https://github.com/pytorch/pytorch/issues/87464): where it tells the memory of all of ours, the driver has
 * answered. The other way round it may end with 0 and say nothing but that it failed.
 */
function judgeSmi({ code, stdout, stderr }: Captured, devices: readonly GpuDevice[]): GpuReading {
  const rows = parseSmi(stdout);
  const reading = toReading(rows, devices);
  const said = wordsOf(stdout, stderr);
  if (code === 0 && rows.length > 0) return reading;
  if (code === WARNED && rows.length > 0 && reading.kind !== 'memory') return reading;
  if (reading.kind === 'memory') return { ...reading, warning: said ?? `nvidia-smi ended with exit code ${code}` };
  if (code === 0) return { kind: 'lost', why: said ?? 'nvidia-smi lists no GPU' };
  // The program is there and the library is not: that says nothing of the driver.
  const noLibrary = /libnvidia-ml|shared libraries/.test(`${stdout}${stderr}`);
  return { kind: noLibrary || REFUSED.has(code) ? 'unreadable' : 'lost', why: said ?? `exit code ${code}` };
}

/** What it says besides devices: the line that names a failure, not those that explain it; null: nothing. */
function wordsOf(stdout: string, stderr: string): string | null {
  const lines = [...linesOf(stdout), ...linesOf(stderr)].filter((line) => parseSmi(line).length === 0);
  return lines.find((line) => /^(?:Failed|Unable) to /.test(line)) ?? lines[0] ?? null;
}

function toReading(rows: readonly SmiRow[], devices: readonly GpuDevice[]): GpuReading {
  const memory: { readonly used: number; readonly total: number }[] = [];
  for (const { id, index } of devices) {
    const isMeant = ({ uuid }: SmiRow) => uuid.toLowerCase().startsWith(id.toLowerCase());
    const row = rows.find((one) => (index === null ? isMeant(one) : one.index === index));
    if (row === undefined) return { kind: 'lost', why: explainLack(id, index, rows) };
    const { used, total } = row;
    if (used === null || total === null) return { kind: 'unreadable', why: `nvidia-smi tells no memory of GPU ${id}` };
    memory.push({ used, total });
  }
  return { kind: 'memory', devices: memory, holders: [] };
}

function explainLack(id: string, index: number | null, rows: readonly SmiRow[]): string {
  // It was there when the plan was made: it has fallen off the bus, or was taken from the container.
  if (index !== null) return `nvidia-smi does not list GPU ${id} any more`;
  // Here nobody but the driver knows UUIDs: this one may never have been there.
  const shown = rows.slice(0, 4).map(({ uuid }) => uuid);
  const more = rows.length > shown.length ? ` and ${rows.length - shown.length} more` : '';
  return `there is no GPU ${id}: nvidia-smi lists ${shown.join(', ')}${more}`;
}

/**
 * Who has one of the devices open. Not /dev/nvidia-uvm or /dev/kfd: everybody who uses any device of the machine has those
 * open. Of processes whose descriptors may not be seen nothing is known; the numbers are those of our own PID namespace.
 */
function findHolders({ vendor, devices }: GpuPlan, root: string, owners: ReadonlyMap<number, string>): Holder[] {
  const found = vendor === 'amd' ? findAmdGpus(root).devices : findNvidiaGpus(root).devices;
  const files = new Set(
    devices
      .flatMap(({ id, index }) => found.find((one, at) => (index === null ? one.uuid === id : at === index)) ?? [])
      .map(({ path }) => `/${path.slice(root.length).replace(/^\/+/, '')}`),
  );
  const proc = join(root, 'proc');
  return listDevices(proc).flatMap((entry): Holder[] => {
    if (!/^\d+$/.test(entry)) return [];
    const open = listDevices(join(proc, entry, 'fd')).some((fd) => files.has(target(join(proc, entry, 'fd', fd))));
    if (!open) return [];
    const pid = Number(entry);
    const name = (read(join(proc, entry, 'comm')) ?? '?').trim();
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

/** On PATH, else where container runtimes put it; null: nowhere. */
function findSmi(path: string, root: string): string | null {
  const folders = [
    ...path.split(':').filter((folder) => folder.startsWith('/')),
    ...SMI_PLACES.map((one) => join(root, one)),
  ];
  return folders.map((folder) => join(folder, 'nvidia-smi')).find(mayExecute) ?? null;
}
