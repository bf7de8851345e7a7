// Probes as the runtime takes them: every default in place, the service's own port filled in. Runs none.
import { toArgv } from '../config/command.ts';
import type { ServiceConfig } from '../config/config.ts';
import { complete } from '../config/field.ts';
import { type HttpTarget, PROBE, type ProbeConfig } from '../config/probe-schema.ts';
import type { TcpTarget } from '../config/probe-values.ts';
import type { Complaints, Path } from './complaints.ts';
import type { HttpProbe, Probe, ProbeCommon, TcpProbe } from './plan.ts';

// Host header and nothing else: behind a unix socket there is no port.
const SOCKET_PORT = 80;
/** Host of a probe that connects to a unix socket instead; not used. */
const LOOPBACK = '127.0.0.1';

/** The probes of one kind; one that has no port to go to is an error. */
export function toProbes(service: ServiceConfig, role: 'ready' | 'live', complaints: Complaints): readonly Probe[] {
  return (service[role] ?? []).flatMap((config, index) => toProbeOf(service, config, [role, index], complaints) ?? []);
}

/** One probe; `path` is where it stands in the service. */
export function toProbeOf(
  service: ServiceConfig,
  config: ProbeConfig,
  path: Path,
  complaints: Complaints,
): Probe | null {
  return toProbe(config, (kind) => service.ports[0] ?? missingPort(service, [...path, kind], complaints));
}

function toProbe(config: ProbeConfig, ownPort: (kind: string) => number): Probe | null {
  const { http, tcp, exec, log, file, notify, start_interval: startInterval, ...rest } = complete(PROBE, config);
  const common: ProbeCommon = { ...rest, startInterval };
  if (http !== null) return toHttp(http, common, () => ownPort('http'));
  if (tcp !== null) return { kind: 'tcp', ...common, ...toAddress(tcp, () => ownPort('tcp')) };
  if (exec !== null) return { kind: 'exec', ...common, argv: toArgv(exec) };
  if (log !== null) return { kind: 'log', ...common, pattern: log };
  if (file !== null) return { kind: 'file', ...common, path: file };
  return notify === null ? null : { kind: 'notify', ...common, fd: notify.fd };
}

function toAddress(tcp: TcpTarget, ownPort: () => number): Pick<TcpProbe, 'host' | 'port' | 'socket'> {
  if (tcp.socket !== null) return { host: LOOPBACK, port: 0, socket: tcp.socket };
  return { host: tcp.host, port: tcp.port ?? ownPort(), socket: null };
}

function toHttp(http: HttpTarget, common: ProbeCommon, ownPort: () => number): HttpProbe {
  const {
    scheme,
    host,
    path,
    socket,
    method,
    headers,
    body,
    status,
    contains,
    matches,
    json,
    not_matches,
    verify_tls,
  } = http;
  const jsonPath = json?.path ?? null;
  const equals = json?.equals;
  return {
    kind: 'http',
    ...common,
    scheme,
    host,
    port: http.port ?? (socket === null ? ownPort() : SOCKET_PORT),
    socket,
    path,
    method,
    headers: Object.fromEntries(headers),
    body,
    status,
    contains,
    matches,
    notMatches: not_matches,
    json:
      jsonPath === null ? null : equals === undefined ? { path: jsonPath } : { path: jsonPath, equals: equals.value },
    verifyTls: verify_tls,
  };
}

function missingPort(service: ServiceConfig, path: Path, complaints: Complaints): number {
  // A port that is there and wrong has been reported already.
  if (!service.broken.has('port') && !service.broken.has('ports')) {
    complaints.error(
      ['services', service.name, ...path],
      'missing-port',
      `this probe names no port, and \`${service.key}\` has none either`,
      { key: true, suggestion: 'give `port` in the probe, or give the service a `port`' },
    );
  }
  return 0;
}
