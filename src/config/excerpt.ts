// Draws one line of a source text with a squiggle under a part of it, safe for any terminal: control characters are
// escaped, tabs are widened, long lines are cut around the squiggle, wide characters count two columns.
import { printable } from '../text.ts';
import type { Range } from './range.ts';

const MAX_WIDTH = 120;
const TAB = '    ';
const ELLIPSIS = '…';

const WIDE =
  /[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;
const ZERO_WIDTH = /\p{Mark}/u;

/**
 * The source line with its number in a gutter of `gutter` columns, and the squiggle below it. Of a range over several
 * lines, the first line is shown. Returns no lines if the source does not have that line.
 */
export function drawExcerpt(source: string, range: Range, gutter: number): readonly string[] {
  const line = nthLine(source, range.line);
  if (line === null) return [];
  const from = Math.min(range.column - 1, line.length);
  const to = range.endLine > range.line ? line.length : Math.min(range.endColumn - 1, line.length);
  const cells = toCells(line, from, Math.max(to, from));
  const { text, offset, width } = cutAround(cells);
  const number = String(range.line).padStart(gutter);
  const blank = ' '.repeat(gutter);
  return [`${number} | ${text}`.trimEnd(), `${blank} | ${' '.repeat(offset)}${'~'.repeat(Math.max(1, width))}`];
}

interface Cell {
  readonly text: string;
  readonly width: number;
  readonly marked: boolean;
}

// Only the visible part of a very long line is processed, so that a one-megabyte line costs nothing.
const REACH = 4 * MAX_WIDTH;

function toCells(line: string, from: number, to: number): readonly Cell[] {
  const start = Math.max(0, from - REACH);
  const end = Math.min(line.length, from + REACH);
  const cells: Cell[] = start > 0 ? [{ text: ELLIPSIS, width: 1, marked: false }] : [];
  // A range of no width (a missing value) still needs a cell to draw under.
  const place: Cell = { text: '', width: 0, marked: true };
  let index = start;
  let placed = from < to;
  for (const character of line.slice(start, end)) {
    if (!placed && index >= from) placed = cells.push(place) > 0;
    const shown = character === '\t' ? TAB : printable(character);
    cells.push({ text: shown, width: displayWidth(shown), marked: index >= from && index < to });
    index += character.length;
  }
  if (!placed) cells.push(place);
  if (end < line.length) cells.push({ text: ELLIPSIS, width: 1, marked: false });
  return cells;
}

function cutAround(cells: readonly Cell[]): { text: string; offset: number; width: number } {
  const first = Math.max(
    0,
    cells.findIndex((cell) => cell.marked),
  );
  let left = first;
  let right = first;
  let width = 0;
  const take = (cell: Cell | undefined): boolean => {
    if (cell === undefined || width + cell.width > MAX_WIDTH - 2) return false;
    width += cell.width;
    return true;
  };
  // The order: the squiggle, up to a third of the width before it, the text after it, more of the text before it.
  while (cells[right]?.marked && take(cells[right])) right += 1;
  const lead = width + MAX_WIDTH / 3;
  while (width < lead && left > 0 && take(cells[left - 1])) left -= 1;
  while (right < cells.length && take(cells[right])) right += 1;
  while (left > 0 && take(cells[left - 1])) left -= 1;
  const head = left > 0 && cells[left]?.text !== ELLIPSIS ? ELLIPSIS : '';
  const tail = right < cells.length && cells[right - 1]?.text !== ELLIPSIS ? ELLIPSIS : '';
  const shown = cells.slice(left, right);
  const sum = (list: readonly Cell[]): number => list.reduce((total, cell) => total + cell.width, 0);
  return {
    text: head + shown.map((cell) => cell.text).join('') + tail,
    offset: head.length + sum(cells.slice(left, first)),
    width: sum(shown.filter((cell) => cell.marked)),
  };
}

function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += ZERO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

function nthLine(source: string, line: number): string | null {
  let start = 0;
  for (let number = 1; number < line; number += 1) {
    const next = source.indexOf('\n', start);
    if (next < 0) return null;
    start = next + 1;
  }
  const end = source.indexOf('\n', start);
  return source.slice(start, end < 0 ? undefined : end).replace(/\r$/, '');
}
