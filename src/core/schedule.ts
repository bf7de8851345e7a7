// The schedule of a task: decides when the next run is due, by the wall clock (`schedule`) or by the time since the start of the
// latest run (`every`). Readings of the wall clock arrive as events. Changes no service: scheduling.ts does. Pure.
//
// A wall time cannot be a deadline, because the clock may be set in the meantime. So the clock is read again when the time should
// have come, and once a minute until then.
import type { Millis, SchedulePlan } from '../plan/plan.ts';
import { randomOf } from './policy.ts';
import type { Ended } from './run.ts';

/** Wall time, milliseconds since 1970. */
export type Wall = number;

/** The state of the schedule of one task. A "time" is a moment at which the task should start. */
export interface Schedule {
  /** The next time, without jitter; null: it is not known yet, there is none, or the task runs at an interval. */
  readonly next: Wall | null;
  /**
   * When the clock is read next, or when the interval is over. null: with `schedule`, the clock must be read at once; with
   * `every`, the interval begins with the next run.
   */
  readonly checkAt: Millis | null;
  /** Whether a reading of the clock was requested and has not arrived. */
  readonly isReading: boolean;
  /** Readings requested so far; the number of the latest one. */
  readonly readings: number;
  /** The latest reading, and the monotonic time at which it arrived. */
  readonly seen: { readonly wall: Wall; readonly at: Millis } | null;
  /** Whether another run follows the current one (`overlap: queue`). */
  readonly isQueued: boolean;
  /** Whether a shutdown has begun, after which no time is due. */
  readonly isOver: boolean;
  /** The latest run that has ended, and when. */
  readonly last: { readonly ended: Ended; readonly at: Millis } | null;
  readonly counts: RunCounts;
}

/** `skipped`: times at which a run had not ended; `missed`: times that were noticed too late. */
export interface RunCounts {
  readonly completed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly missed: number;
}

/** A reading of the wall clock. `next`: the first time of the schedule after `wall`; null: there is none. */
export interface ClockReading {
  readonly wall: Wall;
  readonly next: Wall | null;
}

/** `early`: no time has come. `due`: a run must start. `missed`: a time has passed too long ago, and no run makes up for it. */
interface TimeDecision {
  readonly verdict: 'early' | 'due' | 'missed';
  readonly schedule: Schedule;
}

/** The clock is read at least this often, so that a clock that is set is noticed. */
export const CHECK_EVERY: Millis = 60_000;
/** A time that is noticed later than this is missed, unless `catch_up` is set. */
export const LATE_AFTER: Millis = 120_000;
/**
 * If the clock goes back by more than this, it was corrected, and the next time is computed again. If it goes back by less, as at
 * the end of summer time on a machine whose clock has local time, the times that have passed already are not due again.
 */
const CORRECTED_BY: Millis = 3 * 3_600_000;

const NO_RUNS: RunCounts = { completed: 0, failed: 0, skipped: 0, missed: 0 };

/** The schedule of a task that has not run. */
export function newSchedule(): Schedule {
  return {
    next: null,
    checkAt: null,
    isReading: false,
    readings: 0,
    seen: null,
    isQueued: false,
    isOver: false,
    last: null,
    counts: NO_RUNS,
  };
}

/** Keeps the counts and the latest run; the next time is found again, or the interval begins with the next run. */
export function resetSchedule(schedule: Schedule): Schedule {
  return { ...schedule, next: null, checkAt: null, isReading: false, isQueued: false };
}

/**
 * Begins an interval at the start of a run; without effect for a task with `schedule`. `run`: its number; `seed`: for the jitter.
 */
export function armInterval(plan: SchedulePlan, schedule: Schedule, run: number, now: Millis, seed: number): Schedule {
  if (plan.when.kind !== 'every') return schedule;
  return { ...schedule, checkAt: now + plan.when.interval + plan.jitter * randomOf(seed, run) };
}

/** Counts a run that has ended at `at`. */
export function noteEnd(schedule: Schedule, ended: Ended, at: Millis): Schedule {
  const { counts } = schedule;
  const key = ended.verdict.success ? 'completed' : 'failed';
  // A run that was stopped has neither completed nor failed.
  const next = ended.cause.kind === 'asked' ? counts : { ...counts, [key]: counts[key] + 1 };
  return { ...schedule, last: { ended, at }, counts: next };
}

/** Counts a time that has started no run. */
export function countTime(schedule: Schedule, key: 'skipped' | 'missed'): Schedule {
  return { ...schedule, counts: { ...schedule.counts, [key]: schedule.counts[key] + 1 } };
}

/** The deadline of a schedule; null: it has none now. `isWaiting`: no run of the task exists or is about to start. */
export function checkAtOf(
  plan: SchedulePlan,
  { checkAt, isReading, isOver }: Schedule,
  isWaiting: boolean,
): Millis | null {
  if (isOver || isReading) return null;
  return checkAt ?? (plan.when.kind === 'cron' || isWaiting ? 0 : null);
}

/** The next time with its jitter; null: there is none. A time always has the same jitter. */
export function dueTime(plan: SchedulePlan, { next }: Pick<Schedule, 'next'>, seed: number): Wall | null {
  return next === null ? null : next + plan.jitter * randomOf(seed, Math.floor(next / 1_000));
}

/** Decides whether the time of a schedule has come. If several times have passed, they cause one run. */
export function evaluateClock(
  plan: SchedulePlan,
  schedule: Schedule,
  { wall, next }: ClockReading,
  now: Millis,
  seed: number,
): TimeDecision {
  const { seen } = schedule;
  const isCorrected = seen !== null && wall < seen.wall - CORRECTED_BY;
  const known = isCorrected ? null : schedule.next;
  const due = dueTime(plan, { next: known }, seed);
  const isDue = due !== null && due <= wall;
  const read: Schedule = {
    ...schedule,
    isReading: false,
    seen: { wall, at: now },
    next: known === null || isDue ? next : known,
  };
  const wait = (dueTime(plan, read, seed) ?? Infinity) - wall;
  const armed: Schedule = { ...read, checkAt: now + Math.min(wait, CHECK_EVERY) };
  if (!isDue) return { verdict: 'early', schedule: armed };
  return { verdict: verdictOf(plan, wall - due), schedule: armed };
}

function verdictOf({ catchUp }: SchedulePlan, late: Millis): 'due' | 'missed' {
  return late > LATE_AFTER && !catchUp ? 'missed' : 'due';
}

/** Decides at the deadline of an interval, and begins the next one. Several intervals that have passed cause one run. */
export function evaluateInterval(plan: SchedulePlan, schedule: Schedule, interval: Millis, now: Millis): TimeDecision {
  const { checkAt } = schedule;
  if (checkAt === null) return { verdict: 'due', schedule };
  const passed = Math.floor((now - checkAt) / interval) + 1;
  const armed: Schedule = { ...schedule, checkAt: checkAt + passed * interval };
  return { verdict: verdictOf(plan, now - checkAt), schedule: armed };
}
