// The table of services. A service without a process has no usage: its reason is shown in those columns, so that it can be read
// in 80 columns. Pure.
import { shownState } from '../../control/wire.ts';
import { firstFor } from './layout.ts';
import { appearance, listed, type Model, recent, type Sort, type TopService } from './model.ts';
import { blankRow, type Row } from './row.ts';
import type { Style } from './style.ts';
import { chartTop, clean, fit, maximum, percent, shortDuration, shortSize, sparkline, widthOf } from './text.ts';

/** Cells of the columns that depend on the screen. 0: the column is not shown. */
interface Widths {
  readonly name: number;
  readonly spark: number;
  readonly note: number;
}

/** Cells of the columns that do not depend on the screen. */
const STATE = 10;
const VALUE = 6;
const RESTARTS = 4;
const UPTIME = 7;
/** The least cells of a note: a shorter one would have too few words. */
const LEAST_NOTE = 16;
/** Cells of a note that sparklines leave on a wide screen. */
const WIDE_NOTE = 30;
const LEAST_SPARK = 6;
const MOST_SPARK = 24;

function widthsFor(columns: number, services: readonly TopService[]): Widths {
  const longest = Math.max(7, ...services.map(({ name }) => widthOf(clean(name))));
  const most = columns >= 140 ? 40 : columns >= 100 ? 28 : columns >= 70 ? 18 : 12;
  const name = Math.min(longest, most);
  const left = columns - (4 + name + 1 + STATE + 1 + 2 * (VALUE + 1) + RESTARTS + 1 + UPTIME);
  // On a wide screen the note gets its cells first, and the sparklines the rest.
  const wanted = left >= 2 * (1 + LEAST_SPARK) + 2 + WIDE_NOTE ? left - WIDE_NOTE - 2 : left;
  const room = Math.floor(wanted / 2) - 1;
  const spark = room < LEAST_SPARK ? 0 : Math.min(MOST_SPARK, room);
  const rest = left - (spark > 0 ? 2 * (spark + 1) : 0) - 2;
  return { name, spark, note: rest >= LEAST_NOTE ? rest : 0 };
}

/** The titles of the columns; a click on one sorts by it. */
export function tableHead(model: Model): Row {
  const { name, spark, note } = widthsFor(model.size.columns, listed(model));
  const row = blankRow(model);
  const title = (text: string, cells: number, sort: Sort | null, align: 'left' | 'right' = 'left') => {
    const style: Style = sort === model.sort ? 'strong' : 'quiet';
    row.add(fit(text, Math.min(cells, row.room), align), style, sort === null ? undefined : { kind: 'sort', sort });
    row.add(' ');
  };
  row.add('    ');
  title('SERVICE', name, 'name');
  title('STATE', STATE, 'failing');
  title('CPU', VALUE, 'cpu', 'right');
  if (spark > 0) title('', spark, 'cpu');
  title('MEM', VALUE, 'memory', 'right');
  if (spark > 0) title('', spark, 'memory');
  title('RST', RESTARTS, null, 'right');
  title('UPTIME', UPTIME, null, 'right');
  if (note > 0) row.add(' ').add('NOTE', 'quiet');
  return row;
}

/** The rows of the table that are on the screen: at most `rows`. */
export function tableRows(model: Model, rows: number): readonly { readonly row: Row; readonly isSelected: boolean }[] {
  const services = listed(model);
  const widths = widthsFor(model.size.columns, services);
  const index = services.findIndex(({ name }) => name === model.selected);
  const first = firstFor(model.first, index < 0 ? 0 : index, services.length, rows);
  return services.slice(first, first + rows).map((service) => {
    const isSelected = service.name === model.selected;
    return { row: serviceRow(model, service, widths, isSelected), isSelected };
  });
}

function serviceRow(model: Model, service: TopService, { name, spark, note }: Widths, isSelected: boolean): Row {
  const { look } = model;
  const { mark, style } = appearance(service);
  const row = blankRow(model).onClick({ kind: 'select', name: service.name });
  row.add(isSelected ? `${look.pointer} ` : '  ').add(`${look.mark(mark)} `, style);
  row.cell(clean(service.name), name, isSelected ? 'strong' : 'plain').add(' ');
  row.cell(service.blocked ? 'blocked' : shownState(service), STATE, style).add(' ');
  const reason = clean(service.reason ?? '');
  if (service.usage === null && service.pid === null)
    return row.add(fit(reason, row.room), style === 'bad' ? 'bad' : 'quiet');
  usageCells(row, model, service, spark);
  row.cell(String(service.restarts), RESTARTS, service.restarts > 0 ? 'busy' : 'quiet', 'right').add(' ');
  const uptime = service.uptime_seconds === null ? '-' : shortDuration(service.uptime_seconds);
  row.cell(uptime, UPTIME, 'plain', 'right');
  if (note > 0) row.add('  ').cell(reason, note, style);
  return row;
}

function usageCells(row: Row, { look, series, now }: Model, { name, usage }: TopService, spark: number): void {
  const known = series.get(name);
  const samples = recent(known, now, spark);
  const cpus = samples.map((sample) => sample?.cpu ?? null);
  const memories = samples.map((sample) => sample?.memory ?? null);
  const cpu = known?.cpu ?? null;
  row.cell(cpu === null ? '-' : percent(cpu), VALUE, 'plain', 'right').add(' ');
  if (spark > 0) row.add(sparkline(cpus, chartTop('cpu', maximum(cpus)), look.bars), 'accent').add(' ');
  row.cell(usage === null ? '-' : shortSize(usage.memory_bytes), VALUE, 'plain', 'right').add(' ');
  if (spark > 0) row.add(sparkline(memories, chartTop('memory', maximum(memories)), look.bars), 'accent').add(' ');
}
