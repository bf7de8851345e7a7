// GPUs of Compose services. Two services with `count: 1` get the same device there, since Docker reserves nothing; two services
// with `gpus: 1` here get two. So all devices are shared as soon as more than one service asks, or a service with replicas.
// https://docs.docker.com/compose/how-tos/gpu-support/
import type { ServiceDraft } from '../services-yaml.ts';
import { briefOf, itemsOf, Section, textsOf } from '../yaml-source.ts';
import type { Value } from '../yaml-values.ts';
import type { ComposeContext, ComposeReader } from './compose-reader.ts';

/** Requests for devices of a service: `gpus`, and the reservations of `deploy`. */
function requestsOf(section: Section): readonly Section[] {
  const reservations = section.section('deploy').section('resources').section('reservations').sections('devices');
  const gpus = itemsOf(section.take('gpus')).filter(({ kind }) => kind === 'map');
  return [...reservations, ...gpus.map((node) => new Section(node, section.source))];
}

const driverOf = (reader: ComposeReader, request: Section): string | null =>
  reader.textAt(request.take('driver'), 'variables-unset') || null;

/** The devices that svc-super assigns too: those of NVIDIA, which a request without a driver means, and those of AMD. */
function asksForGpu(reader: ComposeReader, request: Section): boolean {
  const driver = driverOf(reader, request);
  const capabilities = textsOf(request.take('capabilities'));
  if (driver === null) return capabilities.length === 0 || capabilities.includes('gpu');
  return driver === 'nvidia' || driver === 'amd';
}

/** Writes `gpus`, which shareGpus() may change. */
export function importGpus(reader: ComposeReader, fields: ServiceDraft['fields']): void {
  const { section, report, context } = reader;
  const requests = requestsOf(section);
  const runtime = reader.textAt(section.take('runtime'), 'variables-unset');
  const usesAll = reader.textAt(section.take('gpus'), 'variables-unset') === 'all';
  let wish: Value | null = usesAll || runtime === 'nvidia' ? 'all' : null;
  for (const request of requests) wish = addWish(wish, wishOf(reader, request));
  if (runtime === 'nvidia') wish = visibleDevices(reader, fields) ?? wish;
  else if (runtime !== null)
    report.lost(
      section.where('runtime'),
      `runtime ${runtime} of ${reader.key}`,
      'the whole container has one runtime',
      `\`docker run --runtime ${runtime}\``,
    );
  if (wish === null) return;
  fields.gpus = wish;
  if (wish === 0) return;
  context.gpuUsers.push({ key: reader.key, where: section.where(), wish, fields });
  const drivers = requests.filter((one) => asksForGpu(reader, one)).map((one) => driverOf(reader, one));
  if (drivers.includes('amd')) context.dockerRun.addOption('--device /dev/kfd --device /dev/dri');
  if (usesAll || runtime === 'nvidia' || drivers.some((driver) => driver !== 'amd'))
    context.dockerRun.addOption('--gpus all');
}

/** Shares the devices if more than one service has some, or one that has replicas. */
export function shareGpus({ gpuUsers, report }: Pick<ComposeContext, 'gpuUsers' | 'report'>): void {
  const [first] = gpuUsers;
  const areSeveral = gpuUsers.length > 1;
  if (first === undefined || (!areSeveral && first.fields.replicas === undefined)) return;
  for (const { wish, fields } of gpuUsers) fields.gpus = { share: wish };
  report.changed(
    first.where,
    `GPUs of ${first.key}`,
    `${areSeveral ? 'several services use GPUs' : 'all its replicas use them'}, and Docker reserves none, so they are shared`,
    `write \`gpus: 1\` to give ${areSeveral ? 'a service' : 'each replica'} a device of its own`,
  );
}

/** The devices of two requests together: Docker gives a container those of each. Two counts begin with the same device. */
function addWish(one: Value | null, other: Value | null): Value | null {
  if (one === null || other === null) return one ?? other;
  if (Array.isArray(one) && Array.isArray(other)) return [...new Set([...one, ...other])];
  return typeof one === 'number' && typeof other === 'number' ? Math.max(one, other) : 'all';
}

/**
 * The devices that the NVIDIA runtime makes visible, from `NVIDIA_VISIBLE_DEVICES`; null: the service does not set it, and the image
 * most often has `all`.
 */
function visibleDevices({ section, report, key }: ComposeReader, fields: ServiceDraft['fields']): Value | null {
  const env = (fields.env ?? {}) as Readonly<Record<string, Value>>;
  const value = env.NVIDIA_VISIBLE_DEVICES;
  if (value === undefined) return null;
  const { NVIDIA_VISIBLE_DEVICES: _, ...rest } = env;
  fields.env = Object.keys(rest).length > 0 ? rest : undefined;
  const text = String(value);
  if (text === 'all') return 'all';
  // The runtime's words for no device.
  if (text === '' || text === 'none' || text === 'void') return 0;
  if (/^(?:\d+|(?:GPU|MIG)-[\w-]+)(?:,(?:\d+|(?:GPU|MIG)-[\w-]+))*$/.test(text)) return devicesOf(text.split(','));
  const what = `NVIDIA_VISIBLE_DEVICES of ${key}: ${text}`;
  report.look(section.where('environment'), what, 'it gets all devices', 'list them in `gpus`');
  return 'all';
}

function devicesOf(ids: readonly string[]): Value {
  return ids.map((id) => (/^\d{1,4}$/.test(id) ? Number(id) : id));
}

function wishOf(reader: ComposeReader, request: Section): Value | null {
  const { report, key } = reader;
  if (!asksForGpu(reader, request)) {
    const what = `devices of ${key}: ${briefOf(request.node)}`;
    report.lost(
      request.where(),
      what,
      'svc-super assigns devices of NVIDIA and AMD only',
      'give them to the container',
    );
    return null;
  }
  const ids = itemsOf(request.take('device_ids')).flatMap((node) => reader.textAt(node, 'variables-unset') ?? []);
  const count = reader.textAt(request.take('count'), 'variables-unset');
  // Compose requires `gpu`; the others limit which libraries of the driver a container sees.
  if (textsOf(request.take('capabilities')).some((one) => one !== 'gpu')) {
    const what = `capabilities of ${key}: ${briefOf(request.take('capabilities'))}`;
    report.lost(request.where('capabilities'), what, 'a service can use all capabilities that the container has');
  }
  for (const { key: other, node } of request.rest())
    report.lost(request.where(other), `devices.${other} of ${key}: ${briefOf(node)}`, '`gpus` has no such option');
  if (ids.length > 0) return devicesOf(ids);
  if (count === null || count === 'all' || count === '-1') return 'all';
  return /^\d{1,4}$/.test(count) ? Number(count) : 'all';
}
