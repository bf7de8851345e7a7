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
    const text = reader.textAt(node, 'bare') ?? '';
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
  const published = long === null ? undefined : reader.textAt(long.take('published'), 'bare');
  const protocolOf = long?.text('protocol');
  const target = long === null ? null : reader.textAt(long.take('target'), 'bare');
  const ip = long?.text('host_ip');
  const text =
    long === null
      ? (reader.textAt(node, 'bare') ?? '')
      : `${ip === undefined ? '' : `${ip}:`}${published ? `${published}:` : ''}${target ?? ''}${protocolOf === undefined ? '' : `/${protocolOf}`}`;
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

/** Keys that become an option of `docker run`, given each value. */
const OPTIONS: Readonly<Record<string, (value: string) => string>> = {
  shm_size: (value) => `--shm-size ${value}`,
  ipc: (value) => `--ipc ${value}`,
  pid: (value) => `--pid ${value}`,
  uts: (value) => `--uts ${value}`,
  cap_add: (value) => `--cap-add ${value}`,
  cap_drop: (value) => `--cap-drop ${value}`,
  privileged: (value) => (value === 'true' ? '--privileged' : ''),
  devices: (value) => `--device ${value}`,
  device_cgroup_rules: (value) => `--device-cgroup-rule ${quoteWord(value)}`,
  tmpfs: (value) => `--tmpfs ${value}`,
  security_opt: (value) => `--security-opt ${value}`,
  group_add: (value) => `--group-add ${value}`,
  dns: (value) => `--dns ${value}`,
  dns_search: (value) => `--dns-search ${value}`,
  dns_opt: (value) => `--dns-option ${value}`,
  extra_hosts: (value) => `--add-host ${value.replace('=', ':')}`,
  hostname: (value) => `--hostname ${value}`,
  domainname: (value) => `--domainname ${value}`,
  mac_address: (value) => `--mac-address ${value}`,
  memswap_limit: (value) => `--memory-swap ${value}`,
  mem_reservation: (value) => `--memory-reservation ${value}`,
  mem_swappiness: (value) => `--memory-swappiness ${value}`,
  cpus: (value) => `--cpus ${value}`,
  cpu_shares: (value) => `--cpu-shares ${value}`,
  cpu_quota: (value) => `--cpu-quota ${value}`,
  cpu_period: (value) => `--cpu-period ${value}`,
  pids_limit: (value) => `--pids-limit ${value}`,
  read_only: (value) => (value === 'true' ? '--read-only' : ''),
  userns_mode: (value) => `--userns ${value}`,
  cgroup: (value) => `--cgroupns ${value}`,
  cgroup_parent: (value) => `--cgroup-parent ${value}`,
  isolation: (value) => `--isolation ${value}`,
  network_mode: (value) => (/^(?:service|container):/.test(value) ? '' : `--network ${value}`),
  sysctls: (value) => `--sysctl ${value}`,
};

/** Keys for which the container can have one value only. */
const SINGLE: ReadonlySet<string> = new Set([
  'shm_size',
  'ipc',
  'pid',
  'hostname',
  'cpus',
  'read_only',
  'network_mode',
]);

/** Reports every setting of a service that applies to the whole container. */
export function reportHostSettings(reader: ComposeReader): void {
  const { section, report, context } = reader;
  for (const [key, option] of Object.entries(OPTIONS)) {
    if (!section.has(key)) continue;
    const node = section.take(key);
    const pairs = entriesOf(node).map((one) => `${one.key}=${textOf(one.node) ?? ''}`);
    const values = node?.kind === 'map' ? pairs : itemsOf(node).flatMap((one) => reader.textAt(one, 'bare') ?? []);
    for (const value of values) {
      const text = option(value);
      if (text !== '') context.dockerRun.addOption(text);
    }
    const why = SINGLE.has(key) ? 'all services share the one container' : 'it is an option of the container';
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
    const text =
      long === null ? (reader.textAt(node, 'bare') ?? '') : `${long.text('source') ?? ''}:${long.text('target') ?? ''}`;
    const [source = '', target = source] = text.split(':');
    if (long?.text('type') === 'tmpfs') context.dockerRun.addOption(`--tmpfs ${long.text('target') ?? ''}`);
    else if (text !== '' && text !== ':') context.dockerRun.addOption(`-v ${quoteWord(text.replace(/^:/, ''))}`);
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
      const name = long?.text('source') ?? briefOf(node);
      const target = long?.text('target') ?? name;
      const folder = key === 'secrets' ? '/run/secrets/' : '/';
      const path = target.startsWith('/') ? target : `${folder}${target}`;
      context.dockerRun.addOption(`-v ./${name}:${path}:ro`);
      report.lost(
        section.where(key),
        `${key} of ${reader.key}: ${briefOf(node)}`,
        `nothing mounts ${path}`,
        'mount the file: see the `docker run` line at the end',
      );
    }
  }
}

function reportResources(reader: ComposeReader): void {
  const { section, report, context } = reader;
  const resources = section.section('deploy').section('resources');
  for (const kind of ['limits', 'reservations'] as const) {
    const one = resources.section(kind);
    one.take('devices');
    // The limit of memory is a field of the service.
    if (kind === 'limits') one.take('memory');
    for (const { key, node } of one.rest()) {
      const value = reader.textAt(node, 'bare') ?? '';
      if (kind === 'limits' && key === 'cpus') context.dockerRun.addOption(`--cpus ${value}`);
      report.lost(
        one.where(key),
        `deploy.resources.${kind}.${key} of ${reader.key}: ${value}`,
        'limits of memory and processors are those of the container',
        '`docker run --memory`, `--cpus`',
      );
    }
  }
}
