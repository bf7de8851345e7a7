// The plot of a soak over time: one panel each for memory, for counts, and for the work done. SVG as text, readable in light
// and dark colour schemes. Pure.
import type { Moment } from './report.ts';

const WIDTH = 840;
const LEFT = 64;
const RIGHT = 150;
const PANEL = 150;
const GAP = 46;
const TOP = 34;
/** Enough points per line for the number of pixels. */
const MOST_POINTS = 600;

interface Line {
  readonly name: string;
  readonly colour: string;
  read(moment: Moment): number;
}

interface Panel {
  readonly title: string;
  /** The label of a value on the axis. */
  show(value: number): string;
  readonly lines: readonly Line[];
}

const MIB = 2 ** 20;

function panels(last: Moment | undefined): readonly Panel[] {
  const part = (read: (moment: Moment) => number) => (moment: Moment) =>
    (100 * read(moment)) / Math.max(1, last === undefined ? 1 : read(last));
  return [
    {
      title: 'memory, MiB',
      show: (value) => value.toFixed(0),
      lines: [
        { name: 'resident', colour: '#2f81f7', read: ({ resident }) => resident / MIB },
        { name: 'own', colour: '#d1660a', read: ({ anon }) => anon / MIB },
      ],
    },
    {
      title: 'descriptors, armed timers, threads',
      show: (value) => value.toFixed(0),
      lines: [
        { name: 'descriptors', colour: '#2f81f7', read: ({ descriptors }) => descriptors },
        { name: 'timers', colour: '#d1660a', read: ({ timers }) => timers },
        { name: 'threads', colour: '#1a9a55', read: ({ threads }) => threads },
      ],
    },
    {
      title: 'work done, % of all',
      show: (value) => value.toFixed(0),
      lines: [
        { name: 'restarts', colour: '#2f81f7', read: part(({ restarts }) => restarts) },
        { name: 'lines', colour: '#d1660a', read: part(({ lines }) => lines) },
        { name: 'probes', colour: '#1a9a55', read: part(({ probes }) => probes) },
        { name: 'API calls', colour: '#a04bd8', read: part(({ calls }) => calls) },
      ],
    },
  ];
}

/** At most this many values, evenly spaced, including the last one. */
function thin(moments: readonly Moment[]): readonly Moment[] {
  const step = Math.ceil(moments.length / MOST_POINTS);
  return moments.filter((_, index) => index % step === 0 || index === moments.length - 1);
}

/** The least of 1, 2, 5 times a power of ten that is not smaller than a value. */
export function roundUp(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5].find((digit) => digit * power >= value) ?? 10) * power;
}

export function drawPlot(moments: readonly Moment[]): string {
  const shown = thin(moments);
  const longest = Math.max(1, shown.at(-1)?.seconds ?? 1);
  const right = WIDTH - RIGHT;
  const x = (seconds: number) => LEFT + ((right - LEFT) * seconds) / longest;
  const all = panels(shown.at(-1));
  const height = TOP + all.length * (PANEL + GAP);
  const text = (at: readonly [number, number], words: string, more = '') =>
    `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}"${more}>${words}</text>`;
  const drawn = all.flatMap(({ title, show, lines }, index) => {
    const top = TOP + index * (PANEL + GAP);
    const values = lines.map(({ read }) => shown.map(read));
    const most = roundUp(Math.max(0, ...values.flat()));
    const y = (value: number) => top + PANEL - (PANEL * value) / most;
    const grid = [0, 0.5, 1].flatMap((part) => [
      `<line x1="${LEFT}" x2="${right}" y1="${y(part * most).toFixed(1)}" y2="${y(part * most).toFixed(1)}" class="grid"/>`,
      text([LEFT - 8, y(part * most) + 4], show(part * most), ' text-anchor="end"'),
    ]);
    const curves = lines.flatMap(({ name, colour }, at) => {
      const points = shown.map(
        ({ seconds }, number) => `${x(seconds).toFixed(1)},${y(values[at]?.[number] ?? 0).toFixed(1)}`,
      );
      return [
        `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
        `<rect x="${right + 14}" y="${top + 8 + at * 20}" width="10" height="10" fill="${colour}"/>`,
        text([right + 30, top + 17 + at * 20], name),
      ];
    });
    return [text([LEFT, top - 8], title, ' font-weight="600"'), ...grid, ...curves];
  });
  const unit = longest >= 180 ? { name: 'min', seconds: 60 } : { name: 's', seconds: 1 };
  const step = roundUp(longest / unit.seconds / 6);
  const ticks = Array.from({ length: Math.floor(longest / unit.seconds / step) + 1 }, (_, at) =>
    text([x(at * step * unit.seconds), height - GAP + 18], `${at * step} ${unit.name}`, ' text-anchor="middle"'),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Memory, descriptors, threads and timers of svc-super while it soaked">`,
    '<style>text{font:12px system-ui,sans-serif;fill:#57606a}.grid{stroke:#8c959f;stroke-opacity:.35}@media(prefers-color-scheme:dark){text{fill:#b1bac4}}</style>',
    ...drawn,
    ...ticks,
    '</svg>',
    '',
  ].join('\n');
}
