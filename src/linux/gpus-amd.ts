// Finds AMD's GPUs in the files of the kernel's compute driver (KFD) in /sys, in the order of ROCm. Reads only values that the
// kernel has in memory; gpu-memory.ts reads the memory in use, for which the kernel queries the device.
import { join } from '../paths.ts';
import { type DeviceFile, listNames, mayOpen, readFile } from './device-files.ts';

interface AmdGpu extends DeviceFile {
  /** The files with the number of bytes in use, and in total. */
  readonly memory: readonly [used: string, total: string];
}

/**
 * The devices that this process is permitted to open. `forbidden`: how many others exist in the container. `driver`: whether the
 * machine has GPUs, even if the container has none.
 */
export function findAmdGpus(root: string): {
  readonly devices: readonly AmdGpu[];
  readonly forbidden: number;
  readonly driver: boolean;
} {
  const folder = join(root, 'sys/class/kfd/kfd/topology/nodes');
  const nodes = listNames(folder)
    .filter((name) => /^\d+$/.test(name))
    .sort((a, b) => Number(a) - Number(b));
  const listed = nodes.flatMap((node): AmdGpu[] => {
    const properties = readFile(join(folder, node, 'properties')) ?? '';
    const value = (name: string) => new RegExp(`^${name} (\\d+)$`, 'm').exec(properties)?.[1] ?? '0';
    // A node without SIMD units is a CPU.
    if (value('simd_count') === '0' || (readFile(join(folder, node, 'gpu_id')) ?? '0').trim() === '0') return [];
    const render = `renderD${value('drm_render_minor')}`;
    const device = join(root, 'sys/class/drm', render, 'device');
    const unique = BigInt(value('unique_id'));
    return [
      {
        path: join(root, 'dev/dri', render),
        uuid: unique === 0n ? null : `GPU-${unique.toString(16).padStart(16, '0')}`,
        name: toArchitecture(Number(value('gfx_target_version'))),
        memory: [join(device, 'mem_info_vram_used'), join(device, 'mem_info_vram_total')],
      },
    ];
  });
  const hasDriver = mayOpen(join(root, 'dev/kfd'));
  const devices = hasDriver ? listed.filter(({ path }) => mayOpen(path)) : [];
  // The kernel lists all devices of the machine: a device without a file was not given to the container.
  const files = listNames(join(root, 'dev/dri'));
  const hasFile = ({ path }: AmdGpu) => files.includes(path.slice(path.lastIndexOf('/') + 1));
  const forbidden = listed.filter((one) => hasFile(one) && !devices.includes(one)).length;
  return {
    devices,
    forbidden: listNames(join(root, 'dev')).includes('kfd') ? forbidden : 0,
    driver: listed.length > 0,
  };
}

/** 90402 is gfx942, 90010 gfx90a, 110000 gfx1100: major, minor and step, of which the last two are hexadecimal in the name. */
function toArchitecture(version: number): string {
  if (version === 0) return 'AMD GPU';
  const [major, minor, step] = [Math.floor(version / 10_000), Math.floor(version / 100) % 100, version % 100];
  return `gfx${major}${minor.toString(16)}${step.toString(16)}`;
}
