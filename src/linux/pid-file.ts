// The file with the number of PID 1, for `up --pid-file`. Creates it, and replaces one whose process has ended; never replaces
// a file with other content, and never follows a symbolic link at that path.
import { closeSync, constants, lstatSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { describeErrno } from './errno.ts';
import { readLatin1 } from './files.ts';
import { readProcess, readTitle } from './processes.ts';

/** A clock tick in milliseconds: USER_HZ is 100 (proc_pid_stat(5)). */
const TICK = 10;
/** The resolution of the start of the machine in /proc/stat, and clocks that are set, milliseconds. */
const DOUBT = 2_000;
const LONGEST = 64;

/** Writes `pid` to a new file. Returns null, or why that is not possible. */
export function createPidFile(path: string, pid: number): string | null {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found !== undefined) {
      const why = found.isFile() ? whyNotReplaced(path, found.mtimeMs, pid) : 'it is not a regular file';
      if (why !== null) return why;
      unlinkSync(path);
    }
    const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644);
    try {
      writeSync(file, `${pid}\n`);
    } finally {
      closeSync(file);
    }
    return null;
  } catch (error) {
    return error instanceof Error && 'errno' in error ? describeErrno(Math.abs(Number(error.errno))) : String(error);
  }
}

/** Removes the file if it still has that number. Never fails. */
export function removePidFile(path: string, pid: number): void {
  try {
    if (numberIn(path) === pid) unlinkSync(path);
  } catch {
    // It has been removed, or its folder cannot be written to any more.
  }
}

/** The number that a file consists of; null: it is empty; undefined: it has other content. */
function numberIn(path: string): number | null | undefined {
  const text = readFileSync(path, 'latin1').slice(0, LONGEST).trim();
  return text === '' ? null : /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;
}

function whyNotReplaced(path: string, writtenAt: number, own: number): string | null {
  const pid = numberIn(path);
  if (pid === undefined) return 'it exists, and it has other content than the number of a process';
  // The same number: it is from an earlier container.
  if (pid === null || pid === own) return null;
  const process = readProcess(pid);
  if (process === null || process.state === 'Z') return null;
  const startedAt = bootTime() + process.start * TICK;
  if (startedAt > writtenAt + DOUBT) return null;
  return `the process in it is alive: ${pid} (${readTitle(process)})`;
}

/** Wall time of the start of the machine, milliseconds; 0 if it is not known. */
function bootTime(): number {
  try {
    return Number(/^btime (\d+)$/m.exec(readLatin1('/proc/stat'))?.[1] ?? 0) * 1_000;
  } catch {
    return 0;
  }
}
