// The use of processors by each service, from two states of the supervisor. Pure.
import type { StatusBody } from '../control/api.ts';

type Services = readonly Pick<StatusBody['services'][number], 'name' | 'run' | 'usage'>[];

/** The shares, and the state that the next ones are measured from. */
export interface CpuShares {
  /** Percentage of one processor by service: 200 means two processors. */
  readonly shares: ReadonlyMap<string, number>;
  readonly from: Services;
  /** Wall time at which `from` arrived, milliseconds. */
  readonly at: number;
}

export const NO_SHARES: CpuShares = { shares: new Map(), from: [], at: Number.NEGATIVE_INFINITY };

/** The kernel counts in hundredths of a second, which over a shorter time would give only noise. Milliseconds. */
const LEAST = 1_000;

/** The shares after another state has arrived: those of the same runs as before until enough time has passed. */
export function takeShares(before: CpuShares, services: Services, now: number): CpuShares {
  const elapsed = now - before.at;
  const old = new Map(before.from.map((one) => [one.name, one]));
  const shares = new Map<string, number>();
  const isMeasured = elapsed < 0 || elapsed >= LEAST;
  for (const { name, run, usage } of services) {
    const earlier = old.get(name);
    if (usage === null || earlier === undefined || earlier.usage === null || earlier.run !== run) continue;
    const seconds = usage.cpu_seconds - earlier.usage.cpu_seconds;
    const share = isMeasured ? Math.max(0, (seconds / elapsed) * 100_000) : before.shares.get(name);
    if (share !== undefined && elapsed >= 0) shares.set(name, share);
  }
  return isMeasured ? { shares, from: services, at: now } : { ...before, shares };
}
