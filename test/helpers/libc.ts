// System calls that the runtime does not offer and that tests and rigs need: pipes with both ends in this process, and reaping
// of orphans. Never used by src/.
import { dlopen, ptr } from 'bun:ffi';

const O_CLOEXEC = 0o2000000;
const PR_SET_CHILD_SUBREAPER = 36;
const P_ALL = 0;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x0100_0000;
/** Index of si_pid in siginfo_t read as 32-bit words (waitid(2); the union begins at byte 16 on 64-bit Linux). */
const SI_PID = 4;

const { symbols: libc } = dlopen('libc.so.6', {
  pipe2: { args: ['ptr', 'i32'], returns: 'i32' },
  prctl: { args: ['i32', 'u64', 'u64', 'u64', 'u64'], returns: 'i32' },
  waitid: { args: ['i32', 'u32', 'ptr', 'i32'], returns: 'i32' },
  waitpid: { args: ['i32', 'ptr', 'i32'], returns: 'i32' },
});

/** Opens a pipe whose ends are closed on exec: pipe2(2). Throws if no descriptor is left. */
export function openPipe(): { readonly read: number; readonly write: number } {
  const ends = new Int32Array(2);
  if (libc.pipe2(ptr(ends), O_CLOEXEC) !== 0) throw new Error('pipe2 failed');
  return { read: ends[0] ?? -1, write: ends[1] ?? -1 };
}

/** Makes this process the parent of its descendants' orphans: PR_SET_CHILD_SUBREAPER of prctl(2). */
export function becomeSubreaper(): void {
  if (libc.prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n) !== 0) throw new Error('prctl(PR_SET_CHILD_SUBREAPER) failed');
}

/** Returns the pid of a child that has ended and is not reaped, without reaping it; 0 if there is none. */
export function peekEndedChild(): number {
  const info = new Int32Array(32);
  return libc.waitid(P_ALL, 0, ptr(info), WEXITED | WNOHANG | WNOWAIT) === 0 ? (info[SI_PID] ?? 0) : 0;
}

/** Reaps one child; false if it has not ended or is not a child of this process: waitpid(2). */
export function reapChild(pid: number): boolean {
  return libc.waitpid(pid, null, WNOHANG) === pid;
}
