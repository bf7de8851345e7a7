// The processes of a PID namespace as the host's /proc shows them. Reads only.
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process of a run. */
export interface Seen {
  /** The pid in the namespace. */
  readonly pid: number;
  /** The pid on the host. */
  readonly outer: number;
  /** `comm`: at most 15 characters. */
  readonly name: string;
  /** Its command line, words separated by spaces; empty for a zombie. */
  readonly command: string;
  /** R, S, D, Z, ... */
  readonly state: string;
  /** The parent's pid on the host. */
  readonly outerParent: number;
  readonly uid: number;
}

/** `pid:[4026532...]`; undefined if the process has ended. */
export function namespaceOf(outer: number): string | undefined {
  try {
    return readlinkSync(`/proc/${outer}/ns/pid`);
  } catch {
    return undefined;
  }
}

/** Children of a process in the order of their starts; none if the process has ended. */
export function childrenOf(outer: number): readonly number[] {
  try {
    return readFileSync(`/proc/${outer}/task/${outer}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Keeps a namespace open: until it is closed, no other namespace gets the same name. */
export interface Hold {
  readonly ns: string;
  release(): void;
}

/** Opens a process's namespace; undefined if the process has ended. */
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

/** Whether the namespace has any process, including zombies. */
export function hasNamespace(ns: string): boolean {
  return outerPids().some((outer) => namespaceOf(outer) === ns);
}

export function inNamespace(ns: string): readonly Seen[] {
  return outerPids().flatMap((outer) => (namespaceOf(outer) === ns ? (look(outer) ?? []) : []));
}

/** The first child of a process, in any namespace. */
export function childOf(outer: number): number | undefined {
  return outerPids().find((pid) => parentOf(pid) === outer);
}

/** The name of the file that PID 1 starts as its supervisor, and its first 15 characters, which are `comm`. */
const SUPERVISOR = 'svc-super-supervisor';
const SUPERVISOR_COMM = SUPERVISOR.slice(0, 15);

/** Words of a command line up to the supervisor's file: an interpreter, and at most three options. */
const WORDS = 5;

/** Whether it is the supervisor below PID 1: executed directly, by an interpreter, or a zombie. */
export function isSupervisor({ command, name }: Pick<Seen, 'command' | 'name'>): boolean {
  if (command === '') return name === SUPERVISOR_COMM;
  return command.split(' ', WORDS).some((word) => word === SUPERVISOR || word.endsWith(`/${SUPERVISOR}`));
}

/** The host pid of the supervisor that a native svc-super has started; undefined while there is none. */
export function supervisorOf(pid1: number): number | undefined {
  return childrenOf(pid1).find((outer) => isSupervisor(look(outer) ?? { command: '', name: '' }));
}

function parentOf(outer: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${outer}/stat`, 'latin1');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
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
