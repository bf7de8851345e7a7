// The table of signals by name and number, real-time signals included. Pure. node:os has such a table, but loading it would
// delay the handling of the first failure.

/** Signals of Linux by number, from 1, the same on x86-64 and arm64: signal(7). */
const NAMES =
  `HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG
  XCPU XFSZ VTALRM PROF WINCH IO PWR SYS`
    .split(/\s+/)
    .map((name) => `SIG${name}`);
const ALIASES: Readonly<Record<string, number>> = { SIGIOT: 6, SIGPOLL: 29, SIGUNUSED: 31 };
/** glibc reserves the two real-time signals below this one. */
const SIGRTMIN = 34;
const SIGTERM = 15;

/** All signals that are not real-time, by number. */
export const SIGNALS: ReadonlyMap<number, string> = new Map(NAMES.map((name, index) => [index + 1, name]));

/** The number of a signal by its name, such as SIGTERM or SIGRTMIN+3. An unknown name counts as SIGTERM. */
export function signalNumber(name: string): number {
  const realTime = /^SIGRTMIN(?:\+(\d+))?$/.exec(name);
  if (realTime !== null) return SIGRTMIN + Number(realTime[1] ?? 0);
  return ALIASES[name] ?? (NAMES.indexOf(name) + 1 || SIGTERM);
}

export function signalName(number: number): string {
  return SIGNALS.get(number) ?? (number >= SIGRTMIN ? `SIGRTMIN+${number - SIGRTMIN}` : `signal ${number}`);
}
