// The rules of the supervisor as pure functions of their arguments: whether an end is a success, whether and when to restart,
// how often to probe, how services share the deadline of a shutdown.
import { EXIT_CODE, exitCodeOfSignal } from '../linux/exit-codes.ts';
import { signalNumber } from '../linux/signals.ts';
import type { MemoryWatchPlan, Millis, RestartPolicy, ServicePlan, SignalName } from '../plan/plan.ts';
import type { Exit } from '../plan/process.ts';
import type { ProbeDetail, StartFailure } from './detail.ts';

/** Why a run ends. `asked`: by a shutdown or the operator; every other cause is in the service itself. */
export type Cause =
  | { readonly kind: 'exited' }
  /** The program exited before its `ready` probe held: never a success, whatever the code. */
  | { readonly kind: 'exited-early' }
  | { readonly kind: 'not-started'; readonly failure: StartFailure; readonly code: number }
  /** `hasMissedOutput`: the supervisor was restarted meanwhile, and perhaps missed the output that was waited for. */
  | {
      readonly kind: 'start-timeout';
      readonly after: Millis;
      readonly detail: ProbeDetail | null;
      readonly hasMissedOutput?: true;
    }
  | { readonly kind: 'start-stall'; readonly after: Millis; readonly detail: ProbeDetail | null }
  | { readonly kind: 'not-alive'; readonly detail: ProbeDetail | null }
  /** The driver of its GPUs does not respond any more. */
  | { readonly kind: 'gpu-lost'; readonly why: string }
  /** Its processes used more memory than `watch` allows. */
  | { readonly kind: 'memory'; readonly bytes: number; readonly watch: MemoryWatchPlan }
  | { readonly kind: 'asked' };

export interface Verdict {
  readonly success: boolean;
  /** The exit code of the container if this is the first cause: 0 to 255. */
  readonly code: number;
}

/** After being ready for this long, earlier restarts no longer count (backoff, and `max` without `within`). */
export const RESET_AFTER: Millis = 60_000;
/** The grace period of leftover processes: from SIGTERM to SIGKILL. */
export const LEFTOVER_GRACE: Millis = 2_000;
/**
 * How long after a main process has ended as if asked to stop a request to stop may arrive that explains it: scancel(1)
 * signals all processes of a job, children before their parents.
 */
export const HELD: Millis = 100;
/** How long after SIGKILL at the deadline of a shutdown the supervisor waits for processes to be reaped. */
export const KILL_WAIT: Millis = 500;
/** A stop signal that is repeated within this time is the same request: npm and some terminals deliver Ctrl-C twice. */
export const SAME_REQUEST: Millis = 500;

/** As if the kernel's OOM killer had ended it: 128 + SIGKILL. */
const MEMORY_EXCEEDED = 137;
/** The share of the time until SIGKILL that `before_stop` may take. The program stops in the rest. */
const DRAIN_SHARE = 0.75;

const FIRST_DELAY: Millis = 20;
const LAST_DELAY: Millis = 1_000;

/**
 * Pause between two attempts of a start, given how long the start has taken: 0.4 % of it, from 20 ms to 1 s. So readiness is
 * found at most 20 ms late in the first five seconds and at most 0.4 % late after that, with about 1,200 attempts in the
 * first four minutes and one per second after.
 */
export function probeDelay(elapsed: Millis): Millis {
  return Math.min(LAST_DELAY, Math.max(FIRST_DELAY, elapsed / 250));
}

/** The code a shell would report: the code itself, or 128+n for signal n. */
export function shellCode(exit: Exit): number {
  return exit.kind === 'code' ? exit.code : exitCodeOfSignal(exit.number);
}

/** Signals that ask a process to end, and the exit codes by which shells and runtimes report them. */
const STOP_SIGNALS: ReadonlyMap<SignalName, number> = new Map(
  ['SIGTERM', 'SIGINT', 'SIGQUIT'].map((name) => [name, exitCodeOfSignal(signalNumber(name))]),
);

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

/** Evaluates an end: listed codes count as 0, an unlisted 0 as 1, and a start that took too long as 124. */
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
      return { success: false, code: EXIT_CODE.timeout };
    case 'memory':
      return { success: false, code: MEMORY_EXCEEDED };
    case 'gpu-lost':
      return { success: false, code: EXIT_CODE.temporary };
    case 'exited-early':
      return { success: false, code: exit === null ? 1 : shellCode(exit) || 1 };
    case 'exited': {
      const code = exit === null ? 1 : shellCode(exit);
      if (plan.successCodes.includes(code)) return { success: true, code: 0 };
      return { success: false, code: code === 0 ? 1 : code };
    }
  }
}

/** Whether an end that no restart follows ends the container. */
export function endsAll(
  exit: 'first' | 'failure' | 'all',
  { essential, type }: Pick<ServicePlan, 'essential' | 'type'>,
  { success }: Verdict,
): boolean {
  if (!essential || exit === 'all') return false;
  return !success || (exit === 'first' && type === 'service');
}

/** The earlier restarts that a decision depends on. */
export interface RestartHistory {
  /** Instants of the restarts that `within` may count, oldest first. */
  readonly at: readonly Millis[];
  /** Restarts in a row since the last RESET_AFTER of readiness. */
  readonly streak: number;
}

export type RestartDecision =
  | { readonly restart: true; readonly delay: Millis; readonly history: RestartHistory }
  | { readonly restart: false; readonly why: 'policy' | 'limit' };

/** Whether a service restarts, and after which pause. `random` is in [0, 1). */
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
 * The time of a shutdown that a service leaves to the services that stop after it: a tenth of the whole for each level of
 * dependencies below it, at most half. Otherwise one slow dependent could use all of it, and the database that it depends on
 * would get SIGKILL without a stop signal.
 */
export function reserved(stopTimeout: Millis, levelsBelow: number): Millis {
  return Math.min((stopTimeout * levelsBelow) / 10, stopTimeout / 2);
}

/** How long `before_stop` may take if SIGKILL is due after `left`. */
export function drainTime(left: Millis): Millis {
  return Math.max(0, left) * DRAIN_SHARE;
}

/** A number in [0, 1) that depends only on its arguments (mulberry32). */
export function randomOf(seed: number, run: number): number {
  let a = (seed + Math.imul(run, 0x6d2b79f5)) | 0;
  a = Math.imul(a ^ (a >>> 15), a | 1);
  a ^= a + Math.imul(a ^ (a >>> 7), a | 61);
  return ((a ^ (a >>> 14)) >>> 0) / 4294967296;
}
