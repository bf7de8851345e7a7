// AMD's GPUs by what the kernel's driver for computing (KFD) shows in /sys: their order is that of ROCm. Reads only what
// the kernel keeps in memory; the memory that is in use is asked of the device, and so elsewhere (gpu-memory.ts).
import { join } from '../paths.ts';
import { type DeviceFile, listDevices, mayOpen, read } from './gpus.ts';

export interface AmdGpu extends DeviceFile {
  /** The two files that hold the bytes used and the bytes there are. */
  readonly memory: readonly [used: string, total: string];
}

export function findAmdGpus(root: string): {
  readonly devices: readonly AmdGpu[];
  readonly forbidden: number;
  readonly driver: boolean;
} {
  const folder = join(root, 'sys/class/kfd/kfd/topology/nodes');
  const nodes = listDevices(folder)
    .filter((name) => /^\d+$/.test(name))
    .sort((a, b) => Number(a) - Number(b));
  const there = nodes.flatMap((node): AmdGpu[] => {
    const properties = read(join(folder, node, 'properties')) ?? '';
    const value = (name: string) => new RegExp(`^${name} (\\d+)$`, 'm').exec(properties)?.[1] ?? '0';
    // A node without vector units is a processor.
    if (value('simd_count') === '0' || (read(join(folder, node, 'gpu_id')) ?? '0').trim() === '0') return [];
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
  const devices = hasDriver ? there.filter(({ path }) => mayOpen(path)) : [];
  // The kernel's list is the machine's: a device without a file here was not given to the container.
  const files = listDevices(join(root, 'dev/dri'));
  const isHere = ({ path }: AmdGpu) => files.includes(path.slice(path.lastIndexOf('/') + 1));
  const forbidden = there.filter((one) => isHere(one) && !devices.includes(one)).length;
  return {
    devices,
    forbidden: listDevices(join(root, 'dev')).includes('kfd') ? forbidden : 0,
    driver: there.length > 0,
  };
}

/** 90402 is gfx942, 90010 gfx90a, 110000 gfx1100: two decimal digits each, the last two written in hexadecimal. */
function toArchitecture(version: number): string {
  if (version === 0) return 'AMD GPU';
  const [major, minor, step] = [Math.floor(version / 10_000), Math.floor(version / 100) % 100, version % 100];
  return `gfx${major}${minor.toString(16)}${step.toString(16)}`;
}
