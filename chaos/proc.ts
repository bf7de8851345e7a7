// The processes of a round's PID namespace as the host's /proc shows them, with some of their details. Reads only.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { parseStat } from '../src/linux/processes.ts';

export interface Seen {
  /** The pid in the namespace. */
  readonly pid: number;
  /** The pid on the host. */
  readonly outer: number;
  /** Start time in clock ticks since boot: together with the pid it identifies a process. */
  readonly start: number;
  readonly name: string;
  readonly state: string;
  readonly outerParent: number;
}

/** Reads /proc repeatedly; caches the namespace of each process, which never changes. */
export class Processes {
  readonly #known = new Map<string, { readonly ns: string; readonly pid: number }>();

  /** All processes of one namespace, including zombies. */
  of(ns: string): Seen[] {
    const found: Seen[] = [];
    const alive = new Set<string>();
    for (const entry of readdirSync('/proc')) {
      const first = entry.charCodeAt(0);
      if (first < 49 || first > 57) continue;
      const outer = Number(entry);
      const stat = readStat(outer);
      if (stat === null) continue;
      const key = `${outer}:${stat.start}`;
      alive.add(key);
      let known = this.#known.get(key);
      if (known === undefined) {
        const found = identify(outer);
        if (found === null) continue;
        known = found;
        this.#known.set(key, known);
      }
      if (known.ns !== ns) continue;
      const { start, name, state, parent } = stat;
      found.push({ pid: known.pid, outer, start, name, state, outerParent: parent });
    }
    for (const key of this.#known.keys()) if (!alive.has(key)) this.#known.delete(key);
    return found;
  }
}

function readStat(outer: number) {
  try {
    return parseStat(readFileSync(`/proc/${outer}/stat`, 'latin1'));
  } catch {
    return null;
  }
}

function identify(outer: number): { readonly ns: string; readonly pid: number } | null {
  try {
    const ns = readlinkSync(`/proc/${outer}/ns/pid`);
    const numbers = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${outer}/status`, 'latin1'))?.[1] ?? '';
    return { ns, pid: Number(numbers.split(/\s+/).at(-1)) };
  } catch {
    return null;
  }
}

/** The program that a process executes. */
export function programOf(outer: number): string {
  try {
    return readFileSync(`/proc/${outer}/cmdline`, 'utf8').split('\0')[0] ?? '';
  } catch {
    return '';
  }
}

/** Time that a process's main thread has waited for a processor, milliseconds; 0 if the kernel does not count it. */
export function waitedOf(outer: number): number {
  try {
    const [, waited = 0] = readFileSync(`/proc/${outer}/task/${outer}/schedstat`, 'latin1').split(' ').map(Number);
    return waited / 1e6;
  } catch {
    return 0;
  }
}

/** Its anonymous resident memory in bytes, and its number of open descriptors. */
export function holdingsOf(outer: number): { readonly memory: number; readonly files: number } | null {
  try {
    const kib = Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${outer}/status`, 'latin1'))?.[1] ?? 0);
    return { memory: kib * 1024, files: readdirSync(`/proc/${outer}/fd`).length };
  } catch {
    return null;
  }
}
