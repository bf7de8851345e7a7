// Signals by name and number, real-time ones included. Pure, and a table of our own: node:os, which has one, would be loaded
// for it between the first failure and the end.

/** Of Linux by number, from 1 on, on x86-64 as on arm64: signal(7). */
const NAMES =
  `HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG
  XCPU XFSZ VTALRM PROF WINCH IO PWR SYS`
    .split(/\s+/)
    .map((name) => `SIG${name}`);
const ALIASES: Readonly<Record<string, number>> = { SIGIOT: 6, SIGPOLL: 29, SIGUNUSED: 31 };
/** glibc keeps the two below for itself. */
const SIGRTMIN = 34;
const SIGTERM = 15;

/** All that are not real-time, by number. */
export const SIGNALS: ReadonlyMap<number, string> = new Map(NAMES.map((name, index) => [index + 1, name]));

/** The number of a signal by its name; real-time ones are SIGRTMIN and SIGRTMIN+n. What is none counts as SIGTERM. */
export function signalNumber(name: string): number {
  const realTime = /^SIGRTMIN(?:\+(\d+))?$/.exec(name);
  if (realTime !== null) return SIGRTMIN + Number(realTime[1] ?? 0);
  return ALIASES[name] ?? (NAMES.indexOf(name) + 1 || SIGTERM);
}

export function signalName(number: number): string {
  return SIGNALS.get(number) ?? (number >= SIGRTMIN ? `SIGRTMIN+${number - SIGRTMIN}` : `signal ${number}`);
}
