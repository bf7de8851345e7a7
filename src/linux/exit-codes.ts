// Exit codes with a conventional meaning: sysexits.h(3head), timeout(1), and the codes of a shell ("Exit Status" in bash(1)).
// Exits nothing. Pure.

/** The codes with which svc-super itself ends, or that it explains. */
export const EXIT_CODE = {
  /** EX_USAGE: the command line is invalid. */
  usage: 64,
  /** EX_UNAVAILABLE: no supervisor responds. */
  unavailable: 69,
  /** EX_SOFTWARE: a bug, or PID 1 has died. */
  software: 70,
  /** EX_TEMPFAIL: a new container, perhaps on another machine, may succeed. */
  temporary: 75,
  /** EX_NOPERM: the token is missing or wrong. */
  denied: 77,
  /** EX_CONFIG: the configuration is invalid. */
  config: 78,
  /** timeout(1): the time limit has passed. */
  timeout: 124,
  /** A shell: the program exists and cannot be executed. */
  notExecutable: 126,
  /** A shell: there is no such program. */
  notFound: 127,
} as const;

/** The code that a shell reports for a process that signal `number` has killed. */
export function exitCodeOfSignal(number: number): number {
  return 128 + number;
}
