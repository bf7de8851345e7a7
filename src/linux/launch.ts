// Explains why a program could not be started, and what to do. Starts nothing: PID 1 does, and reports the step that
// failed and its errno.
import type { ProcessAttributes, ProcessSpec, User } from '../plan/process.ts';
import { describeErrno, errnoCode } from './errno.ts';
import { inspectProgram, type LaunchContext } from './executable.ts';
import { EXIT_CODE } from './exit-codes.ts';
import { exists } from './files.ts';
import { type Credentials, whyNotEntered } from './reach.ts';
import { whyNotLimit, whyNotProcessors, whyNotUser } from './rights.ts';

/** A failed start: the step, a message, and the exit code that a shell would report. */
export interface LaunchFailure {
  readonly step: string;
  readonly message: string;
  readonly code: number;
}

const NOT_FOUND: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR']);

/** `it is not executable. Run …`: what is wrong and what to do. */
const joinFix = (why: string, fix: string | null): string =>
  fix === null ? why : `${why}. ${fix.charAt(0).toUpperCase()}${fix.slice(1)}`;

/**
 * The program of a command; null if it is unknown, because the command is shell text with more than one simple command.
 */
export function executedProgram([first = '', flag, line = '']: readonly string[]): string | null {
  if (first !== '/bin/sh' || flag !== '-c') return first;
  // The configuration turns text that is a single simple command into `exec …`.
  return /^exec ([\w./+@:-]+)(?:\s|$)/.exec(line)?.[1] ?? null;
}

/** Why a command written as text cannot be executed in this image; null if it can, or if it is a list. */
export function whyNoShell([first, flag]: readonly string[]): { readonly why: string; readonly fix: string } | null {
  if (first !== '/bin/sh' || flag !== '-c' || exists(first)) return null;
  return {
    why: 'this image has no shell, which a command written as text needs',
    fix: 'write it as a list: [PROGRAM, ARGUMENT]',
  };
}

/** Why a shell ended with 126 or 127 instead of executing the single program of its text; null if no cause is found. */
export function explainShellExit(spec: ProcessSpec, code: number): string | null {
  const { argv } = spec;
  const program = executedProgram(argv);
  if ((code !== EXIT_CODE.notExecutable && code !== EXIT_CODE.notFound) || argv[0] !== '/bin/sh' || program === null)
    return null;
  const found = inspectProgram(program, spec);
  return found.ok ? null : `cannot execute ${program}: ${joinFix(found.why, found.fix)}`;
}

/** Explains why execve(2) failed with that errno. If the file shows no cause, the message describes the errno. */
export function describeExecFailure(argv: readonly string[], errno: number, context: LaunchContext): LaunchFailure {
  const [file = ''] = argv;
  const code = errnoCode(errno);
  const exit = NOT_FOUND.has(code) ? EXIT_CODE.notFound : EXIT_CODE.notExecutable;
  const failure = (why: string, fix: string | null) => ({
    step: 'exec',
    message: `cannot execute ${file}: ${joinFix(why, fix)}`,
    code: exit,
  });
  const shell = NOT_FOUND.has(code) ? whyNoShell(argv) : null;
  if (shell !== null) return failure(shell.why, shell.fix);
  const found = inspectProgram(file, context);
  // If the errno does not fit the explanation, the cause is another one.
  if (!found.ok && found.code === exit) return failure(found.why, found.fix);
  if (exit === EXIT_CODE.notFound) {
    return failure(
      file.includes('/') ? 'there is no such file, or its interpreter is missing' : 'it is in no folder of PATH',
      null,
    );
  }
  if (code === 'EACCES')
    return failure(`${describeErrno(errno)}: an access list or a security module forbids it`, null);
  if (code === 'EAGAIN') return failure('its user has as many processes as `limits.nproc` allows', null);
  if (code === 'ETXTBSY') return failure('a process has it open for writing', null);
  return failure(describeErrno(errno), null);
}

/** Why a folder cannot be the working directory; null if it can, or if no reason is found. */
function describeFolder(path: string, credentials: Credentials): LaunchFailure | null {
  const found = whyNotEntered(path, credentials);
  return found === null
    ? null
    : { step: 'cwd', message: `cannot change to ${path}: ${found}`, code: EXIT_CODE.notExecutable };
}

/**
 * Describes a failed start that PID 1 has reported. `index` is the number of a resource or descriptor, `files` the limit on
 * open descriptors.
 */
export function describeLaunchFailure(
  spec: ProcessSpec,
  { step, errno, index }: { readonly step: string; readonly errno: number; readonly index: number },
  about: { readonly files: number; readonly resource: (index: number) => string },
): LaunchFailure {
  const { argv, cwd } = spec;
  const { user, nice, oomScoreAdj, cpus, limits } = spec.attributes;
  const code = errnoCode(errno);
  const cannot = (what: string): LaunchFailure => ({
    step,
    message: `cannot ${what}: ${describeErrno(errno)}`,
    code: EXIT_CODE.notExecutable,
  });
  switch (step) {
    case 'cgroup':
      return { ...cannot('enter its cgroup (`memory_limit`)'), code: 1 };
    case 'descriptors':
      return code === 'EMFILE'
        ? { step: 'pipes', message: `the limit of ${about.files} open files is reached`, code: 1 }
        : { ...cannot('open its pipes'), step: 'pipes', code: 1 };
    case 'fork': {
      const why =
        code === 'EAGAIN' ? 'the process limit is used up' : code === 'ENOMEM' ? 'out of memory' : describeErrno(errno);
      return { step, message: `cannot fork: ${why}`, code: 1 };
    }
    case 'notify':
      return { ...cannot('open its notify socket'), code: 1 };
    case 'streams':
      return cannot(`open descriptor ${index}`);
    case 'terminal':
      return cannot('make it the owner of its terminal');
    case 'oom_score_adj':
      return cannot(`set oom_score_adj to ${oomScoreAdj}`);
    case 'nice':
      return cannot(`set nice to ${nice}`);
    case 'cpus':
      return {
        step,
        message: `cannot set cpus to ${cpus?.join(',')}: ${describeErrno(errno)}: ${whyNotProcessors(cpus ?? []) ?? 'the kernel forbids it'}`,
        code: EXIT_CODE.notExecutable,
      };
    case 'limits':
      return explainLimit(about.resource(index), limits, errno);
    case 'user':
      return {
        step,
        message: `cannot become user ${user?.name ?? user?.uid}: ${explainUser(errno, user)}`,
        code: EXIT_CODE.notExecutable,
      };
    case 'cwd': {
      const found = cwd === null ? null : describeFolder(cwd, user);
      return (
        found ?? {
          step,
          message: `cannot change to ${cwd}: ${describeErrno(errno)}`,
          code: EXIT_CODE.notExecutable,
        }
      );
    }
    case 'exec':
      return describeExecFailure(argv, errno, spec);
    default:
      return cannot(`set ${step}`);
  }
}

function explainLimit(name: string, limits: ProcessAttributes['limits'], errno: number): LaunchFailure {
  const limit = Object.hasOwn(limits, name) ? limits[name as keyof typeof limits] : undefined;
  const why = limit === undefined ? null : whyNotLimit(name, limit.hard);
  const words =
    why === null
      ? describeErrno(errno)
      : `${describeErrno(errno)}: ${joinFix(why, 'ask for less, or give the container more (`docker run --ulimit`)')}`;
  return { step: `limits.${name}`, message: `cannot set limits.${name}: ${words}`, code: EXIT_CODE.notExecutable };
}

/** setgroups(2), setresgid(2), setresuid(2). */
function explainUser(errno: number, user: User | null): string {
  const why = user === null ? null : whyNotUser(user.uid, user.gid);
  const words = describeErrno(errno);
  if (why === null) return `${words}: a seccomp filter or a security module forbids it`;
  return `${words}: ${joinFix(why, 'start the container as root with these rights, or leave `user` out')}`;
}

/** Limits in bytes below which most programs cannot be loaded: the kernel kills them with SIGSEGV (execve(2)). */
const LOADS_WITH = { as: 64 << 20, data: 16 << 20, stack: 64 << 10 } as const;

/** Why a signal may have killed a program: a limit that is too low. Null if no limit is suspicious. */
export function explainDeath(
  signal: string,
  limits: Readonly<Record<string, { readonly soft: number | null }>>,
): string | null {
  if (signal !== 'SIGSEGV' && signal !== 'SIGBUS' && signal !== 'SIGABRT') return null;
  for (const [name, least] of Object.entries(LOADS_WITH)) {
    const soft = limits[name]?.soft ?? null;
    if (soft === null || soft >= least) continue;
    return `was probably not loaded: \`limits.${name}\` (${Math.round(soft / 1024)} KiB) is very small`;
  }
  return null;
}
