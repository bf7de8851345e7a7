// Whether this process, and therefore PID 1, may give a program another user, limits, priority or processors. Reads
// /proc; what cannot be read counts as permitted. Changes nothing.
import { readLatin1 } from './files.ts';
import { isMapped } from './id-map.ts';
import { isLimitName, LIMITS } from './limits.ts';

/** capabilities(7), by bit. */
const CAPABILITIES = { CAP_SETGID: 6n, CAP_SETUID: 7n, CAP_SYS_NICE: 23n, CAP_SYS_RESOURCE: 24n } as const;
type Capability = keyof typeof CAPABILITIES;

function read(path: string): string {
  try {
    return readLatin1(path);
  } catch {
    return '';
  }
}

/** The capabilities of `names` that are not effective: proc_pid_status(5). */
function lacking(...names: readonly Capability[]): readonly Capability[] {
  const text = /^CapEff:\s*(\w+)$/m.exec(read('/proc/self/status'))?.[1];
  if (text === undefined) return [];
  const effective = BigInt(`0x${text}`);
  return names.filter((name) => ((effective >> CAPABILITIES[name]) & 1n) === 0n);
}

/** Why no program can run as that user here; null if one can. */
export function whyNotUser(uid: number, gid: number): string | null {
  // PID 1 does not change its user if it already runs as that user, unless that is root, whose groups it sets (native/spawn.c).
  if (uid !== 0 && uid === process.geteuid?.() && gid === process.getegid?.()) return null;
  const missing = lacking('CAP_SETGID', 'CAP_SETUID');
  if (missing.length > 0) return `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing`;
  if (!isMapped('uid', uid)) return `uid ${uid} is not mapped in this user namespace`;
  if (!isMapped('gid', gid)) return `gid ${gid} is not mapped in this user namespace`;
  return read('/proc/self/setgroups').trim() === 'deny' ? 'this user namespace forbids setgroups(2)' : null;
}

/** The hard limit of this process; Infinity if there is none. */
function hardLimit(name: string): number {
  const row = isLimitName(name) ? LIMITS[name].row : undefined;
  const line = read('/proc/self/limits')
    .split('\n')
    .find((text) => row !== undefined && text.startsWith(`${row} `));
  const hard = line
    ?.slice(row?.length ?? 0)
    .trim()
    .split(/\s+/)[1];
  return hard === undefined || hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
}

/** Why the kernel refuses a limit: setrlimit(2). Null if it accepts it. `hard` null is unlimited. */
export function whyNotLimit(name: string, hard: number | null): string | null {
  const wanted = hard ?? Number.POSITIVE_INFINITY;
  const most = name === 'nofile' ? Number(read('/proc/sys/fs/nr_open') || Number.POSITIVE_INFINITY) : wanted;
  if (wanted > most) return `the kernel allows at most ${most} (fs.nr_open)`;
  const limit = hardLimit(name);
  if (wanted <= limit || lacking('CAP_SYS_RESOURCE').length === 0) return null;
  return `the hard limit is ${limit}, and CAP_SYS_RESOURCE is missing`;
}

/** Why a program cannot run on these processors: sched_setaffinity(2). Null if it can. */
export function whyNotProcessors(wanted: readonly number[]): string | null {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(read('/proc/self/status'))?.[1];
  if (list === undefined) return null;
  const isAllowed = (processor: number) =>
    list.split(',').some((range) => {
      const [from = 0, to = from] = range.split('-').map(Number);
      return processor >= from && processor <= to;
    });
  return wanted.some(isAllowed) ? null : `svc-super may use the processors ${list} only`;
}

/** Why a program cannot have that niceness: setpriority(2). Null if it can. */
export function whyNotNice(nice: number): string | null {
  const ours = Number(
    read('/proc/self/stat')
      .replace(/^.*\) /s, '')
      .split(' ')[16] || 0,
  );
  if (nice >= ours || lacking('CAP_SYS_NICE').length === 0) return null;
  const limit = hardLimit('nice');
  return Number.isFinite(limit) && 20 - limit > nice ? 'CAP_SYS_NICE is missing' : null;
}

/** Why a program cannot have that oom_score_adj: proc_pid_oom_score_adj(5). Null if it can. */
export function whyNotOomScore(value: number): string | null {
  const ours = Number(read('/proc/self/oom_score_adj') || value);
  return value >= ours || lacking('CAP_SYS_RESOURCE').length === 0
    ? null
    : `it is below that of svc-super itself (${ours}), and CAP_SYS_RESOURCE is missing`;
}
