// GPUs of Compose services. Two services with `count: 1` get the same device there, since Docker reserves nothing; two services
// with `gpus: 1` here get two. So all devices are shared as soon as more than one service asks.
// https://docs.docker.com/compose/how-tos/gpu-support/
import type { ServiceDraft } from '../services-yaml.ts';
import { briefOf, itemsOf, Section, textOf, textsOf } from '../yaml-source.ts';
import type { Value } from '../yaml-values.ts';
import type { ComposeContext, ComposeReader } from './compose-reader.ts';

/** Requests for devices of a service: `gpus`, and the reservations of `deploy`. */
function requestsOf(section: Section): readonly Section[] {
  const reservations = section.section('deploy').section('resources').section('reservations').sections('devices');
  const gpus = itemsOf(section.take('gpus')).filter(({ kind }) => kind === 'map');
  return [...reservations, ...gpus.map((node) => new Section(node, section.source))];
}

/** Whether a service of the file asks for GPUs. */
export function asksForGpus(section: Section): boolean {
  return (
    requestsOf(section).some((one) => isNvidia(one)) ||
    textOf(section.take('gpus')) === 'all' ||
    textOf(section.take('runtime')) === 'nvidia'
  );
}

function isNvidia(request: Section): boolean {
  const driver = request.text('driver');
  const capabilities = textsOf(request.take('capabilities'));
  return driver === 'nvidia' || (driver === undefined && (capabilities.length === 0 || capabilities.includes('gpu')));
}

/** Writes `gpus`. */
export function importGpus(reader: ComposeReader, fields: ServiceDraft['fields']): void {
  const { section, report, context } = reader;
  const requests = requestsOf(section);
  const runtime = reader.textAt(section.take('runtime'), 'bare');
  const usesAll = textOf(section.take('gpus')) === 'all';
  let wish: Value | null = usesAll || runtime === 'nvidia' ? 'all' : null;
  for (const request of requests) {
    const found = wishOf(reader, request);
    if (found !== null) wish = found;
  }
  if (runtime === 'nvidia') wish = visibleDevices(fields) ?? wish;
  else if (runtime !== null)
    report.lost(
      section.where('runtime'),
      `runtime ${runtime} of ${reader.key}`,
      'devices of other makers are given to the whole container',
      `docker run --runtime ${runtime}`,
    );
  if (wish === null) return;
  fields.gpus = shareIfNeeded(wish, context);
  context.dockerRun.addOption('--gpus all');
  if (context.gpuUsers > 1) {
    report.once(
      'gpus',
      section.where(),
      `GPUs of ${reader.key}`,
      'several services use them, and Docker gave them the same devices, so they are shared',
      'write `gpus: 1` to give a service a device of its own',
    );
  }
}

/** The devices that the NVIDIA runtime makes visible, from `NVIDIA_VISIBLE_DEVICES`. */
function visibleDevices(fields: ServiceDraft['fields']): Value | null {
  const env = (fields.env ?? {}) as Readonly<Record<string, Value>>;
  const value = env.NVIDIA_VISIBLE_DEVICES;
  if (value === undefined) return null;
  const { NVIDIA_VISIBLE_DEVICES: _, ...rest } = env;
  fields.env = Object.keys(rest).length > 0 ? rest : undefined;
  const text = String(value);
  if (text === 'all' || text === '') return 'all';
  return /^(?:\d+|GPU-[\w-]+)(?:,(?:\d+|GPU-[\w-]+))*$/.test(text) ? devicesOf(text.split(',')) : 'all';
}

function devicesOf(ids: readonly string[]): Value {
  return ids.map((id) => (/^\d{1,4}$/.test(id) ? Number(id) : id));
}

function wishOf(reader: ComposeReader, request: Section): Value | null {
  const { report, key } = reader;
  if (!isNvidia(request)) {
    const what = `devices of ${key}: ${briefOf(request.node)}`;
    report.lost(
      request.where(),
      what,
      'svc-super assigns NVIDIA and AMD devices of the container only',
      'give them to the container',
    );
    return null;
  }
  const ids = itemsOf(request.take('device_ids')).flatMap((node) => reader.textAt(node, 'bare') ?? []);
  const count = reader.textAt(request.take('count'), 'bare');
  if (request.has('capabilities')) {
    const what = `capabilities of ${key}: ${briefOf(request.take('capabilities'))}`;
    report.lost(request.where('capabilities'), what, 'all capabilities of a device can be used');
  }
  for (const { key: other, node } of request.rest()) {
    report.lost(
      request.where(other),
      `devices.${other} of ${key}: ${briefOf(node)}`,
      'all capabilities of a device can be used',
    );
  }
  if (ids.length > 0) return devicesOf(ids);
  if (count === null || count === 'all' || count === '-1') return 'all';
  return /^\d{1,4}$/.test(count) ? Number(count) : 'all';
}

function shareIfNeeded(wish: Value, { gpuUsers }: ComposeContext): Value {
  return gpuUsers > 1 && wish !== 0 ? { share: wish } : wish;
}
