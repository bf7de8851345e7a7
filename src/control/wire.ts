// The JSON of the control API and of `--json`: keys, units and rounding. Stable and documented (docs/http.md): a key here is
// part of the interface. Only converts what the core reports; decides nothing.
import type { ScheduleSnapshot, ServiceSnapshot, Snapshot } from '../core/snapshot.ts';
import type { ServiceSpan, StartTimeline } from '../core/timeline.ts';
import { renderReason } from '../messages/reasons.ts';
import type { Millis } from '../plan/plan.ts';
import type { Exit } from '../plan/process.ts';

/** A service in `GET /v1/status`. */
export type WireService = Omit<ServiceSnapshot, 'reason' | 'uptime' | 'readyAfter' | 'exit' | 'memory' | 'schedule'> & {
  /** A sentence; null: there is no reason to show. */
  readonly reason: string | null;
  /** Seconds since the current run was spawned, whole milliseconds; null: none runs. */
  readonly uptime_seconds: number | null;
  /** Seconds from spawn to ready of the latest start that became ready. */
  readonly ready_after_seconds: number | null;
  readonly exit: { readonly code: number | null; readonly signal: string | null } | null;
  /** null: it has no `max_memory`. */
  readonly memory: {
    readonly max_bytes: number;
    readonly on_exceed: 'restart' | 'fail' | 'warn';
    /** How often it has used more. */
    readonly exceeded: number;
  } | null;
  /** null: it does not run by a schedule. */
  readonly schedule: WireSchedule | null;
};

/** The schedule of a task. Times are ISO 8601, in UTC. */
export interface WireSchedule {
  /** The expression of cron; null: it runs at an interval. */
  readonly cron: string | null;
  readonly every_seconds: number | null;
  readonly time_zone: string | null;
  /** null: not known yet, or it was stopped. */
  readonly next_run: string | null;
  /** Its latest run that has ended; null: none has. */
  readonly last_run: {
    readonly ended_at: string;
    readonly seconds: number;
    readonly success: boolean;
    readonly exit: WireService['exit'];
  } | null;
  readonly completed: number;
  readonly failed: number;
  /** Times that came while a run was not over, and times that were noticed too late. */
  readonly skipped: number;
  readonly missed: number;
}

/**
 * The state as people see it: nothing has found a service without a readiness probe ready, so it is `running`. In JSON it is
 * `ready`, with `probed: false`.
 */
export function shownState({ state, probed }: Pick<WireService, 'state' | 'probed'>): string {
  return state === 'ready' && !probed ? 'running' : state;
}

export type WireSnapshot = Omit<Snapshot, 'services'> & { readonly services: readonly WireService[] };

/** A service in `GET /v1/timeline`. Instants are milliseconds since the supervisor began, to the microsecond. */
export type WireSpan = Omit<ServiceSpan, 'startedAt' | 'readyAt' | 'endedAt'> & {
  readonly started_ms: number | null;
  readonly ready_ms: number | null;
  /** Of one that was not ready so far: when its latest run ended; null: none has ended, or one is under way. */
  readonly ended_ms: number | null;
};

/** `GET /v1/timeline`. */
export interface WireTimeline {
  readonly name: string;
  readonly elapsed_ms: number;
  readonly ready_ms: number | null;
  readonly services: readonly WireSpan[];
}

/** A service in `GET /v1/graph`. */
export interface WireGraphNode {
  readonly name: string;
  readonly type: 'service' | 'task';
  readonly group: string | null;
  readonly state: string | null;
  /** Its edges: one for each service that it waits for. */
  readonly needs: readonly {
    readonly on: string;
    readonly condition: string;
    readonly origin: 'declared' | 'stage';
    /** The service restarts with its target. */
    readonly restarts?: boolean;
    /** The target is one of several replicas, of which `least` must satisfy the condition. */
    readonly any?: { readonly of: string; readonly least: number };
  }[];
}

/** `wall`: the wall time of the snapshot. */
export function toWireSnapshot({ services, ...rest }: Snapshot, wall: number): WireSnapshot {
  return { ...rest, services: services.map((service) => toWireService(service, wall)) };
}

function toWireService(service: ServiceSnapshot, wall: number): WireService {
  const { reason, pid, run, restarts, uptime, readyAfter, gpus, exit, success, memory, schedule, ...rest } = service;
  return {
    ...rest,
    reason: reason === null ? null : renderReason(reason),
    pid,
    run,
    restarts,
    uptime_seconds: toSeconds(uptime),
    ready_after_seconds: toSeconds(readyAfter),
    gpus,
    exit: toWireExit(exit),
    success,
    memory: memory === null ? null : { max_bytes: memory.max, on_exceed: memory.onExceed, exceeded: memory.exceeded },
    schedule: schedule === null ? null : toWireSchedule(schedule, wall),
  };
}

function toWireSchedule({ when, next, last, counts }: ScheduleSnapshot, wall: number): WireSchedule {
  return {
    cron: when.kind === 'cron' ? when.expression : null,
    every_seconds: when.kind === 'every' ? when.interval / 1_000 : null,
    time_zone: when.kind === 'cron' ? when.timeZone : null,
    next_run: next === null ? null : toTime(next.at ?? wall + next.in),
    last_run:
      last === null
        ? null
        : {
            ended_at: toTime(wall - last.ago),
            seconds: Math.round(last.ended.lasted) / 1_000,
            success: last.ended.verdict.success,
            exit: toWireExit(last.ended.exit),
          },
    ...counts,
  };
}

/** To whole seconds: a time that is computed from a duration would differ from one request to the next. */
function toTime(wall: number): string {
  return new Date(Math.round(wall / 1_000) * 1_000).toISOString().replace('.000Z', 'Z');
}

export function toWireTimeline({ name, elapsed, readyAt, services }: StartTimeline): WireTimeline {
  return {
    name,
    elapsed_ms: toMicroseconds(elapsed),
    ready_ms: roundInstant(readyAt),
    services: services.map(toWireSpan),
  };
}

function toWireSpan({ name, type, state, startedAt, readyAt, endedAt, after, critical }: ServiceSpan): WireSpan {
  return {
    ...{ name, type, state },
    started_ms: roundInstant(startedAt),
    ready_ms: roundInstant(readyAt),
    ended_ms: roundInstant(endedAt),
    after,
    critical,
  };
}

/** Seconds, rounded to whole milliseconds. */
function toSeconds(ms: Millis | null): number | null {
  return ms === null ? null : Math.round(ms) / 1_000;
}

function roundInstant(ms: Millis | null): number | null {
  return ms === null ? null : toMicroseconds(ms);
}

/** Milliseconds, rounded to whole microseconds. */
function toMicroseconds(ms: Millis): number {
  return Math.round(ms * 1_000) / 1_000;
}

export function toWireExit(exit: Exit | null): WireService['exit'] {
  if (exit === null) return null;
  return exit.kind === 'code' ? { code: exit.code, signal: null } : { code: null, signal: exit.signal };
}
