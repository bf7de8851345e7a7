// The schedule of a task that runs again and again: when its time comes, by the wall clock (`schedule`) or by the time since its
// latest run (`every`). A function of readings of the wall clock, which arrive as events, and of monotonic time. Pure; changes no
// service.
//
// A time by the wall clock cannot be a deadline: the clock may be set meanwhile. So the clock is read again when the time should
// have come, and once a minute before that.
import type { Millis, SchedulePlan } from '../plan/plan.ts';
import { randomOf } from './policy.ts';
import type { Ended } from './run.ts';

/** Wall time, milliseconds since 1970. */
export type Wall = number;

export interface Schedule {
  /** Its next time by the wall clock, without jitter; null: not known yet, there is none, or it runs at an interval. */
  readonly next: Wall | null;
  /**
   * When the clock is read next, or when the interval is over. null: with `schedule`, the clock has to be read at once; with
   * `every`, the interval begins with the next run.
   */
  readonly checkAt: Millis | null;
  /** Whether a reading of the clock is under way, and the number of the latest one. */
  readonly isReading: boolean;
  readonly readings: number;
  /** The latest reading, and when it was made. */
  readonly seen: { readonly wall: Wall; readonly at: Millis } | null;
  /** Whether a run follows the present one, by `overlap: queue`. */
  readonly isQueued: boolean;
  /** Set in a shutdown: no time comes any more. */
  readonly isOver: boolean;
  /** Its latest run that has ended, and when. */
  readonly last: { readonly ended: Ended; readonly at: Millis } | null;
  readonly counts: RunCounts;
}

/** `skipped`: times that came while a run was not over; `missed`: times that had passed when they were noticed. */
export interface RunCounts {
  readonly completed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly missed: number;
}

/** The wall clock was read; `next` is the first time of the schedule after it. */
export interface ClockReading {
  readonly wall: Wall;
  readonly next: Wall | null;
}

/** `due`: its time has come. `missed`: its time has passed, and a run does not make up for it. `at`: that time, if known. */
interface TimeDecision {
  readonly verdict: 'early' | 'due' | 'missed';
  readonly schedule: Schedule;
}

/** The clock is read at least this often, so that a clock that is set is noticed. */
export const CHECK_EVERY: Millis = 60_000;
/** A time that is noticed later than this has been missed. */
export const LATE_AFTER: Millis = 120_000;
/**
 * A clock that goes back by more than this has been corrected, and the times are computed anew. Below, as when summer time ends on
 * a machine whose clock has local time, what has run does not run again.
 */
const CORRECTED_BY: Millis = 3 * 3_600_000;

const NO_RUNS: RunCounts = { completed: 0, failed: 0, skipped: 0, missed: 0 };

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

/** The schedule begins anew: its next time is found again, or its interval begins with the next run. */
export function beginAnew(schedule: Schedule): Schedule {
  return { ...schedule, next: null, checkAt: null, isReading: false, isQueued: false };
}

/** A run begins: an interval counts from here. */
export function armInterval(plan: SchedulePlan, schedule: Schedule, run: number, now: Millis, seed: number): Schedule {
  if (plan.when.kind !== 'every') return schedule;
  return { ...schedule, checkAt: now + plan.when.interval + plan.jitter * randomOf(seed, run) };
}

export function noteEnd(schedule: Schedule, ended: Ended, at: Millis): Schedule {
  const { counts } = schedule;
  const key = ended.verdict.success ? 'completed' : 'failed';
  // A run that was stopped has neither completed nor failed.
  const next = ended.cause.kind === 'asked' ? counts : { ...counts, [key]: counts[key] + 1 };
  return { ...schedule, last: { ended, at }, counts: next };
}

/** Counts a time without a run. */
export function countTime(schedule: Schedule, key: 'skipped' | 'missed'): Schedule {
  return { ...schedule, counts: { ...schedule.counts, [key]: schedule.counts[key] + 1 } };
}

/** When its deadline is; `isWaiting`: no run of it is under way or about to be. */
export function checkAtOf(
  plan: SchedulePlan,
  { checkAt, isReading, isOver }: Schedule,
  isWaiting: boolean,
): Millis | null {
  if (isOver || isReading) return null;
  return checkAt ?? (plan.when.kind === 'cron' || isWaiting ? 0 : null);
}

/** Its next time with jitter; null: none. The jitter of a time is always the same. */
export function dueTime(plan: SchedulePlan, { next }: Pick<Schedule, 'next'>, seed: number): Wall | null {
  return next === null ? null : next + plan.jitter * randomOf(seed, Math.floor(next / 1_000));
}

/** Decides whether the time of a schedule has come. However many times have passed, they come to one run. */
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
  const isDue = (dueTime(plan, { next: known }, seed) ?? Infinity) <= wall;
  const late = wall - (dueTime(plan, { next: known }, seed) ?? wall);
  const read: Schedule = {
    ...schedule,
    isReading: false,
    seen: { wall, at: now },
    next: known === null || isDue ? next : known,
  };
  const wait = (dueTime(plan, read, seed) ?? Infinity) - wall;
  const armed: Schedule = { ...read, checkAt: now + Math.min(wait, CHECK_EVERY) };
  if (!isDue) return { verdict: 'early', schedule: armed };
  return { verdict: late > LATE_AFTER && !plan.catchUp ? 'missed' : 'due', schedule: armed };
}

/** The deadline of an interval has passed: decides likewise, and begins the next interval. */
export function evaluateInterval(plan: SchedulePlan, schedule: Schedule, interval: Millis, now: Millis): TimeDecision {
  const { checkAt } = schedule;
  if (checkAt === null) return { verdict: 'due', schedule };
  const passed = Math.floor((now - checkAt) / interval) + 1;
  const armed: Schedule = { ...schedule, checkAt: checkAt + passed * interval };
  return { verdict: now - checkAt > LATE_AFTER && !plan.catchUp ? 'missed' : 'due', schedule: armed };
}
