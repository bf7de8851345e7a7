// Decides when which probe of a run is attempted, and evaluates the results. During a start the readiness probes are attempted
// in rounds: all must hold in one round. After that, liveness probes and continuous readiness probes run at their intervals.
// One attempt at a time per service; every attempt has a number, so a late result is dropped. Pure.
import type { Millis, Probe, ServicePlan } from '../plan/plan.ts';
import type { Lapse, ProbeDetail } from './detail.ts';
import type { ProbeKind, ServiceEffect } from './event.ts';
import { probeDelay } from './policy.ts';

interface Flight {
  readonly kind: ProbeKind;
  readonly index: number;
  readonly attempt: number;
  readonly deadline: Millis;
}

interface Watch {
  readonly kind: ProbeKind;
  readonly index: number;
  readonly dueAt: Millis;
  /** Successes in a row, or, below zero, failures in a row. */
  readonly streak: number;
  /** The latest result if it was a failure; null: a success, or no result yet. */
  readonly failure: ProbeDetail | null;
}

export interface Probing {
  /** Attempts made in this run; also the number of the latest. */
  readonly attempts: number;
  readonly flight: Flight | null;
  /** While starting: the probe of the round that is next, and when; null during an attempt, while a latch waits, and after the round. */
  readonly cursor: number;
  readonly nextAt: Millis | null;
  /** Successes in a row of each ready probe while starting. */
  readonly streaks: readonly number[];
  /** The latest result of each ready probe while starting; null before the first. */
  readonly results: readonly (ProbeDetail | null)[];
  /** How many results differed from the one before of the same probe: what `start_stall` counts as progress. */
  readonly changes: number;
  /** When each ready probe last had a result while starting; null before the first. Limits how often it runs. */
  readonly resultAt: readonly (Millis | null)[];
  /** Which ready probes (log, notify) have seen what they wait for. */
  readonly latched: readonly boolean[];
  readonly watches: readonly Watch[];
  /** What it waits for, or the latest result: why it is not ready; null: there is nothing to show. */
  readonly detail: ProbeDetail | null;
  /** The liveness probe that fails, by its index; of several, the one that failed last. Null: each holds, or has no result yet. */
  readonly lapse: (Lapse & { readonly index: number }) | null;
}

export interface Probed {
  readonly probing: Probing;
  readonly effects: readonly ServiceEffect[];
  /**
   * During a start: `passed` when every readiness probe holds. After it: what the result of a probe means. `recovered` is returned
   * for every success after which all readiness probes hold, even if the service was not unready before.
   */
  readonly outcome: 'none' | 'passed' | 'unready' | 'recovered' | 'dead';
}

export const NO_PROBING: Probing = {
  attempts: 0,
  flight: null,
  cursor: 0,
  nextAt: null,
  streaks: [],
  results: [],
  changes: 0,
  resultAt: [],
  latched: [],
  watches: [],
  detail: null,
  lapse: null,
};

const isLatch = (probe: Probe): boolean => probe.kind === 'log' || probe.kind === 'notify';

/** What a latch waits for. */
function awaitedBy(probe: Probe): ProbeDetail {
  if (probe.kind === 'log') return { kind: 'line', pattern: probe.pattern };
  return probe.kind === 'notify' && probe.fd !== null ? { kind: 'newline', fd: probe.fd } : { kind: 'notification' };
}

/** The result of one attempt. */
export interface AttemptOutcome {
  readonly attempt: number;
  readonly ok: boolean;
  readonly detail: ProbeDetail;
}

function isSameDetail(a: ProbeDetail | null, b: ProbeDetail): boolean {
  if (a?.kind === 'result' && b.kind === 'result') return a.text === b.text;
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The first round of a run. */
export function beginRounds(plan: ServicePlan, now: Millis): Probed {
  const latched = plan.ready.map(() => false);
  const streaks = plan.ready.map(() => 0);
  const results = plan.ready.map(() => null);
  return continueRound(plan, { ...NO_PROBING, streaks, results, resultAt: results, latched }, now);
}

function probeOf(plan: ServicePlan, kind: ProbeKind, index: number): Probe | undefined {
  return kind === 'ready' ? plan.ready[index] : plan.live[index];
}

function launch(plan: ServicePlan, probing: Probing, kind: ProbeKind, index: number, now: Millis): Probed {
  const probe = probeOf(plan, kind, index);
  const attempt = probing.attempts + 1;
  const flight = { kind, index, attempt, deadline: now + (probe?.timeout ?? 0) };
  return {
    probing: { ...probing, attempts: attempt, flight, nextAt: null },
    effects: [{ type: 'probe', kind, index, attempt }],
    outcome: 'none',
  };
}

function still(probing: Probing): Probed {
  return { probing, effects: [], outcome: 'none' };
}

/** Continues a round, once each latch has seen what it waits for: begins the next attempt when it is due. Latches need no attempt. */
export function continueRound(plan: ServicePlan, probing: Probing, now: Millis): Probed {
  if (probing.flight !== null) return still(probing);
  const missing = plan.ready.findIndex((probe, index) => isLatch(probe) && !probing.latched[index]);
  const wanted = plan.ready[missing];
  if (wanted !== undefined) return still({ ...probing, nextAt: null, detail: awaitedBy(wanted) });
  if (probing.nextAt !== null && now < probing.nextAt) return still(probing);
  let cursor = probing.cursor;
  for (let probe = plan.ready[cursor]; probe !== undefined && isLatch(probe); probe = plan.ready[cursor]) cursor += 1;
  if (cursor >= plan.ready.length) {
    return { probing: { ...probing, cursor, nextAt: null, detail: null }, effects: [], outcome: 'passed' };
  }
  return launch(plan, { ...probing, cursor }, 'ready', cursor, now);
}

/** The attempt under way, if it has that number. */
function landed(probing: Probing, attempt: number): Flight | null {
  return probing.flight !== null && probing.flight.attempt === attempt ? probing.flight : null;
}

export function applyRoundResult(
  plan: ServicePlan,
  probing: Probing,
  result: AttemptOutcome,
  since: Millis,
  now: Millis,
): Probed {
  const flight = landed(probing, result.attempt);
  if (flight === null) return still(probing);
  const { index } = flight;
  const probe = plan.ready[index];
  const before = probing.streaks[index] ?? 0;
  const streak = result.ok ? before + 1 : 0;
  const changed = !isSameDetail(probing.results[index] ?? null, result.detail) || before > 0 !== result.ok;
  const base = {
    ...probing,
    flight: null,
    streaks: probing.streaks.with(index, streak),
    results: probing.results.with(index, result.detail),
    resultAt: probing.resultAt.with(index, now),
    changes: probing.changes + (changed ? 1 : 0),
  };
  if (result.ok && streak >= (probe?.successes ?? 1)) {
    // `detail` stays what was missing last until the next probe of the round has a result.
    return continueRound(plan, { ...base, cursor: index + 1, nextAt: null }, now);
  }
  const nextAt = nextRoundAt(plan, base, now + (probe?.startInterval ?? probeDelay(now - since)));
  return still({ ...base, detail: result.detail, cursor: result.ok ? index : 0, nextAt });
}

/**
 * When the next round begins: not before `earliest`, nor before each probe with a `start_interval` may run again. All probes
 * must hold in one round, so the whole round waits and not one probe in the middle of it.
 */
function nextRoundAt(plan: ServicePlan, probing: Probing, earliest: Millis): Millis {
  return plan.ready.reduce((at, { startInterval }, index) => {
    const resultAt = probing.resultAt[index] ?? null;
    return startInterval === null || resultAt === null ? at : Math.max(at, resultAt + startInterval);
  }, earliest);
}

export function latchRound(plan: ServicePlan, probing: Probing, index: number, now: Millis): Probed {
  const probe = plan.ready[index];
  if (probe === undefined || !isLatch(probe) || probing.latched[index]) return still(probing);
  const { latched, changes } = probing;
  return continueRound(plan, { ...probing, latched: latched.with(index, true), changes: changes + 1 }, now);
}

/** The probes that run after the start, each first due after one interval. A latch holds for the rest of the run. */
export function beginWatch(plan: ServicePlan, probing: Probing, now: Millis): Probing {
  const of = (kind: ProbeKind, probes: readonly Probe[]) =>
    probes.flatMap((probe, index) =>
      kind === 'live' || (probe.continuous && !isLatch(probe))
        ? [{ kind, index, dueAt: now + probe.interval, streak: probe.successes, failure: null }]
        : [],
    );
  return {
    ...probing,
    flight: null,
    nextAt: null,
    detail: null,
    lapse: null,
    watches: [...of('ready', plan.ready), ...of('live', plan.live)],
  };
}

/** Begins the attempt of the probe that has been due longest, if any is due. */
export function continueWatch(plan: ServicePlan, probing: Probing, now: Millis): Probed {
  if (probing.flight !== null) return still(probing);
  let due: Watch | undefined;
  for (const watch of probing.watches) {
    if (watch.dueAt <= now && (due === undefined || watch.dueAt < due.dueAt)) due = watch;
  }
  return due === undefined ? still(probing) : launch(plan, probing, due.kind, due.index, now);
}

export function applyWatchResult(plan: ServicePlan, probing: Probing, result: AttemptOutcome, now: Millis): Probed {
  const flight = landed(probing, result.attempt);
  if (flight === null) return still(probing);
  const probe = probeOf(plan, flight.kind, flight.index);
  let streak = 0;
  const watches = probing.watches.map((watch) => {
    if (watch.kind !== flight.kind || watch.index !== flight.index) return watch;
    streak = result.ok ? Math.max(0, watch.streak) + 1 : Math.min(0, watch.streak) - 1;
    return { ...watch, streak, failure: result.ok ? null : result.detail, dueAt: now + (probe?.interval ?? 0) };
  });
  const next = { ...probing, flight: null, watches };
  if (flight.kind === 'live') {
    const of = probe?.failures ?? 3;
    const { index } = flight;
    const failed = { index, failures: -streak, of, detail: result.detail };
    const lapse = !result.ok ? failed : next.lapse?.index === index ? findLapse(plan, watches) : next.lapse;
    return {
      ...continueWatch(plan, { ...next, lapse }, now),
      ...(streak <= -of && { outcome: 'dead' as const }),
    };
  }
  if (!result.ok) {
    return { ...continueWatch(plan, { ...next, detail: result.detail }, now), outcome: 'unready' };
  }
  const allReady = watches.every(
    (watch) => watch.kind === 'live' || watch.streak >= (plan.ready[watch.index]?.successes ?? 1),
  );
  return {
    ...continueWatch(plan, { ...next, detail: allReady ? null : (findUnready(watches) ?? next.detail) }, now),
    outcome: allReady ? 'recovered' : 'none',
  };
}

/** A liveness probe that fails; null: each holds. */
function findLapse(plan: ServicePlan, watches: readonly Watch[]): Probing['lapse'] {
  for (const { kind, index, streak, failure } of watches) {
    if (kind === 'live' && failure !== null)
      return { index, failures: -streak, of: plan.live[index]?.failures ?? 3, detail: failure };
  }
  return null;
}

/** The result of a readiness probe that fails; null: the latest result of each was a success. */
function findUnready(watches: readonly Watch[]): ProbeDetail | null {
  return watches.find(({ kind, failure }) => kind === 'ready' && failure !== null)?.failure ?? null;
}

/** The result of an attempt that has passed its deadline; null: it has not. */
export function expired(plan: ServicePlan, probing: Probing, now: Millis): AttemptOutcome | null {
  const { flight } = probing;
  if (flight === null || now < flight.deadline) return null;
  const within = probeOf(plan, flight.kind, flight.index)?.timeout ?? 0;
  return { attempt: flight.attempt, ok: false, detail: { kind: 'no-answer', within } };
}

/** The instant at which an attempt is due or expires; null: none. */
export function probingDeadline(probing: Probing): Millis | null {
  if (probing.flight !== null) return probing.flight.deadline;
  if (probing.nextAt !== null) return probing.nextAt;
  return probing.watches.reduce<Millis | null>(
    (least, { dueAt }) => (least === null || dueAt < least ? dueAt : least),
    null,
  );
}
