// The resource limits of Linux (getrlimit(2)) by their names in services.yaml. Sets no limit: native/spawn.c does. Pure.

/** Soft and hard value of one limit; null: unlimited. */
export interface Limit {
  readonly soft: number | null;
  readonly hard: number | null;
}

export interface LimitKind {
  /** The number in <asm-generic/resource.h>, the same on x86-64 and arm64. */
  readonly number: number;
  /** The row in /proc/PID/limits: proc_pid_limits(5). */
  readonly row: string;
  readonly unit: 'bytes' | 'count';
  /** For the reference: a noun phrase. */
  readonly about: string;
  /** The highest valid value; absent: there is none. */
  readonly most?: number;
}

/** Every limit except RLIMIT_LOCKS. */
export const LIMITS = {
  as: { number: 9, row: 'Max address space', unit: 'bytes', about: 'address space' },
  core: { number: 4, row: 'Max core file size', unit: 'bytes', about: 'core file; `0` for none' },
  cpu: { number: 0, row: 'Max cpu time', unit: 'count', about: 'processor time in seconds' },
  data: { number: 2, row: 'Max data size', unit: 'bytes', about: 'data segment' },
  fsize: { number: 1, row: 'Max file size', unit: 'bytes', about: 'size of files written' },
  memlock: {
    number: 8,
    row: 'Max locked memory',
    unit: 'bytes',
    about: 'memory locked; RDMA and GPUDirect want `unlimited`',
  },
  msgqueue: { number: 12, row: 'Max msgqueue size', unit: 'bytes', about: 'POSIX message queues' },
  nice: {
    number: 13,
    row: 'Max nice priority',
    unit: 'count',
    about: 'ceiling of the nice value, 20 minus it',
    most: 40,
  },
  nofile: { number: 7, row: 'Max open files', unit: 'count', about: 'open files' },
  nproc: { number: 6, row: 'Max processes', unit: 'count', about: 'processes and threads of the user' },
  rss: { number: 5, row: 'Max resident set', unit: 'bytes', about: 'resident set; Linux ignores it' },
  rtprio: { number: 14, row: 'Max realtime priority', unit: 'count', about: 'real-time priority', most: 99 },
  rttime: {
    number: 15,
    row: 'Max realtime timeout',
    unit: 'count',
    about: 'real-time processor time in microseconds',
  },
  sigpending: { number: 11, row: 'Max pending signals', unit: 'count', about: 'queued signals' },
  stack: { number: 3, row: 'Max stack size', unit: 'bytes', about: 'stack of the main thread' },
} as const satisfies Readonly<Record<string, LimitKind>>;
export type LimitName = keyof typeof LIMITS;

/** RLIMIT_LOCKS, which Linux has ignored since 2.4.25 (getrlimit(2)): its value marks the processes of a run. */
export const LOCKS = { number: 10, row: 'Max file locks' } as const;

/** Whether services.yaml has a limit of this name. */
export function isLimitName(name: string): name is LimitName {
  return Object.hasOwn(LIMITS, name);
}

/** The name of the limit with a number, for messages; the number itself if it has no name here. */
export function limitName(number: number): string {
  return Object.entries(LIMITS).find(([, limit]) => limit.number === number)?.[0] ?? String(number);
}
