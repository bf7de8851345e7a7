// Formats figures: medians, ratios, the table for the terminal, and RESULTS.md. Pure; measures nothing and treats all
// contestants alike.
import type { Row } from './rows/trial.ts';

interface EntrantLine {
  readonly name: string;
  /** Null: not installed. */
  readonly version: string | null;
  readonly gates: boolean;
  readonly remarks: Readonly<Record<string, string>>;
}

interface RowFigures {
  readonly row: Row;
  /** Contestant -> the result of each run; texts are reasons for a missing figure, or results that are not figures (a code). */
  readonly readings: Readonly<Record<string, readonly (number | string)[]>>;
}

export interface Results {
  readonly machine: string;
  readonly minutes: number;
  readonly entrants: readonly EntrantLine[];
  readonly rows: readonly RowFigures[];
}

interface Summary {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly count: number;
  /** Runs without a figure. */
  readonly failed: number;
}

export const OWN = 'svc-super';
const BASH = 'start.sh';

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Null if no run gave a figure. */
export function summarise(readings: readonly (number | string)[]): Summary | null {
  const values = readings.filter((reading) => typeof reading === 'number');
  if (values.length === 0) return null;
  return {
    median: median(values),
    least: Math.min(...values),
    most: Math.max(...values),
    count: values.length,
    failed: readings.length - values.length,
  };
}

/** The text in place of a figure: the most frequent one. */
export function saying(readings: readonly (number | string)[]): string {
  const counts = new Map<string, number>();
  for (const reading of readings) if (typeof reading === 'string') counts.set(reading, (counts.get(reading) ?? 0) + 1);
  const [first] = [...counts].sort((a, b) => b[1] - a[1]);
  return first === undefined ? '' : first[0];
}

/** Three significant digits: 2.08, 24.9, 586, 12,300. */
export function digits(value: number): string {
  if (value === 0) return '0';
  const rounded = Number(value.toPrecision(3));
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(rounded))));
  return rounded.toLocaleString('en-GB', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** The ratio to the best, never below 1. Null if there is none. */
export function timesBehind(row: Row, value: number, other: number): number | null {
  const ratio = row.better === 'more' ? other / value : value / other;
  return row.better === 'neither' || !Number.isFinite(ratio) ? null : ratio;
}

export interface Cell {
  readonly value: string;
  readonly times: { readonly best: number | null; readonly bash: number | null };
  readonly isBest: boolean;
  readonly summary: Summary | null;
}

/** One row of the table: contestant -> cell. */
export function cells(figures: RowFigures, entrants: readonly EntrantLine[]): Map<string, Cell> {
  const { row, readings } = figures;
  const summaries = new Map(entrants.map(({ name }) => [name, summarise(readings[name] ?? [])]));
  const medians = [...summaries.values()].flatMap((summary) => (summary === null ? [] : [summary.median]));
  const best = row.better === 'more' ? Math.max(...medians) : Math.min(...medians);
  const bash = summaries.get(BASH)?.median;
  return new Map(
    entrants.map(({ name, version }): [string, Cell] => {
      const summary = summaries.get(name) ?? null;
      if (summary === null) {
        const value = version === null ? 'not installed' : saying(readings[name] ?? []) || '-';
        return [name, { value, times: { best: null, bash: null }, isBest: false, summary }];
      }
      const failed = summary.failed === 0 ? '' : ` (${summary.count} of ${summary.count + summary.failed})`;
      const times = {
        best: timesBehind(row, summary.median, best),
        bash: bash === undefined ? null : timesBehind(row, summary.median, bash),
      };
      const isBest = row.better !== 'neither' && summary.median === best;
      return [
        name,
        { value: `${digits(summary.median)}${row.unit === '' ? '' : ` ${row.unit}`}${failed}`, times, isBest, summary },
      ];
    }),
  );
}

const ratio = (value: number | null): string => (value === null ? '' : `×${digits(value)}`);

/** `×1.20 ×12.0`: against the best, against bash. */
export const ratios = ({ times, isBest }: Cell): string =>
  [isBest ? 'best' : ratio(times.best), ratio(times.bash)].filter((word) => word !== '').join(' ');

interface Behind {
  readonly row: Row;
  readonly value: string;
  /** Rivals with readiness gates that are better, the best first. */
  readonly rivals: readonly { readonly name: string; readonly value: string; readonly times: number }[];
}

/** The rows in which a rival with readiness gates is better than svc-super. */
export function behind({ rows, entrants }: Results): Behind[] {
  return rows.flatMap((figures) => {
    const row = cells(figures, entrants);
    const own = row.get(OWN);
    if (own?.summary == null || figures.row.better === 'neither') return [];
    const { summary } = own;
    const rivals = entrants
      .filter(({ name, gates }) => gates && name !== OWN)
      .flatMap(({ name }) => {
        const cell = row.get(name);
        const times = cell?.summary == null ? null : timesBehind(figures.row, summary.median, cell.summary.median);
        return cell === undefined || times === null || times <= 1 ? [] : [{ name, value: cell.value, times }];
      })
      .sort((a, b) => b.times - a.times);
    return rivals.length === 0 ? [] : [{ row: figures.row, value: own.value, rivals }];
  });
}

const pad = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - Bun.stringWidth(text)));

/** As wide as the terminal: contestants that do not fit are in a second table, which repeats svc-super. */
export function renderTerminal({ rows, entrants }: Results, width: number): string {
  const shown = rows.map((figures) => ({ title: figures.row.title, cells: cells(figures, entrants) }));
  const head = Math.max(0, ...shown.map(({ title }) => Bun.stringWidth(title)));
  const versionOf = (name: string) => entrants.find((entrant) => entrant.name === name)?.version ?? '-';
  const column = (name: string): number => {
    const texts = shown.flatMap(({ cells: row }) => {
      const cell = row.get(name);
      return cell === undefined ? [] : [cell.value, ratios(cell)];
    });
    return Math.max(name.length, versionOf(name).length, ...texts.map((text) => Bun.stringWidth(text)));
  };
  const groups: string[][] = [];
  let room = 0;
  for (const { name } of entrants) {
    const last = groups.at(-1);
    if (last === undefined || room < column(name) + 2) {
      const first = name === OWN || last === undefined ? [] : [OWN];
      groups.push([...first, name]);
      room = width - head - [...first, name].reduce((sum, each) => sum + column(each) + 2, 0);
    } else {
      last.push(name);
      room -= column(name) + 2;
    }
  }
  return groups.map((names) => renderGroup(names, shown, head, column, versionOf)).join('\n');
}

function renderGroup(
  names: readonly string[],
  shown: readonly { title: string; cells: Map<string, Cell> }[],
  head: number,
  column: (name: string) => number,
  versionOf: (name: string) => string,
): string {
  const line = (title: string, text: (name: string) => string) =>
    [pad(title, head), ...names.map((name) => pad(text(name), column(name)))].join('  ').trimEnd();
  const body = shown.flatMap(({ title, cells: row }) => {
    const second = line('', (name) => ratios(row.get(name) ?? NOTHING));
    return [line(title, (name) => row.get(name)?.value ?? ''), ...(second === '' ? [] : [second])];
  });
  return `${[line('', (name) => name), line('', versionOf), ...body].join('\n')}\n`;
}

const NOTHING: Cell = { value: '', times: { best: null, bash: null }, isBest: false, summary: null };

/** RESULTS.md. `reasons` explains, by row, why svc-super is behind a rival with gates, and what an improvement needs. */
export function renderMarkdown(results: Results, reasons: Readonly<Record<string, string>>): string {
  const { rows, entrants, machine, minutes } = results;
  const remarks = rows.flatMap(({ row }) =>
    entrants.flatMap(({ name, version, remarks: said }) =>
      said[row.id] === undefined || version === null ? [] : [`- ${row.title}: ${name}: ${said[row.id]}.`],
    ),
  );
  const runs = ({ readings }: RowFigures) => Math.max(1, ...Object.values(readings).map((given) => given.length));
  const table = [
    `| | ${entrants.map(({ name }) => name).join(' | ')} | runs |`,
    `| --- |${' --- |'.repeat(entrants.length + 1)}`,
    `| version | ${entrants.map(({ version }) => version ?? 'not installed').join(' | ')} | |`,
    ...rows.map((figures) => {
      const row = cells(figures, entrants);
      const texts = entrants.map(({ name }) => {
        const cell = row.get(name) ?? NOTHING;
        const strong = cell.isBest ? `**${cell.value}**` : cell.value;
        return ratios(cell) === '' ? strong : `${strong}<br>${ratios(cell)}`;
      });
      return `| ${figures.row.title} | ${texts.join(' | ')} | ${runs(figures)} |`;
    }),
  ];
  const spreads = rows.flatMap((figures) => {
    const row = cells(figures, entrants);
    const own = row.get(OWN)?.summary;
    if (own == null || own.count < 2) return [];
    return [`| ${figures.row.title} | ${digits(own.median)} | ${digits(own.least)} | ${digits(own.most)} |`];
  });
  const late = behind(results).map(({ row, value, rivals }) => {
    const who = rivals.map(({ name, value: theirs, times }) => `${name} ${theirs} (×${digits(times)})`).join(', ');
    return `- **${row.title}**: ${value}; ${who}. ${reasons[row.id] ?? 'Not explained yet.'}`;
  });
  return `# Figures

Written by \`npm run bench\`, which took ${Math.round(minutes)} minutes on ${machine}. Contestants are installed by
\`npm run bench -- --install\`; their configurations are in \`bench/rivals\`. Each is PID 1 of a PID namespace of its own,
and the services are the same small static program for all (\`bench/instruments/mark.c\`), which notes the monotonic clock.

Medians. Below each: how many times worse than the best, and than bash (below 1: better). Contestants take turns in every
round; where a contestant gave no figure in some of its runs, how many did is in brackets.

![How many times worse than the best, row by row](results.svg)

${table.join('\n')}

How a contestant does it, where that matters:

${remarks.join('\n')}

## Where a rival with readiness gates is ahead

${late.length === 0 ? 'Nowhere.' : late.join('\n')}

## How far the figures of svc-super lie apart

| | median | least | most |
| --- | --- | --- | --- |
${spreads.join('\n')}
`;
}
