// Measurements at one moment, from outside and summed over svc-super and its supervisor: memory, descriptors by kind, threads,
// wake-ups; and the armed timers that the supervisor reports. Reads only.
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Supervisor } from './supervisor.ts';

export interface Figures {
  /** Anonymous memory of both processes, bytes. */
  readonly anon: number;
  readonly resident: number;
  readonly descriptors: number;
  readonly threads: number;
  readonly timers: number;
  /** Processor seconds since the start. */
  readonly cpu: number;
}

export type Counted = 'restarts' | 'lines' | 'probes';

/** Its counters since the start. */
export type Counts = Readonly<Record<Counted, number>>;

/** The values of a text of metrics, by family: sums over all labels. */
export function sumMetrics(text: string): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const line of text.split('\n')) {
    const found = /^([a-z_]+)(?:\{.*\})? (\S+)$/.exec(line);
    if (found === null) continue;
    const [, name = '', value] = found;
    sums.set(name, (sums.get(name) ?? 0) + Number(value));
  }
  return sums;
}

export async function readMetrics(port: number): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  return sumMetrics(await response.text());
}

export function countsOf(metrics: ReadonlyMap<string, number>): Counts {
  return {
    restarts: metrics.get('svc_super_service_restarts_total') ?? 0,
    lines: metrics.get('svc_super_log_lines_total') ?? 0,
    probes: metrics.get('svc_super_probe_attempts_total') ?? 0,
  };
}

export function figuresOf(supervisor: Supervisor, metrics: ReadonlyMap<string, number>): Figures {
  const texts = supervisor.read('status');
  const field = (name: string) => {
    const pattern = new RegExp(`^${name}:\\s+(\\d+)`, 'm');
    return texts.reduce((sum, text) => sum + Number(pattern.exec(text)?.[1]), 0);
  };
  return {
    anon: field('RssAnon') * 1_024,
    resident: field('VmRSS') * 1_024,
    descriptors: supervisor.pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0),
    threads: field('Threads'),
    timers: metrics.get('svc_super_timers') ?? Number.NaN,
    cpu: metrics.get('process_cpu_seconds_total') ?? Number.NaN,
  };
}

/** Voluntary context switches of both main threads: each is a wake-up. */
export function wakesOf(supervisor: Supervisor): number {
  const of = (text: string) => Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(text)?.[1]);
  return supervisor.read('status').reduce((sum, text) => sum + of(text), 0);
}

/** Descriptors by kind: `pipe`, `socket`, `anon_inode:[eventpoll]`, a path. */
export function describeDescriptors(supervisor: Supervisor): ReadonlyMap<string, number> {
  const kinds = new Map<string, number>();
  for (const folder of supervisor.pids.map((pid) => `/proc/${pid}/fd`)) {
    for (const fd of readdirSync(folder)) {
      let kind: string;
      try {
        kind = readlinkSync(join(folder, fd)).replace(/:\[\d+\]$/, '');
      } catch {
        continue;
      }
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
  }
  return kinds;
}
