// The file of `up --pid-file`, which holds the PID of the native process. Creates the file, also in place of one whose process has
// ended, and removes it. Never replaces a file with other content or a symbolic link.
import { closeSync, constants, lstatSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { encodeBytes } from '../bytes.ts';
import { describeErrno } from './errno.ts';
import { readLatin1 } from './files.ts';
import { readProcess, readTitle } from './processes.ts';

/** A clock tick in milliseconds: USER_HZ is 100 (proc_pid_stat(5)). */
const TICK = 10;
/** Tolerance when the start of a process is compared with the time of the file: `btime` has whole seconds. Milliseconds. */
const TOLERANCE = 2_000;

/** Writes `pid` to a new file at `path`. Returns why that is not possible; null: it is written. Never throws. */
export function createPidFile(path: string, pid: number): string | null {
  try {
    const found = lstatSync(encodeBytes(path), { throwIfNoEntry: false });
    if (found !== undefined) {
      const why = found.isFile() ? whyNotReplaced(path, found.mtimeMs, pid) : 'it is not a regular file';
      if (why !== null) return why;
      unlinkSync(encodeBytes(path));
    }
    const file = openSync(encodeBytes(path), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644);
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

/** Removes the file if it still holds `pid`. Never fails. */
export function removePidFile(path: string, pid: number): void {
  try {
    if (numberIn(path) === pid) unlinkSync(encodeBytes(path));
  } catch {
    // It has been removed, or its folder cannot be written to any more.
  }
}

/** The PID in a file; null: the file is empty; undefined: it has other content. Throws if the file cannot be read. */
function numberIn(path: string): number | null | undefined {
  const text = readFileSync(encodeBytes(path), 'latin1').trim();
  if (text === '') return null;
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;
}

/** Why the file must stay; null: it may be replaced. `writtenAt`: wall time of its last change, milliseconds. */
function whyNotReplaced(path: string, writtenAt: number, own: number): string | null {
  const pid = numberIn(path);
  if (pid === undefined) return 'it exists, and it has other content than the number of a process';
  // The same PID: the file is from an earlier container.
  if (pid === null || pid === own) return null;
  const process = readProcess(pid);
  if (process === null || process.state === 'Z') return null;
  const startedAt = bootTime() + process.start * TICK;
  // The process is younger than the file: the PID in the file was that of another one.
  if (startedAt > writtenAt + TOLERANCE) return null;
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
