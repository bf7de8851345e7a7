// Addresses of one service in the texts of another. In one container all services are at 127.0.0.1; where each has its own
// network, the address has to become the name of the other container.
import type { ExportService } from './source.ts';

/** `127.0.0.1:9000`, `localhost:9000`, `[::1]:9000`. */
const ADDRESS = /(?<![\w.-])(?:127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})(?!\d)/g;

/** A text with other services' addresses replaced, and the ports that were replaced. */
export interface Rewritten {
  readonly text: string;
  readonly ports: readonly number[];
}

/** The host name of the service that listens on each port. */
export function hostsByPort(
  services: readonly ExportService[],
  labels: ReadonlyMap<string, string>,
): ReadonlyMap<number, string> {
  return new Map(
    services.flatMap(({ name, config }) => config.ports.map((port) => [port, labels.get(name) ?? name] as const)),
  );
}

/** Replaces the loopback by the host of the service that has the port; the service's own ports stay at the loopback. */
export function rewriteLoopback(
  text: string,
  hosts: ReadonlyMap<number, string>,
  ownPorts: readonly number[],
): Rewritten {
  const ports: number[] = [];
  const replaced = text.replaceAll(ADDRESS, (written, digits: string) => {
    const host = hosts.get(Number(digits));
    if (host === undefined || ownPorts.includes(Number(digits))) return written;
    ports.push(Number(digits));
    return `${host}:${digits}`;
  });
  return { text: replaced, ports };
}
