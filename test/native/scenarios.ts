// Perl programs and steps for the tests of several inits. Contains no test.
import { expect } from 'bun:test';
import { listener, type Started } from '../helpers/native.ts';

/** Two listeners in one process group: a process and its child. */
export const twoListeners: readonly string[] = ['perl', '-e', 'if (!fork) { exec @ARGV } exec @ARGV', ...listener];

/**
 * Executes its arguments in a child of a process that exits after the first line with `ready`. Copies the remaining
 * output of the arguments to standard output.
 */
export const parentThatExits = `$| = 1; pipe(R, W);
  if (!fork) { if (!fork) { open(STDOUT, ">&W"); exec @ARGV } exit if <R> =~ /ready/ }
  close W; wait; print while <R>`;

/** Executes its arguments while SIGTERM is blocked and pending. */
export const withPendingTerm = `use POSIX;
  sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGTERM)); kill "TERM", $$; exec @ARGV`;

/** Unblocks SIGTERM, then sleeps. */
export const unblockTerm = 'use POSIX; sigprocmask(SIG_UNBLOCK, POSIX::SigSet->new(SIGTERM)); sleep 60';

/** Creates that many orphans, waits until no process is a zombie, and runs `end`. */
export const makeOrphans = (count: number, end: string): string => `
  for (1 .. ${count}) { if (!fork) { fork and exit; exit 3 } wait }
  do { opendir(D, "/proc"); $z = 0;
    for (grep /^\\d+$/, readdir D) { open(F, "/proc/$_/stat") or next; $z++ if <F> =~ /\\) Z / } } while ($z);
  ${end}`;

/** Types Ctrl-C in the terminal of a listener, and checks that the listener gets SIGINT once. */
export async function checkCtrlC(run: Started): Promise<void> {
  await run.line(/^ready/);
  run.type('\x03');
  // The terminal's echo of Ctrl-C may come first.
  await run.line(/^(?:\^C)?signal 2$/);
  // A second SIGINT would arrive before this signal.
  await run.signal(10);
  await run.line(/^signal 10$/);
  expect(run.signals).toEqual([2, 10]);
}
