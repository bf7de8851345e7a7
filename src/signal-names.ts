// The signals of Linux, for those who read their names and those who send them. Not from node:os, which takes half a
// millisecond to load.

/** Names without `SIG`; the first is signal 1, as in asm-generic: x86-64 and arm64 alike (signal(7)). */
export const SIGNAL_NAMES: readonly string[] = [
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ',
  'VTALRM PROF WINCH IO PWR SYS',
].flatMap((names) => names.split(' '));
