// Computes the rows of the parts of the screen: header, services, title of the pane, pane, footer. Drawing, scrolling and the mouse
// use the same numbers. Pure.
import { listed, type Model } from './model.ts';

/** The smallest screen. */
export const LEAST = { columns: 40, rows: 10 } as const;

/** Rows count from 0. */
export interface Layout {
  readonly isTooSmall: boolean;
  /** Row of the titles of the table; null: the pane fills the screen. */
  readonly tableHead: number | null;
  /** First row, and number of rows. */
  readonly services: { readonly at: number; readonly rows: number };
  readonly paneTitle: number;
  readonly pane: { readonly at: number; readonly rows: number };
  readonly footer: number;
}

/** The layout for the size of the terminal and the number of services. */
export function layoutOf(model: Model): Layout {
  const { columns, rows } = model.size;
  const isTooSmall = columns < LEAST.columns || rows < LEAST.rows;
  const footer = rows - 1;
  if (model.isZoomed) {
    return {
      isTooSmall,
      tableHead: null,
      services: { at: 1, rows: 0 },
      paneTitle: 1,
      pane: { at: 2, rows: Math.max(0, rows - 3) },
      footer,
    };
  }
  // Without the header, the titles of the table, the title of the pane, and the footer.
  const room = Math.max(0, rows - 4);
  const count = Math.min(Math.max(1, listed(model).length), Math.max(3, Math.floor(room / 2)));
  return {
    isTooSmall,
    tableHead: 1,
    services: { at: 2, rows: count },
    paneTitle: 2 + count,
    pane: { at: 3 + count, rows: Math.max(0, room - count) },
    footer,
  };
}

/** Scrolls a list of `count` lines as little as possible, so that line `index` is on one of `rows` rows. Returns the new first line. */
export function firstFor(first: number, index: number, count: number, rows: number): number {
  const most = Math.max(0, count - rows);
  const near = index < first ? index : index >= first + rows ? index - rows + 1 : first;
  return Math.min(most, Math.max(0, near));
}
