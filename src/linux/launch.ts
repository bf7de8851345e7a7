// Why a program could not be started, in words that say what to do, and where execvp(3) looks for programs. Starts nothing:
// PID 1 does, and reports the step that failed and its errno.
import { resolve } from 'node:path';
import { describeErrno, errnoCode } from './errno.ts';
import { isFolder, look, mayExecute } from './files.ts';

/** A start that failed: at which step, in words, and as what code a shell would report it. */
export interface LaunchFailure {
  readonly step: string;
  readonly message: string;
  readonly code: number;
}

/** What of a program's attributes its failures name. */
export interface LaunchAttributes {
  readonly argv: readonly string[];
  readonly cwd: string | null;
  readonly user: { readonly uid: number; readonly name: string | null } | null;
  readonly nice: number | null;
  readonly oomScoreAdj: number | null;
  readonly cpus: readonly number[] | null;
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The files that execvp(3) tries for a program: itself where it has a slash, else one in each folder of the child's PATH. */
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

/** What went wrong with `exec`; `code` is the name of the errno. */
export function describeExecFailure(file: string, code: string, message: string): LaunchFailure {
  const failure = (why: string, exit: number) => ({
    step: 'exec',
    message: `cannot execute ${file}: ${why}`,
    code: exit,
  });
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return failure(
        file.includes('/') ? 'there is no such file (or its interpreter is missing)' : 'it is in no folder of PATH',
        127,
      );
    case 'EACCES':
      return failure('it is not executable, or a folder on the way may not be searched', 126);
    case 'ENOEXEC':
      return failure('it is no program for this machine', 126);
    default:
      return failure(message, 126);
  }
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

/**
 * What PID 1 reported of a start that failed. `index` is the number of a resource or descriptor, `files` the most descriptors
 * that may be open.
 */
export function describeLaunchFailure(
  attributes: LaunchAttributes,
  { step, errno, index }: { readonly step: string; readonly errno: number; readonly index: number },
  about: { readonly files: number; readonly resource: (index: number) => string },
): LaunchFailure {
  const { argv, cwd, user, nice, oomScoreAdj, cpus } = attributes;
  const code = errnoCode(errno);
  const cannot = (what: string): LaunchFailure => ({
    step,
    message: `cannot ${what}: ${describeErrno(errno)}`,
    code: 126,
  });
  switch (step) {
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
      return cannot(`run on processors ${cpus?.join(',')}`);
    case 'limits':
      return { ...cannot(`set limits.${about.resource(index)}`), step: `limits.${about.resource(index)}` };
    case 'user':
      return cannot(`become user ${user?.name ?? user?.uid}`);
    case 'cwd': {
      const found = cwd === null ? null : describeFolder(cwd);
      return (
        found ?? { step, message: `cannot change to ${cwd}: ${describeErrno(errno).replace(/ \(.*/, '')}`, code: 126 }
      );
    }
    default:
      return describeExecFailure(argv[0] ?? '', code, describeErrno(errno));
  }
}
