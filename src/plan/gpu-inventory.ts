// The GPUs that programs of the container may use, and their names: the inventory of the machine, filtered and ordered by
// the environment variables of the container. Pure: src/linux and src/check read the machine.
import type { GpuDevice, GpuPlan } from './plan.ts';

export interface FoundGpu {
  /** As the driver writes it; null: unknown. */
  readonly uuid: string | null;
  /** For display. */
  readonly name: string;
}

/** The GPUs that were detected on the machine. */
export interface Inventory {
  /** null: there is no device of either vendor. */
  readonly vendor: GpuPlan['vendor'] | null;
  /** Devices that can be opened, in the order in which the driver's own tools number them. */
  readonly devices: readonly FoundGpu[];
  /** The vendor whose driver the kernel has loaded, with or without devices in the container. */
  readonly driver: GpuPlan['vendor'] | null;
  /** Number of devices that exist but cannot be opened. */
  readonly forbidden: number;
}

/** A device that can be assigned to a service. Its `id` is the name that the program receives. */
export interface VisibleGpu extends GpuDevice {
  readonly uuid: string | null;
}

type Variables = Readonly<Record<string, string>>;

/** The devices that can be assigned, in order: position i in services.yaml is the i-th of them. */
export function visibleGpus(inventory: Inventory, environment: Variables): readonly VisibleGpu[] {
  if (inventory.devices.length === 0) return [];
  const all = inventory.devices.map(({ uuid, name }, index): VisibleGpu => ({ id: String(index), index, name, uuid }));
  return inventory.vendor === 'amd' ? visibleToHip(all, environment) : visibleToCuda(all, environment);
}

function visibleToCuda(all: readonly VisibleGpu[], environment: Variables): readonly VisibleGpu[] {
  const given = givenByRuntime(all, environment.NVIDIA_VISIBLE_DEVICES);
  const wanted = environment.CUDA_VISIBLE_DEVICES;
  if (wanted === undefined || given.length === 0) return given;
  // CUDA numbers the devices that it can open, whatever NVIDIA_VISIBLE_DEVICES contains; MIG slices have only their names.
  const numbered = given.some(isSlice) ? given : all;
  return follow(wanted, (entry) => {
    const found = findDevice(entry, numbered);
    // SLURM writes indices; names are those of the driver. The entry itself is passed on to CUDA.
    return found === undefined ? undefined : { ...found, id: entry };
  });
}

/**
 * NVIDIA_VISIBLE_DEVICES numbers the host's devices, and the container runtime has already applied it. It matters only where
 * the runtime could not: a privileged container has every device of the host. `void` removes none: the specifications of
 * CDI (podman, containerd) set it together with the devices that they add. A MIG slice has no device file of its own, so
 * its name is taken from here.
 */
function givenByRuntime(all: readonly VisibleGpu[], value = ''): readonly VisibleGpu[] {
  if (value === '' || value === 'all' || value === 'void') return all;
  if (value === 'none') return [];
  const entries = value.split(',').map((entry) => entry.trim());
  const slices = entries.filter((entry) => entry.startsWith('MIG-'));
  if (slices.length > 0) return slices.map(toSlice);
  if (entries.length >= all.length) return all;
  const found = entries.flatMap((entry) => findDevice(entry, all) ?? []);
  return found.length === 0 ? all : found;
}

/**
 * ROCR_VISIBLE_DEVICES is applied first, and HIP numbers the remaining devices. CUDA_VISIBLE_DEVICES replaces an empty
 * HIP_VISIBLE_DEVICES, and an empty one hides nothing.
 */
function visibleToHip(all: readonly VisibleGpu[], environment: Variables): readonly VisibleGpu[] {
  const { ROCR_VISIBLE_DEVICES: rocr, HIP_VISIBLE_DEVICES: hip, CUDA_VISIBLE_DEVICES: cuda } = environment;
  const left =
    rocr === undefined
      ? all
      : follow(rocr, (entry) => findDevice(entry, all)).map((device, index) => ({ ...device, id: String(index) }));
  const wanted = hip || cuda;
  return wanted === undefined || wanted === '' ? left : follow(wanted, (entry) => findDevice(entry, left));
}

/** Reads a list as both runtimes do: the entries after the first invalid one are ignored. */
function follow(list: string, find: (entry: string) => VisibleGpu | undefined): readonly VisibleGpu[] {
  const found: VisibleGpu[] = [];
  for (const entry of list.split(',')) {
    const device = find(entry.trim());
    if (device === undefined || found.some(({ id }) => id === device.id)) break;
    found.push(device);
  }
  return found;
}

/** A device by its number, its UUID (or the beginning of it) or the name of a MIG slice. */
export function findDevice(entry: string, among: readonly VisibleGpu[]): VisibleGpu | undefined {
  if (/^\d+$/.test(entry)) return among[Number(entry)];
  const exact = among.find(({ id }) => id === entry);
  if (exact !== undefined) return exact;
  if (entry.startsWith('MIG-')) {
    // Only the driver knows whether there is such a slice.
    return among.length === 0 || among.some(isSlice) ? undefined : toSlice(entry);
  }
  if (!entry.startsWith('GPU-') || entry.length < 5) return undefined;
  const named = among.filter(({ uuid }) => uuid?.toLowerCase().startsWith(entry.toLowerCase()));
  if (named.length > 0) return named.length === 1 ? named[0] : undefined;
  const known = among.length > 0 && among.every(({ uuid }) => uuid !== null);
  return known || among.length === 0 ? undefined : { id: entry, index: null, name: 'GPU', uuid: entry };
}

/**
 * Whether two names may mean the same device. If UUIDs are unknown, a device requested by UUID may be any device with a
 * position. Of MIG slices only the names are known, and several slices may be of one device.
 */
export function mayBeSame(one: VisibleGpu, other: VisibleGpu): boolean {
  if (one.id === other.id) return true;
  if (one.index !== null && other.index !== null) return one.index === other.index;
  if (isSlice(one) || isSlice(other)) return false;
  const [a, b] = [one, other].map(({ uuid }) => uuid?.toLowerCase() ?? '') as [string, string];
  return a.startsWith(b) || b.startsWith(a);
}

function isSlice({ id }: VisibleGpu): boolean {
  return id.startsWith('MIG-');
}

function toSlice(name: string): VisibleGpu {
  return { id: name, index: null, name: 'MIG slice', uuid: name };
}

/** The likely reason for missing devices, and what to do about it. */
export function explainAbsence(inventory: Inventory, visible: number, environment: Variables): string {
  const { devices, driver, forbidden } = inventory;
  const hiding = ['CUDA_VISIBLE_DEVICES', 'HIP_VISIBLE_DEVICES', 'ROCR_VISIBLE_DEVICES', 'NVIDIA_VISIBLE_DEVICES'];
  if (devices.length > visible) {
    const named = hiding
      .filter((name) => environment[name] !== undefined)
      .map((name) => `${name}=${environment[name]}`);
    return `the machine has ${devices.length}, but the container's environment has \`${named.join(' ')}\``;
  }
  if (forbidden > 0) {
    const files = forbidden === 1 ? '1 device exists' : `${forbidden} devices exist`;
    return `${files} but cannot be opened: does the container's device cgroup exclude them, or is the user not in their group (\`video\`, \`render\`)?`;
  }
  if (devices.length > 0) return 'start the container with more GPUs (`docker run --gpus all`), or request fewer';
  const runtime = environment.NVIDIA_VISIBLE_DEVICES ?? '';
  if (/^(?:none|void)$/.test(runtime)) return `\`NVIDIA_VISIBLE_DEVICES=${runtime}\` excludes GPUs from the container`;
  if (driver === 'amd') return 'was the container started without `--device /dev/kfd --device /dev/dri`?';
  if (driver === 'nvidia') {
    return "NVIDIA's driver is loaded: was the container started without `--gpus all` (Apptainer: `--nv`)?";
  }
  return "was the container started without `--gpus all` (Apptainer: `--nv`)? or is NVIDIA's driver not loaded, or not mounted?";
}
