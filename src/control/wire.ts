// The JSON of the control API and of `--json`: keys, units and rounding. Stable and documented (docs/http.md): a key here is
// part of the interface. Only converts what the core reports; decides nothing.

import type { ServiceSnapshot, Snapshot } from '../core/snapshot.ts';
import type { ServiceSpan, StartTimeline } from '../core/timeline.ts';
import { renderReason } from '../messages/reasons.ts';
import type { Millis } from '../plan/plan.ts';
import type { Exit } from '../plan/process.ts';

/** A service in `GET /v1/status`. */
export type WireService = Omit<ServiceSnapshot, 'reason' | 'uptime' | 'readyAfter' | 'exit'> & {
  /** A sentence; null: there is no reason to show. */
  readonly reason: string | null;
  /** Seconds since the current run was spawned, whole milliseconds; null: none runs. */
  readonly uptime_seconds: number | null;
  /** Seconds from spawn to ready of the latest start that became ready. */
  readonly ready_after_seconds: number | null;
  readonly exit: { readonly code: number | null; readonly signal: string | null } | null;
};

export type WireSnapshot = Omit<Snapshot, 'services'> & { readonly services: readonly WireService[] };

/** A service in `GET /v1/timeline`. Instants are milliseconds since the supervisor began, to the microsecond. */
export type WireSpan = Omit<ServiceSpan, 'startedAt' | 'readyAt'> & {
  readonly started_ms: number | null;
  readonly ready_ms: number | null;
};

/** `GET /v1/timeline`. */
export interface WireTimeline {
  readonly name: string;
  readonly elapsed_ms: number;
  readonly ready_ms: number | null;
  readonly services: readonly WireSpan[];
}

export function toWireSnapshot({ services, ...rest }: Snapshot): WireSnapshot {
  return { ...rest, services: services.map(toWireService) };
}

function toWireService(service: ServiceSnapshot): WireService {
  const { reason, pid, run, restarts, uptime, readyAfter, gpus, exit, ...rest } = service;
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
  };
}

export function toWireTimeline({ name, elapsed, readyAt, services }: StartTimeline): WireTimeline {
  return {
    name,
    elapsed_ms: toMicroseconds(elapsed),
    ready_ms: roundInstant(readyAt),
    services: services.map(toWireSpan),
  };
}

function toWireSpan({ name, type, state, startedAt, readyAt, after, critical }: ServiceSpan): WireSpan {
  return { name, type, state, started_ms: roundInstant(startedAt), ready_ms: roundInstant(readyAt), after, critical };
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
