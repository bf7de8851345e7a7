// Probes in the form that the runtime needs: defaults and the service's own port are filled in. Runs none.
import { toArgv } from '../config/command.ts';
import type { ServiceConfig } from '../config/config.ts';
import { complete } from '../config/field.ts';
import { type HttpTarget, PROBE, type ProbeConfig } from '../config/probe-schema.ts';
import type { TcpTarget } from '../config/probe-values.ts';
import type { HttpProbe, Probe, ProbeCommon, TcpProbe } from './plan.ts';
import type { Path, Problems } from './problems.ts';

// For the Host header only: a unix socket has no port.
const SOCKET_PORT = 80;
/** Placeholder host of a probe that connects to a unix socket. */
const LOOPBACK = '127.0.0.1';

/** The `ready` or `live` probes of a service; an HTTP or TCP probe that has no port, and none of the service to use instead, is an error. */
export function toProbes(service: ServiceConfig, role: 'ready' | 'live', problems: Problems): readonly Probe[] {
  return (service[role] ?? []).flatMap((config, index) => toProbeOf(service, config, [role, index], problems) ?? []);
}

/** One probe; `path` is its path within the service. */
export function toProbeOf(service: ServiceConfig, config: ProbeConfig, path: Path, problems: Problems): Probe | null {
  return toProbe(config, (kind) => service.ports[0] ?? missingPort(service, [...path, kind], problems));
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

// A `tcp` probe has no key `port`.
const TCP_PORT = 'write the port in the probe, such as `tcp: 8080`, or add `port` to the service';

function missingPort(service: ServiceConfig, path: Path, problems: Problems): number {
  // An invalid port has been reported already.
  if (!service.broken.has('port') && !service.broken.has('ports')) {
    problems.error(
      // Problems of a replica are shown at its service in the file.
      ['services', service.name, ...path],
      'missing-port',
      `this probe has no port, and \`${service.key}\` has no \`port\``,
      { key: true, suggestion: path.at(-1) === 'tcp' ? TCP_PORT : 'add `port` to the probe or to the service' },
    );
  }
  return 0;
}

/** What a probe asks, for users: `GET http://127.0.0.1:8000/health`. May have a password in it. */
export function describeTarget(probe: Probe): string {
  switch (probe.kind) {
    case 'http':
      return `${probe.method} ${probe.scheme}://${probe.socket ?? addressOf(probe)}${probe.path}`;
    case 'tcp':
      return probe.socket ?? addressOf(probe);
    case 'exec':
      return probe.argv.join(' ');
    case 'log':
      return probe.pattern;
    case 'file':
      return probe.path;
    case 'notify':
      return probe.fd === null ? 'READY=1 on NOTIFY_SOCKET' : `a line on descriptor ${probe.fd}`;
    default:
      return probe satisfies never;
  }
}

function addressOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
