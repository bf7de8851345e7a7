// Whether a supervisor that has worked is the one that it was: its figures at rest after the warm-up beside those at the
// end, each with the growth that is allowed. The bounds do not grow with the amounts: in the whole soak the one on memory
// finds a leak of 150 bytes a restart, or of 30 a probe. Pure.

/** Figures while nothing moves: the least of several looks. */
export interface Quiet {
  readonly anon: number;
  readonly resident: number;
  readonly descriptors: number;
  readonly threads: number;
  readonly timers: number;
  /** A second. */
  readonly wakes: number;
}

const MIB = 2 ** 20;

/** What may be more at the end than after the warm-up, and why it is not zero. */
export const BOUNDS = {
  anon: { most: 24 * MIB, unit: 'MiB', name: 'own memory of both processes', why: "the collector's free blocks" },
  resident: { most: 28 * MIB, unit: 'MiB', name: 'resident memory of both', why: "those, and the program's own pages" },
  descriptors: { most: 2, unit: '', name: 'descriptors', why: 'the connections of whoever looks' },
  threads: { most: 1, unit: '', name: 'threads', why: 'one of the pool that sleeps' },
  timers: { most: 2, unit: '', name: 'timers', why: 'those of a request that is on its way' },
  wakes: { most: 20, unit: '/s', name: 'wake-ups', why: 'what a busy machine adds' },
} as const satisfies Readonly<Record<keyof Quiet, { most: number; unit: string; name: string; why: string }>>;

export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly before: number;
  readonly warm: number;
  readonly after: number;
  readonly growth: number;
  readonly most: number;
  readonly why: string;
  readonly ok: boolean;
}

export interface Judgement {
  readonly rows: readonly Row[];
  /** What was wrong besides. */
  readonly faults: readonly string[];
  readonly passed: number;
  readonly failed: number;
}

/** `faults` are sentences; none of them is one more thing that passed. */
export function judge(
  { before, warm, after }: { readonly before: Quiet; readonly warm: Quiet; readonly after: Quiet },
  faults: readonly string[],
): Judgement {
  const rows = (Object.keys(BOUNDS) as (keyof Quiet)[]).map((key): Row => {
    const growth = after[key] - warm[key];
    const { most, unit, name, why } = BOUNDS[key];
    // A figure that could not be had (NaN) is no figure that is right.
    return {
      name,
      unit,
      before: before[key],
      warm: warm[key],
      after: after[key],
      growth,
      most,
      why,
      ok: growth <= most,
    };
  });
  const wrong = rows.filter(({ ok }) => !ok).length;
  return { rows, faults, passed: rows.length - wrong + (faults.length === 0 ? 1 : 0), failed: wrong + faults.length };
}
