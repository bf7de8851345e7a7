// Which of a machine's GPUs a container's programs may use, and under which names: what was found on the machine, cut down
// and ordered by the variables with which the container was started. Pure; finding them is the kernel room's business.
import type { GpuDevice, GpuPlan } from './plan.ts';

export interface FoundGpu {
  /** As the driver writes it; null: it does not tell. */
  readonly uuid: string | null;
  /** For people. */
  readonly name: string;
}

/** What a look at the machine found. */
export interface Inventory {
  /** null: no device of either. */
  readonly vendor: GpuPlan['vendor'] | null;
  /** Those that may be opened, in the order in which the driver's own tools number them. */
  readonly devices: readonly FoundGpu[];
  /** Whose driver the kernel has loaded, whether or not its devices are here. */
  readonly driver: GpuPlan['vendor'] | null;
  /** Devices that are here and may not be opened. */
  readonly forbidden: number;
}

/** A device that a service may be given. Its `id` is the name that the program is told. */
export interface VisibleGpu extends GpuDevice {
  readonly uuid: string | null;
}

type Variables = Readonly<Record<string, string>>;

/** The devices that may be given to services, in order: position i of services.yaml is the i-th of them. */
export function visibleGpus(inventory: Inventory, environment: Variables): readonly VisibleGpu[] {
  if (inventory.devices.length === 0) return [];
  const all = inventory.devices.map(({ uuid, name }, index): VisibleGpu => ({ id: String(index), index, name, uuid }));
  return inventory.vendor === 'amd' ? visibleToHip(all, environment) : visibleToCuda(all, environment);
}

function visibleToCuda(all: readonly VisibleGpu[], environment: Variables): readonly VisibleGpu[] {
  const given = givenByRuntime(all, environment.NVIDIA_VISIBLE_DEVICES);
  const wanted = environment.CUDA_VISIBLE_DEVICES;
  if (wanted === undefined || given.length === 0) return given;
  // CUDA numbers what it can open, whatever NVIDIA_VISIBLE_DEVICES says; of slices it has no other names.
  const numbered = given.some(isSlice) ? given : all;
  return follow(wanted, (entry) => {
    const found = findDevice(entry, numbered);
    // SLURM writes indices; whoever writes names means the driver's. The entry itself is what CUDA is told again.
    return found === undefined ? undefined : { ...found, id: entry };
  });
}

/**
 * NVIDIA_VISIBLE_DEVICES numbers the host's devices, and the container runtime has acted on it before we are here. It
 * matters only where it could not: a privileged container has every device of the host. `void` takes none away: the
 * specifications of CDI (podman, containerd) set it beside the devices that they give. A slice has no file of its own,
 * so its names come from here.
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
 * ROCR_VISIBLE_DEVICES comes first, and HIP counts what it leaves. CUDA_VISIBLE_DEVICES stands in for an empty
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

/** A list as both runtimes read it: what stands behind the first entry that means nothing is left out. */
function follow(list: string, find: (entry: string) => VisibleGpu | undefined): readonly VisibleGpu[] {
  const found: VisibleGpu[] = [];
  for (const entry of list.split(',')) {
    const device = find(entry.trim());
    if (device === undefined || found.some(({ id }) => id === device.id)) break;
    found.push(device);
  }
  return found;
}

/** A device by its number, its UUID (or the beginning of it) or the name of a slice. */
export function findDevice(entry: string, among: readonly VisibleGpu[]): VisibleGpu | undefined {
  if (/^\d+$/.test(entry)) return among[Number(entry)];
  const exact = among.find(({ id }) => id === entry);
  if (exact !== undefined) return exact;
  if (entry.startsWith('MIG-')) {
    // Nothing but the driver could tell whether there is such a slice.
    return among.length === 0 || among.some(isSlice) ? undefined : toSlice(entry);
  }
  if (!entry.startsWith('GPU-') || entry.length < 5) return undefined;
  const named = among.filter(({ uuid }) => uuid?.toLowerCase().startsWith(entry.toLowerCase()));
  if (named.length > 0) return named.length === 1 ? named[0] : undefined;
  const known = among.length > 0 && among.every(({ uuid }) => uuid !== null);
  return known || among.length === 0 ? undefined : { id: entry, index: null, name: 'GPU', uuid: entry };
}

/**
 * Whether two names may mean one device. Where nothing tells the UUIDs, one that is asked for by UUID may be any of those
 * that have a position. Of slices nothing is known but their names, and there several may be of one device.
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

/** Why there may be no device, or fewer than somebody thinks, and what to do about it. */
export function explainAbsence(inventory: Inventory, visible: number, environment: Variables): string {
  const { devices, driver, forbidden } = inventory;
  const hiding = ['CUDA_VISIBLE_DEVICES', 'HIP_VISIBLE_DEVICES', 'ROCR_VISIBLE_DEVICES', 'NVIDIA_VISIBLE_DEVICES'];
  if (devices.length > visible) {
    const named = hiding
      .filter((name) => environment[name] !== undefined)
      .map((name) => `${name}=${environment[name]}`);
    return `the machine has ${devices.length}, but the container's environment says \`${named.join(' ')}\``;
  }
  if (forbidden > 0) {
    const files = `${forbidden} ${forbidden === 1 ? 'device is' : 'devices are'} there`;
    return `${files} that may not be opened: is the container's device cgroup, or the user's group (\`video\`, \`render\`), without them?`;
  }
  if (devices.length > 0) return 'start the container with more of them (`docker run --gpus all`), or ask for fewer';
  const runtime = environment.NVIDIA_VISIBLE_DEVICES ?? '';
  if (/^(?:none|void)$/.test(runtime)) return `\`NVIDIA_VISIBLE_DEVICES=${runtime}\` keeps them out of the container`;
  if (driver === 'amd') return 'was the container started without `--device /dev/kfd --device /dev/dri`?';
  if (driver === 'nvidia') {
    return "the kernel has NVIDIA's driver: was the container started without `--gpus all` (Apptainer: `--nv`)?";
  }
  return "was the container started without `--gpus all` (Apptainer: `--nv`)? or is NVIDIA's driver not loaded, or not mounted?";
}
