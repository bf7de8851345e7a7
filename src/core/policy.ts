// The small rules of the supervisor, each a function of its arguments: how an end is judged, whether and when to start
// again, how often to probe, how one shutdown deadline is shared. No state, no time of its own, no effects.
import type { Millis, RestartPolicy, ServicePlan, SignalName } from '../plan/plan.ts';

/** How a main process ended, as the kernel told it. */
export type Exit =
  | { readonly kind: 'code'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: SignalName; readonly number: number };

/** Why a run ends. `asked` is a shutdown or an operator's stop; everything else is the service's own doing. */
export type Cause =
  | { readonly kind: 'exited' }
  /** The program exited before its `ready` probe held: never a success, whatever the code. */
  | { readonly kind: 'exited-early' }
  | { readonly kind: 'not-started'; readonly step: string; readonly message: string; readonly code: number }
  | { readonly kind: 'start-timeout'; readonly after: Millis; readonly detail: string | null }
  | { readonly kind: 'start-stall'; readonly after: Millis; readonly detail: string | null }
  | { readonly kind: 'not-alive'; readonly detail: string }
  /** The driver of its GPUs does not answer any more. */
  | { readonly kind: 'gpu-lost'; readonly why: string }
  | { readonly kind: 'asked' };

export interface Verdict {
  readonly success: boolean;
  /** What the container's exit code would be, were this the first cause: 0 to 255. */
  readonly code: number;
}

/** Readiness that lasted this long forgets earlier restarts (backoff and `max` without `within`). */
export const RESET_AFTER: Millis = 60_000;
/** What is left of a service whose main process is gone has this long after SIGTERM, then SIGKILL. */
export const LEFTOVER_GRACE: Millis = 2_000;
/**
 * After a main process has ended as if it had been asked to stop, a request to stop has this long to arrive: scancel signals
 * a whole job, leaves first.
 */
export const HELD: Millis = 100;
/** After a SIGKILL at the shutdown's deadline the supervisor waits this long for the dead to be reaped, then ends. */
export const KILL_WAIT: Millis = 500;
/** A stop signal that comes again within this time is the same request: npm and some terminals deliver Ctrl-C twice. */
export const SAME_REQUEST: Millis = 500;

/** EX_TEMPFAIL of sysexits.h: another container, perhaps on another machine, may do. */
const GPU_LOST = 75;
/** Of the time until SIGKILL `before_stop` may take this much; the rest is for the program to stop in. */
const DRAIN_SHARE = 0.75;

const FIRST_DELAY: Millis = 20;
const LAST_DELAY: Millis = 1_000;

/**
 * Pause between two attempts of a start, given how long the start has taken: 0.4 % of it, from 20 ms up to 1 s. So the
 * gate opens at most 20 ms late in the first five seconds and never more than 0.4 % late, at some 1,200 attempts in
 * the first four minutes and one a second after.
 */
export function probeDelay(elapsed: Millis): Millis {
  return Math.min(LAST_DELAY, Math.max(FIRST_DELAY, elapsed / 250));
}

/** The code a shell would report: the code itself, or 128+n for signal n. */
export function shellCode(exit: Exit): number {
  return exit.kind === 'code' ? exit.code : 128 + exit.number;
}

/** Signals that ask a process to end, and the exit codes by which shells and runtimes report them. */
const STOP_SIGNALS: ReadonlyMap<SignalName, number> = new Map([
  ['SIGTERM', 143],
  ['SIGINT', 130],
  ['SIGQUIT', 131],
]);

/** Whether a main process ended as if it had been asked to stop. */
export function isLikeAStop(exit: Exit): boolean {
  return exit.kind === 'signal' ? STOP_SIGNALS.has(exit.signal) : [...STOP_SIGNALS.values()].includes(exit.code);
}

/** Whether a request to stop may be the cause of this exit: by its signal, or by a code that programs then exit with. */
export function mayFollowFromAStop(exit: Exit, successCodes: readonly number[]): boolean {
  return isLikeAStop(exit) || (exit.kind === 'code' && (exit.code === 0 || successCodes.includes(exit.code)));
}

/**
 * Whether the end of a run waits for a request to stop that may explain it (HELD): always after a stop signal, and after a
 * success code that would otherwise count as a failure.
 */
export function isHeldBack(plan: Pick<ServicePlan, 'successCodes'>, cause: Cause, exit: Exit): boolean {
  return isLikeAStop(exit) || (mayFollowFromAStop(exit, plan.successCodes) && !judge(plan, cause, exit).success);
}

/** Judges an end (SPEC section 4): listed codes are 0, an unlisted 0 is 1, a start that took too long is 124. */
export function judge(plan: Pick<ServicePlan, 'successCodes'>, cause: Cause, exit: Exit | null): Verdict {
  switch (cause.kind) {
    case 'asked':
      return { success: true, code: 0 };
    case 'not-started':
      return { success: false, code: cause.code };
    case 'not-alive':
      return { success: false, code: exit === null ? 1 : shellCode(exit) || 1 };
    case 'start-timeout':
    case 'start-stall':
      return { success: false, code: 124 };
    case 'gpu-lost':
      return { success: false, code: GPU_LOST };
    case 'exited-early':
      return { success: false, code: exit === null ? 1 : shellCode(exit) || 1 };
    case 'exited': {
      const code = exit === null ? 1 : shellCode(exit);
      if (plan.successCodes.includes(code)) return { success: true, code: 0 };
      return { success: false, code: code === 0 ? 1 : code };
    }
  }
}

/** Whether an end that is for good ends the container (SPEC section 4). */
export function endsAll(
  exit: 'first' | 'failure' | 'all',
  { essential, type }: Pick<ServicePlan, 'essential' | 'type'>,
  { success }: Verdict,
): boolean {
  if (!essential || exit === 'all') return false;
  return !success || (exit === 'first' && type === 'service');
}

/** What earlier restarts a decision looks at. */
export interface RestartHistory {
  /** Instants of the restarts that `within` may count, oldest first. */
  readonly at: readonly Millis[];
  /** Restarts in a row since the last RESET_AFTER of readiness. */
  readonly streak: number;
}

export type RestartDecision =
  | { readonly restart: true; readonly delay: Millis; readonly history: RestartHistory }
  | { readonly restart: false; readonly why: 'policy' | 'limit' };

/** Whether a service that has ended starts again, and after which pause. `random` is from 0 up to, not including, 1. */
export function decideRestart(
  policy: RestartPolicy,
  success: boolean,
  history: RestartHistory,
  now: Millis,
  random: number,
): RestartDecision {
  if (policy.policy === 'never' || (policy.policy === 'on-failure' && success)) {
    return { restart: false, why: 'policy' };
  }
  const { within, max } = policy;
  const counted = within === null ? [] : history.at.filter((instant) => now - instant < within);
  const used = within === null ? history.streak : counted.length;
  if (max !== null && used >= max) return { restart: false, why: 'limit' };
  const { initial, max: longest, factor } = policy.backoff;
  const delay = Math.min(longest, initial * factor ** Math.min(history.streak, 64)) * (0.9 + 0.2 * random);
  return {
    restart: true,
    delay,
    history: { at: within === null ? [] : [...counted, now], streak: history.streak + 1 },
  };
}

/**
 * How much of the shutdown's time a service leaves to those that stop after it: a tenth of the whole for each level of
 * dependencies below it, at most half. Without it one slow dependent would use up all, and a database below it would
 * be killed unasked.
 */
export function reserved(stopTimeout: Millis, levelsBelow: number): Millis {
  return Math.min((stopTimeout * levelsBelow) / 10, stopTimeout / 2);
}

/** How long `before_stop` may take when SIGKILL comes so long from now. */
export function drainTime(left: Millis): Millis {
  return Math.max(0, left) * DRAIN_SHARE;
}

/** A number from 0 up to, not including, 1 that depends on nothing but its arguments (mulberry32). */
export function randomOf(seed: number, run: number): number {
  let a = (seed + Math.imul(run, 0x6d2b79f5)) | 0;
  a = Math.imul(a ^ (a >>> 15), a | 1);
  a ^= a + Math.imul(a ^ (a >>> 7), a | 61);
  return ((a ^ (a >>> 14)) >>> 0) / 4294967296;
}
