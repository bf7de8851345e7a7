// Which GPUs are here: the device files that may be opened, and what the kernel tells of them. Asks no driver and opens no
// device: either can hang, and this runs in PID 1 before anything else. Loaded only where a service has `gpus`.
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { join } from '../paths.ts';
import type { FoundGpu, Inventory } from '../plan/gpu-inventory.ts';
import { findAmdGpus } from './gpus-amd.ts';

/** A device and the file through which programs reach it. */
export interface DeviceFile extends FoundGpu {
  readonly path: string;
}

/** `root` is where `/dev`, `/proc` and `/sys` are. */
export function readInventory(root = '/'): Inventory {
  const nvidia = findNvidiaGpus(root);
  const amd = nvidia.devices.length > 0 ? { devices: [], forbidden: 0, driver: false } : findAmdGpus(root);
  const vendor = nvidia.devices.length > 0 ? 'nvidia' : amd.devices.length > 0 ? 'amd' : null;
  return {
    vendor,
    devices: [...nvidia.devices, ...amd.devices].map(({ uuid, name }) => ({ uuid, name })),
    driver: nvidia.driver ? 'nvidia' : amd.driver ? 'amd' : null,
    forbidden: vendor === null ? nvidia.forbidden + amd.forbidden : nvidia.forbidden,
  };
}

/** NVIDIA's devices in the order of nvidia-smi, which is that of the bus. */
export function findNvidiaGpus(root: string): {
  readonly devices: readonly DeviceFile[];
  readonly forbidden: number;
  readonly driver: boolean;
} {
  const known = readKernelList(root);
  const files = listDevices(join(root, 'dev')).flatMap((name) => /^nvidia(\d+)$/.exec(name)?.[1] ?? []);
  const there = files.map((minor) => {
    const told = known.find((one) => one.minor === Number(minor));
    const path = join(root, 'dev', `nvidia${minor}`);
    return { path, uuid: told?.uuid ?? null, name: told?.name ?? 'NVIDIA GPU', bus: told?.bus ?? '', minor };
  });
  // Where the kernel tells nothing (gVisor), the number of the file is as near to the order of the bus as one can come.
  there.sort((a, b) => a.bus.localeCompare(b.bus) || Number(a.minor) - Number(b.minor));
  const open = there.filter(({ path }) => mayOpen(path));
  // WSL 2 has one file for all GPUs, Jetson one of another name: how many there are, only the driver could tell.
  const others = open.length > 0 ? [] : ['dxg', 'nvhost-gpu'].map((name) => join(root, 'dev', name)).filter(mayOpen);
  const single = others.slice(0, 1).map((path) => ({ path, uuid: null, name: 'NVIDIA GPU' }));
  return {
    devices: [...open.map(({ path, uuid, name }) => ({ path, uuid, name })), ...single],
    forbidden: there.length - open.length,
    // This one is the machine's, whatever the container was given.
    driver: listDevices(join(root, 'proc/driver/nvidia')).length > 0,
  };
}

/** /proc/driver/nvidia/gpus/<bus>/information. With CDI it lists all of the host's, whose files need not be here. */
function readKernelList(root: string) {
  const folder = join(root, 'proc/driver/nvidia/gpus');
  return listDevices(folder).map((bus) => {
    const text = read(join(folder, bus, 'information')) ?? '';
    const field = (name: string) => new RegExp(`^${name}:\\s*(.*\\S)`, 'm').exec(text)?.[1] ?? null;
    const uuid = field('GPU UUID');
    return {
      bus,
      minor: Number(field('Device Minor') ?? Number.NaN),
      // A driver that has not been awake yet shows question marks.
      uuid: uuid === null || uuid.includes('?') ? null : uuid,
      name: field('Model') ?? 'NVIDIA GPU',
    };
  });
}

/**
 * Whether a program could open it. access(2) asks the device cgroup too, which takes devices away from root as well
 * (devcgroup_inode_permission in the kernel), and unlike open(2) it does not wake the driver.
 */
export function mayOpen(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export function listDevices(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

export function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
