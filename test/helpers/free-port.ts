// Free ports for runs of the binary, inside and outside of `bun test`. They lie below the range from which the kernel takes
// the ports of outgoing connections (ip_local_port_range in ip(7)): a probe's own connection could take one of those.
import { readFileSync } from 'node:fs';

const LOWEST = 10_000;
const HIGHEST = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s/)[0]) - 1;

function isFree(port: number): boolean {
  try {
    Bun.listen({ hostname: '0.0.0.0', port, socket: { data() {} } }).stop(true);
    return true;
  } catch {
    return false;
  }
}

/** `count` consecutive ports that are free now, on every address. */
export function freePorts(count: number): number[] {
  for (;;) {
    const first = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST - count));
    const ports = Array.from({ length: count }, (_, index) => first + index);
    if (ports.every(isFree)) return ports;
  }
}

/** A port that is free now, on every address. */
export async function freePort(): Promise<number> {
  return freePorts(1)[0] as number;
}
