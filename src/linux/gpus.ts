// Finds the GPUs of this container: the device files that this container is permitted to open, and the kernel's information about them. Queries no
// driver and opens no device, because both can hang, and the configuration needs the result. Loaded only if a service has
// `gpus`.
import { join } from '../paths.ts';
import type { Inventory } from '../plan/gpu-inventory.ts';
import { type DeviceFile, listNames, mayOpen, readFile } from './device-files.ts';
import { findAmdGpus } from './gpus-amd.ts';

/** `root` is where `/dev`, `/proc` and `/sys` are. */
export function readInventory(root = '/'): Inventory {
  const nvidia = findNvidiaGpus(root);
  const amd = nvidia.devices.length > 0 ? { devices: [], forbidden: 0, driver: false } : findAmdGpus(root);
  const vendor = nvidia.devices.length > 0 ? 'nvidia' : amd.devices.length > 0 ? 'amd' : null;
  return {
    vendor,
    devices: [...nvidia.devices, ...amd.devices].map(({ uuid, name }) => ({ uuid, name })),
    driver: nvidia.driver ? 'nvidia' : amd.driver ? 'amd' : null,
    forbidden: nvidia.forbidden + amd.forbidden,
  };
}

/** NVIDIA's devices in the order of nvidia-smi: by bus address. `forbidden`: how many exist and may not be opened. */
export function findNvidiaGpus(root: string): {
  readonly devices: readonly DeviceFile[];
  readonly forbidden: number;
  readonly driver: boolean;
} {
  const known = readKernelList(root);
  const files = listNames(join(root, 'dev')).flatMap((name) => /^nvidia(\d+)$/.exec(name)?.[1] ?? []);
  const present = files.map((minor) => {
    const listed = known.find((one) => one.minor === Number(minor));
    const path = join(root, 'dev', `nvidia${minor}`);
    return { path, uuid: listed?.uuid ?? null, name: listed?.name ?? 'NVIDIA GPU', bus: listed?.bus ?? '', minor };
  });
  // Without a kernel list (gVisor), the number of the file is the best approximation of the order on the bus.
  present.sort((a, b) => a.bus.localeCompare(b.bus) || Number(a.minor) - Number(b.minor));
  const open = present.filter(({ path }) => mayOpen(path));
  // WSL 2 has one file for all GPUs, and Jetson a file with another name. Only the driver can report the number of GPUs.
  const others = open.length > 0 ? [] : ['dxg', 'nvhost-gpu'].map((name) => join(root, 'dev', name)).filter(mayOpen);
  const single = others.slice(0, 1).map((path) => ({ path, uuid: null, name: 'NVIDIA GPU' }));
  return {
    devices: [...open.map(({ path, uuid, name }) => ({ path, uuid, name })), ...single],
    forbidden: present.length - open.length,
    // The driver of the machine, even if the container has no device.
    driver: listNames(join(root, 'proc/driver/nvidia')).length > 0,
  };
}

/** Reads /proc/driver/nvidia/gpus/<bus>/information. With CDI it lists all GPUs of the host, not only the container's. */
function readKernelList(root: string) {
  const folder = join(root, 'proc/driver/nvidia/gpus');
  return listNames(folder).map((bus) => {
    const text = readFile(join(folder, bus, 'information')) ?? '';
    const field = (name: string) => new RegExp(`^${name}:\\s*(.*\\S)`, 'm').exec(text)?.[1] ?? null;
    const uuid = field('GPU UUID');
    return {
      bus,
      minor: Number(field('Device Minor') ?? Number.NaN),
      // Before the driver has initialized the GPU, the UUID consists of question marks.
      uuid: uuid === null || uuid.includes('?') ? null : uuid,
      name: field('Model') ?? 'NVIDIA GPU',
    };
  });
}
