// The processes of a PID namespace as the host's /proc shows them. Looks only.
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process of a run. */
export interface Seen {
  /** Its number inside the namespace. */
  readonly pid: number;
  /** Its number here. */
  readonly outer: number;
  /** `comm`: at most 15 characters. */
  readonly name: string;
  /** Its command line, words separated by spaces; empty for a zombie. */
  readonly command: string;
  /** R, S, D, Z, ... */
  readonly state: string;
  /** Its parent's number here. */
  readonly outerParent: number;
  readonly uid: number;
}

/** `pid:[4026532...]`; undefined when the process is gone. */
export function namespaceOf(outer: number): string | undefined {
  try {
    return readlinkSync(`/proc/${outer}/ns/pid`);
  } catch {
    return undefined;
  }
}

/** A hold on a namespace: while it is there, no other namespace gets the same name. */
export interface Hold {
  readonly ns: string;
  release(): void;
}

/** Takes hold of a process's namespace; undefined when the process is gone. */
export function holdNamespace(outer: number): Hold | undefined {
  try {
    const fd = openSync(`/proc/${outer}/ns/pid`, 'r');
    return { ns: readlinkSync(`/proc/self/fd/${fd}`), release: () => closeSync(fd) };
  } catch {
    return undefined;
  }
}

function outerPids(): readonly number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
}

/** Whether any process of the namespace is left, zombies included. */
export function hasNamespace(ns: string): boolean {
  return outerPids().some((outer) => namespaceOf(outer) === ns);
}

export function inNamespace(ns: string): readonly Seen[] {
  return outerPids().flatMap((outer) => (namespaceOf(outer) === ns ? (look(outer) ?? []) : []));
}

/** The first child of a process, whichever namespace it is in. */
export function childOf(outer: number): number | undefined {
  return outerPids().find((pid) => {
    try {
      const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
      return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]) === outer;
    } catch {
      return false;
    }
  });
}

function look(outer: number): Seen | undefined {
  try {
    const status = readFileSync(`/proc/${outer}/status`, 'latin1');
    const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
    return {
      pid: Number(field('NSpid').split(/\s+/).at(-1)),
      outer,
      name: field('Name'),
      command: readFileSync(`/proc/${outer}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
      state: field('State').charAt(0),
      outerParent: Number(field('PPid')),
      uid: Number(field('Uid').split(/\s+/)[0]),
    };
  } catch {
    return undefined;
  }
}
