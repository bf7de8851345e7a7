// Assigns GPUs to services, and sets the variables that select them. Every request is satisfied or reported before anything
// starts. Pure: the inventory is an argument. Loaded only if a service has `gpus`.
import type { Config, GpusConfig } from '../config/config.ts';
import {
  explainAbsence,
  findDevice,
  type Inventory,
  mayBeSame,
  type VisibleGpu,
  visibleGpus,
} from './gpu-inventory.ts';
import type { GpuDevice, Plan, ServicePlan } from './plan.ts';
import type { Path, Problems } from './problems.ts';
import { startingServices } from './starting.ts';

/** The request of one service, or of one replica. */
export interface GpuRequest {
  readonly name: string;
  /** The service that it is a replica of, or itself. */
  readonly key: string;
  readonly request: Pick<GpusConfig, 'wish' | 'shared' | 'optional'>;
  /** Its path in services.yaml. */
  readonly path: Path;
}

interface GpuContext {
  readonly environment: Readonly<Record<string, string>>;
  /** Lists the machine's GPUs. Without it nothing is assigned: there is no GPU while an image is built. */
  readonly gpus?: () => Inventory;
  /** The current plan: its assignments are kept where possible. */
  readonly before?: Plan;
}

/** Variables that only this file sets for a service with `gpus`. */
const DECIDED = ['CUDA_VISIBLE_DEVICES', 'HIP_VISIBLE_DEVICES', 'ROCR_VISIBLE_DEVICES', 'SVC_GPU_COUNT'] as const;

/** The plan with devices and environment for every enabled service that has `gpus`. */
export function withGpus(plan: Plan, config: Config, context: GpuContext, problems: Problems): Plan {
  const configs = new Map(config.services.map((service) => [service.name, service]));
  const configOf = ({ name }: ServicePlan) => configs.get(name);
  for (const service of config.services) {
    if (service.gpus === null) continue;
    for (const key of DECIDED.filter((name) => service.env.has(name))) {
      const message = `\`${service.key}\` has both \`gpus\` and \`${key}\`: \`gpus\` sets the variable`;
      const suggestion = 'remove one of the two';
      problems.error(['services', service.name, 'env', key], 'contradiction', message, { key: true, suggestion });
    }
  }
  if (context.gpus === undefined) return plan;
  const requests = plan.services.flatMap((service): GpuRequest[] => {
    const found = configOf(service);
    // An invalid `gpus` has been reported; assigning the valid rest would report more errors.
    if (found === undefined || found.gpus === null || found.broken.has('gpus') || !service.enabled) return [];
    return [{ name: service.name, key: found.key, request: found.gpus, path: ['services', found.name, 'gpus'] }];
  });
  if (requests.length === 0) return plan;
  const inventory = context.gpus();
  const visible = visibleGpus(inventory, context.environment);
  const held = new Map((context.before?.services ?? []).map(({ name, gpus }) => [name, gpus?.devices ?? []]));
  const absence = explainAbsence(inventory, visible.length, context.environment);
  const starting = startingServices(plan.services);
  const supply: Supply = { visible, order: visible, held, absence };
  const first = assignDevices(
    requests.filter(({ name }) => starting.has(name)),
    supply,
    problems,
  );
  const others = requests.filter(({ name }) => !starting.has(name));
  const modes = new Map(plan.services.map(({ name, start }) => [name, start]));
  const isOff = ({ name }: Pick<GpuRequest, 'name'>) => modes.get(name) === 'profile-off';
  const rest = assignLater(others, { ...supply, order: freeFirst(visible, first) }, problems, isOff);
  const given = new Map([...first, ...rest.given]);
  const vendor = inventory.vendor ?? 'nvidia';
  const services = plan.services.map((service): ServicePlan => {
    const devices = given.get(service.name);
    const request = configOf(service)?.gpus;
    if (devices === undefined || request === undefined || request === null) return service;
    const { shared, min_free: minFree, free_timeout: freeTimeout, on_lost: onLost } = request;
    const own = gpuEnvironment(vendor, devices, service.env, context.environment);
    const env = { ...service.env, ...own };
    // The variables of `own` are `above` all sources of the recipe: they win when the environment is made again at a start.
    const { envRecipe } = service;
    const recipe = envRecipe === undefined ? {} : { envRecipe: { ...envRecipe, above: Object.keys(own) } };
    const why = rest.missing.get(service.name);
    const gpus = { vendor, devices, shared, minFree, freeTimeout, onLost, ...(why !== undefined && { missing: why }) };
    return { ...service, env, ...recipe, gpus };
  });
  return { ...plan, services };
}

/**
 * Assigns devices to services that are started by hand. If they find too few together, one gets the devices that it would have alone: the
 * services are alternatives, or are started while the other services are stopped. Devices that are missing are no error, because these
 * services may never run here: their start fails (`missing`), and a warning says so unless the profile of the service is off.
 */
function assignLater(
  requests: readonly GpuRequest[],
  supply: Supply,
  problems: Problems,
  isOff: (service: Pick<GpuRequest, 'name'>) => boolean,
): { readonly given: ReadonlyMap<string, readonly GpuDevice[]>; readonly missing: ReadonlyMap<string, string> } {
  const missing = new Map<string, string>();
  const warn: Problems['warn'] = (path, ...more) => {
    if (!requests.some((one) => one.path === path && isOff(one))) problems.warn(path, ...more);
  };
  const together = assignDevices(requests, supply, { error: () => undefined, warn });
  const given = new Map(together);
  for (const one of requests) {
    if (together.has(one.name)) continue;
    const error: Problems['error'] = (path, code, message, how) => {
      missing.set(one.name, message);
      warn(path, code, `${message}: it cannot be started`, how);
    };
    const alone = assignDevices([one], supply, { error, warn });
    given.set(one.name, alone.get(one.name) ?? []);
  }
  return { given, missing };
}

/**
 * Puts the devices that are not in `taken` first. Services that are started by hand and need a number of devices get these, and if they
 * are not enough also devices of other services.
 */
function freeFirst(
  visible: readonly VisibleGpu[],
  taken: ReadonlyMap<string, readonly GpuDevice[]>,
): readonly VisibleGpu[] {
  const ids = new Set([...taken.values()].flat().map(({ id }) => id));
  return [...visible.filter(({ id }) => !ids.has(id)), ...visible.filter(({ id }) => ids.has(id))];
}

/**
 * The variables that select the devices. An empty CUDA_VISIBLE_DEVICES hides every device from CUDA; HIP ignores an empty
 * list and shows every device (ROCm/hip#3001), so it gets an index that no device has. ROCR_VISIBLE_DEVICES is never set
 * here: HIP numbers the devices that it leaves, so that the two lists could exclude each other, and frameworks reject it
 * (Ray, vLLM). Only the container's own value, which was applied in the inventory, is passed on.
 */
function gpuEnvironment(
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

/** The devices that can be assigned. */
interface Supply {
  /** In their order: position i in services.yaml is the i-th of them. */
  readonly visible: readonly VisibleGpu[];
  /** The same devices, in the order in which requests for a number of devices get them. */
  readonly order: readonly VisibleGpu[];
  /** The devices of the current plan, by service. */
  readonly held: ReadonlyMap<string, readonly GpuDevice[]>;
  /** The likely reason for missing devices. */
  readonly absence: string;
}

/**
 * Assigns devices: explicit lists first, then `all`, then counts. Exclusive requests never overlap each other. Shared requests are
 * served last, in the order of byUse(). A request keeps the devices that it holds.
 */
function assignDevices(
  requests: readonly GpuRequest[],
  supply: Supply,
  problems: Pick<Problems, 'error' | 'warn'>,
): ReadonlyMap<string, readonly GpuDevice[]> {
  const { visible } = supply;
  const assignment = new Assignment(supply, problems);
  for (const shared of [false, true]) {
    const here = requests.filter(({ request }) => request.shared === shared);
    for (const one of here.filter(({ request }) => typeof request.wish === 'object')) {
      assignment.settle(one, ...resolve(one, visible));
    }
    for (const one of here.filter(({ request }) => request.wish === 'all')) {
      assignment.settle(one, visible, visible.length === 0 ? tooFew(one, 0) : null);
    }
    const counts = here.filter(({ request }) => typeof request.wish === 'number') as readonly CountRequest[];
    // Requests that keep their devices are served before requests for new ones.
    const ranked = counts.map((one) => ({ one, keeps: assignment.canKeep(one) }));
    for (const { one } of [...ranked.filter(({ keeps }) => keeps), ...ranked.filter(({ keeps }) => !keeps)]) {
      assignment.settleCount(one);
    }
  }
  assignment.warnOfShortages();
  return assignment.given;
}

/** The devices that have been assigned so far. Assigns further ones, or reports why that is not possible. */
class Assignment {
  readonly given = new Map<string, readonly GpuDevice[]>();
  readonly #supply: Supply;
  readonly #problems: Pick<Problems, 'error' | 'warn'>;
  readonly #owners: Owned[] = [];
  readonly #uses = new Map<string, number>();
  readonly #shortages: Shortage[] = [];

  constructor(supply: Supply, problems: Pick<Problems, 'error' | 'warn'>) {
    this.#supply = supply;
    this.#problems = problems;
  }

  /**
   * Assigns the free devices of `found`, all or part of the request. Reports an error if they are not enough. `problem`: the message
   * if not all requested devices exist.
   */
  settle(one: GpuRequest, found: readonly VisibleGpu[], problem: string | null): void {
    const { name, request, path } = one;
    const free = request.shared ? found : found.filter((device) => this.#isFree(device));
    if (request.optional || (problem === null && free.length === found.length)) this.#give(one, free);
    else if (problem !== null) this.#problems.error(path, 'no-such-gpu', problem, { suggestion: this.#supply.absence });
    else {
      const taken = takenBy(found, this.#owners);
      const message = `\`${name}\` requests ${describeSelection(request.wish)}, but ${describeOwned(taken)}`;
      this.#problems.error(path, 'gpu-taken', message, { suggestion: adviceFor(taken, found) });
    }
  }

  /** Assigns a number of devices, those that the service holds first; reports an error if they are not enough. */
  settleCount(one: CountRequest): void {
    const { request, path } = one;
    const { visible, order } = this.#supply;
    const left = request.shared
      ? byUse(order, this.#owners, this.#uses)
      : order.filter((device) => this.#isFree(device));
    const kept = this.#heldBy(one).filter((device) => left.includes(device));
    const chosen = [...kept, ...left.filter((device) => !kept.includes(device))].slice(0, request.wish);
    if (chosen.length === request.wish || request.optional) this.#give(one, inOrder(chosen, visible));
    else if (visible.length < request.wish) {
      this.#problems.error(path, 'too-few-gpus', tooFew(one, visible.length), { suggestion: this.#supply.absence });
    } else this.#reportTaken(one, left.length);
  }

  /** Whether enough of the devices that a service holds are still free. */
  canKeep(one: CountRequest): boolean {
    return this.#heldBy(one).filter((device) => this.#isFree(device)).length >= one.request.wish;
  }

  warnOfShortages(): void {
    const none = this.#supply.visible.length === 0 ? 'there are none' : 'none is free';
    warnOfShortages(this.#shortages, none, this.#supply.absence, this.#problems);
  }

  #give(one: GpuRequest, devices: readonly VisibleGpu[]): void {
    const { name, request } = one;
    // Only the fields that a reload compares belong in the plan.
    this.given.set(
      name,
      devices.map(({ id, index, name: model }) => ({ id, index, name: model })),
    );
    for (const device of devices) {
      if (!request.shared) this.#owners.push({ name, device });
      this.#uses.set(device.id, (this.#uses.get(device.id) ?? 0) + 1);
    }
    const { wish } = request;
    const wanted = typeof wish === 'object' ? wish.length : wish === 'all' ? this.#supply.visible.length : wish;
    if (devices.length < wanted || (devices.length === 0 && wish !== 0)) {
      this.#shortages.push({ one, got: devices.length });
    }
  }

  #reportTaken({ name, request, path }: CountRequest, left: number): void {
    const rest = left === 0 ? 'none is free' : `only ${left} ${left === 1 ? 'is' : 'are'} free`;
    const taken = takenBy(this.#supply.visible, this.#owners);
    const message = `\`${name}\` requests ${describeSelection(request.wish)}, but ${rest}: ${describeOwned(taken)}`;
    this.#problems.error(path, 'gpu-taken', message, { suggestion: adviceFor(taken, this.#supply.visible) });
  }

  #isFree(device: VisibleGpu): boolean {
    return !this.#owners.some((owned) => mayBeSame(owned.device, device));
  }

  #heldBy({ name }: GpuRequest): readonly VisibleGpu[] {
    const held = this.#supply.held.get(name) ?? [];
    return held.flatMap(({ id }) => this.#supply.visible.find((device) => device.id === id) ?? []);
  }
}

/** A device that one service uses exclusively. */
interface Owned {
  readonly name: string;
  readonly device: VisibleGpu;
}

/** An optional request that got fewer devices than requested. */
interface Shortage {
  readonly one: GpuRequest;
  readonly got: number;
}

/** Replicas with the same shortage are named together, because only one diagnostic per position is reported. */
function warnOfShortages(
  shortages: readonly Shortage[],
  none: string,
  suggestion: string,
  problems: Pick<Problems, 'warn'>,
): void {
  const alike = Map.groupBy(shortages, ({ one, got }) => `${got} ${one.key}`);
  for (const [first, ...others] of alike.values()) {
    if (first === undefined) continue;
    const { one, got } = first;
    const { path, request } = one;
    const names = [first, ...others].map((each) => `\`${each.one.name}\``);
    const runs = `${joined(names)} ${names.length === 1 ? 'runs' : 'run'}`;
    if (got === 0) problems.warn(path, 'without-gpu', `${runs} without a GPU: ${none}`, { suggestion });
    else {
      const asked = `${names.length === 1 ? 'requests' : 'request'} ${describeSelection(request.wish)}`;
      const message = `${runs} with ${got === 1 ? 'one GPU' : `${got} GPUs`} but ${asked}: no more are free`;
      problems.warn(path, 'fewer-gpus', message, { suggestion });
    }
  }
}

type CountRequest = GpuRequest & { readonly request: { readonly wish: number } };

const SHARE = 'request fewer, or write `gpus: {share: …}` in services that may use the same devices';
const NAMELESS =
  'the UUIDs of the devices are unknown, so two names may mean the same device: use positions for these devices, or UUIDs for all';

function takenBy(devices: readonly VisibleGpu[], owners: readonly Owned[]): readonly Owned[] {
  return [...new Set(devices.flatMap((one) => owners.filter(({ device }) => mayBeSame(device, one))))];
}

/** What to do when devices are taken: other advice if one counts as taken only because its UUID is unknown. */
function adviceFor(taken: readonly Owned[], devices: readonly VisibleGpu[]): string {
  return taken.every(({ device }) => devices.some(({ id }) => id === device.id)) ? SHARE : NAMELESS;
}

/** The devices of a list, and the error for an entry that does not exist. */
function resolve(
  { name, request }: GpuRequest,
  visible: readonly VisibleGpu[],
): [readonly VisibleGpu[], string | null] {
  const entries = typeof request.wish === 'object' ? request.wish : [];
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

function tooFew({ name, request }: GpuRequest, there: number): string {
  const count = there === 0 ? 'there is none' : `there ${there === 1 ? 'is' : 'are'} only ${there}`;
  return `\`${name}\` requests ${describeSelection(request.wish)}, but ${count}`;
}

function describeSelection(wish: GpuRequest['request']['wish']): string {
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

/** Free devices first, then those of shared requests, then those of exclusive requests; among equals the least used first. */
function byUse(
  order: readonly VisibleGpu[],
  owners: readonly Owned[],
  uses: ReadonlyMap<string, number>,
): readonly VisibleGpu[] {
  const isOwned = (one: VisibleGpu) => owners.some(({ device }) => mayBeSame(device, one));
  const rank = (device: VisibleGpu) => (isOwned(device) ? 1_000_000 : 0) + (uses.get(device.id) ?? 0);
  return [...order].sort((a, b) => rank(a) - rank(b));
}

function inOrder(chosen: readonly VisibleGpu[], visible: readonly VisibleGpu[]): readonly VisibleGpu[] {
  return visible.filter((device) => chosen.includes(device));
}
