// Settings of a Compose file that apply to the one container: ports, volumes, capabilities, shared memory. They are collected
// into one `docker run` line; conflicts between services that now share the container are reported.
import type { ServiceDraft } from '../services-yaml.ts';
import { quoteWord } from '../words.ts';
import { briefOf, entriesOf, itemsOf, Section, textOf } from '../yaml-source.ts';
import type { ComposeReader } from './compose-reader.ts';

/** TCP ports in the container that the service listens on, without those that another service has. */
export function importPorts(reader: ComposeReader, service: ServiceDraft): void {
  const { section, image } = reader;
  const found = new Set<number>();
  for (const node of itemsOf(section.take('ports'))) for (const port of takePublished(reader, node)) found.add(port);
  for (const node of itemsOf(section.take('expose'))) {
    const text = reader.textAt(node, 'variables-unset') ?? '';
    const [, port, protocol = 'tcp'] = /^(\d{1,5})(?:\/(\w+))?$/.exec(text) ?? [];
    if (port !== undefined && protocol === 'tcp') found.add(Number(port));
    else
      reader.report.lost(
        section.where('expose'),
        `expose ${text} of ${reader.key}`,
        'only single TCP ports are listed',
      );
  }
  for (const port of image?.ports ?? []) found.add(port);
  const valid = [...found].filter((port) => port >= 1 && port <= 65_535);
  const where = section.where(section.has('ports') ? 'ports' : 'expose');
  const own = valid.filter((port) => reader.context.dockerRun.claim(port, reader.key, where, reader.report));
  reader.ports = valid;
  if (own.length < valid.length) service.todo.push('another service has the same port: see the report');
  const [first] = own;
  if (own.length === 1 && first !== undefined) service.fields.port = first;
  if (own.length > 1) service.fields.ports = own;
}

/** Adds the ports of a service that is left out to the `docker run` line. */
export function publishPorts(reader: ComposeReader): void {
  for (const node of itemsOf(reader.section.take('ports'))) takePublished(reader, node);
}

/**
 * Adds one entry of `ports` to the `docker run` line, and reports it. Returns its port in the container; nothing for a range of ports
 * or for UDP.
 */
function takePublished(reader: ComposeReader, node: ReturnType<Section['take']>): readonly number[] {
  const { section, report, context } = reader;
  const long = node?.kind === 'map' ? new Section(node, section.source) : null;
  const published = long === null ? undefined : reader.textAt(long.take('published'), 'variables-unset');
  const protocolOf = long === null ? null : reader.textAt(long.take('protocol'), 'variables-unset');
  const target = long === null ? null : reader.textAt(long.take('target'), 'variables-unset');
  const ip = long === null ? null : reader.textAt(long.take('host_ip'), 'variables-unset') || null;
  // `IP::TARGET` leaves the port of the machine to the engine.
  const address = ip === null ? '' : ip.includes(':') && !ip.startsWith('[') ? `[${ip}]:` : `${ip}:`;
  const outside = published ? `${published}:` : ip === null ? '' : ':';
  const text =
    long === null
      ? (reader.textAt(node, 'variables-unset') ?? '')
      : `${address}${outside}${target ?? ''}${protocolOf === null ? '' : `/${protocolOf}`}`;
  for (const { key, node: value } of long?.rest() ?? []) {
    report.lost(
      long?.where(key) ?? section.where('ports'),
      `ports.${key} of ${reader.key}: ${briefOf(value)}`,
      'svc-super does not publish ports; set it on the container',
    );
  }
  if (text === '') return [];
  context.dockerRun.addOption(`-p ${quoteWord(text)}`);
  const [, inside = '', protocol = 'tcp'] = /(?:^|:)(\d{1,5}(?:-\d{1,5})?)(?:\/(\w+))?$/.exec(text) ?? [];
  if (/^\d+$/.test(inside) && protocol === 'tcp') {
    report.once(
      'publish',
      section.where('ports'),
      `ports of ${reader.key}`,
      'the container publishes them',
      'use the `docker run` line at the end',
    );
    return [Number(inside)];
  }
  report.lost(
    section.where('ports'),
    `ports ${text} of ${reader.key}`,
    'only single TCP ports are listed',
    'the `docker run` line at the end publishes them',
  );
  return [];
}

/** Keys that become an option of `docker run` with each value; or the option for a value, `` for none. */
const OPTIONS: Readonly<Record<string, string | ((value: string) => string)>> = {
  shm_size: '--shm-size',
  ipc: '--ipc',
  pid: '--pid',
  uts: '--uts',
  cap_add: '--cap-add',
  cap_drop: '--cap-drop',
  devices: '--device',
  device_cgroup_rules: '--device-cgroup-rule',
  tmpfs: '--tmpfs',
  security_opt: '--security-opt',
  group_add: '--group-add',
  dns: '--dns',
  dns_search: '--dns-search',
  dns_opt: '--dns-option',
  hostname: '--hostname',
  domainname: '--domainname',
  mac_address: '--mac-address',
  memswap_limit: '--memory-swap',
  mem_reservation: '--memory-reservation',
  mem_swappiness: '--memory-swappiness',
  cpus: '--cpus',
  cpu_shares: '--cpu-shares',
  cpu_quota: '--cpu-quota',
  cpu_period: '--cpu-period',
  pids_limit: '--pids-limit',
  userns_mode: '--userns',
  cgroup: '--cgroupns',
  cgroup_parent: '--cgroup-parent',
  isolation: '--isolation',
  sysctls: '--sysctl',
  privileged: (value) => (value === 'true' ? '--privileged' : ''),
  read_only: (value) => (value === 'true' ? '--read-only' : ''),
  extra_hosts: (value) => `--add-host ${quoteWord(value.replace('=', ':'))}`,
  network_mode: (value) => (/^(?:service|container):/.test(value) ? '' : `--network ${quoteWord(value)}`),
};

/** Keys whose values of all services the container can have together; of the other keys it can have one value. */
const SEVERAL: ReadonlySet<string> = new Set([
  'cap_add',
  'cap_drop',
  'devices',
  'device_cgroup_rules',
  'tmpfs',
  'security_opt',
  'group_add',
  'dns',
  'dns_search',
  'dns_opt',
  'extra_hosts',
  'sysctls',
]);

/** Reports every setting of a service that applies to the whole container. */
export function reportHostSettings(reader: ComposeReader): void {
  const { section, report, context } = reader;
  for (const [key, option] of Object.entries(OPTIONS)) {
    if (!section.has(key)) continue;
    const node = section.take(key);
    const pairs = entriesOf(node).map((one) => `${one.key}=${textOf(one.node) ?? ''}`);
    const values =
      node?.kind === 'map' ? pairs : itemsOf(node).flatMap((one) => reader.textAt(one, 'variables-unset') ?? []);
    for (const value of values) {
      const text = typeof option === 'string' ? `${option} ${quoteWord(value)}` : option(value);
      if (text !== '') context.dockerRun.addOption(text);
    }
    const why = SEVERAL.has(key) ? 'it is an option of the container' : 'all services share the one container';
    report.lost(
      section.where(key),
      `${key} of ${reader.key}: ${briefOf(node)}`,
      why,
      'see the `docker run` line at the end',
    );
  }
  reportVolumes(reader);
  reportNetworks(reader);
  reportSecrets(reader);
  reportResources(reader);
  const logging = section.take('logging');
  if (logging !== undefined)
    report.lost(
      section.where('logging'),
      `logging of ${reader.key}: ${briefOf(logging)}`,
      'the container has one log',
      '`docker run --log-driver`, or `log` of the service',
    );
}

function reportVolumes(reader: ComposeReader): void {
  const { section, report, context } = reader;
  for (const node of itemsOf(section.take('volumes'))) {
    const long = node.kind === 'map' ? new Section(node, section.source) : null;
    const text = long === null ? (reader.textAt(node, 'variables-unset') ?? '') : volumeOf(long, reader);
    const [source = '', target = source] = text.split(':');
    if (long?.text('type') === 'tmpfs') context.dockerRun.addOption(`--tmpfs ${quoteWord(target)}`);
    else if (text !== '') context.dockerRun.addOption(`-v ${quoteWord(text)}`);
    const where = long?.where() ?? section.where('volumes');
    context.dockerRun.mount(target, source, reader.key, where, report);
    report.lost(
      where,
      `volumes of ${reader.key}: ${briefOf(node)}`,
      'a volume is mounted into the container, for all services',
      'see the `docker run` line at the end',
    );
  }
}

/** The long form of a volume as `docker run -v` takes it. A volume without a source cannot be read-only there. */
function volumeOf(long: Section, reader: ComposeReader): string {
  const read = (key: string) => reader.textAt(long.take(key), 'variables-unset') ?? '';
  const [source, target, readOnly] = [read('source'), read('target'), read('read_only')];
  if (source === '') return target;
  return `${source}:${target}${readOnly === 'true' ? ':ro' : ''}`;
}

function reportNetworks(reader: ComposeReader): void {
  const { section, report } = reader;
  const node = section.take('networks');
  if (node === undefined) return;
  const aliases = entriesOf(node).flatMap(({ node: terms }) =>
    itemsOf(new Section(terms, section.source).take('aliases')),
  );
  const names = aliases.map(briefOf);
  const instead = names.length > 0 ? `no host is called ${names.join(', ')} here: write 127.0.0.1` : null;
  report.lost(
    section.where('networks'),
    `networks of ${reader.key}: ${briefOf(node)}`,
    'all services are on 127.0.0.1 and can reach each other',
    instead,
  );
}

function reportSecrets(reader: ComposeReader): void {
  const { section, report, context } = reader;
  for (const key of ['secrets', 'configs'] as const) {
    for (const node of itemsOf(section.take(key))) {
      const long = node.kind === 'map' ? new Section(node, section.source) : null;
      const name = reader.textAt(long === null ? node : long.take('source'), 'variables-unset') ?? briefOf(node);
      const target = reader.textAt(long?.take('target'), 'variables-unset') ?? name;
      const folder = key === 'secrets' ? '/run/secrets/' : '/';
      const path = target.startsWith('/') ? target : `${folder}${target}`;
      const file = context.mounted.get(`${key}.${name}`);
      if (file !== undefined) context.dockerRun.addOption(`-v ${quoteWord(`${file}:${path}:ro`)}`);
      report.lost(
        section.where(key),
        `${key} of ${reader.key}: ${briefOf(node)}`,
        `nothing mounts ${path}`,
        file === undefined
          ? `write it to a file, and mount the file with \`docker run -v FILE:${path}:ro\``
          : 'mount the file: see the `docker run` line at the end',
      );
    }
  }
}

/** The options for limits of `deploy.resources`; the limit of memory is a field of the service. */
const LIMITS: Readonly<Record<string, string>> = { cpus: '--cpus', pids: '--pids-limit' };

function reportResources(reader: ComposeReader): void {
  const { section, report, context } = reader;
  const resources = section.section('deploy').section('resources');
  for (const kind of ['limits', 'reservations'] as const) {
    const one = resources.section(kind);
    one.take('devices');
    if (kind === 'limits') one.take('memory');
    for (const { key, node } of one.rest()) {
      const value = reader.textAt(node, 'variables-unset') ?? '';
      const option = kind === 'limits' ? LIMITS[key] : undefined;
      if (option !== undefined) context.dockerRun.addOption(`${option} ${quoteWord(value)}`);
      const reserved = key === 'memory' ? 'give it with `docker run --memory-reservation`' : null;
      report.lost(
        one.where(key),
        `deploy.resources.${kind}.${key} of ${reader.key}: ${value}`,
        option === undefined ? 'the container has one for all services' : 'the limit is that of the container',
        option === undefined ? reserved : 'see the `docker run` line at the end',
      );
    }
  }
}
