// Compares a supervisor's figures at rest after the warm-up with those at the end, each with an allowed growth. The bounds do not
// grow with the amounts: in the full soak the bound on memory finds a leak of 150 bytes per restart, or of 30 per probe.
// Pure.

/** Figures at rest: the minimum of several samples. */
export interface Quiet {
  readonly anon: number;
  readonly resident: number;
  readonly descriptors: number;
  readonly threads: number;
  readonly timers: number;
  /** Per second. */
  readonly wakes: number;
}

const MIB = 2 ** 20;

/** The allowed growth, and the reason why it is not zero. */
export const BOUNDS = {
  anon: { most: 24 * MIB, unit: 'MiB', name: 'own memory of both processes', why: "the collector's free blocks" },
  resident: { most: 28 * MIB, unit: 'MiB', name: 'resident memory of both', why: "those, and the program's own pages" },
  descriptors: { most: 2, unit: '', name: 'descriptors', why: 'the connections of the measurement' },
  threads: { most: 1, unit: '', name: 'threads', why: 'a sleeping thread of the pool' },
  timers: { most: 2, unit: '', name: 'timers', why: 'those of a request in progress' },
  wakes: { most: 20, unit: '/s', name: 'wake-ups', why: 'the effect of a busy machine' },
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
  /** Other faults. */
  readonly faults: readonly string[];
  readonly passed: number;
  readonly failed: number;
}

/** `faults` are sentences; without any, one more check has passed. */
export function judge(
  { before, warm, after }: { readonly before: Quiet; readonly warm: Quiet; readonly after: Quiet },
  faults: readonly string[],
): Judgement {
  const rows = (Object.keys(BOUNDS) as (keyof Quiet)[]).map((key): Row => {
    const growth = after[key] - warm[key];
    const { most, unit, name, why } = BOUNDS[key];
    // A missing figure (NaN) counts as wrong.
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
