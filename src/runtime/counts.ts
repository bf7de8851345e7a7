// Counters for the metrics: attempts of probes with their durations, and leftover processes that were cleaned up; and the last
// attempt of each probe, for display. No decision depends on them.
import type { ProbeKind } from '../core/event.ts';

/** Upper bounds of the histogram of attempts, seconds. */
export const BOUNDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export type ProbeResult = 'ok' | 'failed' | 'timeout';

export interface ProbeCounts {
  readonly kind: ProbeKind;
  readonly index: number;
  readonly results: Record<ProbeResult, number>;
  /** The number of attempts between each bound and the bound before it; the last element is beyond all bounds. */
  readonly buckets: number[];
  seconds: number;
}

/** The last attempt of a probe. `at`: the wall time of its end, milliseconds; `took`: its duration, milliseconds. */
interface LastAttempt {
  readonly kind: ProbeKind;
  readonly index: number;
  readonly at: number;
  readonly result: ProbeResult;
  readonly detail: string;
  readonly took: number;
}

export class Counts {
  /** By service, then by kind and index. */
  readonly probes = new Map<string, Map<string, ProbeCounts>>();
  readonly cleanedUp = new Map<string, number>();
  /** By service, then by kind and index. Not part of the checkpoint. */
  readonly #last = new Map<string, Map<string, LastAttempt>>();

  /** Adds an attempt. `ms` is its duration: for a timeout, the time until it was abandoned. */
  addAttempt(service: string, kind: ProbeKind, index: number, result: ProbeResult, ms: number): void {
    const counts = this.#probe(service, kind, index);
    const seconds = ms / 1_000;
    const bucket = BOUNDS.findIndex((bound) => seconds <= bound);
    const at = bucket < 0 ? BOUNDS.length : bucket;
    counts.results[result] += 1;
    counts.buckets[at] = (counts.buckets[at] ?? 0) + 1;
    counts.seconds += seconds;
  }

  /** Notes the last attempt of a probe. */
  noteLast(service: string, attempt: LastAttempt): void {
    const own = this.#last.get(service) ?? new Map<string, LastAttempt>();
    this.#last.set(service, own.set(`${attempt.kind} ${attempt.index}`, attempt));
  }

  /** The last attempts of the probes of a service. */
  lastOf(service: string): readonly LastAttempt[] {
    return [...(this.#last.get(service)?.values() ?? [])];
  }

  /** Takes over the counters of the previous supervisor. */
  inherit(
    service: string,
    counted: { readonly probes: readonly (readonly [string, ProbeCounts])[]; readonly cleanedUp: number },
  ): void {
    this.probes.set(service, new Map(counted.probes));
    this.cleanedUp.set(service, counted.cleanedUp);
  }

  addCleanedUp(service: string, count: number): void {
    this.cleanedUp.set(service, (this.cleanedUp.get(service) ?? 0) + count);
  }

  #probe(service: string, kind: ProbeKind, index: number): ProbeCounts {
    const probes = this.probes.get(service) ?? new Map<string, ProbeCounts>();
    this.probes.set(service, probes);
    const key = `${kind} ${index}`;
    const found = probes.get(key) ?? {
      kind,
      index,
      results: { ok: 0, failed: 0, timeout: 0 },
      buckets: new Array<number>(BOUNDS.length + 1).fill(0),
      seconds: 0,
    };
    probes.set(key, found);
    return found;
  }
}
