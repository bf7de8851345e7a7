// Charts of the last hour: small ones for the table, large ones with axes, and meters. The values are beside them as text. Draws
// what it is given: plot.ts computes the points.
import { count, span } from './format.ts';
import { beginningOf, HOUR, highest, pathsOf, restartTimes, type Samples } from './plot.ts';

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const EXACT = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' });

/** The local time of an instant: `14:03`. */
export const clock = (time: number | string): string => CLOCK.format(new Date(time));
/** The local time with seconds: `14:03:59`. */
export const exactClock = (time: number | string): string => EXACT.format(new Date(time));

interface SparkProps extends Samples {
  /** The value at the top is at least this, so that small variations look small. */
  readonly least: number;
}

const SPARK = { width: 90, height: 22 };

/** A small chart without axes. Hidden from screen readers, because the value is beside it. */
export function Spark({ times, values, least }: SparkProps) {
  const top = Math.max(least, highest(values) ?? 0) * 1.1;
  const { line, area } = pathsOf({ times, values }, Date.now(), top, SPARK.width, SPARK.height);
  return (
    <svg class="spark" viewBox={`0 0 ${SPARK.width} ${SPARK.height}`} preserveAspectRatio="none" aria-hidden="true">
      <path class="area" d={area} />
      <path class="line" d={line} />
    </svg>
  );
}

interface ChartProps extends SparkProps {
  readonly title: string;
  readonly format: (value: number) => string;
  /** The number of restarts at each of `times`. */
  readonly restarts?: readonly (number | null)[];
}

const CHART = { width: 600, height: 120 };

/** A chart of the last hour, with the highest value, the times at its edges, and a mark for each restart. */
export function Chart({ title, times, values, least, format, restarts = [] }: ChartProps) {
  const now = Date.now();
  const most = highest(values);
  const top = Math.max(least, most ?? 0) * 1.15;
  const from = beginningOf(times, now);
  const { line, area } = pathsOf({ times, values }, now, top, CHART.width, CHART.height);
  const marks = restartTimes({ times, values: restarts }).filter((time) => time >= from);
  // An earlier value says nothing about a service that has ended.
  const last = values.at(-1) ?? null;
  const nothing = most === null ? 'no data yet' : 'no data now';
  const summary = `${title}: ${last === null ? nothing : `now ${format(last)}`}${most === null ? '' : `, highest ${format(most)}`}`;
  const restarted = restarts.length > 0 && marks.length > 0 ? `, ${count(marks.length, 'restart')}` : '';
  return (
    <figure class="chart">
      <figcaption>
        <b>{title}</b> <span>{last === null ? nothing : format(last)}</span>
        <span class="soft">{most === null ? '' : `highest ${format(most)}`}</span>
      </figcaption>
      <svg
        viewBox={`0 0 ${CHART.width} ${CHART.height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={summary + restarted}
      >
        {[0.25, 0.5, 0.75].map((part) => (
          <line key={part} class="grid" x1="0" x2={CHART.width} y1={CHART.height * part} y2={CHART.height * part} />
        ))}
        <path class="area" d={area} />
        <path class="line" d={line} />
        {marks.map((time) => {
          const x = ((time - from) / (now - from)) * CHART.width;
          return <line key={time} class="restart" x1={x} x2={x} y1="0" y2={CHART.height} />;
        })}
      </svg>
      <div class="axis soft">
        <span>{clock(from)}</span>
        {marks.length > 0 && <span class="legend">dashed: {count(marks.length, 'restart')}</span>}
        <span>now</span>
      </div>
    </figure>
  );
}

/** A note about the length of the history: `the last 12m; kept for an hour, and begins again …`. */
export function historyNote(times: readonly number[]): string {
  const [first] = times;
  const length = first === undefined ? 0 : Math.min(HOUR, Date.now() - first);
  return `the last ${span(length / 1_000)}; kept for an hour, and begins again when the supervisor is restarted`;
}

interface MeterProps {
  readonly label: string;
  /** null: not known. The bar is empty then. */
  readonly part: number | null;
  readonly whole: number | null;
  readonly text: string;
}

/** A bar with its value as text. */
export function Meter({ label, part, whole, text }: MeterProps) {
  const share = part === null || whole === null || whole === 0 ? 0 : Math.min(1, part / whole);
  return (
    <div class="meter">
      <span class="soft">{label}</span>
      <span>{text}</span>
      <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        <rect class="track" width="100" height="6" />
        <rect class="fill" width={share * 100} height="6" />
      </svg>
    </div>
  );
}
