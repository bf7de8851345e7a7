// The only FFI: the few system calls that the runtime does not offer, as typed functions. Failures are Errno values or
// thrown ErrnoErrors, never a bare -1. Decides nothing and keeps no state.
import { dlopen, type FFIFunction, type Pointer, ptr, read } from 'bun:ffi';

const SYMBOLS = {
  __errno_location: { args: [], returns: 'ptr' },
  access: { args: ['ptr', 'i32'], returns: 'i32' },
  bind: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  execve: { args: ['ptr', 'ptr', 'ptr'], returns: 'i32' },
  getpagesize: { args: [], returns: 'i32' },
  close: { args: ['i32'], returns: 'i32' },
  dup2: { args: ['i32', 'i32'], returns: 'i32' },
  fcntl: { args: ['i32', 'i32', 'i64'], returns: 'i32' },
  isatty: { args: ['i32'], returns: 'i32' },
  madvise: { args: ['u64', 'u64', 'i32'], returns: 'i32' },
  open: { args: ['ptr', 'i32', 'i32'], returns: 'i32' },
  pipe2: { args: ['ptr', 'i32'], returns: 'i32' },
  prctl: { args: ['i32', 'u64', 'u64', 'u64', 'u64'], returns: 'i32' },
  prlimit: { args: ['i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
  read: { args: ['i32', 'ptr', 'u64'], returns: 'i64' },
  recvmsg: { args: ['i32', 'ptr', 'i32'], returns: 'i64' },
  sched_setaffinity: { args: ['i32', 'u64', 'ptr'], returns: 'i32' },
  setgid: { args: ['u32'], returns: 'i32' },
  setgroups: { args: ['u64', 'ptr'], returns: 'i32' },
  setpriority: { args: ['i32', 'u32', 'i32'], returns: 'i32' },
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
  setuid: { args: ['u32'], returns: 'i32' },
  signal: { args: ['i32', 'u64'], returns: 'u64' },
  sigprocmask: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  syscall: { args: ['i64', 'i64', 'i64', 'i64', 'i64'], returns: 'i64' },
  waitid: { args: ['i32', 'u32', 'ptr', 'i32'], returns: 'i32' },
  waitpid: { args: ['i32', 'ptr', 'i32'], returns: 'i32' },
  write: { args: ['i32', 'ptr', 'u64'], returns: 'i64' },
} as const;

/** glibc first, then musl under the names of its two architectures. */
const LIBRARIES = ['libc.so.6', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1', 'libc.so'];

/** The functions of the first of these libraries that is here and has them all. */
function open<Symbols extends Record<string, FFIFunction>>(libraries: readonly string[], symbols: Symbols) {
  let failure: unknown;
  for (const name of libraries) {
    try {
      return dlopen(name, symbols).symbols;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

const libc = open(LIBRARIES, SYMBOLS);

/** Errors of system calls: `errno` as in errno(3), `code` its name where it is one of those that people meet. */
export class ErrnoError extends Error {
  readonly errno: number;
  readonly code: string;
  constructor(call: string, errno: number) {
    const [code, words] = ERRNO[errno] ?? [`errno ${errno}`, 'unknown error'];
    super(`${call}: ${words} (${code})`);
    this.errno = errno;
    this.code = code;
  }
}

const ERRNO: Readonly<Record<number, readonly [string, string]>> = {
  1: ['EPERM', 'operation not permitted'],
  2: ['ENOENT', 'no such file or directory'],
  5: ['EIO', 'input/output error'],
  7: ['E2BIG', 'argument list too long'],
  8: ['ENOEXEC', 'exec format error'],
  9: ['EBADF', 'bad file descriptor'],
  11: ['EAGAIN', 'resource temporarily unavailable'],
  12: ['ENOMEM', 'out of memory'],
  13: ['EACCES', 'permission denied'],
  20: ['ENOTDIR', 'not a directory'],
  21: ['EISDIR', 'is a directory'],
  22: ['EINVAL', 'invalid argument'],
  23: ['ENFILE', 'too many open files in the system'],
  24: ['EMFILE', 'too many open files'],
  26: ['ETXTBSY', 'text file busy'],
  27: ['EFBIG', 'file too large'],
  28: ['ENOSPC', 'no space left on the device'],
  30: ['EROFS', 'read-only file system'],
  32: ['EPIPE', 'nobody reads any more'],
  36: ['ENAMETOOLONG', 'file name too long'],
  38: ['ENOSYS', 'not offered by this kernel'],
  40: ['ELOOP', 'too many symbolic links'],
  98: ['EADDRINUSE', 'address already in use'],
};

function errno(): number {
  const location = libc.__errno_location();
  return location === null ? 0 : read.i32(location, 0);
}

function check(call: string, result: number | bigint): number {
  const value = Number(result);
  if (value < 0) throw new ErrnoError(call, errno());
  return value;
}

const EINTR = 4;

/** The same again when a signal came in between. */
function again(call: string, attempt: () => number | bigint): number {
  for (;;) {
    const result = Number(attempt());
    if (result >= 0 || errno() !== EINTR) return check(call, result);
  }
}

const pathBytes = (path: string) => Buffer.from(`${path}\0`);

/** Flags of open(2) that x86-64 and arm64 have in common. */
export const OPEN = { read: 0, write: 1, noTerminal: 0o400, nonBlocking: 0o4000 } as const;

/** A descriptor of a file that is there, closed on exec: open(2). */
export function openFile(path: string, flags: number = OPEN.read): number {
  const bytes = pathBytes(path);
  return again('open', () => libc.open(ptr(bytes), flags | O_CLOEXEC, 0));
}

/** close(2). Whatever it says, the descriptor is gone. */
export function closeFile(fd: number): void {
  libc.close(fd);
}

/** How many bytes have been read into `bytes`; 0 at the end: read(2). */
export function readInto(fd: number, bytes: Uint8Array): number {
  return again('read', () => libc.read(fd, ptr(bytes), BigInt(bytes.length)));
}

/** How many of the bytes have been written, at least one: write(2). */
export function writeFrom(fd: number, bytes: Uint8Array): number {
  return bytes.length === 0 ? 0 : again('write', () => libc.write(fd, ptr(bytes), BigInt(bytes.length)));
}

/** isatty(3). The runtime's own answer comes with its streams, 3 ms. */
export function isTerminal(fd: number): boolean {
  return libc.isatty(fd) === 1;
}

/** What access(2) is asked: whether it is there, and whether it may be executed. */
export const ACCESS = { exists: 0, execute: 1 } as const;

export function hasAccess(path: string, mode: number): boolean {
  return libc.access(ptr(pathBytes(path)), mode) === 0;
}

/** Numbers of system calls, and where struct stat has its mode; the size lies at 48 on both. By process.arch. */
const MACHINE = {
  x64: { newfstatat: 262n, fstat: 5n, getdents64: 217n, mode: 24 },
  arm64: { newfstatat: 79n, fstat: 80n, getdents64: 61n, mode: 16 },
}[process.arch === 'arm64' ? 'arm64' : 'x64'];
const AT_FDCWD = -100n;

export interface Status {
  /** Kind and permissions, as st_mode of inode(7). */
  readonly mode: number;
  readonly size: number;
  /** Device and inode: the same for the same file. */
  readonly identity: string;
}

/** Of a path, symbolic links followed, or of a descriptor: stat(2). By number: glibc has a name for it since 2.33. */
export function statusOf(of: string | number): Status {
  const found = new DataView(new ArrayBuffer(256));
  const into = BigInt(ptr(found));
  if (typeof of === 'number') again('fstat', () => libc.syscall(MACHINE.fstat, BigInt(of), into, 0n, 0n));
  else {
    const path = pathBytes(of);
    again('stat', () => libc.syscall(MACHINE.newfstatat, AT_FDCWD, BigInt(ptr(path)), into, 0n));
  }
  return {
    mode: found.getUint32(MACHINE.mode, true),
    size: Number(found.getBigInt64(48, true)),
    identity: `${found.getBigUint64(0, true)}:${found.getBigUint64(8, true)}`,
  };
}

/** Fills `bytes` with entries of an open folder; how many bytes of them, 0 at the end: getdents64(2). */
export function readEntries(fd: number, bytes: Uint8Array): number {
  return again('getdents64', () =>
    libc.syscall(MACHINE.getdents64, BigInt(fd), BigInt(ptr(bytes)), BigInt(bytes.length), 0n),
  );
}

export interface RawLimit {
  readonly soft: bigint;
  readonly hard: bigint;
}

/** RLIM_INFINITY of prlimit(2) on 64-bit Linux. */
export const UNLIMITED = 0xffff_ffff_ffff_ffffn;

/** Numbers of <asm-generic/resource.h>, the same on x86-64 and arm64. */
export const RESOURCE = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  as: 9,
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
} as const;

/** A limit of this process: prlimit(2). */
export function getLimit(resource: number): RawLimit {
  const value = new BigUint64Array(2);
  check('prlimit', libc.prlimit(0, resource, null, ptr(value)));
  return { soft: value[0] ?? 0n, hard: value[1] ?? 0n };
}

/** Sets a limit of this process; throws EPERM where the hard one would have to rise. */
export function setLimit(resource: number, { soft, hard }: RawLimit): void {
  check('prlimit', libc.prlimit(0, resource, ptr(new BigUint64Array([soft, hard])), null));
}

/** A pipe whose ends are closed on exec: pipe2(2). */
export function openPipe(): { readonly read: number; readonly write: number } {
  const ends = new Int32Array(2);
  check('pipe2', libc.pipe2(ptr(ends), O_CLOEXEC));
  return { read: ends[0] ?? -1, write: ends[1] ?? -1 };
}

const F_SETPIPE_SZ = 1031;

/** Lets a pipe hold that many bytes: fcntl(2). Not so where it is none, or the user's pipes hold too much as it is. */
export function growPipe(fd: number, bytes: number): void {
  libc.fcntl(fd, F_SETPIPE_SZ, BigInt(bytes));
}

const O_CLOEXEC = 0o2000000;
const P_ALL = 0;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x0100_0000;
/** si_pid's index in siginfo_t read as 32-bit words (waitid(2); the union begins at byte 16 on 64-bit Linux). */
const SI_PID = 4;
const siginfo = new Int32Array(32);

/** Which child of ours has ended and waits to be reaped; 0: none. It stays as it is. */
export function peekEndedChild(): number {
  siginfo.fill(0);
  return libc.waitid(P_ALL, 0, ptr(siginfo), WEXITED | WNOHANG | WNOWAIT) === 0 ? (siginfo[SI_PID] ?? 0) : 0;
}

/** Takes the exit status of one child off the kernel's hands; false where it has not ended, or is none of ours. */
export function reapChild(pid: number): boolean {
  return libc.waitpid(pid, null, WNOHANG) === pid;
}

const PR_SET_CHILD_SUBREAPER = 36;

/** Orphans of our descendants become our children: prctl(2). */
export function becomeSubreaper(): void {
  check('prctl', libc.prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n));
}

const SYS_PIDFD_OPEN = 434n;

/** Whether pidfd_open(2) works here: refused by old seccomp profiles, absent before Linux 5.3. */
export function pidfdWorks(pid: number): boolean {
  const fd = Number(libc.syscall(SYS_PIDFD_OPEN, BigInt(pid), 0n, 0n, 0n));
  if (fd < 0) return false;
  closeFile(fd);
  return true;
}

/** In libc itself since glibc 2.34 and in musl; before that in a library of its own. Looked for when first needed. */
const THREAD_SYMBOLS = {
  pthread_create: { args: ['ptr', 'ptr', 'ptr', 'ptr'], returns: 'i32' },
  pthread_join: { args: ['u64', 'ptr'], returns: 'i32' },
} as const;

const threads = () => open(['libpthread.so.0', ...LIBRARIES], THREAD_SYMBOLS);
let lazyThreads: ReturnType<typeof threads> | undefined;

/** Whether a thread can be made at this moment: pthread_create(3) is tried with one that does nothing. */
export function canStartThread(): boolean {
  lazyThreads ??= threads();
  const thread = new BigUint64Array(1);
  const { ptr: nothing } = libc.getpagesize as unknown as { readonly ptr: Pointer };
  if (lazyThreads.pthread_create(ptr(thread), null, nothing, null) !== 0) return false;
  lazyThreads.pthread_join(thread[0] ?? 0n, null);
  return true;
}

export function setNice(value: number): void {
  check('setpriority', libc.setpriority(0, 0, value));
}

/** Binds this thread, and what it executes, to processors: sched_setaffinity(2). */
export function setAffinity(cpus: readonly number[]): void {
  const mask = new Uint8Array(Math.max(128, Math.ceil((Math.max(...cpus) + 1) / 64) * 8));
  for (const cpu of cpus) mask[cpu >> 3] = (mask[cpu >> 3] ?? 0) | (1 << (cpu & 7));
  check('sched_setaffinity', libc.sched_setaffinity(0, BigInt(mask.length), ptr(mask)));
}

/** Becomes another user, groups first: each step needs the right that the next one gives up. */
export function becomeUser(uid: number, gid: number, groups: readonly number[]): void {
  const list = new Uint32Array(groups.length === 0 ? [gid] : groups);
  check('setgroups', libc.setgroups(BigInt(list.length), ptr(list)));
  check('setgid', libc.setgid(gid));
  check('setuid', libc.setuid(uid));
}

const F_SETFD = 2;
const F_SETFL = 4;
const F_SETOWN = 8;
const FD_CLOEXEC = 1;

export function closeOnExec(fd: number): void {
  check('fcntl', libc.fcntl(fd, F_SETFD, BigInt(FD_CLOEXEC)));
}

/** A copy under that number, whatever that was before, which stays open across an exec: dup2(2). */
export function duplicate(fd: number, target: number): void {
  check('dup2', libc.dup2(fd, target));
}

/** Bytes of one memory page: 4,096 on x86-64, up to 65,536 on arm64. */
export function pageSize(): number {
  return libc.getpagesize();
}

const MADV_DONTNEED = 4;

/** Pages that their file can give again: no longer mapped, until they are needed: madvise(2). */
export function dropPages(start: bigint, length: bigint): void {
  libc.madvise(start, length, MADV_DONTNEED);
}

/** Signals that the runtime ignores and that would stay ignored through exec: back to their default. */
export function restoreSignals(numbers: readonly number[]): void {
  for (const number of numbers) libc.signal(number, 0n);
}

const SIG_SETMASK = 2;

/**
 * Lets all signals come: those that scripts/entry/entry.c has had waiting since the first instruction of PID 1, which would
 * lose them for good (signal(7)), and those that whoever has started us holds back. Children would inherit that.
 */
export function admitSignals(): void {
  // sigset_t of glibc and musl alike: 1,024 bits, of which the kernel looks at 64.
  check('sigprocmask', libc.sigprocmask(SIG_SETMASK, ptr(new BigUint64Array(16)), null));
}

/**
 * Takes the runtime's handlers off SIGILL, SIGBUS, SIGFPE and SIGSEGV: they end the process whoever sent the signal. The
 * kernel keeps sent ones from a PID 1 that has none, and a fault of its own ends it all the same (pid_namespaces(7)).
 */
export function unhandleFaults(): void {
  restoreSignals([4, 7, 8, 11]);
}

/** Replaces this process; returns only by throwing. Strings are passed as UTF-8. */
export function execve(path: string, argv: readonly string[], env: Readonly<Record<string, string>>): never {
  const keep: Uint8Array[] = [];
  const text = (value: string) => {
    const bytes = Buffer.from(`${value}\0`);
    keep.push(bytes);
    return BigInt(ptr(bytes));
  };
  const vector = (values: readonly string[]) => new BigUint64Array([...values.map(text), 0n]);
  const path0 = Buffer.from(`${path}\0`);
  const argv0 = vector(argv);
  const env0 = vector(Object.entries(env).map(([name, value]) => `${name}=${value}`));
  libc.execve(ptr(path0), ptr(argv0), ptr(env0));
  const failure = new ErrnoError('execve', errno());
  keep.length = 0;
  throw failure;
}

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_PASSCRED = 16;
const O_NONBLOCK = 0o4000;
const O_ASYNC = 0o20000;

/**
 * A datagram socket in the abstract namespace (unix(7)) that raises SIGIO when a message is there, so that nobody has to
 * poll. Needs no writable folder.
 */
export function openNotifySocket(name: string): number {
  const fd = check('socket', libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | O_CLOEXEC, 0));
  const address = Buffer.from(`\x01\x00\0${name}`, 'latin1');
  check('bind', libc.bind(fd, ptr(address), address.length));
  check('setsockopt', libc.setsockopt(fd, SOL_SOCKET, SO_PASSCRED, ptr(new Int32Array([1])), 4));
  check('fcntl', libc.fcntl(fd, F_SETOWN, BigInt(process.pid)));
  check('fcntl', libc.fcntl(fd, F_SETFL, BigInt(O_NONBLOCK | O_ASYNC)));
  return fd;
}

export interface Datagram {
  readonly text: string;
  readonly pid: number;
  readonly uid: number;
}

const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;

/**
 * The next message of a notify socket with the sender's credentials; null when there is none. One that is longer than what
 * is read of it has no text: its last line could be the beginning of another.
 */
export function receiveDatagram(fd: number): Datagram | null {
  const data = new Uint8Array(8192);
  // Room for the credentials alone: descriptors that are sent along (FDSTORE=1) would be opened here, and the kernel closes
  // those that have no room (unix(7)).
  const control = new Uint8Array(32);
  const iovec = new BigUint64Array([BigInt(ptr(data)), BigInt(data.length)]);
  // struct msghdr on 64-bit Linux: name, namelen, iov, iovlen, control, controllen, flags; eight bytes each.
  const message = new BigUint64Array([
    0n,
    0n,
    BigInt(ptr(iovec)),
    1n,
    BigInt(ptr(control)),
    BigInt(control.length),
    0n,
  ]);
  const size = Number(libc.recvmsg(fd, ptr(message), MSG_DONTWAIT));
  if (size < 0) return null;
  // struct cmsghdr: length (8), level (4), type (4), then struct ucred: pid, uid, gid.
  const credentials = new DataView(control.buffer);
  const whole = (Number(message[6]) & MSG_TRUNC) === 0;
  return {
    text: whole ? new TextDecoder().decode(data.subarray(0, size)) : '',
    pid: credentials.getInt32(16, true),
    uid: credentials.getUint32(20, true),
  };
}
