// Assigns GPUs to services, and sets the variables that select them. Every request is satisfied or reported before anything
// starts. Pure: the inventory is an argument. Loaded only if a service has `gpus`.
import type { Config, GpusConfig } from '../config/config.ts';
import type { Complaints, Path } from './complaints.ts';
import {
  explainAbsence,
  findDevice,
  type Inventory,
  mayBeSame,
  type VisibleGpu,
  visibleGpus,
} from './gpu-inventory.ts';
import type { GpuDevice, Plan, ServicePlan } from './plan.ts';

/** The request of one service, or of one replica. */
export interface GpuAsk {
  readonly name: string;
  /** The service that it is a replica of, or itself. */
  readonly key: string;
  readonly ask: Pick<GpusConfig, 'wish' | 'shared' | 'optional'>;
  /** Its path in services.yaml. */
  readonly path: Path;
}

export interface GpuSurroundings {
  readonly environment: Readonly<Record<string, string>>;
  /** Lists the machine's GPUs. Without it nothing is assigned: there is no GPU while an image is built. */
  readonly gpus?: () => Inventory;
  /** The current plan: its assignments are kept where possible. */
  readonly before?: Plan;
}

/** Variables that only this file sets for a service with `gpus`. */
const DECIDED = ['CUDA_VISIBLE_DEVICES', 'HIP_VISIBLE_DEVICES', 'ROCR_VISIBLE_DEVICES', 'SVC_GPU_COUNT'] as const;

/** The plan with devices and environment for every enabled service that has `gpus`. */
export function withGpus(plan: Plan, config: Config, around: GpuSurroundings, complaints: Complaints): Plan {
  const configs = new Map(config.services.map((service) => [service.name, service]));
  const configOf = ({ name }: ServicePlan) => configs.get(name);
  for (const service of config.services) {
    if (service.gpus === null) continue;
    for (const key of DECIDED.filter((name) => service.env.has(name))) {
      const message = `\`${service.key}\` has both \`gpus\` and \`${key}\`: \`gpus\` sets the variable`;
      const suggestion = 'remove one of the two';
      complaints.error(['services', service.name, 'env', key], 'contradiction', message, { key: true, suggestion });
    }
  }
  if (around.gpus === undefined) return plan;
  const asks = plan.services.flatMap((service): GpuAsk[] => {
    const found = configOf(service);
    // An invalid `gpus` has been reported; assigning the valid rest would report more errors.
    if (found === undefined || found.gpus === null || found.broken.has('gpus') || !service.enabled) return [];
    return [{ name: service.name, key: found.key, ask: found.gpus, path: ['services', found.name, 'gpus'] }];
  });
  if (asks.length === 0) return plan;
  const inventory = around.gpus();
  const visible = visibleGpus(inventory, around.environment);
  const held = new Map((around.before?.services ?? []).map(({ name, gpus }) => [name, gpus?.devices ?? []]));
  const absence = explainAbsence(inventory, visible.length, around.environment);
  const given = placeGpus(asks, visible, held, absence, complaints);
  const vendor = inventory.vendor ?? 'nvidia';
  const services = plan.services.map((service): ServicePlan => {
    const devices = given.get(service.name);
    const ask = configOf(service)?.gpus;
    if (devices === undefined || ask === undefined || ask === null) return service;
    const { shared, min_free: minFree, free_timeout: freeTimeout, on_lost: onLost } = ask;
    const env = { ...service.env, ...gpuEnvironment(vendor, devices, service.env, around.environment) };
    return { ...service, env, gpus: { vendor, devices, shared, minFree, freeTimeout, onLost } };
  });
  return { ...plan, services };
}

/**
 * The variables that select the devices. An empty CUDA_VISIBLE_DEVICES hides every device from CUDA; HIP ignores an empty
 * list and shows every device (ROCm/hip#3001), so it gets an index that no device has. ROCR_VISIBLE_DEVICES is never set
 * here: HIP numbers the devices that it leaves, so that the two lists could exclude each other, and frameworks reject it
 * (Ray, vLLM). Only the container's own value, which was applied in the inventory, is passed on.
 */
export function gpuEnvironment(
  vendor: 'nvidia' | 'amd',
  devices: readonly GpuDevice[],
  own: Readonly<Record<string, string>>,
  container: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const list = devices.map(({ id }) => id).join(',');
  const count = { SVC_GPU_COUNT: String(devices.length) };
  if (devices.length === 0) return { CUDA_VISIBLE_DEVICES: '', HIP_VISIBLE_DEVICES: '-1', ...count };
  if (vendor === 'amd') {
    const rocr = container.ROCR_VISIBLE_DEVICES;
    const left = rocr === undefined ? {} : { ROCR_VISIBLE_DEVICES: rocr };
    return { HIP_VISIBLE_DEVICES: list, CUDA_VISIBLE_DEVICES: list, ...left, ...count };
  }
  // By default CUDA numbers the fastest device first; nvidia-smi numbers by bus, and so do users of its output.
  const order = own.CUDA_DEVICE_ORDER === undefined ? { CUDA_DEVICE_ORDER: 'PCI_BUS_ID' } : {};
  return { CUDA_VISIBLE_DEVICES: list, ...order, ...count };
}

/**
 * Assigns devices: explicit lists first, then `all`, then counts. Exclusive requests never overlap. Shared requests come
 * last: free devices first, then shared ones, then the least used. A request keeps the devices that it holds.
 */
export function placeGpus(
  asks: readonly GpuAsk[],
  visible: readonly VisibleGpu[],
  held: ReadonlyMap<string, readonly GpuDevice[]>,
  absence: string,
  complaints: Pick<Complaints, 'error' | 'warn'>,
): ReadonlyMap<string, readonly GpuDevice[]> {
  const given = new Map<string, readonly GpuDevice[]>();
  const owners: Owned[] = [];
  const uses = new Map<string, number>();
  const short: Short[] = [];
  const isFree = (device: VisibleGpu) => !owners.some((owned) => mayBeSame(owned.device, device));
  const give = (one: GpuAsk, devices: readonly VisibleGpu[]) => {
    const { name, ask } = one;
    // Only the fields that a reload compares belong in the plan.
    given.set(
      name,
      devices.map(({ id, index, name: model }) => ({ id, index, name: model })),
    );
    for (const device of devices) {
      if (!ask.shared) owners.push({ name, device });
      uses.set(device.id, (uses.get(device.id) ?? 0) + 1);
    }
    const wanted = typeof ask.wish === 'object' ? ask.wish.length : ask.wish === 'all' ? visible.length : ask.wish;
    if (devices.length < wanted || (devices.length === 0 && ask.wish !== 0)) {
      short.push({ one, got: devices.length });
    }
  };
  /** Assigns the free devices of `found`, all or part of the request; reports an error if they are not enough. */
  const settle = (one: GpuAsk, found: readonly VisibleGpu[], missing: string | null) => {
    const { name, ask, path } = one;
    const free = ask.shared ? found : found.filter(isFree);
    if (ask.optional || (missing === null && free.length === found.length)) give(one, free);
    else if (missing !== null) complaints.error(path, 'no-such-gpu', missing, { suggestion: absence });
    else {
      const taken = takenBy(found, owners);
      const message = `\`${name}\` requests ${describeWish(ask.wish)}, but ${describeOwned(taken)}`;
      complaints.error(path, 'gpu-taken', message, { suggestion: adviceFor(taken, found) });
    }
  };

  const lists = (shared: boolean) => asks.filter(({ ask }) => ask.shared === shared && typeof ask.wish === 'object');
  const alls = (shared: boolean) => asks.filter(({ ask }) => ask.shared === shared && ask.wish === 'all');
  const counts = (shared: boolean) =>
    asks.filter(({ ask }) => ask.shared === shared && typeof ask.wish === 'number') as readonly CountAsk[];
  const heldBy = ({ name }: GpuAsk) =>
    (held.get(name) ?? []).flatMap(({ id }) => visible.find((device) => device.id === id) ?? []);

  for (const shared of [false, true]) {
    for (const one of lists(shared)) settle(one, ...resolve(one, visible));
    for (const one of alls(shared)) settle(one, visible, visible.length === 0 ? tooFew(one, 0) : null);
    // Requests that keep their devices are served before requests for new ones.
    const ranked = counts(shared).map((one) => ({ one, keeps: heldBy(one).filter(isFree).length >= one.ask.wish }));
    for (const { one } of [...ranked.filter(({ keeps }) => keeps), ...ranked.filter(({ keeps }) => !keeps)]) {
      const { name, ask, path } = one;
      const mine = heldBy(one);
      const left = ask.shared ? byUse(visible, owners, uses) : visible.filter(isFree);
      const kept = mine.filter((device) => left.includes(device));
      const chosen = [...kept, ...left.filter((device) => !kept.includes(device))].slice(0, ask.wish);
      const enough = chosen.length === ask.wish;
      if (enough || ask.optional) give(one, inOrder(chosen, visible));
      else if (visible.length < ask.wish) {
        complaints.error(path, 'too-few-gpus', tooFew(one, visible.length), { suggestion: absence });
      } else {
        const rest =
          left.length === 0 ? 'none is free' : `only ${left.length} ${left.length === 1 ? 'is' : 'are'} free`;
        const taken = takenBy(visible, owners);
        const message = `\`${name}\` requests ${describeWish(ask.wish)}, but ${rest}: ${describeOwned(taken)}`;
        complaints.error(path, 'gpu-taken', message, { suggestion: adviceFor(taken, visible) });
      }
    }
  }
  warnOfShort(short, visible.length === 0 ? 'there are none' : 'none is free', absence, complaints);
  return given;
}

/** A device that one service uses exclusively. */
interface Owned {
  readonly name: string;
  readonly device: VisibleGpu;
}

/** An optional request that got fewer devices than requested. */
interface Short {
  readonly one: GpuAsk;
  readonly got: number;
}

/** Replicas with the same shortage are named together, because only one diagnostic per position is reported. */
function warnOfShort(
  short: readonly Short[],
  none: string,
  suggestion: string,
  complaints: Pick<Complaints, 'warn'>,
): void {
  const alike = Map.groupBy(short, ({ one, got }) => `${got} ${one.key}`);
  for (const [first, ...others] of alike.values()) {
    if (first === undefined) continue;
    const { one, got } = first;
    const { path, ask } = one;
    const names = [first, ...others].map((each) => `\`${each.one.name}\``);
    const runs = `${joined(names)} ${names.length === 1 ? 'runs' : 'run'}`;
    if (got === 0) complaints.warn(path, 'without-gpu', `${runs} without a GPU: ${none}`, { suggestion });
    else {
      const asked = `${names.length === 1 ? 'requests' : 'request'} ${describeWish(ask.wish)}`;
      const message = `${runs} with ${got === 1 ? 'one GPU' : `${got} GPUs`} but ${asked}: no more are free`;
      complaints.warn(path, 'fewer-gpus', message, { suggestion });
    }
  }
}

type CountAsk = GpuAsk & { readonly ask: { readonly wish: number } };

const SHARE = 'request fewer, or write `gpus: {share: …}` in services that may use the same devices';
const NAMELESS =
  'the UUIDs of the devices are unknown, so two names may mean the same device: use positions for these devices, or UUIDs for all';

function takenBy(devices: readonly VisibleGpu[], owners: readonly Owned[]): readonly Owned[] {
  return [...new Set(devices.flatMap((one) => owners.filter(({ device }) => mayBeSame(device, one))))];
}

/** If a device counts as taken only because its UUID is unknown, the advice is another one. */
function adviceFor(taken: readonly Owned[], devices: readonly VisibleGpu[]): string {
  return taken.every(({ device }) => devices.some(({ id }) => id === device.id)) ? SHARE : NAMELESS;
}

/** The devices of a list, and the error for an entry that does not exist. */
function resolve({ name, ask }: GpuAsk, visible: readonly VisibleGpu[]): [readonly VisibleGpu[], string | null] {
  const entries = typeof ask.wish === 'object' ? ask.wish : [];
  const found = entries.flatMap((entry) => findDevice(entry, visible) ?? []);
  const unique = found.filter((device, at) => found.findIndex(({ id }) => id === device.id) === at);
  const missing = entries.find((entry) => findDevice(entry, visible) === undefined);
  if (missing === undefined) return [unique, null];
  const position = /^\d+$/.test(missing);
  const there = visible.length === 0 ? 'there is no GPU' : `there ${describeAll(visible, position)}`;
  return [unique, `\`${name}\` requests GPU ${missing}, but ${there}`];
}

function describeAll(visible: readonly VisibleGpu[], position: boolean): string {
  if (position) return visible.length === 1 ? 'is only GPU 0' : `are only GPUs 0 to ${visible.length - 1}`;
  return `is only ${visible.map(({ id, uuid }) => uuid ?? id).join(', ')}`;
}

function tooFew({ name, ask }: GpuAsk, there: number): string {
  const count = there === 0 ? 'there is none' : `there ${there === 1 ? 'is' : 'are'} only ${there}`;
  return `\`${name}\` requests ${describeWish(ask.wish)}, but ${count}`;
}

function describeWish(wish: GpuAsk['ask']['wish']): string {
  if (wish === 'all') return 'all GPUs';
  if (typeof wish === 'object') return `${wish.length === 1 ? 'GPU' : 'GPUs'} ${wish.join(', ')}`;
  return wish === 1 ? 'a GPU' : `${wish} GPUs`;
}

/** `` `vllm` has GPU 0, 1 and `embed` has GPU 2 ``. */
function describeOwned(owned: readonly Owned[]): string {
  const byName = Map.groupBy(owned, ({ name }) => name);
  return joined(
    [...byName].map(([name, all]) => `\`${name}\` has GPU ${all.map(({ device }) => device.id).join(', ')}`),
  );
}

function joined(parts: readonly string[]): string {
  return parts.length < 2 ? (parts[0] ?? '') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

/** Free devices first, then shared ones, then exclusive ones; the least used first. */
function byUse(
  visible: readonly VisibleGpu[],
  owners: readonly Owned[],
  uses: ReadonlyMap<string, number>,
): readonly VisibleGpu[] {
  const isOwned = (one: VisibleGpu) => owners.some(({ device }) => mayBeSame(device, one));
  const rank = (device: VisibleGpu) => (isOwned(device) ? 1_000_000 : 0) + (uses.get(device.id) ?? 0);
  return [...visible].sort((a, b) => rank(a) - rank(b));
}

function inOrder(chosen: readonly VisibleGpu[], visible: readonly VisibleGpu[]): readonly VisibleGpu[] {
  return visible.filter((device) => chosen.includes(device));
}
