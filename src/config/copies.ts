// Copies of a service (`replicas`): one Config entry each, with its number, its name, and its ports counted up. Everything
// behind the Config takes a copy for a service like any other.
import type { ServiceConfig } from './config.ts';
import type { ProbeConfig } from './probe-schema.ts';

/** Which copy of which service it is, from 0. */
export interface Replica {
  readonly of: string;
  readonly index: number;
}

/**
 * The copies of a service, or itself where it has but one. `reread` reads it once more for a number, for a service in
 * which `${SVC_REPLICA}` may stand.
 */
export function copiesOf(
  first: ServiceConfig,
  reread: (index: number) => ServiceConfig,
  tooHigh: (port: number) => void,
): readonly ServiceConfig[] {
  const count = first.replicas ?? 1;
  if (count === 1) return [first];
  const copies = Array.from({ length: count }, (_, index) => toCopy(first, index === 0 ? first : reread(index), index));
  const beyond = first.ports.find((port) => port + count - 1 > LAST_PORT);
  if (beyond !== undefined && copies.some(({ ports }) => ports.some((port) => port > LAST_PORT))) tooHigh(beyond);
  return copies;
}

const LAST_PORT = 65_535;

/** A port in which `${SVC_REPLICA}` stands differs by itself from the first copy's; any other is counted up. */
function toCopy(first: ServiceConfig, own: ServiceConfig, index: number): ServiceConfig {
  const ports = own.ports.map((port, at) => (port === first.ports[at] ? port + index : port));
  const shifted = new Map(first.ports.map((port, at) => [port, ports[at] ?? port]));
  const probes = (role: 'ready' | 'live') =>
    own[role]?.map((probe, at) => withPort(probe, first[role]?.[at] ?? probe, shifted)) ?? null;
  const [drain, from] = [own.hooks.before_stop, first.hooks.before_stop];
  const idle = drain !== null && 'wait_for' in drain && from !== null && 'wait_for' in from;
  return Object.freeze({
    ...own,
    hooks: idle
      ? { ...own.hooks, before_stop: { ...drain, wait_for: withPort(drain.wait_for, from.wait_for, shifted) } }
      : own.hooks,
    name: `${first.name}.${index}`,
    replica: { of: first.name, index },
    ports,
    ready: probes('ready'),
    live: probes('live'),
  });
}

/** Where a probe names one of the service's own ports, it means that of the copy. */
function withPort(probe: ProbeConfig, first: ProbeConfig, shifted: ReadonlyMap<number, number>): ProbeConfig {
  const { http } = probe;
  // A unix socket has no port to add the copy's number to.
  const tcp = probe.tcp?.socket === null ? probe.tcp : undefined;
  const firstTcp = first.tcp?.socket === null ? first.tcp : undefined;
  const moved = (to: Endpoint, from: Endpoint | undefined): number | null => {
    const isWritten = to.port !== null && to.port === from?.port && isLoopback(to.host);
    return isWritten ? (shifted.get(to.port) ?? to.port) : to.port;
  };
  return {
    ...probe,
    ...(http !== undefined && { http: { ...http, port: moved(http, first.http) } }),
    ...(tcp !== undefined && { tcp: { ...tcp, port: moved(tcp, firstTcp) } }),
  };
}

interface Endpoint {
  readonly host: string;
  readonly port: number | null;
}

function isLoopback(host: string): boolean {
  return host.startsWith('127.') || host === '::1' || host === '0.0.0.0';
}
