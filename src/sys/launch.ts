// What stands between a spawn and the program's first instruction: user, groups, limits, processors, priority, umask,
// folder. The runtime's spawn knows few of them, so a service that asks for any is started through this program itself
// (`svc-super __exec`), which applies them one by one and then becomes the service: same pid, nothing left behind.
// A step that fails is named on a status descriptor, where EXECUTING alone means that the program is: at the process limit
// the runtime cannot make its first thread, and dies before any of this is run.
import { resolve } from 'node:path';
import { isFolder, look, mayExecute, readRest } from './files.ts';
import {
  becomeUser,
  canStartThread,
  closeFile,
  closeOnExec,
  duplicate,
  ErrnoError,
  execve,
  OPEN,
  openFile,
  RESOURCE,
  restoreSignals,
  setAffinity,
  setLimit,
  setNice,
  UNLIMITED,
  writeFrom,
} from './libc.ts';

/** Who a program runs as; the primary group is among `groups`. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly name: string | null;
}

/** What a program is started with. Everything but argv and env may be left as inherited (null). */
export interface LaunchSpec {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | null;
  readonly user: Identity | null;
  readonly umask: number | null;
  readonly nice: number | null;
  readonly oomScoreAdj: number | null;
  readonly cpus: readonly number[] | null;
  /** By the kernel's lower-case name; null is unlimited. */
  readonly limits: Readonly<Record<string, { readonly soft: number | null; readonly hard: number | null }>>;
}

/** A start that failed: at which step, in words, and as what code a shell would report it. */
export interface LaunchFailure {
  readonly step: string;
  readonly message: string;
  readonly code: number;
}

/** Written right before the exec. */
const EXECUTING = '+';

/** What the status descriptor held at its end: it has executed (null), has failed, or was never heard of. */
export function readStatus(text: string): LaunchFailure | null | 'silent' {
  if (text === EXECUTING) return null;
  const failure = text.startsWith(EXECUTING) ? text.slice(EXECUTING.length) : text;
  return failure === '' ? 'silent' : (JSON.parse(failure) as LaunchFailure);
}

/** Whether the runtime's own spawn is enough. It costs 8 ms less. */
export function isPlain(spec: LaunchSpec): boolean {
  return (
    spec.user === null &&
    spec.umask === null &&
    spec.nice === null &&
    spec.oomScoreAdj === null &&
    spec.cpus === null &&
    Object.keys(spec.limits).length === 0
  );
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The folders in which a program without a slash is looked for: those of the child's PATH, as execvp(3) does. */
export function candidates(file: string, env: Readonly<Record<string, string>>): readonly string[] {
  if (file.includes('/')) return [file];
  return (env.PATH ?? DEFAULT_PATH).split(':').map((folder) => `${folder === '' ? '.' : folder}/${file}`);
}

/** Where a program is that may be executed; null where there is none. */
export function findExecutable(
  file: string,
  env: Readonly<Record<string, string>>,
  cwd: string | null = null,
): string | null {
  return candidates(file, env).find((path) => mayExecute(resolve(cwd ?? '.', path))) ?? null;
}

/** What went wrong with `exec`, in words that say what to do. */
export function describeExecFailure(file: string, code: string, message: string): LaunchFailure {
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    const hint = file.includes('/')
      ? 'there is no such file (or its interpreter is missing)'
      : 'it is in no folder of PATH';
    return { step: 'exec', message: `cannot execute ${file}: ${hint}`, code: 127 };
  }
  if (code === 'EACCES')
    return {
      step: 'exec',
      message: `cannot execute ${file}: it is not executable, or a folder on the way may not be searched`,
      code: 126,
    };
  if (code === 'ENOEXEC')
    return { step: 'exec', message: `cannot execute ${file}: it is no program for this machine`, code: 126 };
  return { step: 'exec', message: `cannot execute ${file}: ${message}`, code: 126 };
}

/** Why a folder cannot be the working directory; null: it can. */
export function describeFolder(path: string): LaunchFailure | null {
  const failure = (why: string) => ({ step: 'cwd', message: `cannot change to ${path}: ${why}`, code: 126 });
  try {
    const found = look(path);
    if (found === null) return failure('there is no such folder');
    return isFolder(found) ? null : failure('it is not a folder');
  } catch (error) {
    return failure(error instanceof Error ? error.message : String(error));
  }
}

const STDIN = 0;
const STDERR = 2;
const SIGPIPE = 13;
const SIGXFSZ = 25;

/**
 * The body of `svc-super __exec STATUS [STDERR]`: reads a LaunchSpec from standard input and becomes its program, whose
 * standard error is that descriptor. Until then there is none: what the runtime says of itself is not the service's output.
 */
export function executeSpec(statusFd: number, stderrFd: number | null): number {
  const report = (failure: LaunchFailure): number => {
    writeFrom(statusFd, Buffer.from(JSON.stringify(failure)));
    return failure.code;
  };
  const spec = JSON.parse(readRest(STDIN).toString()) as LaunchSpec;
  closeOnExec(statusFd);
  for (const [step, apply] of steps(spec)) {
    try {
      apply();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return report({ step, message: `cannot ${describeStep(step, spec)}: ${message}`, code: 126 });
    }
  }
  if (spec.cwd !== null) {
    try {
      process.chdir(spec.cwd);
    } catch {
      return report(
        describeFolder(spec.cwd) ?? {
          step: 'cwd',
          message: `cannot change to ${spec.cwd}: permission denied`,
          code: 126,
        },
      );
    }
  }
  // The runtime may want one more at any moment, and aborts where it gets none: better told here than by that.
  if (!canStartThread())
    return report({ step: 'helper', message: 'cannot start: the process limit is used up', code: 1 });
  if (stderrFd !== null) moveToStderr(stderrFd);
  writeFrom(statusFd, Buffer.from(EXECUTING));
  return report(become(spec));
}

/** In the order in which rights allow: what needs the superuser first, the user last. */
function steps(spec: LaunchSpec): readonly (readonly [string, () => void])[] {
  const list: (readonly [string, () => void])[] = [];
  const { oomScoreAdj, nice, cpus, umask, user } = spec;
  if (oomScoreAdj !== null) list.push(['oom_score_adj', () => adjustOomScore(oomScoreAdj)]);
  if (nice !== null) list.push(['nice', () => setNice(nice)]);
  if (cpus !== null) list.push(['cpus', () => setAffinity(cpus)]);
  for (const [name, { soft, hard }] of Object.entries(spec.limits)) {
    const raw = (value: number | null) => (value === null ? UNLIMITED : BigInt(value));
    list.push([
      `limits.${name}`,
      () => setLimit(RESOURCE[name as keyof typeof RESOURCE], { soft: raw(soft), hard: raw(hard) }),
    ]);
  }
  if (umask !== null) list.push(['umask', () => void process.umask(umask)]);
  if (user !== null && !isAlready(user)) list.push(['user', () => becomeUser(user.uid, user.gid, user.groups)]);
  return list;
}

function adjustOomScore(value: number): void {
  const fd = openFile('/proc/self/oom_score_adj', OPEN.write);
  try {
    writeFrom(fd, Buffer.from(String(value)));
  } finally {
    closeFile(fd);
  }
}

/** Without the right to change users, a service may still name the one we are. */
function isAlready({ uid, gid }: Identity): boolean {
  return process.getuid?.() === uid && process.getgid?.() === gid && uid !== 0;
}

function describeStep(step: string, { user, nice, oomScoreAdj, cpus }: LaunchSpec): string {
  switch (step) {
    case 'user':
      return `become user ${user?.name ?? user?.uid}`;
    case 'nice':
      return `set nice to ${nice}`;
    case 'oom_score_adj':
      return `set oom_score_adj to ${oomScoreAdj}`;
    case 'cpus':
      return `run on processors ${cpus?.join(',')}`;
    default:
      return `set ${step}`;
  }
}

/** Executes the program, or a script without `#!` through the shell, as execvp(3) would. Returns only a failure. */
function become(spec: LaunchSpec): LaunchFailure {
  const [file = '', ...args] = spec.argv;
  openNull();
  restoreSignals([SIGPIPE, SIGXFSZ]);
  let denied: ErrnoError | null = null;
  for (const path of candidates(file, spec.env)) {
    try {
      execve(path, spec.argv, spec.env);
    } catch (error) {
      if (!(error instanceof ErrnoError)) throw error;
      if (error.code === 'ENOEXEC') execve('/bin/sh', ['/bin/sh', path, ...args], spec.env);
      if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') denied = error;
    }
  }
  return describeExecFailure(file, denied?.code ?? 'ENOENT', denied?.message ?? '');
}

// Nothing is closed here but by dup2(2) and exec: the runtime closes descriptors on a thread, for which there is no room at
// the process limit, and aborts.

function moveToStderr(fd: number): void {
  duplicate(fd, STDERR);
  closeOnExec(fd);
}

/** The specification came through standard input; the service gets /dev/null there. */
function openNull(): void {
  duplicate(openFile('/dev/null'), STDIN);
}
