// Signals of Linux by name and number, the same on x86-64 and arm64: signal(7). Pure: every part of src may import it. node:os
// has such a table, but loading it would delay the handling of the first failure.

/** Names without `SIG`; the first is signal 1. */
export const SIGNAL_NAMES: readonly string[] =
  `HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG
  XCPU XFSZ VTALRM PROF WINCH IO PWR SYS`.split(/\s+/);

/** Other names of a signal, without `SIG`. */
export const SIGNAL_ALIASES: Readonly<Record<string, string>> = { IOT: 'ABRT', CLD: 'CHLD', POLL: 'IO', UNUSED: 'SYS' };

/** SIGRTMIN under glibc (musl: 35); the two or three signals below it belong to the threads of the C library. */
export const RTMIN = 34;
export const RTMAX = 64;

/** All signals that are not real-time, by number. */
export const SIGNALS: ReadonlyMap<number, string> = new Map(SIGNAL_NAMES.map((name, at) => [at + 1, `SIG${name}`]));

const SIGTERM = 15;

/** The number of a signal by its name, such as SIGTERM or SIGRTMIN+3. An unknown name counts as SIGTERM. */
export function signalNumber(name: string): number {
  const realTime = /^SIGRTMIN(?:\+(\d+))?$/.exec(name);
  if (realTime !== null) return RTMIN + Number(realTime[1] ?? 0);
  const short = name.replace(/^SIG/, '');
  return SIGNAL_NAMES.indexOf(SIGNAL_ALIASES[short] ?? short) + 1 || SIGTERM;
}

/** `SIGTERM`, `SIGRTMIN+3`. */
export function signalName(number: number): string {
  return SIGNALS.get(number) ?? (number >= RTMIN ? `SIGRTMIN+${number - RTMIN}` : `signal ${number}`);
}
