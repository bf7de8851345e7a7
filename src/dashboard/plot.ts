// Computes the points of a chart from samples that may have gaps. Draws nothing. Pure.

/** The time that a chart shows, milliseconds. */
export const HOUR = 3_600_000;
/** The time that a chart shows at least, while the history is shorter. */
const LEAST = 120_000;

/** `values[i]` was measured at `times[i]`; null: it is not known. */
export interface Samples {
  /** Milliseconds since 1970. */
  readonly times: readonly number[];
  readonly values: readonly (number | null)[];
}

/**
 * A series of the history with the current value at its end. `at`: the times of `series`; `time`: when `value` was measured, wall
 * time in milliseconds. Without a series, or with `value` null, only the other part is returned.
 */
export function withLatest(
  at: readonly number[],
  series: readonly (number | null)[] | undefined,
  time: number,
  value: number | null,
): Samples {
  const [times, values] = series === undefined ? [[], []] : [at, series];
  return value === null || time <= (times.at(-1) ?? 0)
    ? { times, values }
    : { times: [...times, time], values: [...values, value] };
}

/** The time at the left edge of a chart that ends now. */
export function beginningOf(times: readonly number[], now: number): number {
  return Math.max(now - HOUR, Math.min(times[0] ?? now, now - LEAST));
}

/**
 * The paths of a chart in SVG: lines with gaps where there is no value, and the areas below them. `top`: the value at the top;
 * `width` and `height`: of the chart, in units of the drawing.
 */
export function pathsOf(
  { times, values }: Samples,
  now: number,
  top: number,
  width: number,
  height: number,
): { readonly line: string; readonly area: string } {
  const from = beginningOf(times, now);
  const x = (time: number) => (((time - from) / (now - from)) * width).toFixed(1);
  const y = (value: number) => (height - (Math.min(value, top) / top) * height).toFixed(1);
  const runs: string[][] = [[]];
  times.forEach((time, index) => {
    const value = values[index] ?? null;
    if (value === null) runs.push([]);
    else if (time >= from) runs.at(-1)?.push(`${x(time)},${y(value)}`);
  });
  const pieces = runs.filter((points) => points.length > 0);
  const edge = (point = '') => point.slice(0, point.indexOf(','));
  return {
    line: pieces.map((points) => `M${points.join('L')}${points.length === 1 ? 'h0.1' : ''}`).join(''),
    area: pieces
      .map((points) => `M${edge(points[0])},${height}L${points.join('L')}L${edge(points.at(-1))},${height}Z`)
      .join(''),
  };
}

/** The times at which the number of restarts has grown. */
export function restartTimes({ times, values }: Samples): readonly number[] {
  return times.filter((_, index) => {
    const [before, after] = [values[index - 1] ?? null, values[index] ?? null];
    return before !== null && after !== null && after > before;
  });
}

/** The highest value; null: there is none. */
export function highest(values: readonly (number | null)[]): number | null {
  return values.reduce<number | null>((most, value) => (value === null ? most : Math.max(most ?? value, value)), null);
}
