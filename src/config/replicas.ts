// Replicas of a service (`replicas`): one Config entry each, with its number, its name, and its ports plus the number. All
// later stages treat a replica like any other service.
import type { Complete } from './field.ts';
import type { HOOKS } from './hook-values.ts';
import type { ProbeConfig } from './probe-schema.ts';

/** The service that a replica belongs to, and its number from 0. */
export interface Replica {
  readonly of: string;
  readonly index: number;
}

/** A number of replicas that the operator has set at run time (`svc-super scale`). */
export interface ScaledTo {
  readonly replicas: number;
  /** The number in the file at that time; null: it is not known yet. */
  readonly file: number | null;
}

/** By the key of the service in the file. */
export type Scale = ReadonlyMap<string, ScaledTo>;

export const REPLICAS_MOST = 1_000;

/** The number of replicas of a service; `isScaled`: the operator has set it, and the file's number has not changed since. */
export function countReplicas(written: number | null, scaled: ScaledTo | undefined) {
  const file = written ?? 1;
  const isScaled = scaled !== undefined && (scaled.file ?? file) === file && scaled.replicas !== file;
  return { count: isScaled ? scaled.replicas : file, file, isScaled };
}

/** The fields of a service that differ between its replicas. */
interface Replicated {
  readonly name: string;
  readonly replicas: number | null;
  readonly replica: Replica | null;
  readonly ports: readonly number[];
  readonly ready: readonly ProbeConfig[] | null;
  readonly live: readonly ProbeConfig[] | null;
  readonly hooks: Complete<typeof HOOKS>;
}

/**
 * The replicas of a service, or the service itself if it has only one. `first.replicas` is the number that counts, whether the
 * file or the operator has set it (countReplicas). `reread` reads the service again for a number,
 * because it may contain `${SVC_REPLICA}`. `isScaled`: a single replica has a number too, as it had before.
 */
export function makeReplicas<S extends Replicated>(
  first: S,
  reread: (index: number) => S,
  tooHigh: (port: number) => void,
  isScaled: boolean,
): readonly S[] {
  const count = first.replicas ?? 1;
  if (count === 1 && !isScaled) return [first];
  const replicas = Array.from({ length: count }, (_, index) =>
    toReplica(first, index === 0 ? first : reread(index), index),
  );
  const beyond = first.ports.find((port) => port + count - 1 > LAST_PORT);
  if (beyond !== undefined && replicas.some(({ ports }) => ports.some((port) => port > LAST_PORT))) tooHigh(beyond);
  return replicas;
}

const LAST_PORT = 65_535;

/** A port that contains `${SVC_REPLICA}` already differs from the first replica's; the number is added to any other. */
function toReplica<S extends Replicated>(first: S, own: S, index: number): S {
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

/** A probe of one of the service's own ports probes the replica's port. */
function withPort(probe: ProbeConfig, first: ProbeConfig, shifted: ReadonlyMap<number, number>): ProbeConfig {
  const { http } = probe;
  // A unix socket has no port to add the replica's number to.
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

/** `localhost` is an address here (probe-values.ts). A connection to `0.0.0.0` or `::` goes to this machine. */
function isLoopback(host: string): boolean {
  return host.startsWith('127.') || ['::1', '0.0.0.0', '::'].includes(host);
}
