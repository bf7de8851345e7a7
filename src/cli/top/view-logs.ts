// The pane with the log of the selected service: the last lines or earlier ones, filtered, with the text of the search marked. Requests
// nothing. Pure.
import { filtered, findText, hasText, NO_LINES, type ShownLine } from './logs.ts';
import type { Model } from './model.ts';
import { blankRow, type Row } from './row.ts';
import { cut, slice, widthOf } from './text.ts';

/** Cells of the time and the space after it. */
const TIME = 9;

/** The lines of the log that the filter leaves. */
export function shownLines({ logs, selected, filter }: Model): readonly ShownLine[] {
  return filtered(logs.get(selected ?? '') ?? NO_LINES, filter);
}

/** The rows of the pane, at most `rows`. */
export function logRows(model: Model, rows: number): readonly Row[] {
  const { scroll, wraps, logs, selected, filter } = model;
  const lines = shownLines(model);
  if (lines.length === 0) {
    const isKnown = logs.has(selected ?? '');
    const why = filter !== '' ? 'no line has that text' : isKnown ? 'no output yet' : '';
    return [blankRow(model).add(` ${why}`, 'quiet')];
  }
  const cells = cellsOf(model);
  const last = lines.length - Math.min(scroll.up, mostUp(model, rows));
  const shown: Row[] = [];
  for (let index = last - 1; index >= 0 && shown.length < rows; index -= 1) {
    const line = lines[index];
    if (line === undefined) break;
    const pieces = wraps ? cut(line.text, cells) : [slice(line.text, scroll.right, cells)];
    const isCut = !wraps && widthOf(line.text) > scroll.right + cells;
    const own = pieces.map((piece, part) => lineRow(model, line, piece, { isFirst: part === 0, isCut }));
    shown.unshift(...own.slice(-(rows - shown.length)));
  }
  return shown;
}

/** Cells of the text of a line. */
function cellsOf({ size, showsTime }: Model): number {
  return Math.max(1, size.columns - (showsTime ? TIME : 0));
}

/** The largest `scroll.up`, with which the first line is at the top. Wrapped lines take several rows. */
export function mostUp(model: Model, rows: number): number {
  const lines = shownLines(model);
  if (!model.wraps) return Math.max(0, lines.length - rows);
  const cells = cellsOf(model);
  let fitting = 0;
  for (let taken = 0; fitting < lines.length; fitting += 1) {
    taken += cut(lines[fitting]?.text ?? '', cells).length;
    if (taken > rows) break;
  }
  return lines.length - Math.max(1, fitting);
}

/** The largest `scroll.right`, with which the end of the longest line is at the right. */
export function mostRight(model: Model): number {
  const widest = shownLines(model).reduce((most, { text }) => Math.max(most, widthOf(text)), 0);
  return Math.max(0, widest - cellsOf(model));
}

/** `piece`: the part of the line that this row shows; `isFirst`: the row begins the line; `isCut`: the line goes on at the right. */
function lineRow(
  model: Model,
  line: ShownLine,
  piece: string,
  { isFirst, isCut }: Record<'isFirst' | 'isCut', boolean>,
): Row {
  const row = blankRow(model);
  if (model.showsTime) row.add(isFirst ? `${timeOf(line.time)} ` : ' '.repeat(TIME), 'quiet');
  if (line.stream === 'gap') return row.add(piece, 'busy');
  const shown = isCut ? slice(piece, 0, widthOf(piece) - 1) : piece;
  addMarked(
    row,
    shown,
    [model.find, model.filter].filter((wanted) => wanted !== ''),
  );
  return isCut ? row.add('…', 'quiet') : row;
}

/** The time of day in UTC, as in `svc-super logs --time`. */
function timeOf(time: number): string {
  return new Date(time).toISOString().slice(11, 19);
}

/** Adds the text with each occurrence of the wanted texts marked. */
function addMarked(row: Row, text: string, wanted: readonly string[]): void {
  let rest = text;
  while (rest !== '') {
    const next = wanted
      .map((one) => ({ one, at: findText(rest, one) }))
      .filter(({ at }) => at >= 0)
      .sort((a, b) => a.at - b.at)[0];
    if (next === undefined) break;
    row.add(rest.slice(0, next.at)).add(rest.slice(next.at, next.at + next.one.length), 'found');
    rest = rest.slice(next.at + next.one.length);
  }
  row.add(rest);
}

/** How many lines have the text of the search. */
export function countFound(model: Model): number {
  return shownLines(model).filter(({ text }) => hasText(text, model.find)).length;
}

/** Index of the next line with the text of the search, from the line found last or else from the end; null: none. */
export function findNext(model: Model, direction: 'older' | 'newer'): number | null {
  const lines = shownLines(model);
  const step = direction === 'older' ? -1 : 1;
  const start = model.foundAt === null ? lines.length - 1 : model.foundAt + step;
  for (let index = start; index >= 0 && index < lines.length; index += step)
    if (hasText(lines[index]?.text ?? '', model.find)) return index;
  return null;
}

/** The `scroll.up` with which line `index` is in the middle of `rows`. */
export function upFor(model: Model, index: number, rows: number): number {
  const below = shownLines(model).length - 1 - index;
  return Math.max(0, Math.min(mostUp(model, rows), below - Math.floor(rows / 2)));
}
